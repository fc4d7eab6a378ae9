"""Validity masks: where a frame holds data. True = valid, everywhere in this package.

A mask comes from many places (NaN, None, `numpy.ma`, a sentinel or range of values, alpha, saturation, a picture
beside the file) and is combined by *and*. A *confidence* is the soft form: float32 in 0..1, 0 = no data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare.scaling import dtype_range
from dedupindex.records import FloatArray, Mask


def valid_from_finite(a: NDArray[Any], *, channels: bool = False) -> Mask:
    """True where a sample is neither NaN nor infinite (all channels, if there are any)."""
    dtype_range(a.dtype)
    valid: Mask = np.isfinite(a) if a.dtype.kind == "f" else np.ones(a.shape, np.bool_)
    return _over_channels(valid, channels)


def valid_from_sentinels(a: NDArray[Any], sentinels: Iterable[float], *, channels: bool = False) -> Mask:
    """True where a sample equals none of the values that mean no data.

    With channels, a pixel is no data where *all* its samples are: a pure green pixel is not "0 = no data". A NaN
    among the sentinels means NaN. A sentinel that the data type cannot hold masks nothing; one given as decimal text
    for float32 data (``-3.4028235e38``) is compared in float32.

    Parameters
    ----------
    a : array of any shape
        bool, integer or float; with *channels* the last axis is colour.
    sentinels : iterable of float
    channels : bool
        Combine the samples of a pixel.

    Returns
    -------
    bool array
        Shape of *a*, without its last axis where *channels* is set.
    """
    dtype_range(a.dtype)
    missing = np.zeros(a.shape, np.bool_)
    for value in sentinels:
        if np.isnan(value):
            if a.dtype.kind == "f":
                missing |= np.isnan(a)
        elif a.dtype.kind == "f":
            with np.errstate(over="ignore"):
                missing |= a == a.dtype.type(value)
        else:
            low, high = dtype_range(a.dtype)
            if low <= value <= high and value == int(value):
                missing |= a == a.dtype.type(int(value))
    return ~_over_channels(missing, channels)


def valid_from_range(a: NDArray[Any], low: float = -np.inf, high: float = np.inf, *, channels: bool = False) -> Mask:
    """True where ``low <= sample <= high``; NaN never is.

    Parameters
    ----------
    a : array of any shape
        bool, integer or float; with *channels* the last axis is colour.
    low, high : float
        In units of the samples.
    channels : bool
        All samples of a pixel must lie in the range.

    Returns
    -------
    bool array
        Shape of *a*, without its last axis where *channels* is set.
    """
    dtype_range(a.dtype)
    valid: Mask = (a >= low) & (a <= high)
    return _over_channels(valid, channels)


def valid_from_masked_array(a: np.ma.MaskedArray[Any, Any]) -> tuple[NDArray[Any], Mask]:
    """Data and validity of a `numpy.ma` array (whose own masks mean the opposite: True = invalid)."""
    valid: Mask = ~np.ma.getmaskarray(a)
    return np.asarray(a.data), valid


def valid_from_objects(a: NDArray[Any]) -> tuple[NDArray[np.float64], Mask]:
    """Numbers and validity of an object array in which None (or NaN) means no data.

    Raises
    ------
    TypeError
        The array holds something that is neither None nor a number.
    """
    missing: Mask = np.asarray(np.frompyfunc(lambda value: value is None, 1, 1)(a), np.bool_)
    try:
        values = np.where(missing, np.nan, a).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"object array holds more than numbers and None: {error}") from error
    valid: Mask = np.isfinite(values)
    return values, valid


def valid_from_alpha(alpha: NDArray[Any], *, minimum: float = 0.0) -> Mask:
    """True where the alpha sample is larger than *minimum* (0 = only fully transparent pixels are no data)."""
    valid: Mask = alpha > minimum
    return valid


def valid_from_saturation(a: NDArray[Any], *, bits: int | None = None, channels: bool = False) -> Mask:
    """False where a sensor was at its limit: the largest value of *bits* or of the integer type.

    Parameters
    ----------
    a : array of any shape
        Floats have no limit that can be known: all True.
    bits : int, optional
        Significant bits of a sample; by default those of the type.
    channels : bool
        The last axis is colour; a pixel is False where any channel is at the limit.

    Returns
    -------
    bool array
        Shape of *a*, without its last axis where *channels* is set.
    """
    if a.dtype.kind not in "iu":
        return _over_channels(np.ones(a.shape, np.bool_), channels)
    limit = dtype_range(a.dtype)[1]
    if bits is not None:
        limit = min(limit, float(2**bits - 1))
    valid: Mask = a < a.dtype.type(int(limit))
    return _over_channels(valid, channels)


def confidence_from_alpha(alpha: NDArray[Any]) -> FloatArray:
    """Alpha as a confidence: 0..1 by the range of its data type."""
    low, high = dtype_range(alpha.dtype)
    scaled = (alpha.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.asarray(np.clip(np.nan_to_num(scaled, nan=0.0), 0.0, 1.0), np.float32)


def combine(*masks: Mask | None) -> Mask:
    """Valid where every mask is; None means "all valid".

    Raises
    ------
    ValueError
        No mask at all, or shapes that differ.
    """
    given = [mask for mask in masks if mask is not None]
    if not given:
        raise ValueError("no mask to combine")
    result = given[0].copy()
    for mask in given[1:]:
        if mask.shape != result.shape:
            raise ValueError(f"masks of shapes {result.shape} and {mask.shape}")
        result &= mask
    return result


def erode(mask: Mask, pixels: int) -> Mask:
    """Take *pixels* (Chebyshev distance) off the valid area along holes; the frame's edge is no hole.

    Parameters
    ----------
    mask : (H, W) or (N, H, W) bool
    pixels : int
        Not negative.
    """
    if pixels < 0:
        raise ValueError(f"erosion by {pixels} pixels")
    if pixels == 0 or not mask.size:
        return mask.copy()
    if mask.ndim == 3:
        return np.stack([erode(one, pixels) for one in mask])
    # Minimum over rows, then over columns: the square structuring element is separable. OpenCV's border is +inf.
    side = 2 * pixels + 1
    eroded = cv2.erode(mask.astype(np.uint8), np.ones((side, 1), np.uint8))
    return cv2.erode(eroded, np.ones((1, side), np.uint8)).astype(np.bool_)


def confidence_from_distance(mask: Mask, width: float) -> FloatArray:
    """Confidence that rises from 0 at a hole to 1 at *width* pixels from it: ``min(distance / width, 1)``."""
    if width <= 0:
        raise ValueError(f"width is {width}, must be positive")
    if mask.all():
        return np.ones(mask.shape, np.float32)
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.minimum(distance / np.float32(width), np.float32(1)), np.float32)


def _over_channels(valid: Mask, channels: bool) -> Mask:
    return np.asarray(valid.all(-1) if channels else valid, np.bool_)
