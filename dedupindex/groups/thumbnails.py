"""Thumbnails of images: from the file where it still holds that image, else from the database."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dedupindex.errors import DedupIndexError, ReadError
from dedupindex.execution.contained import within_limits
from dedupindex.features.packing import LOOK, unpack_look
from dedupindex.features.thumbnail import reduce, stretch
from dedupindex.places import is_local, shards_above, volume_of
from dedupindex.records import ByteArray, DecodedFile, Frame, ImageRecord, LocationRecord, Look, Pair
from dedupindex.records.pictures import FileFacts, Thumbnail
from dedupindex.records.proofs import Box
from dedupindex.settings import Settings
from dedupindex.sources import decode_file, status_of
from dedupindex.sources.camera_facts import read_facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dedupindex.store.database import Database

TRIED = 2  # places of an image that are tried


def from_file(image: ImageRecord, settings: Settings, side: int, *, max_bytes: int | None = None) -> Thumbnail | None:
    """Make a thumbnail from the first of an image's files that still has its recorded size, time and content.

    The files are decoded in a worker.

    Parameters
    ----------
    image : ImageRecord
    settings : Settings
    side : int
        Longest side, pixels; smaller pictures stay.
    max_bytes : int, optional
        Larger files are not read.

    Returns
    -------
    Thumbnail or None
        None where no file gives it.
    """
    for place in image.locations[:TRIED]:
        if place.missing or not unchanged(place) or (max_bytes is not None and place.size > max_bytes):
            continue
        try:
            thumbnail = within_limits(settings, place.path, _read_thumbnail, image, place, settings, side)
        except (ReadError, MemoryError):
            continue
        if thumbnail is not None:
            return thumbnail
    return None


def file_facts(image: ImageRecord, settings: Settings, *, max_bytes: int | None = None) -> FileFacts:
    """What the first of an image's files that is as it was says of how it was made; read in a worker.

    Parameters
    ----------
    image : ImageRecord
    settings : Settings
    max_bytes : int, optional
        Larger files are not read.

    Returns
    -------
    FileFacts
        Empty where no file can be read.
    """
    for place in image.locations[:TRIED]:
        if place.missing or not unchanged(place) or (max_bytes is not None and place.size > max_bytes):
            continue
        with suppress(ReadError, MemoryError):
            return within_limits(settings, place.path, read_facts, place.path, settings)
    return FileFacts()


def _read_thumbnail(image: ImageRecord, place: LocationRecord, settings: Settings, side: int) -> Thumbnail | None:
    """Make a thumbnail of an image from the file at a place, in this process; None where it holds another image.

    Raises
    ------
    ReadError
        It cannot be read.
    """
    decoded = decode_file(place.path, settings, min_side=side, frame=place.frame)
    frame = frame_of(decoded, image.frame)
    return from_frame(frame, side) if decoded.sha256 == image.sha256 and frame is not None else None


def unchanged(place: LocationRecord) -> bool:
    """Whether the file at a place still has the size and the time that it had when it was read.

    Archives are not looked into for that: a member has the time of its archive.
    """
    if volume_of(place.path):
        return False
    try:
        for archive in shards_above(place.path):
            if is_local(archive) and not archive.is_file():
                continue
            with suppress(ReadError):  # in a store it may be a part of a key
                return status_of(archive).mtime_ns == place.mtime_ns
        status = status_of(place.path)
    except (DedupIndexError, OSError, ValueError):
        return False
    return (status.size, status.mtime_ns) == (place.size, place.mtime_ns)


def frame_of(decoded: DecodedFile, number: int) -> Frame | None:
    """The frame of that number, where it was decoded."""
    return next((frame for frame in decoded.frames if frame.number == number), None)


def from_frame(frame: Frame, side: int) -> Thumbnail:
    """Make a thumbnail of a frame of any depth; frames deeper than 8 bits are scaled by their valid range."""
    pixels = frame.pixels if frame.pixels.dtype == np.uint8 else stretch(_floats(frame), frame.mask)
    return Thumbnail(*reduce(np.asarray(pixels, np.uint8), frame.mask, side))


def stored_thumbnails(database: Database, ids: Iterable[int]) -> dict[int, Thumbnail]:
    """Make thumbnails from stored features; images without features, or with damaged ones, are left out.

    Raises
    ------
    StoreError
    """
    from dedupindex.store import catalog_images  # not at the top: workers need no database

    thumbnails = {}
    with database.read() as connection:
        for image, parts in catalog_images.features(connection, ids, LOOK).items():
            with suppress(KeyError, ValueError):
                thumbnails[image] = from_look(unpack_look(parts))
    return thumbnails


def from_look(look: Look) -> Thumbnail:
    """Make a thumbnail from the stored thumbnail and colours; black where borders were trimmed."""
    pixels, mask = coloured(look.thumbnail, look.colour), look.mask
    top, left, height, width = look.box
    full_height, full_width = look.full_shape
    if not height or not width or (height, width) == (full_height, full_width):
        return Thumbnail(pixels, mask)
    down, right = pixels.shape[0] / height, pixels.shape[1] / width  # small pixels for a full one
    shape = max(1, round(full_height * down)), max(1, round(full_width * right))
    y = min(round(top * down), max(0, shape[0] - pixels.shape[0]))
    x = min(round(left * right), max(0, shape[1] - pixels.shape[1]))
    whole, valid = np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.bool_)
    inner = pixels[: shape[0] - y, : shape[1] - x]
    whole[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    valid[y : y + inner.shape[0], x : x + inner.shape[1]] = mask[: inner.shape[0], : inner.shape[1]]
    return Thumbnail(whole, valid)


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


def regions_on(pair: Pair, image: ImageRecord) -> tuple[Box, ...]:
    """Boxes of the places in which the two of a pair differ, in pixels of one of them; none where nothing is proven."""
    if pair.proof is None:
        return ()
    return tuple(region.box if pair.a.id == image.id else region.box_b for region in pair.proof.regions)


def jpeg(picture: ByteArray, quality: int = 80) -> bytes:
    """Return a picture, (H, W) or (H, W, 3) uint8, as JPEG."""
    ordered = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, buffer = cv2.imencode(".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(buffer.tobytes())


def webp(picture: ByteArray, quality: int) -> bytes:
    """Return a picture, (H, W) or (H, W, 3) uint8, as WebP: a third smaller than a JPEG that looks the same."""
    ordered = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, buffer = cv2.imencode(".webp", ordered, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return bytes(buffer.tobytes())


def _floats(frame: Frame) -> NDArray[np.float32]:
    """Luminance in 0..1 of a frame deeper than 8 bits, by its valid range."""
    pixels = frame.pixels.astype(np.float64)
    if pixels.ndim == 3:
        pixels = pixels @ np.array([0.299, 0.587, 0.114])
    valid = pixels[frame.mask & np.isfinite(pixels)]
    low, high = (float(valid.min()), float(valid.max())) if valid.size else (0.0, 1.0)
    spread = (pixels - low) / max(high - low, 1e-300)
    return np.asarray(np.nan_to_num(spread), np.float32).clip(0, 1)
