"""The places that ingests were told to look into: remembered, and asked whether they are there.

They are stored in the table `meta` as JSON. A folder that is a *reference* serves to compare others with: its pictures
are never compared among themselves, form no group of their own, and no plan removes one of them.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from dedupindex.places import is_local, shards_above
from dedupindex.records import ImageRecord, LocationRecord
from dedupindex.records.roots import Root
from dedupindex.records.selected_places import below
from dedupindex.store import catalog, catalog_locations
from dedupindex.store.database import Connection

log = logging.getLogger(__name__)
PATIENCE = 5.0  # seconds for all roots together to say whether they are there
KEY = "roots"  # in the table `meta`: JSON, a list of objects


def remembered(connection: Connection) -> tuple[Root, ...]:
    """Places that ingests were told to look into, by path."""
    rows = json.loads(catalog.get_meta(connection, KEY) or "[]")
    return tuple(Root(Path(row["path"]), bool(row.get("reference")), row.get("host", "")) for row in rows)


def remember(connection: Connection, roots: Iterable[Root]) -> None:
    """Store the places instead of those before."""
    rows = [
        {"path": os.fspath(root.path), "reference": root.reference, "host": root.host}
        for root in sorted(set(roots), key=lambda root: (os.fsencode(root.path), root.host))
    ]
    catalog.set_meta(connection, **{KEY: json.dumps(rows)})


def with_ingest(
    before: Sequence[Root], folders: Collection[Path], references: Collection[Path], host: str
) -> tuple[Root, ...]:
    """The roots after an ingest of these places.

    Parameters
    ----------
    before : sequence of Root
        As `remembered`.
    folders : collection of Path
        Folders that the ingest looks into to find duplicates; none of them is a reference afterwards.
    references : collection of Path
        Places with whose pictures those are compared.
    host : str
        See `catalog.host`.

    Returns
    -------
    tuple of Root
    """
    named = {*folders, *references}
    kept = [
        dataclasses.replace(root, reference=root.path in references) if root.path in named else root for root in before
    ]
    known = {(root.path, root.host) for root in kept}
    kept += [Root(path, path in references, host) for path in sorted(named) if (path, host) not in known]
    return tuple(kept)


def deepest(roots: Iterable[Root], path: Path) -> Root | None:
    """The innermost root at or above a path; None where there is none."""
    above = [root for root in roots if below(path, root.path)]
    return max(above, key=lambda root: (len(root.path.parts), root.reference)) if above else None


def is_reference(roots: Sequence[Root], path: Path) -> bool:
    """Whether a path belongs to a reference; a root inside it that is none does not."""
    root = deepest(roots, path)
    return root is not None and root.reference


def whole_references(roots: Sequence[Root]) -> tuple[Path, ...]:
    """References inside which no folder is searched: all that lies at or below them belongs to them."""
    searched = [root.path for root in roots if not root.reference]
    return tuple(
        sorted({r.path for r in roots if r.reference and not any(below(folder, r.path) for folder in searched)})
    )


def reference_images(connection: Connection, roots: Sequence[Root] | None = None) -> frozenset[int]:
    """Ids of the images whose every present place belongs to a reference.

    Parameters
    ----------
    connection : Connection
    roots : sequence of Root, optional
        As `remembered`, which is asked otherwise.

    Returns
    -------
    frozenset of int
    """
    roots = remembered(connection) if roots is None else roots
    counted: dict[int, int] = {}
    for folder in {root.path for root in roots if root.reference}:
        for path, image in catalog_locations.images_under(connection, folder):
            root = deepest(roots, path)
            if root is not None and root.reference and root.path == folder:  # one inside another counts for itself
                counted[image] = counted.get(image, 0) + 1
    places = catalog_locations.place_counts(connection, counted)
    return frozenset(image for image, number in counted.items() if places.get(image) == number)


# -------------------------------------------------------------------------------------------------- what is there
def is_absent(folder: Path) -> bool:
    """Whether a folder of this machine is not there, or is empty, as the mount point of an unplugged disk is.

    One that cannot be read counts as being there.
    """
    if not is_local(folder):
        return False
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def absent(connection: Connection) -> tuple[Path, ...]:
    """Roots of this machine that are not there now; one that does not answer in time counts as not there.

    The mount of a server that is gone may block whoever looks at it for ever, so each look is in a thread of its own.
    """
    host = catalog.host(connection)
    folders = [root.path for root in remembered(connection) if root.host == host]
    answers: dict[Path, bool] = {}

    def look(folder: Path) -> None:
        answers[folder] = is_absent(folder)

    threads = [threading.Thread(target=look, args=(folder,), name="look-at-root", daemon=True) for folder in folders]
    for thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE
    for folder, thread in zip(folders, threads, strict=True):
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            log.warning("%s does not answer, and counts as not there", folder)
    return tuple(folder for folder in folders if answers.get(folder, True))


def marked(image: ImageRecord, away: Sequence[Path]) -> ImageRecord:
    """The image with its places below absent roots marked as missing, and those that are there first.

    Parameters
    ----------
    image : ImageRecord
    away : sequence of Path
        As `absent` gives them.

    Returns
    -------
    ImageRecord
    """
    if not any(_is_away(place, away) for place in image.locations):
        return image
    ordered = sorted(marked_places(image.locations, away), key=lambda place: place.missing)  # stable: by path within
    return dataclasses.replace(image, locations=tuple(ordered))


def looked_up(image: ImageRecord) -> ImageRecord:
    """The image with its places marked as missing where no file lies now, and those that are there first.

    Parameters
    ----------
    image : ImageRecord

    Returns
    -------
    ImageRecord
        The same one where all that was there is there.
    """
    places = [dataclasses.replace(place, missing=place.missing or not _lies_there(place)) for place in image.locations]
    if places == list(image.locations):
        return image
    return dataclasses.replace(image, locations=tuple(sorted(places, key=lambda place: place.missing)))


def _lies_there(place: LocationRecord) -> bool:
    """Whether there is a file, as far as one can tell without opening it: of a member of an archive, the archive."""
    if not is_local(place.path):
        return True
    try:
        os.lstat(place.path)
    except NotADirectoryError:
        return any(above.is_file() for above in shards_above(place.path))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return True


def marked_places(places: Iterable[LocationRecord], away: Sequence[Path]) -> tuple[LocationRecord, ...]:
    """Places in their order, those below absent roots marked as missing."""
    return tuple(dataclasses.replace(place, missing=place.missing or _is_away(place, away)) for place in places)


def _is_away(place: LocationRecord, away: Sequence[Path]) -> bool:
    return any(below(place.path, root) for root in away)
