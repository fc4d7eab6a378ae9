"""The groups as the pages show them: kept in memory while the database stays as it is, filtered, in an order."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from dedupindex.index import Index
from dedupindex.records import DuplicateGroup, ImageRecord, Pair, Relation
from dedupindex.workflows.outcome import Report

PAGE = 48  # groups
OPEN, KEPT, ALL = "open", "kept", "all"
STATES: Mapping[str, str] = {OPEN: "still open", KEPT: "with a keeper", ALL: "all"}
LARGEST, DOUBTFUL = "largest", "doubtful"
ORDERS: Mapping[str, str] = {LARGEST: "largest first", DOUBTFUL: "most doubtful first"}


@dataclass(frozen=True, slots=True)
class Entry:
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
    state: str = OPEN
    order: str = LARGEST

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

    def shows(self, entry: Entry) -> bool:
        """Whether a group is in the list."""
        if self.relation and self.relation not in entry.relations:
            return False
        if not self.least <= entry.weakest <= self.most:
            return False
        return self.state == ALL or entry.kept == (self.state == KEPT)


@dataclass(frozen=True)
class Standing:
    """All groups as they stood at one generation of the database."""

    generation: int
    report: Report
    entries: tuple[Entry, ...]
    places: Mapping[str, int]  # group id -> place in `entries`
    images: Mapping[int, ImageRecord]  # of all groups
    lists: dict[Filter, tuple[Entry, ...]] = field(default_factory=dict)

    def group(self, group_id: str) -> Entry | None:
        """Return the group of that id."""
        place = self.places.get(group_id)
        return None if place is None else self.entries[place]

    def select(self, chosen: Filter) -> tuple[Entry, ...]:
        """Return the groups of a list, in its order."""
        if chosen not in self.lists:
            found = [entry for entry in self.entries if chosen.shows(entry)]
            if chosen.order == DOUBTFUL:
                found.sort(key=lambda entry: (entry.weakest, entry.id))
            if len(self.lists) > 100:
                self.lists.clear()
            self.lists[chosen] = tuple(found)
        return self.lists[chosen]

    def pair(self, group: DuplicateGroup, first: int, other: int) -> Pair | None:
        """Return the confirmed pair of two images of a group."""
        return next((pair for pair in group.pairs if {pair.a.id, pair.b.id} == {first, other}), None)


class Standings:
    """Keeps the latest `Standing`; a new one takes about a second for 5,000 groups.

    After a decision of ours it is made in the background, so that the next group is there at once; meanwhile the
    groups that were decided on are known as touched.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._latest: Standing | None = None
        self._touched: dict[str, int] = {}  # group id -> count of the decision
        self._decided = 0

    def current(self) -> Standing:
        """Return the groups as the database has them now."""
        generation = self._generation()
        latest = self._latest
        if latest is not None and latest.generation == generation:
            return latest
        with self._lock:
            latest = self._latest
            generation = self._generation()
            if latest is None or latest.generation != generation:
                decided = self._decided
                latest = _standing(self._index.report(find=False), generation)
                self._latest = latest
                self._touched = {group: number for group, number in self._touched.items() if number > decided}
        return latest

    def lately(self, group_id: str) -> Standing:
        """Return the groups as they stood a moment ago, unless that group was decided on since."""
        latest = self._latest
        return self.current() if latest is None or self.is_touched(group_id) else latest

    def is_touched(self, group_id: str) -> bool:
        """Whether a group was decided on since the latest standing was made."""
        return group_id in self._touched

    def around(self, standing: Standing, chosen: Filter, group_id: str) -> list[Entry]:
        """Return the groups of a list that are still to be looked at, and the one in hand."""
        return [entry for entry in standing.select(chosen) if entry.id == group_id or not self.is_touched(entry.id)]

    def touch(self, group_id: str) -> None:
        """Say that a group was decided on, and bring the standing up to date in the background."""
        self._decided += 1
        self._touched[group_id] = self._decided
        threading.Thread(target=self.current, daemon=True).start()

    def _generation(self) -> int:
        return self._index.generation


def _standing(report: Report, generation: int) -> Standing:
    entries = tuple(_entry(group) for group in report.groups)
    return Standing(
        generation,
        report,
        entries,
        {entry.id: place for place, entry in enumerate(entries)},
        {member.image.id: member.image for entry in entries for member in entry.group.members},
    )


def _entry(group: DuplicateGroup) -> Entry:
    relations = {str(relation) for pair in group.pairs for relation in pair.verification.relations}
    files = sum(len(member.image.locations) for member in group.members)
    if files > len(group.members):
        relations.add(str(Relation.SAME_BYTES))
    weakest = 1.0 if group.weakest is None else group.weakest.verification.score
    return Entry(group, frozenset(relations), weakest, files, any(member.keeper for member in group.members))


def neighbours(entries: Sequence[Entry], group_id: str) -> tuple[int, str, str]:
    """Place of a group in a list (-1 = not in it), and the ids of those before and after it ("" = none)."""
    ids = [entry.id for entry in entries]
    if group_id not in ids:
        return -1, "", ids[0] if ids else ""
    place = ids.index(group_id)
    return place, ids[place - 1] if place else "", ids[place + 1] if place + 1 < len(ids) else ""
