"""Remembers which places an ingest was told to look into, and what has to be searched again when that changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dedupindex.groups import roots
from dedupindex.places import is_local
from dedupindex.store import catalog, catalog_images, catalog_locations
from dedupindex.store.database import Connection


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
