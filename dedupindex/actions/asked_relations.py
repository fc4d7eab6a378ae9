"""Which relations a plan was asked for: by name, by the name `copy` for all proven copies, by a decision for a keeper.

A pair may lose a file when all of its relations were asked for. Somebody who decided that one picture of a group stays
has looked at that group: its proven copies are asked for by that, without naming what was done to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from dedupindex.actions.plans import needed
from dedupindex.errors import SettingsError, chosen, nearest
from dedupindex.records import Decision, DecisionKind, DuplicateGroup, Pair, Relation
from dedupindex.records.plans import COPY

# What a pair may be called whose proof says `same`, and of which one picture may show all of the other. Neither edited
# pictures (places of them differ) nor shifted overlaps (each shows something of its own) are among these.
PROVEN_COPIES = (
    Relation.SAME_PIXELS,
    Relation.REENCODED,
    Relation.RESIZED,
    Relation.TONE,
    Relation.CROP_OF,
    Relation.ROTATED,
    Relation.MIRRORED,
    Relation.NEGATIVE,
    Relation.BORDERED,
)


def relations_named(names: Sequence[str], *, same_bytes: bool = True) -> tuple[Relation, ...]:
    """Return relations by their names, as people give them to a plan.

    Parameters
    ----------
    names : sequence of str
        Values of `Relation`, or ``copy`` for all `PROVEN_COPIES`.
    same_bytes : bool
        Add ``same_bytes`` where it is not named: who asks for near-duplicates too does not mean to leave out the exact
        ones.

    Returns
    -------
    tuple of Relation
        Each once; ``same_bytes`` first where it was added.

    Raises
    ------
    SettingsError
        There is no such relation.
    """
    names = [chosen(name, [*Relation, COPY]) for name in names]
    unknown = [name for name in names if name != COPY and name not in set(Relation)]
    if unknown:
        near = nearest(unknown[0], [*Relation, COPY])
        raise SettingsError(f"no relation {', '.join(unknown)}; there are: {', '.join([*Relation, COPY])}{near}")
    taken: list[Relation] = [Relation.SAME_BYTES] if same_bytes else []
    for name in names:
        taken += PROVEN_COPIES if name == COPY else (Relation(name),)
    return tuple(dict.fromkeys(taken))


def is_asked_for(pair: Pair, relations: Collection[Relation], *, keeper_decided: bool) -> bool:
    """Whether a pair of near-duplicates may lose a file.

    Parameters
    ----------
    pair : Pair
    relations : collection of Relation
        Those that were named.
    keeper_decided : bool
        Somebody decided that the picture which would stay is kept, and that counts as asking for its proven copies.

    Returns
    -------
    bool
    """
    own = needed(pair.relations)
    if own <= set(relations):
        return True
    return keeper_decided and Relation.UNPROVEN not in pair.relations and own <= set(PROVEN_COPIES)


def decided_groups(groups: Iterable[DuplicateGroup], decisions: Iterable[Decision]) -> list[DuplicateGroup]:
    """Return the groups of which somebody decided which picture stays.

    Parameters
    ----------
    groups : iterable of DuplicateGroup
    decisions : iterable of Decision

    Returns
    -------
    list of DuplicateGroup
        In the order in which they were given.
    """
    keepers = {decision.a for decision in decisions if decision.kind == DecisionKind.KEEPER}
    return [group for group in groups if any(member.image.key in keepers for member in group.members)]
