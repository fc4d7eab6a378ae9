"""Removes places from the index. Files are never touched."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from dedupindex.places import absolute
from dedupindex.records.upkeep import ForgetSummary
from dedupindex.store import catalog_locations
from dedupindex.store.database import Database


def forget(database: Database, paths: Sequence[Path], *, dry_run: bool = False) -> ForgetSummary:
    """Forget files, and folders with all below them; images that were at no other place go with their pairs.

    Files that still exist are described again when an ingest meets them.

    Parameters
    ----------
    database : Database
    paths : sequence of Path
    dry_run : bool
        Only count.

    Returns
    -------
    ForgetSummary

    Raises
    ------
    StoreError
        The database cannot be written; nothing was forgotten then.
    """
    locations = failures = 0
    images: set[int] = set()
    unknown: list[Path] = []
    with contextlib.suppress(_DryRun), database.write() as connection:
        for path in paths:
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


class _DryRun(Exception):  # noqa: N818  (no error: rolls a transaction back)
    pass
