"""The groups as the pages show them: kept in memory while the database stays as it is, filtered, in an order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlencode

from dedupindex.index import Index, largest_first
from dedupindex.records import DuplicateGroup, Pair, Relation
from dedupindex.records.reports import Overview

PAGE = 48  # groups
RUNS = 8  # latest runs beside the list
QUICK = 0.3  # seconds: groups that are made in less are made after every change
RESTS = 5  # times as long as making them took, changes by others are not looked at


class ListState(StrEnum):
    """Which groups a list shows, by whether somebody chose a keeper."""

    OPEN = "open"  # without a keeper
    KEPT = "kept"  # with one
    ALL = "all"


class ListOrder(StrEnum):
    """In which order a list shows its groups."""

    LARGEST = "largest"  # most files first
    DOUBTFUL = "doubtful"  # lowest score of the weakest link first


STATES = {ListState.OPEN: "still open", ListState.KEPT: "with a keeper", ListState.ALL: "all"}
ORDERS = {ListOrder.LARGEST: "largest first", ListOrder.DOUBTFUL: "most doubtful first"}


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """A group with what the lists ask of it."""

    group: DuplicateGroup
    relations: frozenset[str]
    weakest: float  # score of the weakest link; 1 where all are one image
    files: int
    kept: bool  # somebody decided which to keep

    @property
    def id(self) -> str:
        """The group's id."""
        return self.group.id


@dataclass(frozen=True, slots=True)
class Filter:
    """Which groups a list shows, and in which order."""

    relation: str = ""  # "" = any
    least: float = 0.0  # score of the weakest link
    most: float = 1.0
    state: ListState = ListState.OPEN
    order: ListOrder = ListOrder.LARGEST

    def query(self, **more: str | int) -> str:
        """Return it as the query part of an address, with what else is given."""
        own: dict[str, str | int | float] = {
            "relation": self.relation,
            "least": self.least,
            "most": self.most,
            "state": self.state,
            "order": self.order,
        }
        default = Filter()
        changed = {name: value for name, value in own.items() if value != getattr(default, name)}
        return urlencode({**changed, **more})

    def shows(self, entry: ListedGroup) -> bool:
        """Whether a group is in the list."""
        if self.relation and self.relation not in entry.relations:
            return False
        if not self.least <= entry.weakest <= self.most:
            return False
        return self.state == ListState.ALL or entry.kept == (self.state == ListState.KEPT)


@dataclass(frozen=True)
class GroupList:
    """All groups as they stood at one generation of the database."""

    generation: int
    overview: Overview
    entries: tuple[ListedGroup, ...]
    places: Mapping[str, int]  # group id -> place in `entries`
    epoch: int  # the generation at which all of it was read
    lists: dict[Filter, tuple[ListedGroup, ...]] = field(default_factory=dict)

    def group(self, group_id: str) -> ListedGroup | None:
        """Return the group of that id."""
        place = self.places.get(group_id)
        return None if place is None else self.entries[place]

    def select(self, chosen: Filter) -> tuple[ListedGroup, ...]:
        """Return the groups of a list, in its order."""
        if chosen not in self.lists:
            entries = [entry for entry in self.entries if chosen.shows(entry)]
            if chosen.order == ListOrder.DOUBTFUL:
                entries.sort(key=lambda entry: (entry.weakest, entry.id))
            if len(self.lists) > 100:
                self.lists.clear()
            self.lists[chosen] = tuple(entries)
        return self.lists[chosen]

    def pair(self, group: DuplicateGroup, first: int, other: int) -> Pair | None:
        """Return the confirmed pair of two images of a group.

        Parameters
        ----------
        group : DuplicateGroup
        first, other : int
            Image ids, in any order.

        Returns
        -------
        Pair or None
            None where they are only linked through others.
        """
        return next((pair for pair in group.pairs if {pair.a.id, pair.b.id} == {first, other}), None)


class GroupLists:
    """Keeps the latest `GroupList`, because making one of a large collection takes time.

    After a decision of ours only its group is made anew, by the rules of the report. While others write all the time
    (an ingest of a large collection), pages may show the state of a few seconds ago.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._latest: GroupList | None = None
        self._rest_until = 0.0  # on the monotonic clock: before, what others write is not looked at
        self._wanted = True  # what we wrote has to be seen

    def current(self) -> GroupList:
        """Return the groups as the database has them now."""
        latest = self._latest
        if latest is not None and self._holds(latest):
            return latest
        with self._lock:
            latest = self._latest
            if latest is None or not self._holds(latest):
                self._wanted = False
                began = time.monotonic()
                latest = _group_list(self._index.overview(RUNS))
                took = time.monotonic() - began
                self._rest_until = time.monotonic() + (RESTS * took if took > QUICK else 0.0)
                self._latest = latest
        return latest

    def refresh(self) -> None:
        """Note that we wrote something, so that the next page shows it."""
        self._wanted = True

    def follow(
        self, before: GroupList, gone: Iterable[ListedGroup], come: Iterable[DuplicateGroup], generation: int
    ) -> None:
        """Bring the list of groups up to date after decisions of ours, unless others wrote too.

        Parameters
        ----------
        before : GroupList
            As it was just before.
        gone : iterable of ListedGroup
            Groups of it that are no more, or are others now.
        come : iterable of DuplicateGroup
            Groups in their place.
        generation : int
            That our transaction made.
        """
        with self._lock:
            if self._latest is not before or generation != before.generation + 1:
                self._wanted = True
                return
            left = {entry.id for entry in gone}
            entries = [entry for entry in before.entries if entry.id not in left] + [_entry(group) for group in come]
            entries.sort(key=lambda entry: largest_first(entry.group))
            self._latest = _arranged(before.overview, entries, generation, before.epoch)

    def _holds(self, latest: GroupList) -> bool:
        if latest.generation == self._index.generation:
            return True
        return not self._wanted and time.monotonic() < self._rest_until


def _group_list(overview: Overview) -> GroupList:
    report = overview.report
    return _arranged(overview, [_entry(group) for group in report.groups], report.generation, report.generation)


def _arranged(overview: Overview, entries: Sequence[ListedGroup], generation: int, epoch: int) -> GroupList:
    places = {entry.id: place for place, entry in enumerate(entries)}
    return GroupList(generation, overview, tuple(entries), places, epoch)


def _entry(group: DuplicateGroup) -> ListedGroup:
    relations = {str(relation) for pair in (*group.pairs, *group.alternates) for relation in pair.relations}
    files = sum(len(member.image.locations) for member in group.members)
    if files > len(group.members):
        relations.add(str(Relation.SAME_BYTES))
    weakest = 1.0 if group.weakest is None else group.weakest.verification.score
    return ListedGroup(group, frozenset(relations), weakest, files, any(member.keeper for member in group.members))


def neighbours(entries: Sequence[ListedGroup], group_id: str) -> tuple[int, str, str]:
    """Place of a group in a list (-1 = not in it), and the ids of those before and after it ("" = none)."""
    ids = [entry.id for entry in entries]
    if group_id not in ids:
        return -1, "", ids[0] if ids else ""
    place = ids.index(group_id)
    return place, ids[place - 1] if place else "", ids[place + 1] if place + 1 < len(ids) else ""
