"""Correlation over shifts and scales: resized copies and moderate crops, without any keypoint.

Coarse first: a series of scales at a small size; then the best ones are refined in halving steps at twice that size.
The more pixels are compared, the more exact the scale must be for them to correlate: so the first search uses few
pixels and the last steps use more.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from dedupindex.compare.correlation import CorrelationPeak, find_peak, padded_shape, spectra
from dedupindex.records import FloatArray, Mask

SIDE = 64  # longest side of a in the first search, pixels
OCTAVES = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)  # of b's scale about equal longest sides
STEPS = (0.125, 0.0625, 0.03125)  # octaves: the refinement ends within 1 % of the scale
KEPT = 2  # scales that are refined
LARGEST = 4  # times `SIDE`: the longest that a scale may make b


def search_scales(
    a: FloatArray,
    b: FloatArray,
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    min_overlap: float = 0.4,
    side: int = SIDE,
) -> tuple[CorrelationPeak, float]:
    """Correlate over shifts and scales of b: equal pixel scale, equal longest side, and a series around the latter.

    Parameters
    ----------
    a, b : (H, W), (H', W') float32
    mask_a, mask_b : bool arrays or None
        True = valid.
    min_overlap : float
        Smallest valid overlap over the smaller valid area, 0..1.
    side : int
        Longest side of a in the first search, pixels; the refinement uses twice as much.

    Returns
    -------
    peak : CorrelationPeak
        Shift in pixels of a: where b's upper left corner lies; its score at the refined scale.
    scale : float
        Size of b's content on a, pixels of a for a pixel of b.

    Raises
    ------
    ValueError
        Pictures that are not 2-D, or masks of another shape.
    """
    first, second = _clean(a, mask_a), _clean(b, mask_b)
    coarse, fine = (_correlator(first, second, size, min_overlap) for size in (side, 2 * side))
    equal = max(a.shape) / max(b.shape)
    scales = sorted({1.0, *(equal * 2**octave for octave in OCTAVES)}, key=lambda scale: abs(np.log2(scale / equal)))
    fitting = [scale for scale in scales if scale * max(b.shape) <= LARGEST * max(a.shape)]
    rungs = sorted(((coarse(scale), scale) for scale in fitting), key=lambda rung: -rung[0].score)
    best = CorrelationPeak((0.0, 0.0), 0.0, 0.0), 1.0
    for _, start in rungs[:KEPT]:
        peak, scale = fine(start), start
        for step in STEPS:
            near = [(fine(other), other) for other in (scale * 2**-step, scale * 2**step)]
            peak, scale = max([(peak, scale), *near], key=lambda rung: rung[0].score)
        if peak.score > best[0].score:
            best = peak, scale
    return best


def _clean(picture: FloatArray, mask: Mask | None) -> tuple[FloatArray, FloatArray]:
    if picture.ndim != 2 or (mask is not None and mask.shape != picture.shape):
        raise ValueError(f"picture {picture.shape} must be 2-D and as large as its mask {getattr(mask, 'shape', None)}")
    valid = np.ones(picture.shape, bool) if mask is None else mask
    return np.where(valid, picture, 0).astype(np.float32), valid.astype(np.float32)


def _correlator(
    a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray], side: int, min_overlap: float
) -> Callable[[float], CorrelationPeak]:
    """Return the function that correlates at a scale of b, with a reduced once to a longest side."""
    reduction = min(1.0, side / max(a[0].shape))
    small = _times(a[0].shape, reduction)
    first, share = _resized(*a, small)
    valid: Mask | None = None if share.min() > 1 - 1e-5 else share >= 0.5
    # rounding to whole pixels stretches a little: shifts are counted in the stretched ones
    rows, columns = (full / reduced for full, reduced in zip(a[0].shape, small, strict=True))

    def correlate(scale: float) -> CorrelationPeak:
        second, part = _resized(*b, _times(b[0].shape, scale * reduction))
        padded = padded_shape(first.shape, second.shape)
        peak = find_peak(
            spectra(first, valid, padded),
            spectra(second, None if part.min() > 1 - 1e-5 else part >= 0.5, padded),
            min_overlap=min_overlap,
            subpixel=True,
        )
        return CorrelationPeak((peak.shift[0] * rows, peak.shift[1] * columns), peak.score, peak.overlap)

    return correlate


def _times(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    return max(2, round(shape[0] * factor)), max(2, round(shape[1] * factor))


def _resized(values: FloatArray, weight: FloatArray, shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """Resample the valid part of a picture; the valid share of each new pixel."""
    how = cv2.INTER_AREA if shape[0] <= values.shape[0] and shape[1] <= values.shape[1] else cv2.INTER_LINEAR
    total, share = (
        np.asarray(cv2.resize(plane, shape[::-1], interpolation=how), np.float32) for plane in (values, weight)
    )
    return np.divide(total, share, out=np.zeros_like(total), where=share > 1e-6), share
