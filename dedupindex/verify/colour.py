"""Where the colours of two aligned pictures differ beyond what a change of colour as a whole explains.

Colours are compared at half the scale of the grid, as most files store them. White balance, saturation, tints and
conversion to grey are linear maps of the colour signals: those of the more colourful picture predict the other's. The
other way round is only tried where both are colourful: a grey copy cannot tell the colours.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.residual import cells, windows

CELL = 2  # side of a cell, pixels at half the scale of the grid
GREY = 3.0  # levels: a picture whose typical colour signal is below shows no colours
LESS = 0.5  # of the other's colour signal: below, it cannot be predicted the other way
TYPICAL = 2.0  # times the typical difference of cells of a like colourfulness is taken off
ROUNDS = 4  # of reweighting
LEAST_CELLS = 30

_CROSS = np.ones((3, 3), np.uint8)


def colourfulness(colour: ByteArray, mask: Mask) -> float:
    """Root mean square of the two colour signals over the quarter of the pixels with most of it, levels."""
    signals = _signals(colour)
    energy = np.square(signals).sum(2)[mask]
    if not energy.size:
        return 0.0
    middle = np.median(energy)
    return float(np.sqrt(energy[energy >= middle].mean()))


def colour_excess(first: ByteArray, second: ByteArray, mask: Mask) -> FloatArray | None:
    """Compare the colours of two aligned pictures.

    Parameters
    ----------
    first, second : (H, W, 3) uint8
        RGB at half the scale of the grid.
    mask : (H, W) bool

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
    signals = _signals(first), _signals(second)
    luminance = _grey(first), _grey(second)
    excess = np.zeros(share.shape, np.float32)
    for own, other in ((0, 1), (1, 0)):
        if strength[other] < LESS * strength[own]:
            continue
        predicted = _predicted(signals[own], signals[other], luminance[other], share)
        squared = np.zeros(share.shape, np.float32)
        for channel in range(2):
            target, guess = signals[own][..., channel], predicted[..., channel]
            beyond = cv2.max(_above(target, guess), _above(guess, target)) * weight
            squared += windows(cells(cv2.multiply(beyond, beyond), CELL))
        squared /= np.maximum(share, 1e-3)
        allowed = TYPICAL**2 * float(np.median(squared[share > 0.5]))
        np.maximum(excess, np.sqrt(np.maximum(squared - allowed, 0)), out=excess)
    excess[share <= 0.5] = 0
    return excess


def _above(first: FloatArray, second: FloatArray) -> FloatArray:
    high = cv2.subtract(first, cv2.dilate(second, _CROSS))
    low = cv2.subtract(cv2.erode(second, _CROSS), first)
    return np.asarray(cv2.max(cv2.max(high, low), 0.0), np.float32)


def _signals(colour: ByteArray) -> FloatArray:
    """The two colour difference signals of ITU-R BT.601, levels around 0."""
    turned = cv2.cvtColor(colour, cv2.COLOR_RGB2YCrCb)[..., 1:]
    return turned.astype(np.float32) - np.float32(128)


def _grey(colour: ByteArray) -> FloatArray:
    return cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _predicted(target: FloatArray, signals: FloatArray, luminance: FloatArray, share: FloatArray) -> FloatArray:
    """Colour signals from the other picture's, by a linear map that most cells follow."""
    terms = np.dstack([signals, luminance, np.ones_like(luminance)])
    inside = share > 0.99
    x = _cells_of(terms)[inside].astype(np.float64)
    y = _cells_of(target)[inside].astype(np.float64)
    # on a page nearly all is white: what has colour must not be taken for the exception
    strong = (np.square(x[:, :2]).sum(1) > GREY**2) | (np.square(y).sum(1) > GREY**2)
    weight = np.where(strong, 1.0, min(1.0, float(strong.sum()) / max(1.0, float((~strong).sum()))))
    prior = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    solution = prior
    if strong.sum() >= LEAST_CELLS:
        for number in range(ROUNDS):
            away = np.sqrt(np.square(y - x @ solution).sum(1))
            robust = np.ones(len(x))
            if number:
                spread = 1.5 * float(np.median(away[strong])) + 1.0
                robust = 1 / (1 + (away / spread) ** 2) ** 2
            weighted = x * (weight * robust)[:, None]
            normal = weighted.T @ x
            ridge = 1e-3 * np.diag(normal) + 1e-6
            normal[np.diag_indices(4)] += ridge
            solution = np.linalg.solve(normal, weighted.T @ y + ridge[:, None] * prior)
    return np.asarray(cv2.transform(terms, solution.T.astype(np.float32)), np.float32)


def _cells_of(planes: FloatArray) -> NDArray[np.float32]:
    rows, columns = planes.shape[0] // CELL, planes.shape[1] // CELL
    whole = planes[: rows * CELL, : columns * CELL]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
