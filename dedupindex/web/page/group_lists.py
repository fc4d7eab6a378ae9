"""The groups as the pages show them: kept in memory while the database stays as it is, filtered, in an order."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dedupindex.errors import DedupIndexError
from dedupindex.index import Index
from dedupindex.records import DuplicateGroup, Pair
from dedupindex.records.reports import Overview
from dedupindex.web.page.listed import Filter, ListedGroup, ListOrder, ListState, listed

log = logging.getLogger(__name__)
PAGE = 48  # groups
RUNS = 8  # latest runs beside the list
QUICK = 0.3  # seconds: groups that are made in less are made after every change
RESTS = 5  # times as long as making them took, changes by others are not looked at
FOLLOWED = 4  # lists that are brought up to date after a decision; others are made anew when they are asked for
FEW = 50  # changed groups up to which their places are looked up one by one
EVERYTHING = Filter(state=ListState.ALL)  # all groups, in the order of the report


@dataclass(frozen=True, slots=True)
class Listing:
    """The groups of a filter, in its order."""

    chosen: Filter
    entries: tuple[ListedGroup, ...]
    freed: int  # bytes that all of them would free at most

    def place(self, entry: ListedGroup) -> int:
        """Return the place of a group in the list; -1 = it is not in it."""
        place = _place(self.entries, entry, self.chosen)
        return place if place < len(self.entries) and self.entries[place].id == entry.id else -1


@dataclass(frozen=True)
class GroupList:
    """All groups as they stood at one generation of the database."""

    generation: int
    overview: Overview
    entries: tuple[ListedGroup, ...]
    by_id: Mapping[str, ListedGroup]
    epoch: int  # the generation at which all of it was read, or at which files went
    lists: dict[Filter, Listing] = field(default_factory=dict)  # the one that was asked for last at the end

    def group(self, group_id: str) -> ListedGroup | None:
        """Return the group of that id."""
        return self.by_id.get(group_id)

    def listing(self, chosen: Filter) -> Listing:
        """Return the groups of a list, in its order."""
        known = self.lists.pop(chosen, None)
        if known is None:
            entries = chosen.among(self.entries)
            if chosen.order != ListOrder.LARGEST:  # the order of `entries`
                entries.sort(key=chosen.key())
            known = _listing(chosen, entries)
        if len(self.lists) > 100:
            self.lists.clear()
        self.lists[chosen] = known
        return known

    def select(self, chosen: Filter) -> tuple[ListedGroup, ...]:
        """Return the groups of a list, in its order."""
        return self.listing(chosen).entries

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
    (an ingest of a large collection), pages may show the state of a few seconds ago; a large list is renewed in a
    thread of its own, and pages show the former one until it is there.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._latest: GroupList | None = None
        self._rest_until = 0.0  # on the monotonic clock: before, what others write is not looked at
        self._wanted = True  # what we wrote has to be seen
        self._slow = False  # making the groups takes so long that nobody waits for what others write
        self._renewing = threading.Lock()

    def current(self) -> GroupList:
        """Return the groups as the database has them now."""
        latest = self._latest
        if latest is not None and self._holds(latest):
            return latest
        if latest is not None and self._slow and not self._wanted:
            if self._renewing.acquire(blocking=False):
                threading.Thread(target=self._renew, daemon=True).start()
            return latest
        return self._made()

    def _made(self) -> GroupList:
        with self._lock:
            latest = self._latest
            if latest is None or not self._holds(latest):
                self._wanted = False
                began = time.monotonic()
                with _without_collection():
                    latest = _group_list(self._index.overview(RUNS))
                took = time.monotonic() - began
                self._slow = took > QUICK
                self._rest_until = time.monotonic() + (RESTS * took if self._slow else 0.0)
                self._latest = latest
        return latest

    def _renew(self) -> None:
        try:
            self._made()
        except DedupIndexError as error:
            log.warning("the list of groups was not renewed: %s", error)
        finally:
            self._renewing.release()

    def refresh(self) -> None:
        """Note that we wrote something, so that the next page shows it."""
        self._wanted = True

    def follow(
        self,
        before: GroupList,
        gone: Sequence[ListedGroup],
        come: Sequence[ListedGroup],
        generation: int,
        *,
        files: bool = False,
    ) -> None:
        """Bring the list of groups up to date after decisions of ours, unless others wrote too.

        Parameters
        ----------
        before : GroupList
            As it was just before.
        gone : sequence of ListedGroup
            Groups of it that are no more, or are others now.
        come : sequence of ListedGroup
            Groups in their place.
        generation : int
            That our transaction made.
        files : bool
            Files went: what was decided before cannot be undone by putting the former groups back.
        """
        with self._lock:
            if self._latest is not before or generation != before.generation + 1:
                self._wanted = True
                return
            new = list(come)
            entries = _changed(before.entries, gone, new, EVERYTHING)
            by_id = dict(before.by_id)
            for entry in gone:
                by_id.pop(entry.id, None)
            by_id.update((entry.id, entry) for entry in new)
            epoch = generation if files else before.epoch
            latest = GroupList(generation, before.overview, tuple(entries), by_id, epoch)
            for chosen in list(before.lists)[-FOLLOWED:]:
                test, known = chosen.test(), before.lists[chosen]
                off, on = list(filter(test, gone)), list(filter(test, new))
                freed = known.freed - sum(e.freed for e in off) + sum(e.freed for e in on)
                latest.lists[chosen] = Listing(chosen, tuple(_changed(known.entries, off, on, chosen)), freed)
            self._latest = latest

    def _holds(self, latest: GroupList) -> bool:
        if latest.generation == self._index.generation:
            return True
        return not self._wanted and time.monotonic() < self._rest_until


@contextmanager
def _without_collection() -> Iterator[None]:
    """Make many records that stay: the collector would look through all of them over and over, and finds no circles."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collecting:
            gc.enable()


