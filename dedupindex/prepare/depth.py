"""The stage "scaling": which range of sample values becomes 0..1, by the settings and the frame's native depth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare import scaling
from dedupindex.records import FloatArray, Frame, Mask
from dedupindex.settings import Settings


def scaling_policy(frame: Frame, settings: Settings) -> str:
    """Resolve the scaling "auto" for a frame, and "stack" for a frame that is in no stack."""
    if settings.scaling == "auto":
        return "dtype" if frame.pixels.dtype.itemsize == 1 else "percentile"
    if settings.scaling == "stack" and frame.stack_range is None:
        return "minmax"
    return settings.scaling


def scale_frames(
    pixels: NDArray[Any], valid: Mask | None, first: Frame, settings: Settings, policy: str
) -> tuple[FloatArray, tuple[str, ...]]:
    """Scale N frames to 0..1, each by its own range unless the policy fixes one.

    Parameters
    ----------
    pixels : (N, H, W) or (N, H, W, 3) array
        Native depth, or filtered.
    valid : (N, H, W) bool, or None
        None = all.
    first : Frame
        One of the frames as decoded: their data type, bits and stack range.
    settings : Settings
        The percentiles count here.
    policy : str
        From `scaling_policy`.

    Returns
    -------
    values : float32 array, shape of `pixels`
        Not defined where not valid.
    texts : tuple of str
        How each frame was scaled, for people.
    """
    fixed = _fixed_range(first, policy)
    if fixed is not None:
        values, text = _by_range(pixels, fixed, policy)
        return values, (text,) * len(pixels)
    colour = pixels.ndim == 4
    by, low, high = _by(policy), settings.low_percentile, settings.high_percentile
    result = scaling.contrast_normalise(pixels, valid, by=by, low_percentile=low, high_percentile=high, channels=colour)
    texts = [_described(by, *ends) for ends in zip(result.offset, result.scale, strict=True)]
    if by == "percentile":  # nearly empty: a few pixels hold all the contrast
        for k in np.flatnonzero(result.constant):
            seen = None if valid is None else valid[k]
            again = scaling.contrast_normalise(pixels[k], seen, channels=colour)
            result.values[k] = again.values
            texts[k] = _described("minmax", again.offset, again.scale)
    return result.values, tuple(texts)


def _fixed_range(frame: Frame, policy: str) -> tuple[float, float] | None:
    """The range of sample values that a policy fixes without a look at the frame; None where it must look."""
    if policy == "stack":
        return frame.stack_range
    if policy != "dtype":
        return None
    dtype = frame.pixels.dtype
    if dtype.kind == "u" and 0 < frame.bits < 8 * dtype.itemsize:
        return 0.0, float(2**frame.bits - 1)  # such as 12 bits in 16
    return scaling.dtype_range(dtype)


def _by_range(pixels: NDArray[Any], ends: tuple[float, float], policy: str) -> tuple[FloatArray, str]:
    text = f"{policy} {ends[0]:g}..{ends[1]:g}"
    if not ends[0] < ends[1]:
        return np.zeros(pixels.shape, np.float32), text
    return scaling.data_normalise(pixels, value_range=ends), text


def _by(policy: str) -> scaling.By:
    return "max" if policy == "max" else "percentile" if policy == "percentile" else "minmax"


def _described(by: str, offset: Any, scale: Any) -> str:
    return f"{by} {float(offset):g}..{float(offset + scale):g}"
