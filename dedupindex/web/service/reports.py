"""Reports in pages. What is kept of one is kept under the generation that it was read at, so replicas agree."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence

from dedupindex.index import Index
from dedupindex.records import DuplicateGroup
from dedupindex.records.reports import Change, Report, Selection
from dedupindex.web.shared.pictures import Lately

KEPT = 4  # reports
EVERYTHING = Selection()


class Reports:
    """The reports asked for last, made anew when the catalogue has changed."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._kept: Lately[Report] = Lately(KEPT)
        self._turn = threading.Lock()  # many ask for the pages of one report at once: it is made once

    def report(self, selection: Selection = EVERYTHING, since: str | None = None) -> Report:
        """Return a report of what is stored; nothing is searched for.

        Raises
        ------
        SettingsError, StoreError
        """
        if since is not None and not since.isdecimal():  # "7d" and "last" mean something else by and by
            return self._index.report(since, selection=selection, find=False)
        with self._turn:
            kept = self._kept.find((self._index.generation, selection, since))
            if kept is None:
                kept = self._index.report(since, selection=selection, find=False)
                self._kept.put((kept.generation, selection, since), kept)
            return kept

    def group(self, group_id: str) -> DuplicateGroup | None:
        """Return the group of that id in the report of everything."""
        return next((group for group in self.report().groups if group.id == group_id), None)


def page_of(report: Report, after: str, limit: int) -> tuple[Report, str]:
    """Return a page of a report.

    Groups come in the order of their ids, and a page begins after an id. A group that is there all the time is on
    exactly one page, whatever else changes while somebody reads page after page, and from whichever replica.

    Parameters
    ----------
    report : Report
    after : str
        Id after which the page begins; "" = the first page.
    limit : int
        Most groups, at least 1.

    Returns
    -------
    page : Report
    following : str
        Id after which the next page begins; "" = that was the last.
    """
    groups = sorted((group for group in report.groups if group.id > after), key=lambda group: group.id)
    chosen = groups[:limit]
    keys = {member.image.key for group in chosen for member in group.members}
    page = dataclasses.replace(
        report,
        groups=tuple(chosen),
        decisions=tuple(d for d in report.decisions if d.a in keys and (not d.b or d.b in keys)),
        changes=None if report.changes is None else _changes(report, chosen, last=len(groups) <= limit),
    )
    return page, chosen[-1].id if len(groups) > limit else ""


def _changes(report: Report, chosen: Sequence[DuplicateGroup], *, last: bool) -> tuple[Change, ...]:
    """Changes of the groups of a page; those that were resolved stand on the last one."""
    ids = {group.id for group in chosen}
    return tuple(c for c in report.changes or () if c.id in ids or (last and c.group is None))
