"""Measure, per window, how far two aligned pictures differ beyond tone, resampling and compression.

A pixel differs by how far it lies outside the range that the other picture shows in the 3 x 3 pixels around it: half a
pixel of misalignment or another sharpness stays inside that range, other content does not. Squares of this are
averaged over windows of 12 x 12 pixels, and what is explained is subtracted: the spread of the tone curve, what the
files' quantisation tables allow, and what is typical of the pair itself at similar local contrast. The mean
difference of a window counts too, and in smooth ones missing fine texture: `faint`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.proof import faint
from dedupindex.verify.proof.quantisation import Tables, compression, rounded_means

CELL = 4  # side of a cell, pixels of the grid
SIDE = 3  # side of a window, cells
TONE_SHARE = 1.25  # times the spread of the tone curve is subtracted
TYPICAL = 2.0  # times the typical difference of the pair at similar contrast is subtracted
CONTRAST_BINS = 12
MOST_SAMPLES = 5_000  # windows from which the typical difference is estimated
BEYOND = float(2**17)  # above any squared difference of levels
BIN_CELLS = 40  # cells of similar contrast that an estimate needs
LEAST_MEAN = 0.657  # mean of the nine tenths least absolute values of a normal distribution, standard deviations
SHOWN = 6.0  # levels: least contrast of a window in which a picture shows something
SHOWN_IN_NOISE = 2.0  # times the noise, where that is more
MOST_NOISE = 0.35  # of the local contrast that may count as typical beyond the noise of flat areas


_CROSS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two aligned pictures, and what the other one predicts it to be.

    Attributes
    ----------
    own, predicted : (H, W) uint8
    low, high : (H, W) uint8
        Between which the prediction lies: they differ where the other picture is clipped.
    mixed : (H, W) uint8 or None
        Another prediction that is as good: see `tone.mixed`.
    spread : (H // 2, W // 2) float32 or None
        Squared standard deviation of the prediction, squared levels; None = it is exact.
    untoned : (H, W) uint8 or None
        The other picture as it is, where it may be a prediction too: a curve is uncertain at levels that few places
        have, and a smooth place may have such a level.
    """

    own: ByteArray
    predicted: ByteArray
    low: ByteArray
    high: ByteArray
    mixed: ByteArray | None = None
    spread: FloatArray | None = None
    untoned: ByteArray | None = None


@dataclass(frozen=True, slots=True)
class Residual:
    """Difference of two pictures, in windows around cells of 4 x 4 grid pixels.

    Attributes
    ----------
    excess : (h, w) float32
        Root mean square of the difference that nothing explains, levels of 0..255; 0 where not valid.
    valid : (h, w) bool
        At least half of the window was compared.
    contrast : (h, w) float32
        Standard deviation within the window of the picture that has more of it, levels.
    noise : float
        Typical difference of a pixel (standard deviation) where nothing was changed, levels.
    largest : float
        Largest difference of the mean of 3 x 3 pixels beyond tone, levels.
    correlation : (h, w) float32
        Of the two pictures within each window, -1..1.
    shown : (h, w) bool
        Windows in which both pictures show something.
    texture : (h, w) float32
        The part of `excess` that fine texture makes which one picture has and the other has not.
    """

    excess: FloatArray
    valid: Mask
    contrast: FloatArray
    noise: float
    largest: float
    correlation: FloatArray
    shown: Mask
    texture: FloatArray


def cells(plane: FloatArray | ByteArray, cell: int = CELL) -> FloatArray:
    """Average over cells; incomplete cells at the lower and right edge are dropped. 8-bit averages are rounded."""
    rows, columns = plane.shape[0] // cell, plane.shape[1] // cell
    whole = plane[: rows * cell, : columns * cell]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def windows(plane: FloatArray) -> FloatArray:
    """Average over the cells of a window around each cell."""
    return np.asarray(cv2.boxFilter(plane, cv2.CV_32F, (SIDE, SIDE), borderType=cv2.BORDER_REFLECT_101), np.float32)


