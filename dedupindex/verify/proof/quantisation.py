"""What the quantisation tables of JPEG files explain of a difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray

Tables: TypeAlias = Sequence[tuple[Sequence[int], float, float]]  # 64 steps, pixels of the file for one here, gain


def compression(contrast: FloatArray, tables: Tables) -> FloatArray:
    """Squared difference that quantisation explains, given the contrast around a window."""
    if not tables:
        return np.zeros_like(contrast)
    reach = cv2.dilate(contrast, np.ones((3, 3), np.uint8))
    levels = np.linspace(0.0, 128.0, 65)
    allowed = np.zeros(len(levels))
    for table, scale, gain in tables:
        allowed += gain**2 * quantisation_noise(table, levels / gain, scale)
    return np.asarray(np.interp(reach, levels, allowed), np.float32)


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

    Returns
    -------
    (N,) float64
        Squared levels.
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


def rounded_means(tables: Tables, window: float) -> float:
    """Squared difference of window means that the rounding of block means in JPEG files can make, at most.

    Parameters
    ----------
    tables : sequence of (64 int, float, float)
        Quantisation tables of the files, pixels of the file for one of the grid, and the gain of fine detail.
    window : float
        Side of a window, pixels of the grid.

    Returns
    -------
    float
        Squared levels. A block's mean is off by half a step of an eighth of the first entry at most; the errors of
        several blocks in a window are independent.
    """
    return sum((table[0] / 16) ** 2 / max(1.0, (window * scale / 8) ** 2) for table, scale, _ in tables)
