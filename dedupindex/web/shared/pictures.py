"""Pictures for the pages: always encoded anew as JPEG, never a file's own bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from dedupindex.index import Index
from dedupindex.index.overlays import blurred, jpeg, laid_over, outlined
from dedupindex.records import ImageRecord, Registration
from dedupindex.records.pictures import Thumbnail
from dedupindex.records.proofs import Box

SIDES = (480, 1600)  # pixels, of a card and of a full view
MOST_BYTES = 300_000_000  # larger files (stacks) are not read for a picture
AT_ONCE = 2  # pictures decoded at a time


class View(StrEnum):
    """Ways to show two pictures on one another."""

    FIRST = "first"
    SECOND = "second"
    DIFFERENCE = "difference"
    OUTLINE = "outline"


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG with the name of its state."""

    data: bytes
    tag: str


class Lately(Generic[_T]):
    """The values asked for last, by key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[object, _T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, make: Callable[[], _T]) -> _T:
        """Return the value, made now if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        self.put(key, value)
        return value

    def find(self, key: object) -> _T | None:
        """Return the value if it is there."""
        with self._lock:
            return self._values.get(key)

    def put(self, key: object, value: _T) -> None:
        """Keep a value."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)


class Pictures:
    """Makes and keeps pictures; with *blur* all of them are blurred, whatever shows them."""

    def __init__(self, index: Index, *, blur: bool = False) -> None:
        self._index, self._blur = index, blur
        self._mark = "-blurred" if blur else ""  # in tags, so that browsers do not show what they kept before
        self._thumbnails: Lately[Thumbnail | None] = Lately(60)  # of 480 pixels: 0.7 MB each at most
        self._small: Lately[Picture | None] = Lately(2000)
        self._laid: Lately[dict[View, Picture] | None] = Lately(40)
        self._turn = threading.BoundedSemaphore(AT_ONCE)

    def thumbnail(self, image: ImageRecord) -> Picture | None:
        """Return the small picture that the database keeps."""
        return self._small.get(image.key, lambda: _picture(self._stored(image), f"{image.key}-s{self._mark}"))

    def picture(self, image: ImageRecord, side: int) -> Picture | None:
        """Return the picture of the file, with its mask's outline; the stored one where the file has changed."""
        thumbnail = self._file(image, side) if side > SIDES[0] else self.base(image)
        return _picture(thumbnail and outlined(thumbnail), f"{image.key}-{side}{self._mark}")

    def base(self, image: ImageRecord) -> Thumbnail | None:
        """Return a picture that others are drawn over."""
        return self._thumbnails.get(image.key, lambda: self._file(image, SIDES[0]))

    def laid(
        self,
        first: ImageRecord,
        other: ImageRecord,
        registration: Registration,
        *,
        turned: bool,
        changed: Sequence[Box] = (),
    ) -> dict[View, Picture]:
        """Return the views of one image laid over another one.

        Parameters
        ----------
        first, other : ImageRecord
        registration : Registration
            How *other* lies on *first*; with *turned*, how *first* lies on *other*.
        changed : sequence of boxes
            Places in which the two differ, (top, left, height, width) in full pixels of *first*; they are outlined.
        turned : bool
            *registration* is that of *first* on *other*.

        Returns
        -------
        dict of View to Picture
            Empty where a picture is missing or the two do not overlap.
        """
        key = (first.key, other.key, registration.matrix, turned, tuple(changed), self._mark)
        tag = hashlib.sha256(repr(key).encode()).hexdigest()[:20]

        def make() -> dict[View, Picture] | None:
            return self._lay(self.base(first), first, other, registration, tag, turned=turned, changed=changed)

        return self._laid.get(tag, make) or {}

    def laid_on(
        self, below: Thumbnail, shape: ImageRecord, other: ImageRecord, registration: Registration
    ) -> dict[View, Picture]:
        """Return the views of an image laid over a picture that is not stored.

        Parameters
        ----------
        below : Thumbnail
            The picture that is not stored.
        shape : ImageRecord
            Its content key and its full size, in pixels.
        other : ImageRecord
            The stored image.
        registration : Registration
            How *other* lies on the full picture.

        Returns
        -------
        dict of View to Picture
            Empty where a picture is missing or the two do not overlap.
        """
        tag = hashlib.sha256(repr((shape.key, other.key, registration.matrix)).encode()).hexdigest()[:20]
        return self._laid.get(tag, lambda: self._lay(below, shape, other, registration, tag, turned=False)) or {}

    def _lay(
        self,
        below: Thumbnail | None,
        first: ImageRecord,
        other: ImageRecord,
        registration: Registration,
        tag: str,
        *,
        turned: bool,
        changed: Sequence[Box] = (),
    ) -> dict[View, Picture] | None:
        above = self.base(other)
        if below is None or above is None:
            return None
        laid = laid_over(below, first, above, other, registration, turned=turned, changed=changed)
        if laid is None:
            return None
        views = dict(zip(View, (laid.first, laid.second, laid.difference, laid.outline), strict=True))
        return {view: Picture(jpeg(pixels, 85), f"{tag}-{view}") for view, pixels in views.items()}

    def _file(self, image: ImageRecord, side: int) -> Thumbnail | None:
        with self._turn:
            thumbnail = self._index.thumbnail(image, side, max_bytes=MOST_BYTES)
        if thumbnail is None:
            return self._stored(image)
        return blurred(thumbnail) if self._blur else thumbnail

    def _stored(self, image: ImageRecord) -> Thumbnail | None:
        thumbnail = self._index.stored_thumbnails([image.id]).get(image.id)
        return blurred(thumbnail) if self._blur and thumbnail is not None else thumbnail


def _picture(thumbnail: Thumbnail | None, tag: str) -> Picture | None:
    return (
        None
        if thumbnail is None
        else Picture(jpeg(thumbnail.pixels, 85), hashlib.sha256(tag.encode()).hexdigest()[:20])
    )
