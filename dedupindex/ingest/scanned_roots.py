"""Remembers which places an ingest was told to look into, and what has to be searched again when that changes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dedupindex.groups import roots
from dedupindex.places import is_local
from dedupindex.store import catalog, catalog_images, catalog_locations
from dedupindex.store.database import Connection

SAMPLE = 100  # files of a root that are looked for below another one


def remember_roots(connection: Connection, searched: Sequence[Path], references: Sequence[Path]) -> tuple[Path, ...]:
    """Remember the places of an ingest; every place that is a reference afterwards.

    A reference that is searched now is none any more: its pictures were not compared among themselves, so the next
    search for duplicates searches them again.

    Parameters
    ----------
    connection : Connection
    searched, references : sequence of Path
        Absolute. Only folders of this machine are remembered of those that are searched.

    Returns
    -------
    tuple of Path
    """
    before = roots.remembered(connection)
    was = {root.path for root in before if root.reference}
    folders = {path for path in searched if path in was or (is_local(path) and path.is_dir())}
    after = roots.with_ingest(before, folders, set(references), catalog.host(connection))
    if after != before:
        roots.remember(connection, after)
    for path in was.intersection(folders):
        catalog_images.mark_unsearched_of(
            connection, [image for _, image in catalog_locations.images_under(connection, path)]
        )
    return tuple(sorted({root.path for root in after if root.reference}))


def renamed_roots(connection: Connection, searched: Sequence[Path]) -> dict[Path, Path]:
    """Roots that are gone, each with the new folder of this ingest that seems to be the same under another name.

    Only a guess, by the names and sizes of some files: what is left out of the old root has to hold before the new one
    is read for the first time.

    Parameters
    ----------
    connection : Connection
    searched : sequence of Path
        Absolute.

    Returns
    -------
    dict of Path to Path
    """
    known = {root.path for root in roots.remembered(connection)}
    fresh = [path for path in searched if path not in known and is_local(path) and path.is_dir()]
    renamed: dict[Path, Path] = {}
    for old in roots.absent(connection) if fresh else ():
        batch = next(catalog_locations.paths_under(connection, old, SAMPLE), [])
        files = catalog_locations.known_files(connection, batch)
        for new in fresh:
            same = sum(_has_size(new / path.relative_to(old), file.state.size) for path, file in files.items())
            if files and 2 * same >= len(files):
                renamed[old] = new
    return renamed


def _has_size(path: Path, size: int) -> bool:
    try:
        return os.lstat(path).st_size == size
    except (OSError, ValueError):
        return False


def search_again(connection: Connection, after: int) -> None:
    """Let images of references be searched again that now have a place outside of them.

    They were not compared with other images of references, and now they are to be.

    Parameters
    ----------
    connection : Connection
    after : int
        Places with larger ids are new.
    """
    known = roots.remembered(connection)
    if not any(root.reference for root in known):
        return
    images = catalog_locations.images_found_again(connection, after)
    places: dict[int, tuple[set[bool], set[bool]]] = {image: (set(), set()) for image in images}
    for place in catalog_locations.places_of(connection, images):
        places[place.image][place.id > after].add(roots.is_reference(known, place.path))
    left = [image for image, (old, new) in places.items() if False not in old and False in new]
    catalog_images.mark_unsearched_of(connection, left)
