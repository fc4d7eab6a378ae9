"""Measure the remaining displacement of the blocks of two aligned pictures.

One step of Lucas and Kanade's method (1981) for each block. Copies of one picture coincide everywhere. Another view of
a scene, or a scene in which everything moves a little, does not, though every pixel has a similar one close by.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, Mask
from dedupindex.verify.proof.residual import cells

BLOCK = 16  # side of a block, pixels
CORNERED = 9.0  # squared levels a pixel: the smaller eigenvalue of the structure tensor of blocks that are trusted
LEAST_BLOCKS = 12
EXPLAINED = 0.5  # of a block's squared difference that its displacement must explain


def displacements(own: ByteArray, predicted: ByteArray, mask: Mask) -> NDArray[np.float64]:
    """Displacement of each block that has corners.

    Parameters
    ----------
    own, predicted : (H, W) uint8
        Aligned, in one tone.
    mask : (H, W) bool

    Returns
    -------
    (N, 2) float64
        (dy, dx), pixels; 0 where a displacement explains less than half of what differs. Empty where fewer than 12
        blocks have corners.
    """
    first = cv2.GaussianBlur(own, (0, 0), 1.0).astype(np.float32)
    second = cv2.GaussianBlur(predicted, (0, 0), 1.0).astype(np.float32)
    if min(first.shape) < 3 * BLOCK:
        return np.zeros((0, 2))
    mean = (first + second) / 2
    dx = np.zeros_like(mean)
    dy = np.zeros_like(mean)
    dx[:, 1:-1] = (mean[:, 2:] - mean[:, :-2]) / 2
    dy[1:-1] = (mean[2:] - mean[:-2]) / 2
    off = second - first
    whole = bool(mask.all())

    def average(plane: NDArray[np.floating]) -> NDArray[np.float64]:
        return cells((plane if whole else plane * mask).astype(np.float32), BLOCK).astype(np.float64)

    xx, xy, yy = average(dx * dx), average(dx * dy), average(dy * dy)
    x, y, energy = average(dx * off), average(dy * off), average(off * off)
    share = cells(mask.astype(np.float32), BLOCK)
    middle, spread = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    good = (middle - spread > CORNERED) & (share > 0.9)
    if good.sum() < LEAST_BLOCKS:
        return np.zeros((0, 2))
    determinant = (xx * yy - xy * xy)[good]
    step_x = -(yy[good] * x[good] - xy[good] * y[good]) / determinant
    step_y = -(xx[good] * y[good] - xy[good] * x[good]) / determinant
    explained = -(step_x * x[good] + step_y * y[good])
    telling = explained > EXPLAINED * energy[good]
    return np.column_stack([step_y, step_x]) * telling[:, None]
