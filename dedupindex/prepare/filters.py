"""Filters that know the mask: what lies under it never leaks into what lies beside it.

The linear ones are normalised convolution, ``conv(a c, k) / conv(c, k)`` with the confidence *c* (the mask, or
anything in 0..1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dedupindex.errors import SettingsError
from dedupindex.records import FloatArray, Mask

Step: TypeAlias = tuple[str, float]


def gaussian_filter(a: FloatArray, sigma: float, mask: Mask | None = None) -> FloatArray:
    """Gaussian over the valid pixels."""
    if mask is None:
        return ndimage.gaussian_filter(a, sigma)
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(mask, a, np.float32(0)), sigma)
    return np.where(mask, total / np.maximum(weight, np.float32(1e-12)), np.float32(0))


def parse_filters(names: Sequence[str]) -> tuple[Step, ...]:
    steps = []
    for text in names:
        name, _, value = text.partition(":")
        if name not in ("gaussian",):
            raise SettingsError(f"unknown filter {text!r}")
        steps.append((name, float(value)))
    return tuple(steps)


def apply_filters(pixels: NDArray[Any], mask: Mask | None, steps: Sequence[Step]) -> tuple[NDArray[Any], Mask | None]:
    values = pixels.astype(np.float32)
    for _, size in steps:
        if values.ndim == 2:
            values = gaussian_filter(values, size, mask)
        else:
            values = np.dstack([gaussian_filter(values[..., c], size, mask) for c in range(3)])
    return values, mask
