"""Tiles of pictures at full size, made once a picture and kept for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict

from dedupindex.index import Index
from dedupindex.records import ImageRecord
from dedupindex.records.pictures import FileFacts, TiledPicture
from dedupindex.web.shared.pictures import AT_ONCE, MOST_BYTES, Lately

KEPT_BYTES = 256_000_000  # of tiles
STEPS = 20  # of the window of deep pictures: its two ends are multiples of 1/20


class Tiles:
    """Makes and keeps tiles, and what files say of themselves; with *blur* there are none."""

    def __init__(self, index: Index, *, blur: bool = False) -> None:
        self._index, self._blur = index, blur
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int], TiledPicture | None] = OrderedDict()
        self._making: dict[tuple[str, int, int], threading.Lock] = {}
        self._turn = threading.BoundedSemaphore(AT_ONCE)
        self._facts: Lately[FileFacts] = Lately(2000)

    def picture(self, image: ImageRecord, low: int = 0, high: int = STEPS) -> TiledPicture | None:
        """Return the tiles of an image.

        Parameters
        ----------
        image : ImageRecord
        low, high : int
            Ends of the window of a picture deeper than 8 bits, in `STEPS` of its valid range; low < high.

        Returns
        -------
        TiledPicture or None
            None where no file holds the image any more, or pictures are blurred.
        """
        if self._blur:
            return None
        key = (image.key, low, high)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:  # a page asks for many tiles of one picture at once
            with self._lock:
                if key in self._kept:
                    return self._kept[key]
            with self._turn:
                tiled = self._index.tiled(image, (low / STEPS, high / STEPS), max_bytes=MOST_BYTES)
            with self._lock:
                self._kept[key] = tiled
                self._making.pop(key, None)
                while len(self._kept) > 1 and sum(one.bytes for one in self._kept.values() if one) > KEPT_BYTES:
                    self._kept.popitem(last=False)
            return tiled

    def facts(self, image: ImageRecord) -> FileFacts:
        """Return what the file of an image says of itself."""
        return self._facts.get(image.key, lambda: self._index.file_facts(image, max_bytes=MOST_BYTES))
