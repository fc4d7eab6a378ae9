"""Two aligned pictures brought to one sharpness: the sharper one is filtered until it explains the other one best.

Blur, resampling and sharpening weigh the bands of detail of a picture. The weights of three bands are fitted where
there is detail, robustly, so that a changed place does not count; the sharper picture is put together again with them.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, Mask

WIDTHS = 0.8, 2.0, 4.5  # standard deviations that divide the bands, pixels
LEAST_CHANGE = 0.06  # of the weight of a band: smaller changes are left alone
MOST_SAMPLES = 14_000
EDGE_SHARE = 0.3  # of the samples, those with most detail, that decide
LEAST_DETAIL = 2.0  # levels
LEAST_SAMPLES = 200
ROUNDS = 3  # of reweighting

Weights = NDArray[np.float64]


def match_sharpness(first: ByteArray, second: ByteArray, mask: Mask) -> tuple[ByteArray, ByteArray]:
    """Filter the sharper one of two aligned pictures.

    Parameters
    ----------
    first, second : (H, W) uint8
    mask : (H, W) bool
        Where both are valid.

    Returns
    -------
    first, second : (H, W) uint8
        One of them is as it was.
    """
    softer = [[np.asarray(cv2.GaussianBlur(p, (0, 0), width), np.uint8) for width in WIDTHS] for p in (first, second)]
    there = _weights(first, second, softer[1], mask)  # of the second's bands, to be like the first
    back = _weights(second, first, softer[0], mask)
    if there is None or back is None:
        return first, second
    if there.sum() <= back.sum():  # the second has more detail
        return first, _filtered(second, softer[1], there)
    return _filtered(first, softer[0], back), second


def _weights(target: ByteArray, source: ByteArray, softer: list[ByteArray], mask: Mask) -> Weights | None:
    """Weights of the bands of `source`, finest first, relative to that of what is coarser than all of them."""
    step = max(1, int(np.ceil(np.sqrt(target.size / MOST_SAMPLES))))
    some = np.s_[::step, ::step]
    inside = mask[some]
    levels = [plane[some][inside].astype(np.float64) for plane in (source, *softer)]
    if levels[0].size < LEAST_SAMPLES:
        return None
    bands = [upper - lower for upper, lower in itertools.pairwise(levels)]
    detail = np.abs(bands[0]) + np.abs(bands[1])
    chosen = detail >= max(LEAST_DETAIL, float(np.quantile(detail, 1 - EDGE_SHARE)))
    if chosen.sum() < LEAST_SAMPLES:
        return None
    terms = np.column_stack([*bands, levels[-1], np.ones(len(detail))])[chosen]
    values = target[some][inside][chosen].astype(np.float64)
    weight = np.ones(len(values))
    solution: Weights = np.zeros(terms.shape[1])
    for _ in range(ROUNDS):
        weighted = terms * weight[:, None]
        normal = weighted.T @ terms
        normal[np.diag_indices(len(normal))] += 1e-9 * float(np.trace(normal)) + 1e-9
        solution[:] = np.linalg.solve(normal, weighted.T @ values)
        away: Weights = np.abs(values - terms @ solution)
        weight[:] = 1 / (1 + (away / (1.5 * float(np.median(away)) + 0.5)) ** 2)
    if abs(solution[-2]) < 0.05:
        return None
    found: Weights = (solution[:-2] / solution[-2]).clip(0, 3)
    return found


def _filtered(picture: ByteArray, softer: list[ByteArray], weights: Weights) -> ByteArray:
    if np.abs(weights - 1).max() < LEAST_CHANGE:
        return picture
    ends = np.concatenate([weights, [1.0]])
    result = picture.astype(np.float32) * np.float32(weights[0])
    for plane, change in zip(softer, np.diff(ends), strict=True):
        result += plane * np.float32(change)
    return np.asarray(cv2.convertScaleAbs(np.maximum(result, 0)), np.uint8)
