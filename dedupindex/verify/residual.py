"""How far two aligned pictures differ beyond what tone, resampling and compression explain, window by window.

A pixel differs by how far it lies outside the range that the other picture shows in the 3 x 3 pixels around it: half a
pixel of misalignment and another sharpness stay inside that range, another content does not. Squares of this are
averaged over windows of 12 x 12 pixels, and what is explained is taken off: the spread of the tone curve, what the
files' quantisation tables allow, and what is typical of the pair itself at a like local contrast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.tone import Curve

CELL = 4  # side of a cell, pixels of the grid
SIDE = 3  # side of a window, cells
TONE_SHARE = 0.5  # of the spread of the tone curve that is taken off
TYPICAL = 2.0  # times the difference that is typical of the pair at a like contrast is taken off
CONTRAST_BINS = 12
MOST_SAMPLES = 8_000  # windows that say what is typical
BIN_CELLS = 40  # fewer cells of a like contrast say nothing
MOST_NOISE = 0.35  # of the local contrast that may count as typical beyond the noise of flat areas

BENT = 4.0  # levels by which a tone curve leaves a straight line from which averages of tones are looked at

_CROSS = np.ones((3, 3), np.uint8)
_WIDE = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two aligned pictures, and what predicts it from the other one.

    Attributes
    ----------
    own, other : (H, W) uint8
        The picture, and the other one's luminance.
    curve : Curve
        Tone of `own` from the levels of `other`.
    """

    own: ByteArray
    other: ByteArray
    curve: Curve


@dataclass(frozen=True, slots=True)
class Residual:
    """What two pictures differ by, by windows around cells of 4 x 4 grid pixels.

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
    """

    excess: FloatArray
    valid: Mask
    contrast: FloatArray
    noise: float
    largest: float


def cells(plane: FloatArray | ByteArray, cell: int = CELL) -> FloatArray:
    """Average over cells; what is left over at the lower and right edge is dropped. 8 bits are rounded."""
    rows, columns = plane.shape[0] // cell, plane.shape[1] // cell
    whole = plane[: rows * cell, : columns * cell]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def windows(plane: FloatArray) -> FloatArray:
    """Average over the cells of a window around each cell."""
    return np.asarray(cv2.boxFilter(plane, cv2.CV_32F, (SIDE, SIDE), borderType=cv2.BORDER_REFLECT_101), np.float32)


def outside(first: ByteArray, second: ByteArray) -> ByteArray:
    """How far each pixel of one picture lies outside the range of the other's 3 x 3 pixels, both ways."""
    return np.asarray(cv2.max(_above(first, second), _above(second, first)), np.uint8)


def _above(first: ByteArray, second: ByteArray) -> ByteArray:
    high = cv2.subtract(first, cv2.dilate(second, _CROSS))
    low = cv2.subtract(cv2.erode(second, _CROSS), first)
    return np.asarray(cv2.max(high, low), np.uint8)


def residual(sides: Sequence[Side], mask: Mask, tables: Sequence[tuple[Sequence[int], float]] = ()) -> Residual:
    """Compare the luminance of two aligned pictures.

    Parameters
    ----------
    sides : sequence of Side
        Each picture with what predicts it.
    mask : (H, W) bool
        Where both are valid.
    tables : sequence of (64 int, float)
        Quantisation tables of the files, and pixels of the file for one of the grid.
    """
    whole = bool(mask.all())
    weight = None if whole else mask.astype(np.float32)
    share = windows(cells(np.ones(mask.shape, np.float32) if weight is None else weight))
    valid = share > 0.5
    divisor = np.maximum(share, 1e-3)
    small_weight = None if weight is None else _halved_plane(weight)
    excess = np.zeros(share.shape, np.float32)
    contrast = np.zeros(share.shape, np.float32)
    noise, largest = 0.0, 0.0
    for side in sides:
        own, other, curve = side.own, side.other, side.curve
        small_own, small_other = halved(own), halved(other)
        table = np.clip(np.rint(curve.levels), 0, 255).astype(np.uint8)
        predicted = _looked_up(other, table)
        beyond = outside(own, predicted)
        if curve.bent > BENT:
            beyond = np.asarray(cv2.min(beyond, _off_chord(own, other, curve)), np.uint8)
        if not whole:
            beyond[~mask] = 0
        squared = windows(cells(np.asarray(cv2.multiply(beyond, beyond, dtype=cv2.CV_32F), np.float32))) / divisor
        low, high = _contrasts((small_own, _looked_up(small_other, table)), small_weight, divisor)
        spread = np.asarray(cv2.LUT(small_other, np.square(curve.spread).astype(np.float32)), np.float32)
        tone = TONE_SHARE**2 * _small_windows(spread, small_weight) / divisor
        usual, floor = typical(squared, np.sqrt(low * low + tone), valid)
        allowed = tone + TYPICAL**2 * usual + compression(high, tables)
        np.maximum(excess, np.sqrt(np.maximum(squared - allowed, 0)), out=excess)
        np.maximum(contrast, high, out=contrast)
        noise, largest = max(noise, floor), max(largest, float(cv2.blur(beyond, (3, 3)).max()))
    excess[~valid] = 0
    contrast[~valid] = 0
    return Residual(excess, valid, contrast, noise, largest)


