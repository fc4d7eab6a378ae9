"""Features of stored images, completed from their files, for databases that keep no thumbnails."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache

from dedupindex.errors import ReadError, Reason
from dedupindex.execution.contained import within_limits
from dedupindex.execution.tasks import FileTask
from dedupindex.features.packing import LOOK, shows_picture
from dedupindex.ingest.describing import describe_files
from dedupindex.records import ImageRecord, LocationRecord
from dedupindex.settings import Settings
from dedupindex.store import catalog_images
from dedupindex.store.database import Connection
from dedupindex.store.rows import FileState
from dedupindex.system import usable_cores

MOST_PLACES = 4  # of an image that are tried
REMEMBERED = 512  # pictures of 20 kB: one that is in many pairs is read once

Parts = Mapping[str, bytes]


def lacking(connection: Connection, parts: Mapping[int, Parts]) -> dict[int, ImageRecord]:
    """Those images, by id, whose packed features do not show the picture.

    Parameters
    ----------
    connection : Connection
    parts : mapping
        Image id to (feature name to packed data), as `catalog_images.features` gives them.

    Returns
    -------
    dict of int to ImageRecord
    """
    without = [image for image, one in parts.items() if not shows_picture(one)]
    return catalog_images.by_id(connection, without) if without else {}


def complete(parts: Mapping[int, Parts], without: Mapping[int, ImageRecord], settings: Settings) -> dict[int, Parts]:
    """Packed features that all show their pictures.

    Parameters
    ----------
    parts : mapping
        Image id to (feature name to packed data).
    without : mapping
        Those of the images that do not show their picture, as `lacking` gives them. Their files are decoded in
        workers, within the limits of the settings.
    settings : Settings

    Returns
    -------
    dict
        Like *parts*, without the images of which no file has the known content any more.
    """
    if not without:
        return dict(parts)
    plain = dataclasses.replace(settings, min_pixels=0)  # what is stored was large enough once
    with ThreadPoolExecutor(settings.workers or usable_cores(), "files") as threads:
        looks = dict(zip(without, threads.map(lambda image: _look(image, plain), without.values()), strict=True))
    return {
        image: {**one, **look} if (look := looks.get(image)) else one
        for image, one in parts.items()
        if image not in looks or looks[image]
    }


def _look(image: ImageRecord, settings: Settings) -> Parts:
    """What shows an image, from the first of its files that can be read; empty where there is none."""
    for place in [place for place in image.locations if not place.missing][:MOST_PLACES]:
        with suppress(ReadError, MemoryError):
            return _read(image.sha256, image.frame, place, settings)
    return {}


@lru_cache(maxsize=REMEMBERED)
def _read(sha256: bytes, frame: int, place: LocationRecord, settings: Settings) -> Parts:
    state = FileState(place.path, place.size, place.mtime_ns, 0)
    task = FileTask(state, settings, first=frame, count=1, sha256=sha256)
    [result] = within_limits(settings, place.path, describe_files, [task])
    for described in result.images:
        if described.frame == frame and described.sha256 == sha256:
            return {name: described.features[name] for name in LOOK}
    raise ReadError(place.path, Reason.CHANGED_WHILE_READ, "holds another picture now")
