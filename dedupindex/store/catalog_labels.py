"""Labels: the ids that lists gave to files, stored with their locations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, select, update

from dedupindex.store.catalog import chunks
from dedupindex.store.schema import Location


def changed(connection: Connection, labels: Mapping[Path, str]) -> dict[Path, str]:
    """Those of *labels* that the stored locations do not have yet."""
    differing: dict[Path, str] = {}
    for batch in chunks(list(labels)):
        query = select(Location.path, Location.label).where(Location.path.in_([os.fsencode(path) for path in batch]))
        for name, label in connection.execute(query):
            path = Path(os.fsdecode(name))
            if label != labels[path]:
                differing[path] = labels[path]
    return differing


def put_labels(connection: Connection, labels: Mapping[Path, str]) -> None:
    """Store the labels of files with their locations."""
    for path, label in labels.items():
        connection.execute(update(Location).where(Location.path == os.fsencode(path)).values(label=label))