def _changed(
    entries: Sequence[ListedGroup], gone: Sequence[ListedGroup], new: Sequence[ListedGroup], chosen: Filter
) -> list[ListedGroup]:
    """Return a list in its order without some of its groups and with new ones."""
    if len(gone) + len(new) > FEW:
        left = {entry.id for entry in gone}
        stay = [entry for entry in entries if entry.id not in left]
        return sorted([*stay, *new], key=chosen.key())
    changed = list(entries)
    for entry in gone:
        place = _place(changed, entry, chosen)
        if place < len(changed) and changed[place].id == entry.id:
            del changed[place]
    for entry in new:
        changed.insert(_place(changed, entry, chosen), entry)
    return changed


def _place(entries: Sequence[ListedGroup], entry: ListedGroup, chosen: Filter) -> int:
    """Return where a group stands in a list, or would stand; no two groups have the same sort key."""
    key = chosen.key()
    low, high, mine = 0, len(entries), key(entry)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if key(entries[middle]) < mine else (low, middle)
    return low


def _listing(chosen: Filter, entries: Sequence[ListedGroup]) -> Listing:
    return Listing(chosen, tuple(entries), sum(entry.freed for entry in entries))


def _group_list(overview: Overview) -> GroupList:
    report = overview.report
    entries = tuple(listed(group) for group in report.groups)
    by_id = {entry.id: entry for entry in entries}
    return GroupList(report.generation, overview, entries, by_id, report.generation)


def neighbours(listing: Listing, entry: ListedGroup) -> tuple[int, str, str]:
    """Place of a group in a list (-1 = not in it), and the ids of those before and after it ("" = none)."""
    entries, place = listing.entries, listing.place(entry)
    if place < 0:
        return -1, "", entries[0].id if entries else ""
    before = entries[place - 1].id if place else ""
    return place, before, entries[place + 1].id if place + 1 < len(entries) else ""
