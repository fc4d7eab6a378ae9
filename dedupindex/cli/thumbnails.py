"""Thumbnails for the page of a report: as data URIs, from files and from the database."""

from __future__ import annotations

import base64
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dedupindex.index.overlays import jpeg, laid_over, regions_on

if TYPE_CHECKING:
    from dedupindex.cli.console import Bar, Quiet
    from dedupindex.index import Index
    from dedupindex.records import ByteArray, ImageRecord, Pair
    from dedupindex.records.pictures import Thumbnail

SIDE = 320  # pixels
FROM_FILES = 400  # pictures that are read from their files; further ones come from the database, which is quicker
FOR_FILES = 1.0  # seconds for reading files where there are more pictures than that
MANY_FRAMES = 16  # in stacks of more, reading the file for one frame costs too much
OVERLAYS = 300  # pictures that are shown laid over the first of their group: about 25 kB of page each
AT_ONCE = 256  # pictures that are fetched from the database together
LATELY = 3  # pictures that are kept: the first of a group and the one in hand


class Thumbnails:
    """A thumbnail provider: an image's picture as a data URI.

    Parameters
    ----------
    order : sequence of int
        Ids of the images, in the order in which they will be asked for.
    """

    def __init__(self, index: Index, order: Sequence[int], progress: Bar | Quiet) -> None:
        self._index = index
        self._progress = progress
        self._order = order
        self._place = {image: place for place, image in enumerate(order)}
        self._stored: dict[int, Thumbnail] = {}
        self._left = FROM_FILES
        self._seconds = FOR_FILES if len(order) > FROM_FILES else float("inf")
        self._overlays = OVERLAYS
        self._lately: OrderedDict[int, Thumbnail | None] = OrderedDict()

    def __call__(self, image: ImageRecord) -> str | None:
        """Return a data URI, or None when there is no picture of the image."""
        self._progress.advance(1)
        thumbnail = self._thumbnail(image)
        return None if thumbnail is None else data_uri(thumbnail.pixels)

    def overlay(self, first: ImageRecord, pair: Pair) -> tuple[str, str, str] | None:
        """Return data URIs of `first`, of the pair's other picture laid over it, and of where they differ.

        The places that the proof found changed are outlined.
        """
        other = pair.a if pair.b.id == first.id else pair.b
        below, above = self._thumbnail(first), self._thumbnail(other)
        if self._overlays <= 0 or below is None or above is None:
            return None
        registration = pair.verification.registration
        turned = pair.a.id != first.id
        laid = laid_over(below, first, above, other, registration, turned=turned, changed=regions_on(pair, first))
        if laid is None:
            return None
        self._overlays -= 1
        return data_uri(laid.first), data_uri(laid.second), data_uri(laid.difference)

    def _thumbnail(self, image: ImageRecord) -> Thumbnail | None:
        if image.id not in self._lately:
            self._lately[image.id] = self._fetched(image)
            if len(self._lately) > LATELY:
                self._lately.popitem(last=False)
        self._lately.move_to_end(image.id)
        return self._lately[image.id]

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


def data_uri(picture: ByteArray) -> str:
    """Return a picture, (H, W) or (H, W, 3) uint8, as a JPEG in a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture)).decode("ascii")
