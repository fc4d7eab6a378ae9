"""Predict the tone of one picture, and its spread, from the levels of the other one by their joint histogram.

For each level of one picture, the levels that the other shows at the same pixels have a median and a spread. The
median is the tone curve; it rises or falls everywhere, as the curves of exposure, contrast, gamma, posterisation and
negatives do. The spread is the uncertainty of the tone: where one picture is clipped, any brighter level is possible.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask

SMOOTHED = 1.5  # levels over which the joint histogram is smoothed
CLIPPED = 250, 5  # levels above and below which a picture may be clipped
BENT = 4.0  # levels between a curve and a straight line from which averaged tones are predicted too
QUARTILES = 1.349  # between the quartiles of a normal distribution, standard deviations

_WIDE = np.ones((5, 5), np.uint8)

Joint = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """What one picture shows for each level of the other.

    Attributes
    ----------
    levels : (256,) float32
        Predicted levels, 0..255, monotonic.
    spread : (256,) float32
        Standard deviation around them, from the quartiles, levels.
    bent : float
        How far the curve leaves a straight line, levels.
    """

    levels: FloatArray
    spread: FloatArray
    bent: float = 0.0


def look_up(picture: ByteArray, levels: FloatArray) -> ByteArray:
    """Replace each level by that of a table of 256."""
    return np.asarray(cv2.LUT(picture, np.clip(np.rint(levels), 0, 255).astype(np.uint8)), np.uint8)


def limits(curve: Curve, sign: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest level that each level of the other picture allows, (256,) float32.

    Where that one is clipped, all levels beyond the last unclipped one are possible, because the curve is monotonic.
    """
    low, high = curve.levels.copy(), curve.levels.copy()
    top, bottom = CLIPPED
    if sign > 0:
        low[top:], high[top:] = curve.levels[top - 2], 255
        low[: bottom + 1], high[: bottom + 1] = 0, curve.levels[bottom + 2]
    else:
        low[top:], high[top:] = 0, curve.levels[top - 2]
        low[: bottom + 1], high[: bottom + 1] = curve.levels[bottom + 2], 255
    return low, high


def mixed(other: ByteArray, curve: Curve) -> ByteArray:
    """Predict a picture whose tone was changed before it was averaged.

    Where light and dark meet within a pixel, the average of the changed tones lies on the chord of the curve, not on
    the curve: what is brighter than white before the change is clipped only in the light part.
    """
    low, high = np.asarray(cv2.erode(other, _WIDE), np.uint8), np.asarray(cv2.dilate(other, _WIDE), np.uint8)
    table = curve.levels.astype(np.float32)
    start, end = cv2.LUT(low, table), cv2.LUT(high, table)
    part = cv2.divide(cv2.subtract(other, low), np.maximum(cv2.subtract(high, low), 1), dtype=cv2.CV_32F)
    chord = cv2.add(start, cv2.multiply(cv2.subtract(end, start), part))
    return np.asarray(cv2.convertScaleAbs(chord), np.uint8)


def joint_histogram(first: ByteArray, second: ByteArray, mask: Mask | None = None) -> Joint:
    """Count how often each pair of levels occurs at one pixel.

    Parameters
    ----------
    first, second : (H, W) uint8
    mask : (H, W) bool or None
        True = counted.

    Returns
    -------
    (256, 256) float64
        Rows: levels of `first`; columns: levels of `second`.
    """
    codes = first.astype(np.uint16) << 8
    codes |= second
    flat = codes.reshape(-1) if mask is None else codes[mask]
    return np.bincount(flat, minlength=1 << 16).astype(np.float64).reshape(256, 256)


def curve_of(joint: Joint, sign: float = 1.0) -> Curve:
    """Predict the levels of the second picture (columns) for each level of the first (rows).

    Parameters
    ----------
    joint : (256, 256) float64
        From `joint_histogram`; its transpose gives the other direction.
    sign : float
        -1 where the pictures are negatives of each other.
    """
    blurred = cv2.GaussianBlur(joint, (1, 0), sigmaX=1e-3, sigmaY=SMOOTHED, borderType=cv2.BORDER_REPLICATE)
    smooth = np.asarray(blurred, np.float64)
    count = smooth.sum(1)
    known = count > max(1e-3, 1e-6 * float(count.sum()))
    if not known.any():
        return Curve(np.arange(256, dtype=np.float32), np.zeros(256, np.float32))
    below = np.cumsum(smooth, axis=1)
    quartiles = [_quantile(below, count, share) for share in (0.25, 0.5, 0.75)]
    rows = np.flatnonzero(known)
    width = (quartiles[2] - quartiles[0])[rows] / QUARTILES
    # a level that was painted over a picture meets many others: its large spread gives it a low weight
    weight = count[rows] / (np.square(width) + 1)
    middle = sign * rising(sign * quartiles[1][rows], weight)
    levels = np.arange(256)
    chord = middle[0] + (middle[-1] - middle[0]) * (rows - rows[0]) / max(1, rows[-1] - rows[0])
    return Curve(
        np.interp(levels, rows, middle).astype(np.float32),
        np.interp(levels, rows, width).astype(np.float32),
        float(np.abs(middle - chord).max()),
    )


def rising(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rising sequence nearest to `values` in weighted least squares (pool adjacent violators).

    Parameters
    ----------
    values, weights : (N,) float64
        Weights are positive.
    """
    means: list[float] = []
    masses: list[float] = []
    lengths: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, mass, length = value, weight, 1
        while means and means[-1] > mean:
            mean = (mean * mass + means[-1] * masses[-1]) / (mass + masses[-1])
            mass += masses.pop()
            length += lengths.pop()
            means.pop()
        means.append(mean)
        masses.append(mass)
        lengths.append(length)
    return np.repeat(np.array(means), lengths)


def _quantile(below: Joint, count: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Level below which `share` of each row lies, interpolated within the level."""
    target = share * count
    index = (below < target[:, None]).sum(1).clip(0, 255)
    rows = np.arange(len(count))
    upper = below[rows, index]
    lower = np.where(index > 0, below[rows, np.maximum(index - 1, 0)], 0.0)
    inside = (target - lower) / np.maximum(upper - lower, 1e-12)
    return np.asarray(index + inside.clip(0, 1) - 0.5, np.float64)
