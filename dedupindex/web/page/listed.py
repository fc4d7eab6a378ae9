"""A group with what the lists ask of it, and the filters and orders of lists."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dedupindex.index import largest_first
from dedupindex.places import text_of
from dedupindex.records import DuplicateGroup, Link, Outcome, Relation
from dedupindex.reports.summary import freed_of

MEGABYTE = 1_000_000  # bytes; filters by size count in these
DAY = 86_400_000_000_000  # nanoseconds


class ListState(StrEnum):
    """Which groups a list shows, by whether somebody chose a keeper."""

    OPEN = "open"  # without a keeper
    KEPT = "kept"  # with one
    ALL = "all"


class ListOrder(StrEnum):
    """In which order a list shows its groups."""

    LARGEST = "largest"  # most files first
    FREED = "freed"  # most bytes to free first
    DOUBTFUL = "doubtful"  # lowest score of the weakest link first
    NEWEST = "newest"  # latest change of a file first
    NAME = "name"  # by the name of the first file


class ProofState(StrEnum):
    """How well a group is proven: what the weakest of its pairs says."""

    EXACT = "exact"  # the same bytes or pixels
    PROVEN = "proven"  # every pair was compared at full resolution and is the same
    EDITED = "edited"  # compared, and places differ
    UNPROVEN = "unproven"  # a pair was seen at 128 pixels only


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """A group with what the lists ask of it."""

    group: DuplicateGroup
    relations: frozenset[str]
    weakest: float  # score of the weakest link; 1 where all are one image
    files: int
    kept: bool  # somebody decided which to keep
    going: int  # files that could go at most
    freed: int  # their bytes
    proof: ProofState
    paths: tuple[str, ...]  # of all its files, as text
    folders: frozenset[str]  # in which they lie
    names: str  # all file names, in lower case, a line each
    first: int  # earliest and latest change of its files, nanoseconds since 1970
    latest: int
    companions: bool  # a file belongs to one of its pictures
    judgement: bool  # no rule tells which picture is better
    largest: tuple[Any, ...]  # sort key of the order of reports

    @property
    def id(self) -> str:
        """The group's id."""
        return self.group.id


def listed(group: DuplicateGroup) -> ListedGroup:
    """Return a group with what the lists ask of it."""
    relations = {str(relation) for pair in (*group.pairs, *group.alternates) for relation in pair.relations}
    places = [place for member in group.members for place in member.image.locations]
    if len(places) > len(group.members):
        relations.add(str(Relation.SAME_BYTES))
    paths = tuple(text_of(place.path) for place in places)
    free = freed_of(group)
    times = [place.mtime_ns for place in places]
    return ListedGroup(
        group=group,
        relations=frozenset(relations),
        weakest=1.0 if group.weakest is None else group.weakest.verification.score,
        files=len(places),
        kept=any(member.keeper for member in group.members),
        going=free.files,
        freed=free.bytes,
        proof=_proof(group),
        paths=paths,
        folders=frozenset(sys.intern(path.rpartition("/")[0] or "/") for path in paths),
        names="\n".join(path.rpartition("/")[2] for path in paths).casefold(),
        first=min(times, default=0),
        latest=max(times, default=0),
        companions=any(place.companions for place in places),
        judgement=any(member.judgement for member in group.members),
        largest=largest_first(group),
    )


def relisted(entry: ListedGroup, group: DuplicateGroup) -> ListedGroup:
    """Return a group as it is after a decision; what depends on its files alone is taken over.

    Parameters
    ----------
    entry : ListedGroup
        As it was before.
    group : DuplicateGroup
        With the same id.
    """
    before = entry.group
    same = len(before.members) == len(group.members) and before.pairs is group.pairs
    same = same and before.alternates is group.alternates
    if not same or any(a.image is not b.image for a, b in zip(before.members, group.members, strict=True)):
        return listed(group)
    kept, judgement = (any(getattr(m, name) for m in group.members) for name in ("keeper", "judgement"))
    return replace(entry, group=group, kept=kept, judgement=judgement)


def _proof(group: DuplicateGroup) -> ProofState:
    state = ProofState.EXACT
    for pair in group.pairs:
        if pair.link is Link.UNPROVEN:
            return ProofState.UNPROVEN
        if pair.proof is not None and pair.proof.outcome is Outcome.EDITED:
            state = ProofState.EDITED
        elif state is ProofState.EXACT and not {Relation.SAME_BYTES, Relation.SAME_PIXELS}.intersection(pair.relations):
            state = ProofState.PROVEN
    return state


