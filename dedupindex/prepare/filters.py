"""Smoothing that masked pixels cannot leak into: every window statistic counts valid pixels only.

Windows reach over the picture's edge by reflection, as `scipy.ndimage` does by default (``mode="reflect"``). A pixel
under the mask stays masked and holds 0. Normalised convolution: Knutsson and Westin 1993, doi:10.1109/CVPR.1993.341081.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage

from dedupindex.errors import SettingsError
from dedupindex.records import FloatArray, Mask

Step: TypeAlias = tuple[str, float]
CHUNK = 1 << 22  # window samples sorted at a time: 16 MB


def _smooth(
    values: FloatArray, confidence: NDArray[Any] | None, linear: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Normalised convolution with a linear smoother; also the confidence gathered in each window."""
    if confidence is None:
        return linear(values), np.ones(values.shape, np.float32)
    weight = np.asarray(confidence, np.float32)
    gathered = np.maximum(linear(weight), 0)
    total = linear(np.where(weight > 0, values, 0).astype(np.float32) * weight)
    filled = np.divide(total, gathered, out=np.zeros_like(total), where=gathered > 1e-6)
    return np.asarray(filled, np.float32), np.asarray(gathered, np.float32)


def normalised_convolution(a: NDArray[Any], kernel: NDArray[Any], confidence: NDArray[Any] | None = None) -> FloatArray:
    """Convolve with a non-negative kernel over valid pixels: ``(k * (c a)) / (k * c)``.

    Parameters
    ----------
    a : (H, W) array
    kernel : (h, w) array
        Non-negative; need not sum to 1.
    confidence : (H, W) bool or float 0..1, optional
        Mask (True = valid) or weights.

    Returns
    -------
    (H, W) float32
        0 where no valid pixel lies in the window.

    Raises
    ------
    ValueError
        A kernel with negative numbers or without any.
    """
    if (kernel < 0).any() or not kernel.any():
        raise ValueError("the kernel must be non-negative and not all zero")
    weights = np.asarray(kernel, np.float32) / np.float32(kernel.sum())
    return _smooth(np.asarray(a, np.float32), confidence, lambda x: np.asarray(ndimage.convolve(x, weights)))[0]


def mean_filter(a: NDArray[Any], size: int, mask: NDArray[Any] | None = None) -> FloatArray:
    """Mean of the valid pixels in a `size` x `size` window; masked pixels become 0.

    Parameters
    ----------
    a : (H, W) array
    size : int
        Side of the window, pixels.
    mask : (H, W) bool or float 0..1, optional
        True = valid.
    """
    smooth = _smooth(np.asarray(a, np.float32), mask, lambda x: np.asarray(ndimage.uniform_filter(x, size)))[0]
    return _masked(smooth, mask)


def gaussian_filter(a: NDArray[Any], sigma: float, mask: NDArray[Any] | None = None) -> FloatArray:
    """Gaussian mean of the valid pixels, `sigma` in pixels; masked pixels become 0."""
    smooth = _smooth(np.asarray(a, np.float32), mask, lambda x: np.asarray(ndimage.gaussian_filter(x, sigma)))[0]
    return _masked(smooth, mask)


