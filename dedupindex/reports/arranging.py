"""The order in which a report shows its groups, and how many of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from dedupindex.records import DuplicateGroup
from dedupindex.records.reports import Report
from dedupindex.reports.summary import freed_by


class Order(StrEnum):
    """By what groups are sorted."""

    SIZE = "size"  # files, most first
    BYTES = "bytes"  # that could be freed, most first
    SCORE = "score"  # of the weakest link, highest first
    DATE = "date"  # of the file that changed last, latest first


def _score(group: DuplicateGroup) -> float:
    return 1.0 if group.weakest is None else group.weakest.verification.score


def _date(group: DuplicateGroup) -> int:
    return max((place.mtime_ns for member in group.members for place in member.image.locations), default=0)


def _size(group: DuplicateGroup) -> int:
    return sum(len(member.image.locations) for member in group.members)


_KEYS: Mapping[Order, Callable[[DuplicateGroup], Any]] = {
    Order.SIZE: _size,
    Order.BYTES: freed_by,
    Order.SCORE: _score,
    Order.DATE: _date,
}


def arranged(report: Report, order: Order | None = None, top: int | None = None) -> Report:
    """Sort the groups of a report, and leave off all but the first ones.

    Parameters
    ----------
    report : Report
    order : Order, optional
        None: as they are. What is equal by it stays in the order it has.
    top : int, optional
        How many groups stay. Pairs of others are left off too, and so are the series of alternates.

    Returns
    -------
    Report
        Where changes were asked for, these are sorted and cut off; what is resolved comes last.
    """
    groups, changes = list(report.groups), None if report.changes is None else list(report.changes)
    if order is not None:
        key = _KEYS[order]
        groups.sort(key=key, reverse=True)
        if changes is not None:
            there = [change for change in changes if change.group is not None]
            there.sort(key=lambda change: key(change.group), reverse=True)  # type: ignore[arg-type]  # see the line above
            changes = [*there, *(change for change in changes if change.group is None)]
    if top is None:
        return dataclasses.replace(report, groups=tuple(groups), changes=None if changes is None else tuple(changes))
    if changes is not None:
        changes = changes[:top]
        shown = {id(change.group) for change in changes}
        groups = [group for group in groups if id(group) in shown]
    else:
        groups = groups[:top]
    pairs = {(pair.a.id, pair.b.id) for group in groups for pair in group.pairs}
    return dataclasses.replace(
        report,
        groups=tuple(groups),
        changes=None if changes is None else tuple(changes),
        pairs=tuple(pair for pair in report.pairs if (pair.a.id, pair.b.id) in pairs),
        series=(),
    )
