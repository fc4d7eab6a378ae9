"""Normalised convolution: linear filters that know which pixels are valid, and how sure they are.

``conv(a c, k) / conv(c, k)`` with a confidence *c* in 0..1 (a mask is one of 0 and 1): H. Knutsson, C.-F. Westin,
"Normalized and differential convolution", CVPR 1993, doi:10.1109/CVPR.1993.341081. Conventions of all filters stand in
`dedupindex.prepare.filters`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare.scaling import dtype_range
from dedupindex.records import Mask

Mode: TypeAlias = Literal["reflect", "mirror", "nearest", "wrap", "constant"]
Double: TypeAlias = NDArray[np.float64]

MODES: tuple[Mode, ...] = ("reflect", "mirror", "nearest", "wrap", "constant")
MINIMUM_WEIGHT = 1e-6  # share of a kernel's weight: less is rounding, or too far away to count


@dataclass(frozen=True, slots=True)
class Filtered:
    """What a filter gave.

    Attributes
    ----------
    values : float array, shape of the input
        0 where not valid.
    mask : bool array
        True = valid: where the input was (and had a valid neighbour, if the kernel has no centre); with ``fill=True``
        also holes that have valid pixels in reach.
    """

    values: NDArray[Any]
    mask: Mask


@dataclass(frozen=True, slots=True)
class Gradient:
    """Slopes of a picture, units a pixel; 0 where not valid."""

    dy: NDArray[Any]
    dx: NDArray[Any]
    mask: Mask


@dataclass(frozen=True, slots=True)
class Input:
    """What every filter reads: values with zeros under the mask, and how sure they are."""

    values: Double  # 0 where not valid
    confidence: Double | None  # None = 1 throughout
    dtype: np.dtype[Any]  # of the result

    @property
    def mask(self) -> Mask:
        """True where there is any confidence."""
        if self.confidence is None:
            return np.ones(self.values.shape, np.bool_)
        valid: Mask = self.confidence > 0
        return valid


def normalised_convolution(
    a: NDArray[Any],
    kernel: NDArray[Any],
    mask: NDArray[Any] | None = None,
    *,
    mode: Mode = "reflect",
    fill: bool = False,
) -> Filtered:
    """Convolve with any kernel that is not negative: ``conv(a c, k) / conv(c, k)``, times the kernel's sum.

    Parameters
    ----------
    a : (H, W) or (N, H, W) array
    kernel : (h, w) array
        Not negative. Its centre is ``[h // 2, w // 2]``, as in `scipy.ndimage.convolve`.
    mask : bool or float array, optional
        Validity, or confidence in 0..1.
    mode : str
        What lies beyond the frame.
    fill : bool
        Give invalid pixels the value of their valid neighbours.

    Returns
    -------
    Filtered

    Raises
    ------
    ValueError
        A kernel that is negative somewhere, empty or all zero; shapes that do not fit; an unknown mode.
    """
    weights = np.asarray(kernel, np.float64)
    if (
        weights.ndim != 2
        or not weights.size
        or not np.isfinite(weights).all()
        or weights.min() < 0
        or weights.sum() <= 0
    ):
        raise ValueError("the kernel must be a 2-D array of finite weights that are not negative and not all zero")
    from scipy import ndimage  # slow to import: only when it is used

    source = read_input(a, mask, mode)
    shaped = weights if a.ndim == 2 else weights[None]
    total = float(weights.sum())

    def convolve(x: Double) -> Double:
        result: Double = ndimage.convolve(x, shaped, mode=mode) / total
        return result

    return normalised(source, convolve, fill, gain=total)


def mean_filter(
    a: NDArray[Any], size: int, mask: NDArray[Any] | None = None, *, mode: Mode = "reflect", fill: bool = False
) -> Filtered:
    """Mean of the valid pixels in a square window; as `scipy.ndimage.uniform_filter`.

    Parameters
    ----------
    a : (H, W) or (N, H, W) array
    size : int
        Side of the window, pixels, at least 1.
    mask : bool or float array, optional
        Validity, or confidence in 0..1.
    mode : Mode
        What lies beyond the frame.
    fill : bool
        Give invalid pixels the value of their valid neighbours.

    Returns
    -------
    Filtered
    """
    check_size(size)
    source = read_input(a, mask, mode)
    return normalised(source, window_mean(a.ndim, size, mode), fill)


def gaussian_filter(
    a: NDArray[Any],
    sigma: float,
    mask: NDArray[Any] | None = None,
    *,
    mode: Mode = "reflect",
    fill: bool = False,
    truncate: float = 4.0,
) -> Filtered:
    """Gaussian-weighted mean of the valid pixels; as `scipy.ndimage.gaussian_filter`.

    Parameters
    ----------
    a : (H, W) or (N, H, W) array
    sigma : float
        Standard deviation, pixels, positive.
    truncate : float
        Radius of the kernel in standard deviations.
    mask : bool or float array, optional
        Validity, or confidence in 0..1.
    mode : Mode
        What lies beyond the frame.
    fill : bool
        Give invalid pixels the value of their valid neighbours.

    Returns
    -------
    Filtered
    """
    if not (np.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma is {sigma}, must be positive")
    from scipy import ndimage  # slow to import: only when it is used

    source = read_input(a, mask, mode)
    sigmas = (0.0,) * (a.ndim - 2) + (sigma, sigma)

    def blur(x: Double) -> Double:
        result: Double = ndimage.gaussian_filter(x, sigmas, mode=mode, truncate=truncate)
        return result

    return normalised(source, blur, fill)


def normalised_differential_convolution(
    a: NDArray[Any], sigma: float, mask: NDArray[Any] | None = None, *, truncate: float = 4.0
) -> Gradient:
    """Gradient from the valid pixels: slope of the plane that fits them best, with Gaussian weights.

    First-order normalised convolution (doi:10.1109/CVPR.1993.341081): with the weights ``k c`` around each pixel,
    ``gradient = cov(p, p)^-1 cov(p, a)`` over the neighbours' positions *p*. Exact on a plane, whatever the mask, up to
    the frame's edge (beyond it is no data). Without a mask and away from the edge it is the correlation with
    ``k x / sum(k x^2)``.

    Parameters
    ----------
    a : (H, W) or (N, H, W) array
    sigma : float
        Standard deviation of the weights, pixels, positive.
    mask : bool or float array, optional
        Validity, or confidence in 0..1.
    truncate : float
        Radius of the kernel in standard deviations.

    Returns
    -------
    Gradient
        Not valid where the input is not, or where the valid neighbours lie on one line.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma is {sigma}, must be positive")
    from scipy import ndimage  # slow to import: only when it is used

    source = read_input(a, mask, "constant")
    radius = max(1, int(truncate * sigma + 0.5))
    offset = np.arange(-radius, radius + 1, dtype=np.float64)
    weight = np.exp(-0.5 * np.square(offset / sigma))
    weight /= weight.sum()
    lines = [weight, weight * offset, weight * offset**2]

    def moment(x: Double, power_y: int, power_x: int) -> Double:
        along = ndimage.correlate1d(x, lines[power_y], axis=-2, mode="constant")
        result: Double = ndimage.correlate1d(along, lines[power_x], axis=-1, mode="constant")
        return result

    confidence = np.ones(source.values.shape) if source.confidence is None else source.confidence
    centre, spread = centre_and_spread(source)
    values = (source.values - centre) / spread * confidence
    base = moment(confidence, 0, 0)
    safe = np.where(base > MINIMUM_WEIGHT, base, 1.0)
    y, x = moment(confidence, 1, 0) / safe, moment(confidence, 0, 1) / safe
    mean = moment(values, 0, 0) / safe
    yy = moment(confidence, 2, 0) / safe - y * y
    xx = moment(confidence, 0, 2) / safe - x * x
    yx = moment(confidence, 1, 1) / safe - y * x
    y_a = moment(values, 1, 0) / safe - y * mean
    x_a = moment(values, 0, 1) / safe - x * mean
    determinant = yy * xx - yx * yx
    valid = source.mask & (base > MINIMUM_WEIGHT) & (determinant > 1e-6 * sigma**4)
    divisor = np.where(valid, determinant, 1.0)
    dy = np.where(valid, (xx * y_a - yx * x_a) / divisor, 0.0) * spread
    dx = np.where(valid, (yy * x_a - yx * y_a) / divisor, 0.0) * spread
    return Gradient(dy.astype(source.dtype), dx.astype(source.dtype), valid)


def read_input(a: NDArray[Any], mask: NDArray[Any] | None, mode: Mode) -> Input:
    """Check what a filter was given and split it into values and confidences.

    Parameters
    ----------
    a : (H, W) or (N, H, W) array
        bool, integer or float. NaN, infinities and masked values become 0.
    mask : array of the same shape, or None
        bool (True = valid) or float confidences, 0..1.
    mode : Mode
        How the frame goes on beyond its border; ``constant``: no data there.

    Returns
    -------
    Input

    Raises
    ------
    ValueError
        A shape, a mode or a mask that does not fit.
    TypeError
        Samples that are no numbers.
    """
    dtype_range(a.dtype)
    if a.ndim not in (2, 3):
        raise ValueError(f"shape {a.shape} is neither a frame (H, W) nor a stack (N, H, W)")
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}, must be one of {', '.join(MODES)}")
    values = a.astype(np.float64)
    small = a.dtype.itemsize <= 2 or a.dtype == np.float32
    dtype = np.dtype(np.float32 if small else np.float64)
    confidence: Double | None = None
    if mask is not None:
        if mask.shape != a.shape or mask.dtype.kind not in "bf":
            raise ValueError(f"mask is {mask.dtype} {mask.shape}, must be bool or float {a.shape}")
        confidence = mask.astype(np.float64)
        if mask.dtype.kind == "f" and not (np.isfinite(confidence) & (confidence >= 0) & (confidence <= 1)).all():
            raise ValueError("confidences must lie in 0..1")
    if a.dtype.kind == "f":
        finite = np.isfinite(values)
        if not finite.all():
            confidence = finite.astype(np.float64) if confidence is None else confidence * finite
    if confidence is not None:
        if confidence.min(initial=1.0) == 1.0:
            confidence = None
        else:
            values[confidence == 0] = 0.0
    if mode == "constant" and confidence is None:
        confidence = np.ones(a.shape)  # beyond the frame is no data
    return Input(values, confidence, dtype)


