"""Stored files that are gone from the places of an ingest are marked as missing."""

from __future__ import annotations

from dedupindex.sources import Finder
from dedupindex.store import catalog, catalog_locations
from dedupindex.store.database import Database


def mark_missing(database: Database, finder: Finder, run: int, dry_run: bool) -> tuple[int, int]:
    """Mark stored files that are gone from the places of this ingest; how many locations that are.

    A file that is left out now, but is there, stays as it is known: how many such files there are comes second.

    Only where the place is a folder that can be listed and is not empty, or a file in such a folder. So neither a disk
    that is not mounted (its mount point is gone, or empty) nor an I/O error marks anything as missing.

    Parameters
    ----------
    database : Database
    finder : Finder
        After its walk.
    run : int
        Id of the ingest.
    dry_run : bool
        Only count.

    Returns
    -------
    missing, still_known : int
    """
    total = still_known = 0
    for root in (*finder.places, *finder.absent):
        whole = finder.holds_something(root)
        if not whole and not finder.holds_something(root.parent):
            continue
        with database.read() as connection:
            under = (p for batch in catalog_locations.paths_under(connection, root) for p in batch)
            gone = []
            for path in under:
                if (whole or path == root) and finder.is_gone(root, path):
                    gone.append(path)
                else:
                    still_known += path != root and finder.leaves_out(path)
        if dry_run:
            total += len(gone)
        elif gone:
            with database.write() as connection:
                total += catalog_locations.mark(connection, gone, run, missing=True)
                catalog.clear_failures(connection, gone)
    return total, still_known
