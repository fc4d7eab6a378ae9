"""Filters that respect the mask: masked pixels never change valid ones.

The linear ones are normalised convolution; Lee's filters take their window statistics from valid pixels only; the
median is that of the valid pixels. Where all is valid, mean, Gaussian and median are those of `scipy.ndimage` with the
same `mode`.

All take a frame ``(H, W)`` or a stack ``(N, H, W)`` of bool, integers or floats, a mask or confidence of the same shape
(True = valid; NaN and infinities are never valid) and give a `Filtered`. Results are float32, of 32-bit integers and
float64 float64. *mode* says what lies beyond the frame: ``reflect`` (d c b a | a b c d | d c b a), ``mirror``,
``nearest``, ``wrap``, or ``constant``: no data.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dedupindex.prepare.convolution import (
    MINIMUM_WEIGHT,
    Double,
    Filtered,
    Gradient,
    Input,
    Mode,
    centre_and_spread,
    check_size,
    gaussian_filter,
    kept,
    mean_filter,
    normalised_convolution,
    normalised_differential_convolution,
    read_input,
    window_mean,
)
from dedupindex.records import Mask

__all__ = [
    "Filtered",
    "Gradient",
    "enhanced_lee_filter",
    "gaussian_filter",
    "lee_filter",
    "masked_median",
    "mean_filter",
    "normalised_convolution",
    "normalised_differential_convolution",
]

_PAD_MODES = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}
_WINDOW_SAMPLES = 4_000_000  # window samples that the median sorts at once: 16 MB in float32


def lee_filter(
    a: NDArray[Any],
    size: int,
    mask: NDArray[Any] | None = None,
    *,
    noise_variance: float | None = None,
    looks: float | None = None,
    mode: Mode = "reflect",
    fill: bool = False,
) -> Filtered:
    """Lee's speckle filter: ``m + w (a - m)`` with the window's mean *m* and a weight that rises with its variance.

    ``w = v / (v + n)`` with the window's variance *v* and the noise variance *n*, by default the variance of all valid
    pixels of the frame (additive noise); with *looks*, ``w = max(0, 1 - (1 / looks) / (v / m^2))`` (multiplicative
    speckle). Mean, variance and overall variance are those of the valid pixels. Holes that are filled get *m*.
    J.-S. Lee, 1980, doi:10.1109/TPAMI.1980.4766994.

    Parameters
    ----------
    a : (H, W) or (N, H, W) array
    size : int
        Side of the window, pixels, at least 1.
    noise_variance : float, optional
        In squared units of *a*.
    looks : float, optional
        Equivalent number of looks of a speckled intensity image; not together with `noise_variance`.
    mask : bool or float array, optional
        Validity, or confidence in 0..1.
    mode : Mode
        What lies beyond the frame.
    fill : bool
        Give invalid pixels the mean of their window.

    Returns
    -------
    Filtered

    Raises
    ------
    ValueError
        Both kinds of noise, or a value that is not positive (a variance may be 0).
    """
    if noise_variance is not None and looks is not None:
        raise ValueError("give noise_variance or looks, not both")
    if noise_variance is not None and not (np.isfinite(noise_variance) and noise_variance >= 0):
        raise ValueError(f"noise variance is {noise_variance}, must not be negative")
    _check_looks(looks)
    source, mean, variance, valid, spread = _window_statistics(a, size, mask, mode)
    if looks is not None:
        speckle = np.square(mean) / looks
        weight = np.where(variance > speckle, 1.0 - speckle / np.where(variance > 0, variance, 1.0), 0.0)
    else:
        noise = _overall_variance(source) / spread**2 if noise_variance is None else noise_variance / spread**2
        total = variance + noise
        weight = np.where(total > 0, variance / np.where(total > 0, total, 1.0), 0.0)
    values = mean + np.where(source.mask, weight, 0.0) * (source.values / spread - mean)
    return kept(source, values * spread, valid, fill)


def enhanced_lee_filter(
    a: NDArray[Any],
    size: int,
    mask: NDArray[Any] | None = None,
    *,
    looks: float = 1.0,
    damping: float = 1.0,
    mode: Mode = "reflect",
    fill: bool = False,
) -> Filtered:
    """Enhanced Lee filter: the mean in even areas, the pixel at points, a blend between.

    With the window's coefficient of variation ``c = sqrt(v) / m``, ``c_u = 1 / sqrt(looks)`` and
    ``c_max = sqrt(1 + 2 / looks)``: *m* where ``c <= c_u``; *a* where ``c >= c_max``; else ``m w + a (1 - w)`` with
    ``w = exp(-damping (c - c_u) / (c_max - c))``. A. Lopes, R. Touzi, E. Nezry, 1990, doi:10.1109/36.62623.

    Parameters
    ----------
    a : (H, W) or (N, H, W) array
        bool, integer or float.
    size : int
        Side of the window, pixels, at least 1.
    mask : array of the same shape, optional
        bool (True = valid) or float confidences, 0..1.
    looks : float
        Equivalent number of looks, above 0.
    damping : float
        How fast the blend falls from the mean to the pixel, at least 0.
    mode : {"reflect", "mirror", "nearest", "wrap", "constant"}
        How the frame goes on beyond its border; ``constant``: no data there.
    fill : bool
        Give masked pixels the mean of their window.

    Returns
    -------
    Filtered

    Raises
    ------
    ValueError
        A shape, size, mode, *looks* or *damping* that is not allowed.
    """
    _check_looks(looks)
    if not (np.isfinite(damping) and damping >= 0):
        raise ValueError(f"damping is {damping}, must not be negative")
    source, mean, variance, valid, spread = _window_statistics(a, size, mask, mode)
    even, point = 1.0 / np.sqrt(looks), np.sqrt(1.0 + 2.0 / looks)
    level = np.abs(mean)
    # no level and some variance: a point; no level and no variance: even
    ratio = np.where(level > 0, np.sqrt(variance) / np.where(level > 0, level, 1.0), np.where(variance > 0, point, 0.0))
    between = np.clip(ratio, even, point)
    room = point - between
    power = damping * (between - even) / np.where(room > 0, room, 1.0)
    weight = np.where(room > 0, np.exp(-np.minimum(power, 700.0)), 0.0)
    weight = np.where(source.mask, weight, 1.0)
    values = mean * weight + source.values / spread * (1.0 - weight)
    return kept(source, values * spread, valid, fill)


def masked_median(
    a: NDArray[Any],
    size: int,
    mask: Mask | None = None,
    *,
    even: Literal["mean", "high"] = "mean",
    mode: Mode = "reflect",
    fill: bool = False,
) -> Filtered:
    """Median of the valid pixels in a square window.

    Parameters
    ----------
    a : (H, W) or (N, H, W) array
    size : int
        Side of the window, pixels, at least 1; an even one reaches one pixel farther up and left, as in
        `scipy.ndimage.median_filter`.
    even : {"mean", "high"}
        Of an even number of valid pixels: the mean of the two middle ones, or the higher one (as `scipy.ndimage`).
    mask : bool array, optional
        True = valid.
    mode : Mode
        What lies beyond the frame.
    fill : bool
        Give invalid pixels the value of their valid neighbours.

    Returns
    -------
    Filtered
    """
    check_size(size)
    if even not in ("mean", "high"):
        raise ValueError(f"even is {even!r}, must be mean or high")
    if mask is not None and mask.dtype != np.bool_:
        raise ValueError(f"mask is {mask.dtype}, must be bool: a median knows no confidence")
    source = read_input(a, mask, mode)
    # float32 sorts faster and is exact for the types that it is used for
    work = np.where(source.mask, source.values, np.inf).astype(source.dtype)
    before, after = size // 2, size - 1 - size // 2
    values = np.zeros(a.shape, source.dtype)
    present = np.zeros(a.shape, np.bool_)
    for plane in np.ndindex(a.shape[:-2]):
        padded = _padded(work[plane], before, after, mode)
        windows = sliding_window_view(padded, (size, size))
        rows, columns = a.shape[-2:]
        step = max(1, _WINDOW_SAMPLES // max(1, columns * size * size))
        for top in range(0, rows, step):
            part = windows[top : top + step].reshape(-1, columns, size * size)
            middle, count = _middle(part, even)
            values[plane][top : top + step] = middle
            present[plane][top : top + step] = count > 0
    return kept(source, values.astype(np.float64), present, fill)


def _middle(windows: NDArray[Any], even: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Median and number of the finite samples along the last axis; 0 where there are none."""
    count = np.isfinite(windows).sum(-1)
    ranked = np.sort(windows, axis=-1)  # faster than a partition: NumPy sorts floats by vector instructions
    high = np.where(count > 0, count // 2, 0)
    low = np.where(count > 0, (count - 1) // 2, 0) if even == "mean" else high
    first = np.take_along_axis(ranked, low[..., None], -1)[..., 0]
    second = np.take_along_axis(ranked, high[..., None], -1)[..., 0]
    present = count > 0
    first, second = np.where(present, first, 0), np.where(present, second, 0)
    return first * 0.5 + second * 0.5, count


def _padded(plane: NDArray[Any], before: int, after: int, mode: Mode) -> NDArray[Any]:
    widths = ((before, after), (before, after))
    if mode == "constant":
        return np.pad(plane, widths, constant_values=np.inf)
    return np.pad(plane, widths, mode=_PAD_MODES[mode])  # type: ignore[call-overload, no-any-return]


def _window_statistics(
    a: NDArray[Any], size: int, mask: NDArray[Any] | None, mode: Mode
) -> tuple[Input, Double, Double, Mask, Double]:
    """Input, mean, variance and presence of valid pixels of each window; means in units of the last value."""
    check_size(size)
    source = read_input(a, mask, mode)
    centre, spread = centre_and_spread(source)
    average = window_mean(a.ndim, size, mode)
    # About the centre and to unit scale: the difference of squares keeps its digits and large floats their range.
    x = (source.values - centre) / spread
    if source.confidence is None:
        mean, square, present = average(x), average(x * x), source.mask
    else:
        weight = average(source.confidence)
        present = weight > MINIMUM_WEIGHT
        safe = np.where(present, weight, 1.0)
        x = np.where(source.mask, x, 0.0)
        mean = np.where(present, average(x * source.confidence) / safe, 0.0)
        square = np.where(present, average(x * x * source.confidence) / safe, 0.0)
    variance = square - mean * mean
    variance = np.where(variance > 1e-13, variance, 0.0)  # less is rounding of the running sums
    return source, mean + centre / spread, variance, present, spread


def _overall_variance(source: Input) -> Double:
    """Variance of the valid pixels: (1, 1), of each frame of a stack (N, 1, 1)."""
    centre, spread = centre_and_spread(source)
    axes = (-2, -1)
    weight = np.ones(source.values.shape) if source.confidence is None else source.confidence
    x = np.where(source.mask, (source.values - centre) / spread, 0.0)
    total = np.maximum(weight.sum(axes, keepdims=True), np.finfo(np.float64).tiny)
    mean = (x * weight).sum(axes, keepdims=True) / total
    variance: Double = (np.square(x - mean) * weight).sum(axes, keepdims=True) / total
    return variance * spread**2


def _check_looks(looks: float | None) -> None:
    if looks is not None and not (np.isfinite(looks) and looks > 0):
        raise ValueError(f"looks is {looks}, must be positive")