def outside(own: ByteArray, low: ByteArray, high: ByteArray) -> ByteArray:
    """How far a pixel of either picture lies outside the range of the other one in 3 x 3 pixels: the larger distance.

    Parameters
    ----------
    own : (H, W) uint8
    low, high : (H, W) uint8
        Limits of what the other picture predicts.

    Returns
    -------
    (H, W) uint8
        Levels.
    """
    beyond = cv2.max(cv2.subtract(own, cv2.dilate(high, _CROSS)), cv2.subtract(cv2.erode(low, _CROSS), own))
    back = cv2.max(cv2.subtract(low, cv2.dilate(own, _CROSS)), cv2.subtract(cv2.erode(own, _CROSS), high))
    return np.asarray(cv2.max(beyond, back), np.uint8)


def residual(
    sides: Sequence[Side],
    mask: Mask,
    tables: Tables = (),
    *,
    plain: bool = False,
    noise: float = 0.0,
) -> Residual:
    """Compare the luminance of two aligned pictures.

    Parameters
    ----------
    sides : sequence of Side
        Each picture with what predicts it; one side where each predicts the other as it is.
    mask : (H, W) bool
        Where both are valid.
    tables : sequence of (64 int, float, float)
        Quantisation tables of the files, pixels of the file for one of the grid, and the gain of fine detail.
    plain : bool
        Subtract only what the tables explain, nothing that is typical of the pair.
    noise : float
        Noise that is known to be in the pictures, levels: a window shows something where its contrast is twice that.

    Returns
    -------
    Residual
    """
    whole = bool(mask.all())
    weight = None if whole else mask.astype(np.float32)
    share = windows(cells(np.ones(mask.shape, np.float32) if weight is None else weight))
    valid = share > 0.5
    divisor = np.maximum(share, 1e-3)
    small_weight = None if weight is None else _halved_plane(weight)
    excess = np.zeros(share.shape, np.float32)
    texture = np.zeros(share.shape, np.float32)
    contrast = np.zeros(share.shape, np.float32)
    correlation = np.ones(share.shape, np.float32)
    shown = valid
    noise, largest = 0.0, 0.0
    for side in sides:
        beyond = outside(side.own, side.low, side.high)
        if side.mixed is not None:
            beyond = np.asarray(cv2.min(beyond, outside(side.own, side.mixed, side.mixed)), np.uint8)
        if not whole:
            beyond[~mask] = 0
        squared = windows(cells(np.asarray(cv2.multiply(beyond, beyond, dtype=cv2.CV_32F), np.float32))) / divisor
        low, high, ncc = _contrasts((halved(side.own), halved(side.predicted)), small_weight, divisor)
        shown = shown & (low > max(SHOWN, SHOWN_IN_NOISE * noise))
        allowed = compression(high, tables)
        tone = np.zeros(share.shape, np.float32)
        if side.spread is not None:
            tone = np.asarray(TONE_SHARE**2 * _small_windows(side.spread, small_weight) / divisor, np.float32)
            low = np.sqrt(low * low + tone).astype(np.float32)
            allowed += tone
        rounded = np.asarray(tone + rounded_means(tables, SIDE * CELL), np.float32)
        given = small_weight, divisor, high, (rounded, tone), valid
        means, fine = _faint(side.own, (side.low, side.high), *given)
        if side.untoned is not None and (means.any() or fine.any()):
            plainly = _faint(side.own, (side.untoned, side.untoned), *given)
            means, fine = np.minimum(means, plainly[0]), np.minimum(fine, plainly[1])
        np.maximum(texture, fine, out=texture)
        np.maximum(excess, np.maximum(means, fine), out=excess)
        if not plain:
            allowed += TYPICAL**2 * typical(np.asarray(squared, np.float32), low, valid)
        np.maximum(excess, np.sqrt(np.maximum(squared - allowed, 0)), out=excess)
        np.maximum(contrast, high, out=contrast)
        np.minimum(correlation, ncc, out=correlation)
        noise = max(noise, _noise(side, mask))
        largest = max(largest, float(cv2.blur(beyond, (3, 3)).max()))
    for plane in (excess, contrast, texture):
        plane[~valid] = 0
    return Residual(excess, valid, contrast, noise, largest, correlation, shown, texture)


def halved(picture: ByteArray) -> ByteArray:
    """Average over 2 x 2 pixels."""
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    whole = picture[: 2 * rows, : 2 * columns]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _halved_plane(plane: FloatArray) -> FloatArray:
    return cells(plane, 2)


