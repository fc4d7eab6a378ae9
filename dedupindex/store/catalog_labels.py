"""Labels: the ids that lists gave to files, kept with their locations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, select, update

from dedupindex.store.catalog import chunks
from dedupindex.store.schema import Location


def changed(connection: Connection, labels: Mapping[Path, str]) -> dict[Path, str]:
    """Those of some labels that stored locations do not have yet."""
    found: dict[Path, str] = {}
    for some in chunks(list(labels)):
        query = select(Location.path, Location.label).where(Location.path.in_([os.fsencode(path) for path in some]))
        for name, label in connection.execute(query):
            path = Path(os.fsdecode(name))
            if label != labels[path]:
                found[path] = labels[path]
    return found


def put_labels(connection: Connection, labels: Mapping[Path, str]) -> None:
    """Give the locations of files their labels."""
    for path, label in labels.items():
        connection.execute(update(Location).where(Location.path == os.fsencode(path)).values(label=label))
