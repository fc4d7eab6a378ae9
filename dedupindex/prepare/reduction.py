"""Smaller pictures by averages over areas, and luminance."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray, Mask

LUMINANCE_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601


def reduce_area(values: FloatArray, mask: Mask | None, longest: int) -> tuple[FloatArray, Mask]:
    """Average over areas down to a longest side; masked pixels contribute nothing.

    Parameters
    ----------
    values : (H, W) or (H, W, 3) float32
    mask : (H, W) bool or None
        True = valid; None = all.
    longest : int
        Longest side of the result; a smaller picture keeps its size.

    Returns
    -------
    values, mask
        A pixel is valid where at least half of its area is; others are 0.
    """
    shape = reduced_shape(values.shape, longest)
    same = shape == values.shape[:2]
    if mask is None:
        reduced = values if same else _resized(values, shape)
        return reduced, np.ones(shape, np.bool_)
    inside = mask if values.ndim == 2 else mask[..., None]
    clean = np.where(inside, values, np.float32(0))
    if same:
        return clean, mask.copy()
    weight = _resized(mask.astype(np.float32), shape)
    total = _resized(clean, shape)
    valid = weight >= np.float32(0.5 - 1e-5)
    divisor = np.where(valid, weight, np.float32(1))
    kept = valid if values.ndim == 2 else valid[..., None]
    result = np.where(kept, total / (divisor if values.ndim == 2 else divisor[..., None]), np.float32(0))
    return result.astype(np.float32, copy=False), valid


def reduce_bytes(pixels: NDArray[np.uint8], longest: int) -> FloatArray:
    """`reduce_area` of an 8-bit picture without holes, in steps of 0..255.

    Large ones are halved first, which OpenCV does many times faster than other ratios; an odd last row or column is
    dropped then, half a pixel of a picture at least four times as large as the result.
    """
    shape = reduced_shape(pixels.shape, longest)
    while min(pixels.shape[0] / shape[0], pixels.shape[1] / shape[1]) >= 4:
        rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
        even = np.ascontiguousarray(pixels[: 2 * rows, : 2 * columns])
        pixels = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    values = pixels.astype(np.float32)
    return values if shape == values.shape[:2] else _resized(values, shape)


def _resized(values: FloatArray, shape: tuple[int, int]) -> FloatArray:
    return cv2.resize(values, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def reduced_shape(shape: Sequence[int], longest: int) -> tuple[int, int]:
    """(H, W) with the given longest side; a smaller picture keeps its own."""
    height, width = shape[:2]
    side = max(height, width)
    if side <= longest:
        return height, width
    return max(1, round(height * longest / side)), max(1, round(width * longest / side))


def to_luminance(values: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """The stage "luminance": ``.299 R + .587 G + .114 B``."""
    if values.ndim == 2:
        return values, None
    luminance = cv2.transform(values, np.array([LUMINANCE_WEIGHTS], np.float32))
    return np.minimum(luminance.reshape(values.shape[:2]), np.float32(1)), values
