"""A thumbnail on the grid of another one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask

REDUCED_BELOW = 0.8  # scale from which a picture is averaged over areas before it is warped: bilinear would alias


def warp(
    picture: ByteArray,
    mask: Mask,
    matrix: NDArray[np.float64],
    scale: float,
    shape: tuple[int, ...],
    *,
    minimum: float,
    weighted: bool = False,
) -> tuple[FloatArray, Mask]:
    """Warp a picture and its mask by an affine map; what shrinks is reduced by area first.

    Parameters
    ----------
    picture : (H, W) uint8
    mask : (H, W) bool
        True = valid.
    matrix : (2, 3) float64
        Continuous (x, y) of the picture, pixel centres at .5, to those of the result.
    scale : float
        Of the map: the root of its determinant.
    shape : (int, int)
        (H, W) of the result.
    minimum : float
        Share of valid area, 0..1, above which a pixel of the result is valid.
    weighted : bool
        Reduce over valid pixels only; else over all, masked ones being filled with the picture's mean.

    Returns
    -------
    values : (h, w) float32
        0..255; beyond the picture its nearest pixel.
    valid : (h, w) bool
    """
    source, weight = picture.astype(np.float32), mask.astype(np.float32)
    linear = matrix[:, :2]
    if scale < REDUCED_BELOW:
        height, width = mask.shape
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        source = np.asarray(cv2.resize(source * weight if weighted else source, small, interpolation=cv2.INTER_AREA))
        weight = np.asarray(cv2.resize(weight, small, interpolation=cv2.INTER_AREA))
        if weighted:
            source = np.asarray(source / np.maximum(weight, 1e-6), np.float32)
        linear = linear * (width / small[0], height / small[1])
    # continuous coordinates have pixel centres at .5, OpenCV has them at whole numbers
    steps = np.column_stack([linear, linear @ (0.5, 0.5) + matrix[:, 2] - 0.5])
    size = (shape[1], shape[0])
    moved = cv2.warpAffine(source, steps, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(weight, steps, size, flags=cv2.INTER_LINEAR, borderValue=0.0)
    return np.asarray(moved, np.float32), np.asarray(inside) > minimum