def _looked_up(picture: ByteArray, table: ByteArray) -> ByteArray:
    return np.asarray(cv2.LUT(picture, table), np.uint8)


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


def _off_chord(own: ByteArray, other: ByteArray, curve: Curve) -> ByteArray:
    """`outside` for a picture whose tone was changed before it was averaged.

    Where light and dark meet within a pixel, the average of the changed tones lies on the chord of the curve, not on
    the curve: what is brighter than white before the change is clipped only in the light part.
    """
    low, high = np.asarray(cv2.erode(other, _WIDE), np.uint8), np.asarray(cv2.dilate(other, _WIDE), np.uint8)
    table = curve.levels.astype(np.float32)
    start, end = cv2.LUT(low, table), cv2.LUT(high, table)
    part = cv2.divide(cv2.subtract(other, low), cv2.max(cv2.subtract(high, low), 1.0), dtype=cv2.CV_32F)
    chord = cv2.add(start, cv2.multiply(cv2.subtract(end, start), part))
    return outside(own, np.asarray(cv2.convertScaleAbs(chord), np.uint8))


def _contrasts(
    pictures: tuple[ByteArray, ByteArray], weight: FloatArray | None, divisor: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Standard deviation within the windows: of the picture that has less, and of the one that has more."""
    spreads: list[FloatArray] = []
    for picture in pictures:
        values = picture.astype(np.float32)
        mean = _small_windows(values, weight) / divisor
        square = _small_windows(values * values, weight) / divisor
        spreads.append(np.sqrt(np.maximum(square - mean * mean, 0)))
    return np.minimum(*spreads), np.maximum(*spreads)


def typical(squared: FloatArray, contrast: FloatArray, valid: Mask) -> tuple[FloatArray, float]:
    """Median squared difference of windows of a like contrast, and the standard deviation in flat areas."""
    step = max(1, int(np.sqrt(squared.size / MOST_SAMPLES)))
    some = valid[::step, ::step]
    values, levels = squared[::step, ::step][some], contrast[::step, ::step][some]
    if values.size < BIN_CELLS:
        return np.zeros_like(squared), 0.0
    edges = np.concatenate([[0.0], np.geomspace(2.0, 128.0, CONTRAST_BINS - 1)])
    number = np.searchsorted(edges, levels, side="right") - 1
    order = np.lexsort((values, number))
    counts = np.bincount(number, minlength=CONTRAST_BINS)
    starts = np.cumsum(counts) - counts
    medians = np.full(CONTRAST_BINS, np.nan)
    for k in np.flatnonzero(counts >= BIN_CELLS):
        medians[k] = values[order[starts[k] + counts[k] // 2]]
    known = np.flatnonzero(~np.isnan(medians))
    if not len(known):
        return np.zeros_like(squared), 0.0
    floor = float(medians[known].min())
    limit = floor + (MOST_NOISE * edges) ** 2
    found = np.minimum(np.interp(np.arange(CONTRAST_BINS), known, medians[known]), limit)
    return np.interp(contrast, edges, found).astype(np.float32), float(np.sqrt(floor))


def compression(contrast: FloatArray, tables: Sequence[tuple[Sequence[int], float]]) -> FloatArray:
    """Squared difference that quantisation explains, given the contrast around a window."""
    if not tables:
        return np.zeros_like(contrast)
    reach = cv2.dilate(contrast, np.ones((3, 3), np.uint8))
    levels = np.linspace(0.0, 128.0, 65)
    allowed = np.zeros(len(levels))
    for table, scale in tables:
        allowed += quantisation_noise(table, levels, scale)
    return np.interp(reach, levels, allowed).astype(np.float32)


def quantisation_noise(table: Sequence[int], contrast: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Mean squared error of JPEG quantisation in blocks of a given contrast, after reduction by `scale`.

    A coefficient's error is at most that of uniform quantisation (a twelfth of the squared step), and no more than
    its own variance, which falls with the square of the frequency as in natural pictures. Frequencies that the
    reduction removes do not count.

    Parameters
    ----------
    table : 64 int
        Row by row.
    contrast : (N,) float64
        Standard deviation of the block, levels.
    scale : float
        Pixels of the file for one of the grid, at least 1.
    """
    steps = np.asarray(table, np.float64).reshape(8, 8)
    v, u = np.mgrid[:8, :8]
    frequency = (u * u + v * v).astype(np.float64)
    frequency[0, 0] = np.inf
    share = 1 / frequency
    share /= share.sum()
    seen = np.maximum(u, v) < 8 / max(scale, 1.0)
    seen[0, 0] = True
    uniform = (steps**2 / 12 / 64)[seen]
    own = np.multiply.outer(np.square(contrast), share[seen])
    own[:, 0] = np.inf  # the mean is always quantised
    return np.asarray(np.minimum(uniform, own).sum(1))