def window_statistics(
    a: NDArray[Any], size: int, mask: NDArray[Any] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of the valid pixels in each window.

    Returns
    -------
    mean, variance : (H, W) float64
        0 where no valid pixel lies in the window.
    """
    valid = np.ones(a.shape, bool) if mask is None else np.asarray(mask) > 0
    values = np.where(valid, a, 0).astype(np.float64)
    centre = values.sum() / max(1, int(valid.sum()))  # taken off first: the variance is a small difference
    values = np.where(valid, values - centre, 0)
    count = ndimage.uniform_filter(valid.astype(np.float64), size)
    some = count > 1e-9
    mean = np.divide(ndimage.uniform_filter(values, size), count, out=np.zeros_like(values), where=some)
    square = np.divide(ndimage.uniform_filter(values**2, size), count, out=np.zeros_like(values), where=some)
    return np.where(some, mean + centre, 0), np.maximum(square - mean**2, 0)


def lee_filter(a: NDArray[Any], size: int = 7, mask: NDArray[Any] | None = None) -> FloatArray:
    """Lee filter: towards the window's mean where it is flat, the pixel itself where it has structure.

    ``mean + k (a - mean)`` with ``k = v / (v + V)``, v the window's variance and V the variance of the whole picture,
    both over valid pixels only.

    Parameters
    ----------
    a : (H, W) array
    size : int
        Side of the window, pixels.
    mask : (H, W) bool, optional
        True = valid.

    Returns
    -------
    (H, W) float32
        0 under the mask.

    References
    ----------
    Lee 1980, doi:10.1109/TPAMI.1980.4766994.
    """
    mean, variance = window_statistics(a, size, mask)
    valid = np.ones(a.shape, bool) if mask is None else np.asarray(mask) > 0
    overall = float(np.var(np.asarray(a, np.float64)[valid])) if valid.any() else 0.0
    total = variance + overall
    weight = np.divide(variance, total, out=np.zeros_like(variance), where=total > 0)
    values = np.where(valid, a, 0).astype(np.float64)
    return _masked(np.asarray(mean + weight * (values - mean), np.float32), mask)


def enhanced_lee_filter(
    a: NDArray[Any], size: int = 7, mask: NDArray[Any] | None = None, *, looks: float = 4.0, damping: float = 1.0
) -> FloatArray:
    """Enhanced Lee filter for speckle: mean, weighted mean or the pixel itself, by the coefficient of variation.

    Parameters
    ----------
    a : (H, W) array
        Intensities, not negative.
    size : int
        Side of the window, pixels.
    mask : (H, W) bool, optional
        True = valid.
    looks : float
        Number of looks: speckle has a coefficient of variation of ``1 / sqrt(looks)``.
    damping : float
        How quickly the weight falls between the two thresholds.

    Returns
    -------
    (H, W) float32
        0 under the mask.

    References
    ----------
    Lopes, Touzi and Nezry 1990, doi:10.1109/36.62623.
    """
    mean, variance = window_statistics(a, size, mask)
    valid = np.ones(a.shape, bool) if mask is None else np.asarray(mask) > 0
    values = np.where(valid, a, 0).astype(np.float64)
    variation = np.divide(np.sqrt(variance), np.abs(mean), out=np.zeros_like(mean), where=np.abs(mean) > 1e-12)
    noise, most = 1 / np.sqrt(looks), np.sqrt(1 + 2 / looks)
    excess = np.clip((variation - noise) / np.maximum(most - variation, 1e-9), 0, 50)
    weight = np.where(variation <= noise, 1.0, np.where(variation >= most, 0.0, np.exp(-damping * excess)))
    return _masked(np.asarray(mean * weight + values * (1 - weight), np.float32), mask)


def masked_median(a: NDArray[Any], size: int, mask: NDArray[Any] | None = None) -> FloatArray:
    """True median of the valid pixels in a `size` x `size` window.

    Parameters
    ----------
    a : (H, W) array
    size : int
        Side of the window, pixels; an even window reaches one pixel further up and left, as in `scipy.ndimage`.
    mask : (H, W) bool, optional
        True = valid.

    Returns
    -------
    (H, W) float32
        0 under the mask. Of an even number of valid pixels, the upper of the two middle ones, as in `scipy.ndimage`.
    """
    if mask is None:
        return np.asarray(ndimage.median_filter(np.asarray(a, np.float32), size), np.float32)
    valid = np.asarray(mask) > 0
    values = np.where(valid, a, np.inf).astype(np.float32)  # sorted last, so that rank counts valid pixels only
    before, after = size // 2, size - 1 - size // 2
    padded = np.pad(values, ((before, after), (before, after)), mode="symmetric")
    windows = sliding_window_view(padded, (size, size))
    result = np.zeros(values.shape, np.float32)
    rows = max(1, CHUNK // (values.shape[1] * size * size))
    for start in range(0, values.shape[0], rows):
        ranked = np.sort(windows[start : start + rows].reshape(-1, values.shape[1], size * size), axis=2)
        count = np.isfinite(ranked).sum(axis=2)
        middle = np.take_along_axis(ranked, (count // 2)[..., None].clip(0, size * size - 1), axis=2)[..., 0]
        result[start : start + rows] = np.where(count > 0, middle, 0)
    return _masked(result, mask)


def _masked(values: FloatArray, mask: NDArray[Any] | None) -> FloatArray:
    return values if mask is None else np.asarray(np.where(np.asarray(mask) > 0, values, 0), np.float32)


FILTERS: Mapping[str, Callable[[NDArray[Any], float, NDArray[Any] | None], FloatArray]] = {
    "gaussian": gaussian_filter,
    "mean": lambda a, size, mask: mean_filter(a, int(size), mask),
    "median": lambda a, size, mask: masked_median(a, int(size), mask),
    "lee": lambda a, size, mask: lee_filter(a, int(size), mask),
    "enhanced_lee": lambda a, size, mask: enhanced_lee_filter(a, int(size), mask),
}


def parse_filters(names: Sequence[str]) -> tuple[Step, ...]:
    """Read filter settings such as ``lee:5`` or ``gaussian:1.5``.

    Raises
    ------
    SettingsError
        Unknown filter, or a size that means nothing.
    """
    steps = []
    for text in names:
        name, _, number = text.partition(":")
        try:
            size = float(number)
        except ValueError as error:
            raise SettingsError(f"filter {text!r} needs a size, as in {name}:3") from error
        if name not in FILTERS:
            raise SettingsError(f"unknown filter {name!r}; there are: {', '.join(FILTERS)}")
        if not 0 < size <= 255 or (name != "gaussian" and size != int(size)):
            raise SettingsError(f"filter {text!r}: the size must lie in 1..255 pixels, whole unless it is a sigma")
        steps.append((name, size))
    return tuple(steps)


def apply_filters(pixels: NDArray[Any], mask: Mask | None, steps: Sequence[Step]) -> tuple[NDArray[Any], Mask | None]:
    """Apply filters in order, each channel by itself.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) array
    mask : (H, W) bool or None
    steps : sequence of Step
        From `parse_filters`.

    Returns
    -------
    pixels : float32 array of the same shape
    mask : as given
    """
    planes = np.atleast_3d(pixels).astype(np.float32)
    for name, size in steps:
        planes = np.dstack([FILTERS[name](planes[..., i], size, mask) for i in range(planes.shape[2])])
    return (planes if pixels.ndim == 3 else planes[..., 0]), mask
