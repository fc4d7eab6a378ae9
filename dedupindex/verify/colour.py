"""Where the colours of two aligned pictures differ beyond what a change of colour as a whole explains.

Colours are compared at half the scale of the grid, as most files store them. White balance, saturation, tints and
conversion to grey are linear maps of the colour signals: those of the more colourful picture predict the other's. The
other way round is only tried where both are colourful: a grey copy cannot tell the colours.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.residual import compression, cells, typical, windows

CELL = 2  # side of a cell, pixels at half the scale of the grid
GREY = 3.0  # levels: a picture whose typical colour signal is below shows no colours
LESS = 0.5  # of the other's colour signal: below, it cannot be predicted the other way
TYPICAL = 2.0  # times the typical difference of cells of a like colourfulness is taken off
ROUNDS = 4  # of reweighting
LEAST_CELLS = 30
KNOTS = 0.0, 64.0, 128.0, 192.0, 230.0, 255.0  # levels of luminance at which the map of colours is fitted
MOST_SAMPLES = 5_000  # cells
RIDGE = 20.0  # cells that speak for colours as they are, at each of them

_CROSS = np.ones((3, 3), np.uint8)


def colourfulness(colour: ByteArray, mask: Mask) -> float:
    """Root mean square of the two colour signals over the quarter of the pixels with most of it, levels."""
    signals = _signals(colour)
    energy = np.square(signals).sum(2)[mask]
    if not energy.size:
        return 0.0
    middle = np.median(energy)
    return float(np.sqrt(energy[energy >= middle].mean()))


def colour_excess(
    first: ByteArray, second: ByteArray, mask: Mask, tables: Sequence[tuple[Sequence[int], float]] = ()
) -> FloatArray | None:
    """Compare the colours of two aligned pictures.

    Parameters
    ----------
    first, second : (H, W, 3) uint8
        RGB at half the scale of the grid.
    mask : (H, W) bool
    tables : sequence of (64 int, float)
        Quantisation tables for colour of the files, and pixels of the file for one of the grid.

    Returns
    -------
    (H // 2, W // 2) float32 or None
        Difference that nothing explains, levels, on the cells of the grid; None where one picture shows no colours.
    """
    strength = colourfulness(first, mask), colourfulness(second, mask)
    if min(strength) < GREY:
        return None
    weight = mask.astype(np.float32)
    share = windows(cells(weight, CELL))
    if (share > 0.99).sum() < LEAST_CELLS:
        return None
    valid, divisor = share > 0.5, np.maximum(share, 1e-3)
    signals = _signals(first), _signals(second)
    luminance = _grey(first), _grey(second)
    excess = np.zeros(share.shape, np.float32)
    for own, other in ((0, 1), (1, 0)):
        if strength[other] < LESS * strength[own]:
            continue
        predicted = _predicted(signals[own], signals[other], luminance[other], share)
        squared = np.zeros(share.shape, np.float32)
        low, high = np.zeros(share.shape, np.float32), np.zeros(share.shape, np.float32)
        for channel in range(2):
            target, guess = signals[own][..., channel], np.ascontiguousarray(predicted[..., channel])
            beyond = cv2.max(_above(target, guess), _above(guess, target)) * weight
            squared += windows(cells(cv2.multiply(beyond, beyond), CELL))
            spreads = _variance(target * weight, divisor), _variance(guess * weight, divisor)
            low += np.minimum(*spreads)
            high += np.maximum(*spreads)
        squared /= divisor
        usual, _ = typical(squared, np.sqrt(low), valid)
        allowed = TYPICAL**2 * usual + compression(np.sqrt(high), tables)
        np.maximum(excess, np.sqrt(np.maximum(squared - allowed, 0)), out=excess)
    excess[~valid] = 0
    return excess


def _variance(values: FloatArray, divisor: FloatArray) -> FloatArray:
    mean = windows(cells(values, CELL)) / divisor
    square = windows(cells(values * values, CELL)) / divisor
    return np.asarray(np.maximum(square - mean * mean, 0), np.float32)


def _above(first: FloatArray, second: FloatArray) -> FloatArray:
    high = cv2.subtract(first, cv2.dilate(second, _CROSS))
    low = cv2.subtract(cv2.erode(second, _CROSS), first)
    return np.asarray(cv2.max(cv2.max(high, low), 0.0), np.float32)


def _signals(colour: ByteArray) -> FloatArray:
    """The two colour difference signals of ITU-R BT.601, levels around 0."""
    turned = cv2.cvtColor(colour, cv2.COLOR_RGB2YCrCb)[..., 1:]
    return turned.astype(np.float32) - np.float32(128)


def _grey(colour: ByteArray) -> ByteArray:
    return np.asarray(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), np.uint8)


def _predicted(target: FloatArray, signals: FloatArray, luminance: ByteArray, share: FloatArray) -> FloatArray:
    """Colour signals from the other picture's, by a map that most cells follow: linear at each level of luminance."""
    step = max(1, round(np.sqrt(share.size / MOST_SAMPLES)))
    some = np.s_[::step, ::step]
    inside = share[some] > 0.99
    x = _cells_of(signals)[some][inside].astype(np.float64)
    y = _cells_of(target)[some][inside].astype(np.float64)
    hats = _hats(_cells_of(luminance)[some][inside].astype(np.float64))
    # on a page nearly all is white: what has colour must not be taken for the exception
    strong = (np.square(x).sum(1) > GREY**2) | (np.square(y).sum(1) > GREY**2)
    prior = np.repeat(np.eye(3, 2), len(KNOTS), axis=0)  # the same colours
    solution = prior
    if strong.sum() >= LEAST_CELLS:
        weight = np.where(strong, 1.0, min(1.0, float(strong.sum()) / max(1.0, float((~strong).sum()))))
        terms = np.concatenate([x[:, :1] * hats, x[:, 1:] * hats, hats], axis=1)
        ridge = RIDGE * np.repeat(
            [float(np.square(x[strong]).mean()), float(np.square(x[strong]).mean()), 1.0], len(KNOTS)
        )
        for number in range(ROUNDS):
            away = np.sqrt(np.square(y - terms @ solution).sum(1))
            robust = np.ones(len(x))
            if number:
                spread = 1.5 * float(np.median(away[strong])) + 1.0
                robust = 1 / (1 + (away / spread) ** 2) ** 2
            weighted = terms * (weight * robust)[:, None]
            normal = weighted.T @ terms
            normal[np.diag_indices(len(normal))] += ridge
            solution = np.linalg.solve(normal, weighted.T @ y + ridge[:, None] * prior)
    tables = (_hats(np.arange(256.0)) @ solution.reshape(3, len(KNOTS), 2).transpose(0, 1, 2)).astype(np.float32)
    planes = [
        sum(
            (
                cv2.multiply(np.ascontiguousarray(signals[..., k]), cv2.LUT(luminance, tables[k, :, c]))
                for k in range(2)
            ),
            start=cv2.LUT(luminance, tables[2, :, c]),
        )
        for c in range(2)
    ]
    return np.dstack(planes).astype(np.float32, copy=False)


def _hats(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the two knots next to each level; they sum to 1."""
    knots = np.array(KNOTS)
    right = np.clip(np.searchsorted(knots, levels, side="right"), 1, len(knots) - 1)
    part = np.clip((levels - knots[right - 1]) / (knots[right] - knots[right - 1]), 0, 1)
    hats = np.zeros((len(levels), len(knots)))
    rows = np.arange(len(levels))
    hats[rows, right - 1] = 1 - part
    hats[rows, right] = part
    return hats


def _cells_of(planes: FloatArray | ByteArray) -> NDArray[np.float32]:
    rows, columns = planes.shape[0] // CELL, planes.shape[1] // CELL
    whole = planes[: rows * CELL, : columns * CELL]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