def centre_and_spread(source: Input) -> tuple[Double, Double]:
    """Middle of the valid pixels' range and half its width, each (1, 1), of a stack (N, 1, 1); width never 0."""
    if source.confidence is None:
        low, high = source.values, source.values
    else:
        low, high = np.where(source.mask, source.values, np.inf), np.where(source.mask, source.values, -np.inf)
    low, high = low.min((-2, -1), keepdims=True, initial=np.inf), high.max((-2, -1), keepdims=True, initial=-np.inf)
    low, high = np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)
    centre = low * 0.5 + high * 0.5
    rounding = np.finfo(np.float64).eps * np.maximum(np.abs(low), np.abs(high))
    spread = np.maximum(high * 0.5 - low * 0.5, rounding)
    return centre, np.where(spread > 0, spread, 1.0)


def normalised(source: Input, convolve: Callable[[Double], Double], fill: bool, gain: float = 1.0) -> Filtered:
    """Normalised convolution (Knutsson and Westin 1993, doi:10.1109/CVPR.1993.341081) by an averaging filter.

    Parameters
    ----------
    source : Input
    convolve : callable
        Linear filter of a float64 array whose weights sum to 1.
    fill : bool
        Give masked pixels the average of their valid neighbours, where they have any.
    gain : float
        Factor on the result.

    Returns
    -------
    Filtered
    """
    if source.confidence is None:
        return kept(source, convolve(source.values) * gain, source.mask, fill)
    weight = convolve(source.confidence)
    present = weight > MINIMUM_WEIGHT
    values = convolve(source.values * source.confidence) / np.where(present, weight, 1.0)
    return kept(source, values * gain, present, fill)


