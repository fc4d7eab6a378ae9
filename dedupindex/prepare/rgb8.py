"""Frames as 8-bit RGB, for what other people's models and hashes expect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray


def rgb8(pixels: NDArray[np.generic]) -> ByteArray:
    """Bring a frame to 8-bit RGB.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) array
        8 bits stay; deeper integers are scaled by the range of their type, floats by their own finite range.

    Returns
    -------
    (H, W, 3) uint8
    """
    values = np.asarray(pixels)
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 0.0)
        scale = 255.0 / (high - low) if high > low else 0.0
        values = (np.where(finite, values, low) - low) * scale
    elif values.dtype.itemsize > 1:
        info = np.iinfo(values.dtype)
        values = (values.astype(np.float64) - info.min) * (255.0 / (float(info.max) - info.min))
    eight = values.astype(np.uint8)
    return np.ascontiguousarray(eight if eight.ndim == 3 else np.repeat(eight[:, :, None], 3, axis=2))
