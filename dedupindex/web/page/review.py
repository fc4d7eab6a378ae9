"""Decisions made on the review page, and undoing them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from dedupindex.errors import SettingsError
from dedupindex.index import Index
from dedupindex.records import Decision, DecisionKind, DuplicateGroup, ImageRecord
from dedupindex.records.decisions import Decided
from dedupindex.web.page.group_lists import GroupLists, ListedGroup

MOST_TOGETHER = 60  # pictures of which every two are decided on at once: 1,770 decisions
REMEMBERED = 200  # acts that can be undone


class Choice(StrEnum):
    """What a reviewer can do with a group."""

    KEEP = "keep"  # one picture is the one to keep
    BOTH = "both"  # all pictures are to stay
    APART = "apart"  # no two pictures are the same
    OUT = "out"  # one picture is the same as none of the others


@dataclass(frozen=True, slots=True)
class Act:
    """What one key or button did."""

    group: str
    words: str
    made: tuple[Decision, ...]
    before: tuple[Decision, ...]  # decisions on the same pictures
    whole: DuplicateGroup  # the group as it was
    epoch: int  # of the group_list that it was done on


class Review:
    """Writes decisions through the index, and remembers them to undo the latest."""

    def __init__(self, index: Index, group_lists: GroupLists) -> None:
        self._index = index
        self._group_lists = group_lists
        self._acts: deque[Act] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()

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
        group = entry.group
        images = [member.image for member in group.members]
        keys = [image.key for image in images]
        if choice not in set(Choice):
            raise SettingsError(f"no choice {choice!r}; there are: {', '.join(Choice)}")
        if choice in (Choice.KEEP, Choice.OUT) and key not in keys:
            raise SettingsError("that picture is not in this group")
        if choice in (Choice.BOTH, Choice.APART) and len(images) > MOST_TOGETHER:
            raise SettingsError(
                f"{len(images):,} pictures are too many to decide on together, at most {MOST_TOGETHER}; "
                "take those out that do not belong"
            )
        if choice == Choice.APART and len(images) < 2:
            raise SettingsError("the same bytes at several places are duplicates")
        with self._lock:
            group_list = self._group_lists.current()
            now = group_list.group(group.id)
            if now is None or now.group.members != group.members:
                raise SettingsError("the group has changed meanwhile: look at it again")
            before = self._index.decisions()
            decided = self._write(images, choice, key, before)
            concerned = {*keys}
            stood = tuple(
                decision
                for decision in before
                if decision.a in concerned and (not decision.b or decision.b in concerned)
            )
            act = Act(group.id, _words(group, choice, key), decided.decisions, stood, group, group_list.epoch)
            self._acts.append(act)
            self._group_lists.follow(group_list, [entry], self._index.regrouped(group), decided.generation)
        return act

    def undo(self) -> Act | None:
        """Undo the latest act: its decisions are forgotten, those before it are restored."""
        with self._lock:
            if not self._acts:
                return None
            act = self._acts.pop()
            group_list = self._group_lists.current()
            done = self._index.redecide(forget=act.made, restore=act.before)
            if group_list.epoch == act.epoch:  # else others decided or wrote in between: all groups are made anew
                ids = {member.image.id for member in act.whole.members}
                gone = [e for e in group_list.entries if any(member.image.id in ids for member in e.group.members)]
                self._group_lists.follow(group_list, gone, [act.whole], done.generation)
            else:
                self._group_lists.refresh()
        return act

    def _write(self, images: list[ImageRecord], choice: str, key: str, before: list[Decision]) -> Decided:
        """Decide, in one transaction."""
        keys = [image.key for image in images]
        if choice == Choice.KEEP:
            others = [
                decision
                for decision in before
                if decision.kind == DecisionKind.KEEPER and decision.a in keys and decision.a != key
            ]
            return self._index.redecide(make=[(DecisionKind.KEEPER, [key])], forget=others)
        if choice == Choice.BOTH:  # a picture at several places is named twice: all of its files are to stay
            return self._index.decide(DecisionKind.KEEP_BOTH, [*keys, *(i.key for i in images if len(i.locations) > 1)])
        if choice == Choice.APART:
            return self._index.decide(DecisionKind.NOT_DUPLICATE, keys)
        return self._index.redecide(make=[(DecisionKind.NOT_DUPLICATE, [key, other]) for other in keys if other != key])


def _words(group: DuplicateGroup, choice: str, key: str) -> str:
    number = next((n for n, member in enumerate(group.members, 1) if member.image.key == key), 0)
    return {
        Choice.KEEP: f"no. {number} is the one to keep",
        Choice.BOTH: "all of them are to stay",
        Choice.APART: "they are not the same",
        Choice.OUT: f"no. {number} is not the same as the others",
    }[Choice(choice)]
