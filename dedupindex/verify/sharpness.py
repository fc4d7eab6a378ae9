"""Two aligned pictures brought to one sharpness: the sharper one is blurred until it explains the other one best.

For small widths a Gaussian blur adds half its variance times the Laplacian. So one picture is fitted by the other and
its Laplacian, and the coefficient tells the variance; a few rounds reach larger widths.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask

ROUNDS = 3
LEAST_VARIANCE = 0.06  # squared pixels: smaller ones are left alone
MOST_STEP = 1.5  # squared pixels a round
MOST_SAMPLES = 14_000
EDGE_SHARE = 0.3  # of the samples, those with the strongest Laplacian, that decide
LEAST_SAMPLES = 200


def match_sharpness(first: ByteArray, second: ByteArray, mask: Mask) -> tuple[ByteArray, ByteArray, float]:
    """Blur the sharper one of two aligned pictures.

    Parameters
    ----------
    first, second : (H, W) uint8
    mask : (H, W) bool
        Where both are valid.

    Returns
    -------
    first, second : (H, W) uint8
    variance : float
        Of the blur, squared pixels: positive that of the second picture, negative that of the first.
    """
    total = 0.0
    current = [first, second]
    for _ in range(ROUNDS):
        step = _variance(current[0], current[1], mask)
        if abs(step) < LEAST_VARIANCE:
            break
        if total and step * total < 0:  # went too far: the other one is not blurred for that
            break
        total += float(np.clip(step, -MOST_STEP, MOST_STEP))
        width = float(np.sqrt(abs(total)))
        if total > 0:
            current[1] = np.asarray(cv2.GaussianBlur(second, (0, 0), width), np.uint8)
        else:
            current[0] = np.asarray(cv2.GaussianBlur(first, (0, 0), width), np.uint8)
    return current[0], current[1], total


def _variance(first: ByteArray, second: ByteArray, mask: Mask) -> float:
    """Variance of the blur that makes the second like the first; negative: the other way round."""
    there = _fitted(first, second, mask)
    back = _fitted(second, first, mask)
    return there if there >= back else -back


def _fitted(target: ByteArray, source: ByteArray, mask: Mask) -> float:
    step = max(1, int(np.ceil(np.sqrt(target.size / MOST_SAMPLES))))
    inner = np.s_[1:-1:step, 1:-1:step]
    inside = mask[inner]
    around = sum(
        source[1 + dy : source.shape[0] - 1 + dy : step, 1 + dx : source.shape[1] - 1 + dx : step].astype(np.float32)
        for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))
    )
    middle = source[inner].astype(np.float32)
    x: FloatArray = middle[inside]
    y: FloatArray = target[inner].astype(np.float32)[inside]
    z: FloatArray = np.asarray(around - 4 * middle, np.float32)[inside]
    if x.size < LEAST_SAMPLES:
        return 0.0
    strength = np.abs(z)
    chosen = strength >= max(2.0, float(np.quantile(strength, 1 - EDGE_SHARE)))
    if chosen.sum() < LEAST_SAMPLES:
        return 0.0
    terms = np.column_stack([x, z, np.ones_like(x)])[chosen].astype(np.float64)
    values = y[chosen].astype(np.float64)
    solution = np.zeros(3)
    weight: NDArray[np.float64] = np.ones(len(values))
    for _ in range(3):
        weighted = terms * weight[:, None]
        normal = weighted.T @ terms
        normal[np.diag_indices(3)] += 1e-9 * float(np.trace(normal)) + 1e-9
        solution = np.linalg.solve(normal, weighted.T @ values)
        away = np.abs(values - terms @ solution)
        spread = 1.5 * float(np.median(away)) + 0.5
        weight = 1 / (1 + (away / spread) ** 2)
    if abs(solution[0]) < 0.05:
        return 0.0
    return 2 * float(solution[1] / solution[0])
