"""Thumbnails for the page of a report: as data URIs, from files and from the database."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dedupindex.index.overlays import blurred, webp

if TYPE_CHECKING:
    from dedupindex.cli.console import Bar, Quiet
    from dedupindex.index import Index
    from dedupindex.records import ByteArray, ImageRecord
    from dedupindex.records.pictures import Thumbnail

SIDE = 256  # pixels
QUALITY = 75  # of WebP
MANY, MANY_QUALITY = 4000, 50  # pictures in a page from which size counts more, and their quality then
FROM_FILES = 400  # pictures that are read from their files; further ones come from the database, which is quicker
FOR_FILES = 1.0  # seconds for reading files where there are more pictures than that
MANY_FRAMES = 16  # in stacks of more, reading the file for one frame costs too much
AT_ONCE = 256  # pictures that are fetched from the database together


class Thumbnails:
    """A thumbnail provider: an image's picture as a data URI.

    Parameters
    ----------
    order : sequence of int
        Ids of the images, in the order in which they will be asked for.
    blur : bool
        Blur them all.
    """

    def __init__(self, index: Index, order: Sequence[int], progress: Bar | Quiet, *, blur: bool = False) -> None:
        self._index, self._blur = index, blur
        self._progress = progress
        self._order = order
        self._place = {image: place for place, image in enumerate(order)}
        self._stored: dict[int, Thumbnail] = {}
        self._left = FROM_FILES
        self._quality = QUALITY if len(order) < MANY else MANY_QUALITY
        self._seconds = FOR_FILES if len(order) > FROM_FILES else float("inf")

    def __call__(self, image: ImageRecord) -> str | None:
        """Return a data URI, or None when there is no picture of the image."""
        self._progress.advance(1)
        thumbnail = self._fetched(image)
        if thumbnail is None:
            return None
        return data_uri((blurred(thumbnail) if self._blur else thumbnail).pixels, self._quality)

    def _fetched(self, image: ImageRecord) -> Thumbnail | None:
        if self._left > 0 and self._seconds > 0 and image.frame_count <= MANY_FRAMES:
            self._left -= 1
            began = time.monotonic()
            thumbnail = self._index.thumbnail(image, SIDE)
            self._seconds -= time.monotonic() - began
            if thumbnail is not None:
                return thumbnail
        if image.id not in self._stored:
            start = self._place.get(image.id, len(self._order))
            self._stored = self._index.stored_thumbnails({image.id, *self._order[start : start + AT_ONCE]})
        return self._stored.get(image.id)


def data_uri(picture: ByteArray, quality: int) -> str:
    """Return a picture, (H, W) or (H, W, 3) uint8, as WebP in a data URI."""
    return "data:image/webp;base64," + base64.b64encode(webp(picture, quality)).decode("ascii")
