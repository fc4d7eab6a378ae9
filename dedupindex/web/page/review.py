"""What a reviewer did with groups, on one or on many at once, and how it is undone."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from dedupindex.errors import SettingsError
from dedupindex.index import Index
from dedupindex.records import Decision, DecisionKind, DuplicateGroup
from dedupindex.web.page.group_lists import GroupList, GroupLists
from dedupindex.web.page.listed import ListedGroup, listed, relisted

MOST_TOGETHER = 60  # pictures of which every two are decided on at once: 1,770 decisions
REMEMBERED = 200  # acts that can be undone
FOLLOWED = 200_000  # groups; after an act on more, all groups are made anew


class Choice(StrEnum):
    """What a reviewer can do with a group."""

    KEEP = "keep"  # one picture is the one to keep
    BOTH = "both"  # all pictures are to stay
    APART = "apart"  # no two pictures are the same
    OUT = "out"  # one picture is the same as none of the others


class StackChoice(StrEnum):
    """What a reviewer can do with a stack: a group and the alternates beside it."""

    ALL = "all"  # all of its pictures are to stay
    APART = "apart"  # they do not belong together
    BEST = "best"  # one is the best, the others are not wanted


@dataclass(frozen=True, slots=True)
class Act:
    """What one key or button did."""

    group: str  # the first one
    words: str
    made: tuple[Decision, ...]
    before: tuple[Decision, ...]  # decisions on the same pictures
    wholes: tuple[ListedGroup, ...]  # the groups as they were
    epoch: int  # of the group list that it was done on
    came: tuple[str, ...] = ()  # ids of the groups that stand in their place now
    counted: int = 0  # groups that were decided on by it


class Review:
    """Writes decisions through the index, and remembers them to undo the latest."""

    def __init__(self, index: Index, group_lists: GroupLists) -> None:
        self._index = index
        self._group_lists = group_lists
        self._acts: deque[Act] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()
        self.skipped: set[str] = set()  # groups that somebody put off
        self.done = 0  # groups that were decided on since the start, without those undone

    @property
    def last(self) -> Act | None:
        """What `undo` would take back."""
        return self._acts[-1] if self._acts else None

    def act(self, entry: ListedGroup, choice: str, key: str = "") -> Act:
        """Do a `Choice` on a group of the current group list.

        Parameters
        ----------
        entry : ListedGroup
            The group.
        choice : Choice or str
            What to do.
        key : str
            Content key of the picture that is kept (``keep``) or taken out (``out``); else not used.

        Returns
        -------
        Act
            What was decided; `undo` takes the latest one back.

        Raises
        ------
        SettingsError
            The choice makes no sense here.
        StoreError
        """
        if choice in (Choice.KEEP, Choice.OUT) and key not in [member.image.key for member in entry.group.members]:
            raise SettingsError("that picture is not in this group")
        return self._act([entry], choice, key, _words(entry.group, choice, key))

    def act_on_all(self, entries: Sequence[ListedGroup], choice: Choice, words: str) -> Act:
        """Do the same with many groups, in one transaction: accept what leads, keep all, or take apart.

        Parameters
        ----------
        entries : sequence of ListedGroup
            At least one.
        choice : Choice
            ``keep`` keeps the picture that leads each group.
        words : str
            What was done, for people.

        Returns
        -------
        Act

        Raises
        ------
        SettingsError
            One of the groups has changed, or the choice makes no sense there; nothing was decided.
        StoreError
        """
        return self._act(entries, choice, "", words)

    def undo(self) -> Act | None:
        """Undo the latest act: its decisions are forgotten, those before it are restored."""
        with self._lock:
            if not self._acts:
                return None
            act = self._acts.pop()
            group_list = self._group_lists.current()
            done = self._index.redecide(forget=act.made, restore=act.before)
            self.done = max(0, self.done - act.counted)
            if group_list.epoch == act.epoch and len(act.wholes) <= FOLLOWED:
                gone = [entry for entry in map(group_list.group, act.came) if entry is not None]
                self._group_lists.follow(group_list, gone, act.wholes, done.generation)
            else:  # others decided or wrote in between
                self._group_lists.refresh()
        return act

    def act_on_stack(self, entry: ListedGroup, choice: StackChoice, going: Sequence[str] = (), best: str = "") -> Act:
        """Decide on a group and the alternates beside it.

        Parameters
        ----------
        entry : ListedGroup
        choice : StackChoice
        going : sequence of str
            Content keys of the pictures that are not wanted, where one is the ``best``.
        best : str
            Content key of the one that stays.

        Returns
        -------
        Act

        Raises
        ------
        SettingsError
            The group has changed; nothing was decided.
        StoreError
        """
        with self._lock:
            group_list = self._group_lists.current()
            _refuse_changed(group_list, [entry])
            own = {member.image.id for member in entry.group.members}
            pairs = [pair for pair in entry.group.alternates if not {pair.a.id, pair.b.id} <= own]
            ends = {image.id: image for pair in pairs for image in (pair.a, pair.b) if image.id not in own}
            concerned = [entry, *_groups_with(group_list, ends.keys())]
            wanted = _on_stack(choice, [(pair.a.key, pair.b.key) for pair in pairs], going, best)
            if not wanted:
                raise SettingsError("there is no stack beside this group any more")
            keys = {image.key for one in concerned for image in (member.image for member in one.group.members)}
            keys.update(image.key for image in ends.values())
            stood = [d for d in self._index.decisions() if d.a in keys and (not d.b or d.b in keys)]
            same = {(decision.a, decision.b) for decision in wanted}
            gone = [d for d in stood if (d.a, d.b) in same or (not d.b and d.a in going)]
            return self._write(group_list, concerned, wanted, stood, gone, _STACK_WORDS[choice], counted=0)

    def _act(self, entries: Sequence[ListedGroup], choice: str, key: str, words: str) -> Act:
        for entry in entries:
            _refuse(entry.group, choice)
        with self._lock:
            group_list = self._group_lists.current()
            _refuse_changed(group_list, entries)
            before = _by_picture(self._index.decisions())
            made, stood, gone = [], [], []
            for entry in entries:
                wanted = _decisions(entry.group, Choice(choice), key)
                own, replaced = _concerned(entry.group, Choice(choice), wanted, before)
                made += wanted
                stood += own
                gone += replaced
            act = self._write(group_list, entries, made, stood, gone, words, counted=len(entries))
            self.skipped.difference_update(entry.id for entry in entries)
        return act

    def _write(
        self,
        group_list: GroupList,
        entries: Sequence[ListedGroup],
        made: Sequence[Decision],
        stood: Sequence[Decision],
        gone: Sequence[Decision],
        words: str,
        *,
        counted: int,
    ) -> Act:
        """Write decisions down in one transaction, and bring the list up to date."""
        done = self._index.redecide(forget=gone, restore=made)
        come: list[ListedGroup] = []
        if len(entries) <= FOLLOWED:
            for entry, groups in zip(entries, self._index.all_regrouped([one.group for one in entries]), strict=True):
                come += [relisted(entry, group) if group.id == entry.id else listed(group) for group in groups]
            self._group_lists.follow(group_list, entries, come, done.generation)
        else:
            self._group_lists.refresh()
        came = tuple(entry.id for entry in come)
        act = Act(entries[0].id, words, tuple(made), tuple(stood), tuple(entries), group_list.epoch, came, counted)
        self._acts.append(act)
        self.done += counted
        return act


def _refuse_changed(group_list: GroupList, entries: Iterable[ListedGroup]) -> None:
    """Refuse to decide on groups that are not those of the current list any more."""
    for entry in entries:
        now = group_list.group(entry.id)
        if now is None or now.group.members != entry.group.members:
            raise SettingsError("the group has changed meanwhile: look at it again")


def _groups_with(group_list: GroupList, images: Collection[int]) -> list[ListedGroup]:
    """The groups that hold some of the pictures that stand beside another group; they list its pictures in turn."""
    return [
        entry
        for entry in group_list.entries
        if entry.group.alternates and any(member.image.id in images for member in entry.group.members)
    ]


_STACK_WORDS = {
    StackChoice.ALL: "all pictures of the stack are to stay",
    StackChoice.APART: "the pictures are no stack",
    StackChoice.BEST: "one picture of the stack is the best",
}


def _on_stack(choice: StackChoice, pairs: Iterable[tuple[str, str]], going: Iterable[str], best: str) -> list[Decision]:
    """Return the decisions that a choice makes on a stack."""
    now = datetime.now(UTC)
    if choice is StackChoice.BEST:
        others = [(min(best, key), max(best, key)) for key in going if key != best]
        kept = [Decision(DecisionKind.KEEPER, best, "", "", now)]
        return [*kept, *(Decision(DecisionKind.KEEP_ONE, *pair, "", now) for pair in others)] if others else []
    kind = DecisionKind.KEEP_BOTH if choice is StackChoice.ALL else DecisionKind.NOT_DUPLICATE
    return [Decision(kind, min(pair), max(pair), "", now) for pair in pairs]


def _refuse(group: DuplicateGroup, choice: str) -> None:
    """Refuse a choice that makes no sense for a group."""
    keys = [member.image.key for member in group.members]
    if choice not in set(Choice):
        raise SettingsError(f"no choice {choice!r}; there are: {', '.join(Choice)}")
    if choice in (Choice.BOTH, Choice.APART) and len(keys) > MOST_TOGETHER:
        raise SettingsError(
            f"{len(keys):,} pictures are too many to decide on together, at most {MOST_TOGETHER}; "
            "take those out that do not belong"
        )
    if choice == Choice.APART and len(keys) < 2:
        raise SettingsError("the same bytes at several places are duplicates")


def _decisions(group: DuplicateGroup, choice: Choice, key: str) -> list[Decision]:
    """Return the decisions that a choice makes on a group."""
    images = [member.image for member in group.members]
    keys, now = [image.key for image in images], datetime.now(UTC)
    if choice is Choice.KEEP:
        return [Decision(DecisionKind.KEEPER, key or keys[0], "", "", now)]
    if choice is Choice.OUT:
        pairs: Iterable[tuple[str, str]] = ((key, other) for other in keys if other != key)
        kind = DecisionKind.NOT_DUPLICATE
    elif choice is Choice.BOTH:  # a picture at several places is paired with itself: all of its files are to stay
        kind = DecisionKind.KEEP_BOTH
        pairs = [*itertools.combinations(keys, 2), *((i.key, i.key) for i in images if len(i.locations) > 1)]
    else:
        kind, pairs = DecisionKind.NOT_DUPLICATE, itertools.combinations(keys, 2)
    return [Decision(kind, min(pair), max(pair), "", now) for pair in pairs]


def _by_picture(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    by_picture: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        by_picture[decision.a].append(decision)
    return by_picture


def _concerned(
    group: DuplicateGroup, choice: Choice, wanted: Sequence[Decision], before: dict[str, list[Decision]]
) -> tuple[list[Decision], list[Decision]]:
    """Return the decisions on pictures of a group as they stood, and those of them that new ones replace."""
    keys = {member.image.key for member in group.members}
    stood = [d for key in sorted(keys) for d in before.get(key, ()) if not d.b or d.b in keys]
    same = {(decision.a, decision.b) for decision in wanted}
    gone = [
        d for d in stood if (d.a, d.b) in same or (choice is Choice.KEEP and d.kind == DecisionKind.KEEPER)
    ]  # one keeper a group
    return stood, gone


def _words(group: DuplicateGroup, choice: str, key: str) -> str:
    number = next((n for n, member in enumerate(group.members, 1) if member.image.key == key), 1)
    words = {
        Choice.KEEP: f"no. {number} is the one to keep",
        Choice.BOTH: "all of them are to stay",
        Choice.APART: "they are not the same",
        Choice.OUT: f"no. {number} is not the same as the others",
    }
    return words.get(Choice(choice), "") if choice in set(Choice) else ""
