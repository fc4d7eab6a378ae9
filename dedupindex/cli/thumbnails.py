"""Thumbnails for pages: from the file where it still holds that image, else what the database keeps."""

from __future__ import annotations

import base64
from collections import OrderedDict
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dedupindex.errors import ReadError
from dedupindex.sources import decode_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dedupindex.cli.console import Bar, Quiet
    from dedupindex.index import Index
    from dedupindex.records import ByteArray, Frame, ImageRecord, Pair

SIDE = 320  # pixels
FROM_FILES = 400  # pictures that are read from their files; further ones come from the database, which is quicker
MANY_FRAMES = 16  # in stacks of more, reading the file for one frame costs too much
OVERLAYS = 300  # pictures that are shown laid over the first of their group: about 25 kB of page each
LATELY = 3  # pictures that are kept: the first of a group and the one in hand


class Thumbnails:
    """A thumbnail provider: an image's picture as a data URI."""

    def __init__(self, index: Index, progress: Bar | Quiet) -> None:
        self._index = index
        self._progress = progress
        self._left = FROM_FILES
        self._overlays = OVERLAYS
        self._lately: OrderedDict[int, ByteArray | None] = OrderedDict()

    def __call__(self, image: ImageRecord) -> str | None:
        """Return a data URI, or None when there is no picture of the image."""
        self._progress.advance(1)
        picture = self._picture(image)
        return None if picture is None else data_uri(picture)

    def overlay(self, first: ImageRecord, pair: Pair) -> tuple[str, str, str] | None:
        """Return data URIs of `first`, of the pair's other picture laid over it, and of where they differ."""
        from dedupindex.compare.picture import lay_over
        from dedupindex.compare.registration import invert

        other = pair.a if pair.b.id == first.id else pair.b
        below, above = self._picture(first), self._picture(other)
        if self._overlays <= 0 or below is None or above is None:
            return None
        matrix = np.array(pair.verification.registration.matrix, np.float64)
        try:
            if pair.a.id != first.id:
                matrix = invert(matrix)
            laid = lay_over(below, above, matrix, (first.height, first.width), (other.height, other.width))
        except (ValueError, np.linalg.LinAlgError):
            return None
        self._overlays -= 1
        return data_uri(laid.first), data_uri(laid.second), data_uri(laid.difference)

    def _picture(self, image: ImageRecord) -> ByteArray | None:
        if image.id not in self._lately:
            self._lately[image.id] = self._fetched(image)
            if len(self._lately) > LATELY:
                self._lately.popitem(last=False)
        self._lately.move_to_end(image.id)
        return self._lately[image.id]

    def _fetched(self, image: ImageRecord) -> ByteArray | None:
        picture = None
        if self._left > 0 and image.frame_count <= MANY_FRAMES:
            self._left -= 1
            picture = self._from_file(image)
        if picture is None:
            picture = self._stored(image)
        return picture

    def _from_file(self, image: ImageRecord) -> ByteArray | None:
        from dedupindex.features.thumbnail import reduce, stretch

        for place in image.locations[:2]:
            try:
                decoded = decode_file(place.path, self._index.settings, frame=place.frame)
            except (ReadError, MemoryError):
                continue
            frames = [frame for frame in decoded.frames if frame.number == image.frame]
            if decoded.sha256 != image.sha256 or not frames:
                continue
            frame = frames[0]
            pixels = frame.pixels if frame.pixels.dtype == np.uint8 else stretch(_floats(frame), frame.mask)
            small, _ = reduce(np.asarray(pixels, np.uint8), frame.mask, SIDE)
            return small
        return None

    def _stored(self, image: ImageRecord) -> ByteArray | None:
        try:
            features = self._index.features_of(image.id)
        except (KeyError, ValueError):
            return None
        return coloured(features.thumbnail, features.colour)


def coloured(luminance: ByteArray, colour: ByteArray) -> ByteArray:
    """Return the stored luminance with the hues of the smaller colour picture.

    Parameters
    ----------
    luminance : (H, W) uint8
    colour : (h, w, 3) uint8

    Returns
    -------
    (H, W, 3) uint8
    """
    wide = cv2.resize(colour, luminance.shape[::-1], interpolation=cv2.INTER_LINEAR)
    both = cv2.cvtColor(wide, cv2.COLOR_RGB2YCrCb)
    both[..., 0] = luminance
    return np.asarray(cv2.cvtColor(both, cv2.COLOR_YCrCb2RGB), np.uint8)


def data_uri(picture: ByteArray) -> str:
    """Return a picture, (H, W) or (H, W, 3) uint8, as a JPEG in a data URI."""
    ordered = picture if picture.ndim == 2 else np.ascontiguousarray(picture[..., ::-1])
    _, buffer = cv2.imencode(".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return "data:image/jpeg;base64," + base64.b64encode(buffer.tobytes()).decode("ascii")


def _floats(frame: Frame) -> NDArray[np.float32]:
    """Luminance in 0..1 of a frame deeper than 8 bits, by its valid range."""
    pixels = frame.pixels.astype(np.float64)
    if pixels.ndim == 3:
        pixels = pixels @ np.array([0.299, 0.587, 0.114])
    valid = pixels[frame.mask & np.isfinite(pixels)]
    low, high = (float(valid.min()), float(valid.max())) if valid.size else (0.0, 1.0)
    spread = (pixels - low) / max(high - low, 1e-300)
    return np.asarray(np.nan_to_num(spread), np.float32).clip(0, 1)
