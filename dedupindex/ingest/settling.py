"""Updates the index after files were moved or restored: places are marked, nothing is read.

The next ingest does the rest.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from dedupindex.store import catalog, catalog_locations
from dedupindex.store.database import Database


def settle(database: Database, paths: Sequence[Path]) -> int:
    """Mark the places of files that were acted upon as missing or present; how many places changed.

    A file counts as present when it is a regular file of the size and time that the index knows.

    Raises
    ------
    StoreError
        The database cannot be written; the next ingest will notice the changes all the same.
    """
    with database.read() as connection:
        known = catalog_locations.known_files(connection, paths)
    there: list[Path] = []
    gone: list[Path] = []
    for path, file in known.items():
        try:
            status = os.lstat(path)
        except OSError:
            gone.append(path)
            continue
        if not stat.S_ISREG(status.st_mode):
            gone.append(path)
        elif (status.st_size, status.st_mtime_ns) == (file.state.size, file.state.mtime_ns):
            there.append(path)
    with database.write() as connection:
        run = catalog.start_run(connection, catalog.RunKind.APPLY)
        changed = catalog_locations.mark(connection, gone, run, missing=True)
        changed += catalog_locations.mark(connection, there, run, missing=False)
        catalog.finish_run(connection, run, {"places": changed})
    return changed
