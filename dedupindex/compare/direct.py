"""Correlation in the spatial domain, slow and simple: a check of the FFT version."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedupindex.compare.correlation import CorrelationPeak
from dedupindex.compare.overlap import pearson_after
from dedupindex.records import Mask

FLAT = 1e-9  # variance relative to the largest of the map: below, an overlap counts as flat


def direct_scores(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    shift: tuple[float, float],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    reach: int = 1,
) -> NDArray[np.float64]:
    """Correlate at a shift and its neighbours, pixel by common pixel.

    Parameters
    ----------
    a, b : (H, W), (H', W') arrays
    shift : (dy, dx)
        Rounded to whole pixels.
    mask_a, mask_b : bool arrays or None
        True = valid.
    reach : int
        Neighbours on every side.

    Returns
    -------
    (2 reach + 1, 2 reach + 1) float64
        -1..1; the middle is `shift`.
    """
    steps = range(-reach, reach + 1)
    return np.array(
        [[pearson_after(a, b, (round(shift[0]) + dy, round(shift[1]) + dx), mask_a, mask_b) for dx in steps]
         for dy in steps]
    )  # fmt: skip


def full_search(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    min_overlap: float = 0.3,
) -> CorrelationPeak:
    """Correlate at every shift by `scipy.signal.correlate2d`: time grows with the square of the number of pixels.

    Parameters
    ----------
    a, b : (H, W), (H', W') arrays
        Small ones, such as 48 x 48.
    mask_a, mask_b : bool arrays or None
        True = valid.
    min_overlap : float
        Smallest valid overlap over the smaller valid area, 0..1.

    Returns
    -------
    CorrelationPeak
        As `cross_correlate` finds it.
    """
    from scipy import signal  # slow to import, and only this check needs it

    valid_a = np.ones(a.shape, bool) if mask_a is None else mask_a
    valid_b = np.ones(b.shape, bool) if mask_b is None else mask_b
    if a.shape != valid_a.shape or b.shape != valid_b.shape or a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"pictures {a.shape}, {b.shape} must be 2-D and as large as their masks")
    first, weight_a = _centred(a, valid_a)
    second, weight_b = _centred(b, valid_b)

    def correlate(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = signal.correlate2d(x, y, mode="full")
        return result

    count = np.rint(correlate(weight_a, weight_b))
    number = np.maximum(count, 1)
    sum_a, sum_b = correlate(first, weight_b), correlate(weight_a, second)
    variance_a = np.maximum(correlate(first**2, weight_b) - sum_a**2 / number, 0)
    variance_b = np.maximum(correlate(weight_a, second**2) - sum_b**2 / number, 0)
    denominator = np.sqrt(variance_a * variance_b)
    solid = denominator > FLAT * max(float(denominator.max()), 1e-300)
    score = np.divide(
        correlate(first, second) - sum_a * sum_b / number, denominator, out=np.zeros_like(count), where=solid
    )
    area = min(float(weight_a.sum()), float(weight_b.sum()))
    score = np.where(count >= max(min_overlap * area, 2), np.clip(score, -1, 1), -np.inf)
    row, column = (int(i) for i in np.unravel_index(int(score.argmax()), score.shape))
    if not np.isfinite(score[row, column]):
        return CorrelationPeak((0.0, 0.0), 0.0, 0.0)
    shift = (float(row - b.shape[0] + 1), float(column - b.shape[1] + 1))
    return CorrelationPeak(shift, float(score[row, column]), float(count[row, column]) / area)


def _centred(picture: NDArray[np.generic], valid: Mask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.where(valid, picture, 0).astype(np.float64)
    mean = values.sum() / max(int(valid.sum()), 1)
    return np.where(valid, values - mean, 0), valid.astype(np.float64)
