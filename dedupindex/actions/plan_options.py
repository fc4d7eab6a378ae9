"""What somebody asks a plan for, by value or by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupindex.actions.asked_relations import relations_named
from dedupindex.actions.plans import NEAR_ACTIONS, is_under
from dedupindex.errors import SettingsError, chosen, nearest
from dedupindex.fields import Choice
from dedupindex.groups.ranking import Policy, rule_order
from dedupindex.records import Relation
from dedupindex.records.companions import CompanionKind, Units
from dedupindex.records.plans import COPY, Action
from dedupindex.system import can_clone


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What somebody asked a plan for.

    Raises
    ------
    SettingsError
        The options contradict each other.
    """

    action: Action = Action.TRASH
    to: Path | None = None  # where `move` moves to
    relations: tuple[Relation, ...] = (Relation.SAME_BYTES,)  # a pair counts when all of its relations are among these
    protect: tuple[Path, ...] = ()
    keep: tuple[str, ...] = ()
    prefer: tuple[Path, ...] = ()
    unproven: bool = False  # take also what was seen at 128 pixels only, where its relations are named
    decided: bool = False  # only groups of which somebody decided which picture stays
    keeper_copies: bool = True  # a decision for a keeper asks for its proven copies, whatever their relations
    units: Units = Units.TOGETHER
    may_lack: tuple[CompanionKind, ...] = ()  # companions of these kinds need no equal beside the keeper
    merge_metadata: bool = False  # the keeper's sidecar takes over what only the files that go say of the picture
    alternates: bool = False  # take also alternates of which somebody decided that another one is kept (`keep-one`)

    def __post_init__(self) -> None:
        if (self.action is Action.MOVE) != (self.to is not None):
            raise SettingsError("a folder to move to belongs to the action move, and to no other")
        near = [str(relation) for relation in self.relations if relation is not Relation.SAME_BYTES]
        if near and self.action not in NEAR_ACTIONS:
            raise SettingsError(f"{', '.join(near)}: only files with the same bytes may be linked or deleted")
        if self.action is Action.REFLINK and not can_clone():
            raise SettingsError("reflink: this system cannot let files share their blocks; hardlink may do")
        if self.may_lack and self.action not in NEAR_ACTIONS:
            raise SettingsError("what the keeper lacks may only be moved, or go to the trash")
        if self.merge_metadata and self.action not in NEAR_ACTIONS:
            raise SettingsError(f"{self.action}: metadata is carried over only from files that are moved or trashed")
        if self.alternates and self.action not in NEAR_ACTIONS:
            raise SettingsError("alternates may only be moved, or go to the trash")
        if Relation.SHIFTED_OVERLAP in self.relations:
            raise SettingsError("shifted_overlap: each of the two shows something of its own, neither may go")
        if Relation.ALTERNATE in self.relations:
            raise SettingsError("alternate: the two show different content, neither goes unless somebody decides so")
        if Relation.UNPROVEN in self.relations:
            raise SettingsError("unproven: says nothing of what was done; name that, and add --unproven")
        rule_order(self.keep)

    @classmethod
    def named(
        cls,
        action: str,
        relations: Sequence[str],
        *,
        to: Path | None = None,
        protect: tuple[Path, ...] = (),
        keep: tuple[str, ...] = (),
        prefer: tuple[Path, ...] = (),
        unproven: bool = False,
        decided: bool = False,
        same_bytes: bool = True,
        units: str = Units.TOGETHER,
        may_lack: Sequence[str] = (),
        merge_metadata: bool = False,
        alternates: bool = False,
    ) -> PlanOptions:
        """Options from an action and relations by their names, as people give them.

        Parameters
        ----------
        action : str
            Value of an `Action`.
        relations : sequence of str
            Values of `Relation`, or ``copy`` for all proven copies: pairs with these may lose a file.
        to : Path, optional
            Folder for the action ``move``, and only for it.
        protect : tuple of Path
            Files at and below these stay.
        keep : tuple of str
            Keep rules, the first that can decides; empty = those of the settings.
        prefer : tuple of Path
            Folders whose files are rather kept, the most preferred first; empty = those of the settings.
        unproven : bool
            Take pairs whose files were not compared too.
        decided : bool
            Only groups of which somebody decided which picture stays; of these all proven copies.
        same_bytes : bool
            Take files with the same bytes too where that is not among *relations*.
        units : str
            Value of `Units`.
        may_lack : sequence of str
            Values of `CompanionKind`: what the kept file need not have although the one that goes has it.
        merge_metadata : bool
            Write what only the files that go say of the picture (rating, keywords, description, position, date) into an
            XMP sidecar beside the one that is kept.
        alternates : bool
            Take also alternates of which somebody decided that another one is kept.

        Returns
        -------
        PlanOptions

        Raises
        ------
        SettingsError
            There is no such action, relation or kind, or the options contradict each other.
        """
        chosen_action = _named("action", action, Action)
        if decided and chosen_action in NEAR_ACTIONS:
            relations = (*relations, COPY)
        return cls(
            chosen_action,
            to,
            relations_named(relations, same_bytes=same_bytes),
            protect,
            keep,
            prefer,
            unproven,
            decided,
            units=_named("way to treat units", units, Units),
            may_lack=tuple(_named("kind of companion", name, CompanionKind) for name in dict.fromkeys(may_lack)),
            merge_metadata=merge_metadata,
            alternates=alternates,
        )

    def policy(self, keepers: Collection[str] = ()) -> Policy:
        """The policy by which the files of each group are ranked; the same as that of reports but for these options."""
        return Policy(self.keep, self.prefer, lambda path: is_under(path, self.protect), keepers)


def _named(what: str, name: str, kind: type[Choice]) -> Choice:
    meant = chosen(name, kind)
    if meant not in set(kind):
        raise SettingsError(f"no {what} {name}; there are: {', '.join(kind)}{nearest(name, kind)}")
    return kind(meant)