def kept(source: Input, values: Double, present: Mask, fill: bool) -> Filtered:
    """Set what is not valid to 0 and bring the rest to the type of the result.

    Parameters
    ----------
    source : Input
    values : float64 array
        The filter's result.
    present : bool array
        Where the filter had anything to average.
    fill : bool
        Keep pixels that were masked in the input but are *present* now.

    Returns
    -------
    Filtered
    """
    mask = present if fill else present & source.mask
    return Filtered(np.where(mask, values, 0.0).astype(source.dtype), mask)


def window_mean(ndim: int, size: int, mode: Mode) -> Callable[[Double], Double]:
    """Mean over a square window, as a function.

    Parameters
    ----------
    ndim : int
        Axes of the arrays it is for, 2 or 3; the window spans the last two.
    size : int
        Side of the window, pixels, at least 1.
    mode : Mode
        How the frame goes on beyond its border.

    Returns
    -------
    callable
        float64 array to float64 array of the same shape.
    """
    from scipy import ndimage  # slow to import: only when it is used

    sizes = (1,) * (ndim - 2) + (size, size)

    def mean(x: Double) -> Double:
        result: Double = ndimage.uniform_filter(x, sizes, mode=mode)
        return result

    return mean


def check_size(size: int) -> None:
    """Raise ValueError for a window without pixels."""
    if size < 1:
        raise ValueError(f"window of {size} pixels, must be at least 1")
