"""The stage "scaling": which range of sample values becomes 0..1, by the settings and the frame's native depth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare import scaling
from dedupindex.records import FloatArray, Frame, Mask
from dedupindex.settings import Settings


def scaling_policy(frame: Frame, settings: Settings) -> str:
    """The scaling that "auto" means here, and "stack" of a picture that is none."""
    if settings.scaling == "auto":
        return "dtype" if frame.pixels.dtype.itemsize == 1 else "percentile"
    if settings.scaling == "stack" and frame.stack_range is None:
        return "minmax"
    return settings.scaling


def scale_frame(
    pixels: NDArray[Any], valid: Mask | None, frame: Frame, settings: Settings, policy: str
) -> tuple[FloatArray, str]:
    """The stage "scaling": 0..1 float32 and how that was done, for people."""
    fixed = _fixed_range(frame, policy)
    if fixed is not None:
        return _by_range(pixels, fixed, policy)
    colour = pixels.ndim == 3
    by, low, high = _by(policy), settings.low_percentile, settings.high_percentile
    result = scaling.contrast_normalise(pixels, valid, by=by, low_percentile=low, high_percentile=high, channels=colour)
    if result.constant and by == "percentile":  # nearly empty: a few pixels hold all the contrast
        by = "minmax"
        result = scaling.contrast_normalise(pixels, valid, by=by, channels=colour)
    return result.values, _described(by, result.offset, result.scale)


def scale_stack(
    pixels: NDArray[Any], valid: Mask | None, first: Frame, settings: Settings
) -> tuple[FloatArray, list[str]]:
    """`scale_frame` of every frame of a stack of single-channel frames; 0 under the mask."""
    policy = scaling_policy(first, settings)
    fixed = _fixed_range(first, policy)
    if fixed is not None:
        clean = pixels if valid is None else np.where(valid, pixels, pixels.dtype.type(0))
        values, text = _by_range(clean, fixed, policy)
        if valid is not None:
            values[~valid] = 0.0
        return values, [text] * len(pixels)
    by, low, high = _by(policy), settings.low_percentile, settings.high_percentile
    result = scaling.contrast_normalise(pixels, valid, by=by, low_percentile=low, high_percentile=high)
    texts = [_described(by, *ends) for ends in zip(result.offset, result.scale, strict=True)]
    if by == "percentile":
        for k in np.flatnonzero(result.constant):
            seen = None if valid is None else valid[k]
            again = scaling.contrast_normalise(pixels[k], seen)
            result.values[k] = again.values
            texts[k] = _described("minmax", again.offset, again.scale)
    return result.values, texts


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