@dataclass(frozen=True, slots=True)
class Filter:
    """Which groups a list shows, and in which order. What is empty does not count."""

    relation: str = ""
    proof: str = ""
    least: float = 0.0  # score of the weakest link
    most: float = 1.0
    folder: str = ""  # a file lies at or below it
    against: str = ""  # another file lies at or below this one
    name: str = ""  # a file name holds it, in any case
    since: str = ""  # YYYY-MM-DD, UTC: a file was changed on that day or later
    until: str = ""  # a file was changed on that day or earlier
    frees: float = 0.0  # at least so many megabytes could be freed
    companions: bool = False
    state: ListState = ListState.OPEN
    order: ListOrder = ListOrder.LARGEST

    def query(self, **more: str | int) -> str:
        """Return it as the query part of an address, with what else is given."""
        own: dict[str, Any] = {name: getattr(self, name) for name in FIELDS}
        default = Filter()
        changed = {
            name: 1 if value is True else value for name, value in own.items() if value != getattr(default, name)
        }
        return urlencode({**changed, **more}, errors="surrogateescape")

    @property
    def chosen(self) -> int:
        """How many filters are set, order and state apart."""
        default = Filter()
        return sum(getattr(self, n) != getattr(default, n) for n in FIELDS if n not in ("state", "order"))

    def test(self) -> Callable[[ListedGroup], bool]:
        """Return what tells whether a group is in the list."""
        tests = self.tests()
        return lambda entry: all(test(entry) for test in tests)

    def among(self, entries: Iterable[ListedGroup]) -> list[ListedGroup]:
        """Return those of some groups that are in the list, in the order in which they were given."""
        left = list(entries)
        for test in self.tests():  # one after the other, which is quicker than all of them for each group
            left = list(filter(test, left))
        return left

    def tests(self) -> list[Callable[[ListedGroup], bool]]:
        """Return the conditions that a group in the list meets, the quickest first."""
        tests: list[Callable[[ListedGroup], bool]] = []
        if self.state != ListState.ALL:
            kept = self.state == ListState.KEPT
            tests.append(lambda entry: entry.kept == kept)
        if self.relation:
            tests.append(lambda entry: self.relation in entry.relations)
        if self.proof:
            tests.append(lambda entry: entry.proof == self.proof)
        if self.least > 0 or self.most < 1:
            tests.append(lambda entry: self.least <= entry.weakest <= self.most)
        if self.since:
            since = _nanoseconds(self.since)
            tests.append(lambda entry: entry.latest >= since)
        if self.until:
            until = _nanoseconds(self.until) + DAY
            tests.append(lambda entry: entry.first < until)
        if self.frees > 0:
            least = self.frees * MEGABYTE
            tests.append(lambda entry: entry.freed >= least)
        if self.companions:
            tests.append(lambda entry: entry.companions)
        if self.name:
            wanted = self.name.casefold()
            tests.append(lambda entry: wanted in entry.names)
        if self.folder or self.against:
            tests.append(_folders(self.folder, self.against))
        return tests

    def key(self) -> Callable[[ListedGroup], Any]:
        """Return the sort key of the order."""
        return KEYS[self.order]


FIELDS = tuple(Filter.__dataclass_fields__)
KEYS: Mapping[ListOrder, Callable[[ListedGroup], Any]] = {
    ListOrder.LARGEST: attrgetter("largest"),
    ListOrder.FREED: lambda entry: (-entry.freed, entry.id),
    ListOrder.DOUBTFUL: lambda entry: (entry.weakest, entry.id),
    ListOrder.NEWEST: lambda entry: (-entry.latest, entry.id),
    ListOrder.NAME: lambda entry: (entry.names, entry.id),
}


def chosen_filter(known: Mapping[str, str]) -> Filter:
    """Return the filter that an address asks for; what means nothing counts as not given.

    Parameters
    ----------
    known : mapping of str to str
        Values by the names of the fields of `Filter`; others are passed over.

    Returns
    -------
    Filter
    """

    def one_of(name: str, kinds: type[StrEnum], default: str = "") -> str:
        return known[name] if known.get(name) in set(kinds) else default

    return Filter(
        relation=one_of("relation", Relation),
        proof=one_of("proof", ProofState),
        least=_number(known.get("least"), 0.0, 1.0),
        most=_number(known.get("most"), 1.0, 1.0),
        folder=_folder(known.get("folder")),
        against=_folder(known.get("against")),
        name=known.get("name", "").strip(),
        since=_day(known.get("since")),
        until=_day(known.get("until")),
        frees=_number(known.get("frees"), 0.0, 1e9),
        companions=bool(known.get("companions")),
        state=ListState(one_of("state", ListState, ListState.OPEN)),
        order=ListOrder(one_of("order", ListOrder, ListOrder.LARGEST)),
    )


def _number(text: str | None, default: float, most: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        return default
    return value if 0 <= value <= most else default


def _day(text: str | None) -> str:
    try:
        return date.fromisoformat(text or "").isoformat()
    except ValueError:
        return ""


def _nanoseconds(day: str) -> int:
    return int(datetime.combine(date.fromisoformat(day), time(), UTC).timestamp()) * 1_000_000_000


def _folder(text: str | None) -> str:
    """A folder as it stands in paths: without a slash at its end."""
    folder = (text or "").strip()
    return text_of(Path(os.path.normpath(folder))) if folder.startswith("/") else folder.rstrip("/")


def _folders(folder: str, against: str) -> Callable[[ListedGroup], bool]:
    """Return whether a file lies in one folder and, where a second is given, another file in that one."""
    if not (folder and against):
        return _inside(folder or against)
    one, other = _below(folder), _below(against)
    in_one, in_other = _inside(folder), _inside(against)  # most groups fail this quicker look

    def both(entry: ListedGroup) -> bool:
        if not (in_one(entry) and in_other(entry)):
            return False
        there = [path for path in entry.paths if other(path)]
        return any(one(path) and (len(there) > 1 or path != there[0]) for path in entry.paths)

    return both


def _inside(folder: str) -> Callable[[ListedGroup], bool]:
    """Return whether a file lies at or below a place; each folder of files is looked at once."""
    below, parent = _below(folder), folder.rstrip("/").rpartition("/")[0] or "/"
    known: dict[str, bool] = {}

    def inside(entry: ListedGroup) -> bool:
        for place in entry.folders:
            if place not in known:
                known[place] = below(place)
            if known[place]:
                return True
        return parent in entry.folders and folder in entry.paths  # the place is a file itself

    return inside


def _below(folder: str) -> Callable[[str], bool]:
    inside = folder if folder.endswith("/") else f"{folder}/"
    return lambda path: path == folder or path.startswith(inside)
