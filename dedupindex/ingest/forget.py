"""Removes places from the index. Files are never touched."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dedupindex.errors import SettingsError
from dedupindex.places import absolute
from dedupindex.records.upkeep import ForgetSummary
from dedupindex.store import catalog_locations
from dedupindex.store.database import Database


def forget(
    database: Database, paths: Sequence[Path], *, missing_for: float | None = None, dry_run: bool = False
) -> ForgetSummary:
    """Forget files, and folders with all below them; images that were at no other place go with their pairs.

    Files that still exist are described again when an ingest meets them.

    Parameters
    ----------
    database : Database
    paths : sequence of Path
    missing_for : float, optional
        Only places that have been marked as missing for so many seconds; without paths, all of these.
    dry_run : bool
        Only count.

    Returns
    -------
    ForgetSummary

    Raises
    ------
    SettingsError
        The time reaches back further than the calendar.
    StoreError
        The database cannot be written; nothing was forgotten then.
    """
    before = None if missing_for is None else _ago(missing_for)
    locations = failures = 0
    images: set[int] = set()
    unknown: list[Path] = []
    with contextlib.suppress(_DryRun), database.write() as connection:
        if before is not None:
            roots: list[Path | None] = [absolute(path) for path in paths]
            for root in roots or [None]:
                places, shown = catalog_locations.forget_missing(connection, before, root)
                locations, images = locations + places, images | shown
        for path in paths if before is None else ():
            root = absolute(path)
            places, shown = catalog_locations.forget_under(connection, root)
            failed = catalog_locations.forget_failures_under(connection, root)
            if not places and not failed:
                unknown.append(path)
            locations, failures = locations + places, failures + failed
            images |= shown
        gone = catalog_locations.delete_unplaced(connection, images)
        if dry_run:
            raise _DryRun
    return ForgetSummary(locations, gone, failures, tuple(unknown))


def _ago(seconds: float) -> datetime:
    try:
        return datetime.now(UTC) - timedelta(seconds=seconds)
    except OverflowError as error:
        raise SettingsError("missing_for reaches back further than the calendar") from error


class _DryRun(Exception):  # noqa: N818  (no error: rolls a transaction back)
    pass
