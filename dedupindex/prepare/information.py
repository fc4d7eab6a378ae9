"""Frames without information: constant, or nearly empty."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray, Mask

FLAT_LEVELS = 2.0 / 255.0  # a pixel this near to the median does not count as contrast
FLAT_SHARE = 0.995  # of the valid pixels this near to the median: constant or nearly empty
_LOOKED_AT = 4_096  # pixels that tell nearly every picture from a flat one


def is_flat(luminance: FloatArray, colour: FloatArray | None, mask: Mask) -> bool:
    """Whether an 8-bit picture is constant or nearly empty, in luminance and in every colour.

    Parameters
    ----------
    luminance : (H, W) float32
        0..1.
    colour : (H, W, 3) float32, or None
        0..1.
    mask : (H, W) bool
        True = valid.

    Returns
    -------
    bool
    """
    if not mask.any():
        return True
    return _nearly_one_value(luminance, mask) and (
        colour is None or all(_nearly_one_value(colour[..., c], mask) for c in range(3))
    )


def all_equal(pixels: NDArray[Any], valid: Mask | None) -> Mask:
    """Whether all valid samples of a frame are equal, channel by channel, or there are none: (N,) bool.

    Parameters
    ----------
    pixels : (N, H, W) or (N, H, W, 3) array
    valid : (N, H, W) bool, or None
        None = all.
    """
    count = len(pixels)
    planes = pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, 3, 1)
    channels = planes.shape[1]
    rows = planes.reshape(count * channels, -1)
    if valid is None:
        start = np.zeros(len(rows), np.intp)
    else:
        seen = np.broadcast_to(valid.reshape(count, 1, -1), (count, channels, rows.shape[1])).reshape(rows.shape)
        start = seen.argmax(1)
    same = rows == np.take_along_axis(rows, start[:, None], 1)
    if valid is not None:
        same |= ~seen
    flat: Mask = same.all(1).reshape(count, channels).all(1)
    return flat


def _nearly_one_value(values: FloatArray, mask: Mask) -> bool:
    if mask.all() and _has_two_levels(values):  # most pictures end here
        return False
    # A share f of outliers within 0..1 cannot give a variance above f + FLAT_LEVELS^2.
    spread = cv2.meanStdDev(np.ascontiguousarray(values), mask=mask.view(np.uint8))[1]
    if float(spread[0, 0]) ** 2 > 1 - FLAT_SHARE + FLAT_LEVELS**2:
        return False
    samples = values[mask]
    away = np.abs(samples - np.median(samples)) > FLAT_LEVELS
    return bool(away.mean() <= 1 - FLAT_SHARE)


def _has_two_levels(values: FloatArray) -> bool:
    """Whether some pixels show more outliers than a flat picture may have, whatever its median is.

    Of two levels that are further apart than a flat picture's pixels, one must lie too far from the median.
    """
    samples = np.sort(values.ravel()[:: max(1, values.size // _LOOKED_AT)])
    outliers = int((1 - FLAT_SHARE) * values.size) + 2
    if 2 * outliers > len(samples):
        return False
    return bool(samples[-outliers] - samples[outliers - 1] > 2.01 * FLAT_LEVELS)
