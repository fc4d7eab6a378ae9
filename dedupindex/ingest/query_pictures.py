"""Pictures of a query: files, and arrays as if a file had held them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import SettingsError
from dedupindex.execution.contained import within_limits
from dedupindex.features import rounded
from dedupindex.ingest.describing import describe_frames, new_image
from dedupindex.places import absolute
from dedupindex.records import DecodedFile, Features, Frame
from dedupindex.records.pieces import Box
from dedupindex.settings import Settings
from dedupindex.sources import decode_file, parse_address
from dedupindex.sources.decode import BY_PROFILE
from dedupindex.sources.rasters import without_fills
from dedupindex.store.rows import NewImage

NOWHERE = Path("<array>")


def frame_of_array(pixels: NDArray[Any]) -> DecodedFile:
    """An array as a decoded file with one frame.

    Parameters
    ----------
    pixels : (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) array
        Integers, floats (NaN and infinity = no data) or bool; a fourth channel is alpha, 0 = no data. A masked array's
        masked pixels are no data.

    Returns
    -------
    DecodedFile
        With one frame.

    Raises
    ------
    TypeError
        The elements are not real numbers.
    ValueError
        The shape is another one, or no pixel is valid.
    """
    if pixels.dtype.kind not in "buif":
        raise TypeError(f"pixels are {pixels.dtype}, must be real numbers")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)) or 0 in pixels.shape:
        raise ValueError(f"pixels have shape {pixels.shape}, must be (H, W), (H, W, 3) or (H, W, 4)")
    mask = np.ones(pixels.shape[:2], np.bool_)
    if isinstance(pixels, np.ma.MaskedArray):
        hidden = np.ma.getmaskarray(pixels)
        mask &= ~(hidden.any(axis=2) if pixels.ndim == 3 else hidden)
        pixels = pixels.data
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        mask &= pixels[:, :, 3] > 0
        pixels = pixels[:, :, :3]
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float64 if pixels.dtype.itemsize > 4 else np.float32)
        finite = np.isfinite(pixels)
        mask &= finite.all(axis=2) if pixels.ndim == 3 else finite
    elif pixels.dtype.itemsize == 8 or pixels.dtype == np.int8:
        pixels = pixels.astype(np.float64)
    if not mask.any():
        raise ValueError("no pixel is valid")
    pixels = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))
    digest = hashlib.sha256(f"array {pixels.dtype.str} {pixels.shape}".encode() + pixels.tobytes()).digest()
    frame = Frame(pixels, mask, 0, (pixels.shape[0], pixels.shape[1]), 8 * pixels.dtype.itemsize)
    return DecodedFile(NOWHERE, digest, pixels.nbytes, 0, 0, "ARRAY", (frame,), lossless=True)


def describe_picture(
    picture: str | os.PathLike[str] | NDArray[Any], settings: Settings, *, box: Box | None = None
) -> tuple[NewImage, Features]:
    """Describe a picture of a query; the features are as the database would return them. A file is read in a worker.

    Parameters
    ----------
    picture : path or array
        A file (``path#frame=12`` for a later frame), a URL, or an array as `frame_of_array` takes it.
    settings : Settings
    box : (top, left, height, width), optional
        Describe only this region, in pixels of the upright frame. `Features.box` is still that of the whole frame.

    Returns
    -------
    image : NewImage
    features : Features

    Raises
    ------
    ReadError
        The file cannot be read as a picture, or reading it broke the limits.
    SettingsError
        The box has no pixel in common with the picture.
    ValueError, TypeError
        The array is not a picture.
    """
    if isinstance(picture, np.ndarray):
        return _described(_array(picture, settings), settings, box)
    path, number = parse_address(os.fspath(picture))
    return within_limits(settings, absolute(path), _describe_file, absolute(path), number, settings, box)


def describe_array(pixels: NDArray[Any], settings: Settings) -> NewImage:
    """Describe an array for the database; raises as `frame_of_array` does."""
    return _described(_array(pixels, settings), settings, None)[0]


def _array(pixels: NDArray[Any], settings: Settings) -> DecodedFile:
    """An array as a file with the same pixels would be decoded."""
    decoded = frame_of_array(pixels)
    return replace(decoded, frames=tuple(map(without_fills, decoded.frames))) if settings.mask_fills else decoded


def _describe_file(
    path: Path, number: int | None, settings: Settings, box: Box | None = None
) -> tuple[NewImage, Features]:
    """Decode and describe one frame of a file; see `describe_picture`."""
    decoded = decode_file(path, settings, frame=number, min_side=BY_PROFILE if box is None else None)
    first = decoded.frames[0]
    if number is not None:
        first = next((frame for frame in decoded.frames if frame.number == number), first)
    return _described(replace(decoded, frames=(first,)), settings, box)


def _described(decoded: DecodedFile, settings: Settings, box: Box | None) -> tuple[NewImage, Features]:
    frame = decoded.frames[0]
    cut = frame if box is None else region_of(frame, box)
    [(prepared, features)] = describe_frames([cut], settings)
    if box is not None:
        top, left = max(0, box[0]), max(0, box[1])
        y, x, height, width = prepared.box
        prepared = replace(prepared, box=(top + y, left + x, height, width), full_shape=frame.full_shape)
        features = replace(features, box=prepared.box, full_shape=frame.full_shape)
    return new_image(decoded, frame, prepared, features), rounded(features)


def region_of(frame: Frame, box: Box) -> Frame:
    """A region of a frame, as a frame of its own.

    Parameters
    ----------
    frame : Frame
        Decoded at full size.
    box : (top, left, height, width)
        Pixels; what lies outside of the frame is cut off.

    Raises
    ------
    SettingsError
        The box has no valid pixel in common with the frame.
    """
    top, left, height, width = box
    rows, columns = frame.mask.shape
    y0, y1 = max(0, top), min(rows, top + height)
    x0, x1 = max(0, left), min(columns, left + width)
    if y0 >= y1 or x0 >= x1 or not frame.mask[y0:y1, x0:x1].any():
        raise SettingsError(
            f"box {top},{left},{height},{width} shows nothing of a picture of {rows} x {columns} pixels"
        )
    pixels = np.ascontiguousarray(frame.pixels[y0:y1, x0:x1])
    mask = np.ascontiguousarray(frame.mask[y0:y1, x0:x1])
    return replace(frame, pixels=pixels, mask=mask, full_shape=(y1 - y0, x1 - x0))