def _small_windows(plane: FloatArray, weight: FloatArray | None) -> FloatArray:
    """Average a plane at half the scale of the grid over the windows."""
    return windows(cells(plane if weight is None else plane * weight, CELL // 2))


def _contrasts(
    pictures: tuple[ByteArray, ByteArray], weight: FloatArray | None, divisor: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Standard deviation within the windows of the picture that has less, and of the other one; their correlation."""
    first, second = (picture.astype(np.float32) for picture in pictures)
    means = [_small_windows(values, weight) / divisor for values in (first, second)]
    spreads = [
        np.sqrt(np.maximum(_small_windows(values * values, weight) / divisor - mean * mean, 0))
        for values, mean in zip((first, second), means, strict=True)
    ]
    product: FloatArray = _small_windows(first * second, weight) / divisor - means[0] * means[1]
    ncc = product / np.maximum(spreads[0] * spreads[1], 1.0)
    return np.minimum(*spreads), np.maximum(*spreads), np.asarray(ncc, np.float32)


def _faint(
    own: ByteArray,
    limits: tuple[ByteArray, ByteArray],
    weight: FloatArray | None,
    divisor: FloatArray,
    contrast: FloatArray,
    explained: tuple[FloatArray, FloatArray],
    valid: Mask,
) -> tuple[FloatArray, FloatArray]:
    """Unexplained means and fine texture of windows, beyond the limits of what is predicted."""
    above = np.asarray(cv2.subtract(own, limits[1], dtype=cv2.CV_16S))
    below = np.asarray(cv2.subtract(own, limits[0], dtype=cv2.CV_16S))
    away = _halved_plane((np.maximum(above, 0) + np.minimum(below, 0)).astype(np.float32))
    means = np.asarray(_small_windows(away, weight) / divisor, np.float32)
    variance = np.maximum(_small_windows(away * away, weight) / divisor - means * means, 0).astype(np.float32)
    usual = (
        explained[0] + faint.TYPICAL**2 * typical(means * means, contrast, valid),
        explained[1] + faint.TYPICAL_FINE**2 * typical(variance, contrast, valid),
    )
    return faint.faint_excess((means, variance), contrast, usual, valid)


def _noise(side: Side, mask: Mask) -> float:
    """Standard deviation of what remains, from the nine tenths of the pixels that differ least."""
    sampled = np.s_[::3, ::3]
    away = np.abs(side.own[sampled].astype(np.float32) - side.predicted[sampled])[mask[sampled]]
    if not away.size:
        return 0.0
    count = max(1, round(0.9 * away.size))
    least = np.partition(away, count - 1)[:count]
    return float(least.mean()) / LEAST_MEAN


def typical(squared: FloatArray, contrast: FloatArray, valid: Mask) -> FloatArray:
    """Median squared difference of the windows of similar contrast.

    Parameters
    ----------
    squared : (h, w) float32
        Mean squared difference of each window, squared levels.
    contrast : (h, w) float32
        Levels.
    valid : (h, w) bool
        Windows from which the medians are taken.

    Returns
    -------
    (h, w) float32
        Squared levels; 0 where there are too few windows.
    """
    step = max(1, int(np.sqrt(squared.size / MOST_SAMPLES)))
    inside = valid[::step, ::step]
    values, levels = squared[::step, ::step][inside], contrast[::step, ::step][inside]
    if values.size < BIN_CELLS:
        return np.zeros_like(squared)
    edges = np.concatenate([[0.0], np.geomspace(2.0, 128.0, CONTRAST_BINS - 1)])
    number = np.searchsorted(edges, levels, side="right") - 1
    counts = np.bincount(number, minlength=CONTRAST_BINS)
    starts = np.cumsum(counts) - counts
    # numbers that sort by bin, then by value: several times faster than sorting by two keys
    order = np.sort(number * BEYOND + values)
    medians = np.full(CONTRAST_BINS, np.nan)
    for k in np.flatnonzero(counts >= BIN_CELLS):
        medians[k] = order[starts[k] + counts[k] // 2] - k * BEYOND
    known = np.flatnonzero(~np.isnan(medians))
    if not len(known):
        return np.zeros_like(squared)
    floor = float(medians[known].min())
    limit = floor + (MOST_NOISE * edges) ** 2
    capped = np.minimum(np.interp(np.arange(CONTRAST_BINS), known, medians[known]), limit)
    return np.asarray(np.interp(contrast, edges, capped), np.float32)
