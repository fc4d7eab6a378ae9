"""Tiles of a file's own pixels, for looking at it at any size up to all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import ReadError
from dedupindex.execution.contained import within_limits
from dedupindex.groups.thumbnails import TRIED, frame_of, unchanged
from dedupindex.records import ByteArray, Frame, ImageRecord, LocationRecord, Mask
from dedupindex.records.pictures import TiledPicture
from dedupindex.settings import Settings
from dedupindex.sources import decode_file

SIDE = 512  # pixels of a tile
QUALITY = 92  # of JPEG tiles: what it changes is below what one sees at 100 %
LEAST = 800  # pixels: a level whose longer side is not above this has no smaller one

Window = tuple[float, float]  # shares 0..1 of the valid range that are shown as black and as white


def tiled_picture(
    image: ImageRecord, settings: Settings, window: Window = (0.0, 1.0), *, max_bytes: int | None = None
) -> TiledPicture | None:
    """Cut the picture of an image into tiles, from the first of its files that still holds exactly that image.

    The file is decoded in a worker; its digest is that of the bytes that were decoded, so a file that was replaced
    meanwhile, or a link to another one, gives nothing.

    Parameters
    ----------
    image : ImageRecord
    settings : Settings
    window : (float, float)
        Shares 0..1 of the valid range of a frame deeper than 8 bits that are shown as black and as white.
    max_bytes : int, optional
        Larger files are not read.

    Returns
    -------
    TiledPicture or None
        None where no file gives it.
    """
    for place in image.locations[:TRIED]:
        if place.missing or not unchanged(place) or (max_bytes is not None and place.size > max_bytes):
            continue
        try:
            tiled = within_limits(settings, place.path, _read_tiles, image, place, settings, window)
        except (ReadError, MemoryError):
            continue
        if tiled is not None:
            return tiled
    return None


def _read_tiles(image: ImageRecord, place: LocationRecord, settings: Settings, window: Window) -> TiledPicture | None:
    """Make the tiles in this process; None where the file holds another image.

    Raises
    ------
    ReadError
    """
    decoded = decode_file(place.path, settings, min_side=None, frame=place.frame)
    frame = frame_of(decoded, image.frame)
    return cut(frame, window) if decoded.sha256 == image.sha256 and frame is not None else None


def cut(frame: Frame, window: Window = (0.0, 1.0)) -> TiledPicture:
    """Cut a frame into tiles.

    Parameters
    ----------
    frame : Frame
        At full size.
    window : (float, float)
        See `tiled_picture`.

    Returns
    -------
    TiledPicture
    """
    pixels, low, high = windowed(frame, window)
    mask = None if frame.mask.all() else frame.mask
    height, width = pixels.shape[:2]
    tiles: dict[tuple[int, int, int], bytes] = {}
    level = 0
    while True:
        for row, column, place in _places(*pixels.shape[:2]):
            tiles[level, row, column] = _encoded(pixels[place], None if mask is None else mask[place])
        if max(pixels.shape[:2]) <= LEAST:
            break
        pixels, mask = _halved(pixels, mask)
        level += 1
    kind = "image/jpeg" if mask is None else "image/png"
    return TiledPicture(width, height, SIDE, level + 1, tiles, kind, low, high)


def windowed(frame: Frame, window: Window) -> tuple[ByteArray, float, float]:
    """Return a frame as 8 bits, and the sample values that became black and white.

    Frames of 8 bits stay as they are. Others are spread between two shares of the range of their valid samples, the
    same for all channels, so that colours stay.
    """
    if frame.pixels.dtype == np.uint8:
        return np.asarray(frame.pixels, np.uint8), 0.0, 255.0
    samples = np.asarray(frame.pixels, np.float32)
    valid = samples[frame.mask]
    valid = valid[np.isfinite(valid)]
    least, most = (float(valid.min()), float(valid.max())) if valid.size else (0.0, 1.0)
    low, high = (least + share * (most - least) for share in window)
    spread = np.nan_to_num((samples - low) * (255.0 / max(high - low, 1e-30)))
    return np.asarray(np.rint(spread.clip(0, 255)), np.uint8), low, high


def _places(height: int, width: int) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    for row in range(math.ceil(height / SIDE)):
        for column in range(math.ceil(width / SIDE)):
            yield (
                row,
                column,
                (
                    slice(row * SIDE, (row + 1) * SIDE),
                    slice(column * SIDE, (column + 1) * SIDE),
                ),
            )


def _halved(pixels: ByteArray, mask: Mask | None) -> tuple[ByteArray, Mask | None]:
    height, width = pixels.shape[:2]
    size = max(1, math.ceil(width / 2)), max(1, math.ceil(height / 2))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if mask is not None:
        mask = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(np.bool_)
    return np.asarray(small, np.uint8), mask


def _encoded(pixels: ByteArray, mask: Mask | None) -> bytes:
    ordered: NDArray[np.uint8] = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])
    if mask is None:
        _, data = cv2.imencode(".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        return bytes(data.tobytes())
    colour = np.repeat(ordered[..., None], 3, axis=2) if ordered.ndim == 2 else ordered
    _, data = cv2.imencode(".png", np.dstack([colour, mask.astype(np.uint8) * 255]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return bytes(data.tobytes())
