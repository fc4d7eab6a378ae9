"""Measure where the colours of two aligned pictures differ beyond a global change of colour.

Colours are compared at half the scale of the grid, as most files store them. White balance, saturation, tints, gamma
and conversion to grey are maps of the two colour signals that are linear at each level of luminance: those of the more
colourful picture predict the other's. The other direction is only tried where both are colourful: a grey copy cannot
predict colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.proof.quantisation import Tables, compression
from dedupindex.verify.proof.residual import cells, outside, typical, windows

CELL = 2  # side of a cell, pixels at half the scale of the grid
GREY = 3.0  # levels: a picture whose typical colour signal is below shows no colours
LESS = 0.5  # of the other's colour signal: a weaker signal cannot predict the stronger one
TYPICAL = 2.0  # times the typical difference of windows of similar contrast is subtracted
ROUNDS = 4  # of reweighting
LEAST_CELLS = 30
MOST_SAMPLES = 3_000  # cells
KNOTS = 0.0, 64.0, 128.0, 192.0, 230.0, 255.0  # levels of luminance at which the map of colours is fitted
RIDGE = 20.0  # weight of unchanged colours at each knot, in cells
EXPLAINED = 0.5  # share of the variance of the colours that a map must explain to be used
NOISE = 9.0  # squared levels: smaller variances count as this one
NEUTRAL = 128  # level of a colour signal that stands for grey

Planes: TypeAlias = tuple[ByteArray, ByteArray, ByteArray]  # luminance and two colour signals


@dataclass(frozen=True, slots=True)
class ColourSide:
    """One of two aligned pictures in colour, and the other one in its tone, at half the scale of the grid.

    Attributes
    ----------
    own, other : (H, W, 3) uint8
        RGB.
    unsure : (H, W) float32 or None
        Squared uncertainty of the other one's tone, squared levels; None = its tone was not changed.
    """

    own: ByteArray
    other: ByteArray
    unsure: FloatArray | None = None


def colour_excess(
    sides: Sequence[ColourSide], mask: Mask, tables: Tables = (), *, plain: bool = False
) -> FloatArray | None:
    """Compare the colours of two aligned pictures.

    Parameters
    ----------
    sides : sequence of `ColourSide`
        One for each picture; a single one where `plain`.
    mask : (H, W) bool
    tables : sequence of (64 int, float, float)
        Quantisation tables for colour of the files, pixels of the file for one of the grid, and the gain.
    plain : bool
        Compare the colours without a fitted map; subtract only what the tables explain.

    Returns
    -------
    (H // 2, W // 2) float32 or None
        Difference that nothing explains, levels, on the cells of the grid; None where one picture shows no colours.
    """
    planes = [(_planes(side.own), _planes(side.other)) for side in sides]
    strength = [colourfulness(one, mask) for one in (planes[0] if plain else [own for own, _ in planes])]
    if min(strength) < GREY:
        return None
    whole = bool(mask.all())
    weight = np.ones(mask.shape, np.float32) if whole else mask.astype(np.float32)
    share = windows(cells(weight, CELL))
    if (share > 0.99).sum() < LEAST_CELLS:
        return None
    valid, divisor = share > 0.5, np.maximum(share, 1e-3)
    excess = np.zeros(share.shape, np.float32)
    for number, (own, other) in enumerate(planes):
        if plain:
            predicted = other[1:]
        else:
            if strength[1 - number] < LESS * strength[number]:
                continue
            map_of, explained = _fitted(own, other, share)
            if explained < EXPLAINED:  # as those of a picture that was tinted as a whole
                continue
            predicted = _predicted(other, map_of)
        squared = np.zeros(share.shape, np.float32)
        low, high = np.zeros(share.shape, np.float32), np.zeros(share.shape, np.float32)
        for target, guess in zip(own[1:], predicted, strict=True):
            beyond = outside(target, guess, guess)
            if not whole:
                beyond[~mask] = 0
            squared += windows(cells(np.asarray(cv2.multiply(beyond, beyond, dtype=cv2.CV_32F), np.float32), CELL))
            spreads = _variance(target, weight, divisor), _variance(guess, weight, divisor)
            low += np.minimum(*spreads)
            high += np.maximum(*spreads)
        squared /= divisor
        allowed = compression(np.sqrt(high), tables)
        if not plain:
            allowed += TYPICAL**2 * typical(squared, np.sqrt(low), valid)
        if (unsure := sides[number].unsure) is not None:
            allowed += windows(cells(unsure * weight, CELL)) / divisor
        np.maximum(excess, np.sqrt(np.maximum(squared - allowed, 0)), out=excess)
    excess[~valid] = 0
    return excess


def colourfulness(planes: Planes, mask: Mask) -> float:
    """Root mean square of the colour signals over the half of the pixels with most of it, levels."""
    sampled = np.s_[::4, ::4]
    inside = mask[sampled]
    signals = [plane[sampled][inside].astype(np.float32) - NEUTRAL for plane in planes[1:]]
    energy = signals[0] ** 2 + signals[1] ** 2
    if not energy.size:
        return 0.0
    return float(np.sqrt(energy[energy >= np.median(energy)].mean()))


def _planes(colour: ByteArray) -> Planes:
    """Luminance and the two colour difference signals of ITU-R BT.601."""
    luminance, first, second = cv2.split(cv2.cvtColor(colour, cv2.COLOR_RGB2YCrCb))
    return np.asarray(luminance, np.uint8), np.asarray(first, np.uint8), np.asarray(second, np.uint8)


def _variance(plane: ByteArray, weight: FloatArray, divisor: FloatArray) -> FloatArray:
    values = (plane.astype(np.float32) - NEUTRAL) * weight
    mean = windows(cells(values, CELL)) / divisor
    square = windows(cells(values * values, CELL)) / divisor
    return np.asarray(np.maximum(square - mean * mean, 0), np.float32)


def _predicted(source: Planes, map_of: NDArray[np.float64]) -> tuple[ByteArray, ByteArray]:
    """Colour signals of one picture from the other's."""
    tables = np.tensordot(_hats(np.arange(256.0)), map_of, axes=(1, 1)).astype(np.float32)  # level, term, signal
    signals = [plane.astype(np.float32) - NEUTRAL for plane in source[1:]]
    planes = []
    for k in range(2):
        gains = [cv2.LUT(source[0], np.ascontiguousarray(tables[:, term, k])) for term in range(3)]
        value = cv2.add(cv2.multiply(signals[0], gains[0]), cv2.multiply(signals[1], gains[1]))
        value = np.asarray(cv2.add(value, gains[2]), np.float32)
        planes.append(np.clip(np.rint(value + NEUTRAL), 0, 255).astype(np.uint8))
    return planes[0], planes[1]


def _fitted(target: Planes, source: Planes, share: FloatArray) -> tuple[NDArray[np.float64], float]:
    """A map of colours that most cells follow, and the share of the colours' variance that it explains.

    The map is (3, knots, 2): gains of the two signals and an offset, at each level of luminance, for each signal.
    """
    step = max(1, round(np.sqrt(share.size / MOST_SAMPLES)))
    sampled = np.s_[::step, ::step]
    inside = share[sampled] > 0.99
    own = [cells(plane, CELL)[sampled][inside].astype(np.float64) for plane in source]
    x = np.column_stack(own[1:]) - NEUTRAL
    y = np.column_stack([cells(plane, CELL)[sampled][inside] for plane in target[1:]]).astype(np.float64) - NEUTRAL
    prior = np.repeat(np.eye(3, 2), len(KNOTS), axis=0)  # the same colours
    # on a page nearly all is white: coloured cells must not be treated as outliers
    strong = (np.square(x).sum(1) > GREY**2) | (np.square(y).sum(1) > GREY**2)
    if strong.sum() < LEAST_CELLS:
        return prior.reshape(3, len(KNOTS), 2), 1.0
    weight = np.where(strong, 1.0, min(1.0, float(strong.sum()) / max(1.0, float((~strong).sum()))))
    hats = _hats(own[0])
    terms = np.concatenate([x[:, :1] * hats, x[:, 1:] * hats, hats], axis=1)
    mean = float(np.square(x[strong]).mean())
    ridge = RIDGE * np.repeat([mean, mean, 1.0], len(KNOTS))
    solution = prior
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
    left = np.median(np.square(y - terms @ solution).sum(1)[strong])
    all_of_it = np.median(np.square(y - np.median(y[strong], axis=0)).sum(1)[strong])
    explained = 1 - float(left) / max(float(all_of_it), NOISE)
    return np.asarray(solution.reshape(3, len(KNOTS), 2), np.float64), explained


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
