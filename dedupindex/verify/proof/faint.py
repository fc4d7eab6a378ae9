"""Faint changes of smooth places: a difference below the noise of a pixel that a whole place has in common.

What was erased from wood, snow or haze is filled with nearly the tone that was there. No pixel lies far outside the
range of the other picture, but the mean over a window does, in many windows side by side, where noise and compression
average out. Tone, vignetting and a badly matched curve change such means too, but over large areas: the median of a
wide neighbourhood is subtracted. Where there is contrast the means depend on sharpness and on fractions of a pixel, so
only smooth windows are looked at.
"""

from __future__ import annotations

import cv2
import numpy as np

from dedupindex.records import FloatArray, Mask

GAIN = 6.0  # a level of mean difference weighs as many of unexplained difference of single pixels
SMOOTH = 16.0  # levels: most contrast of the windows that are looked at, and of those beside them
NEIGHBOURHOOD = 33  # cells; its median is what the tone leaves unexplained
TYPICAL = 4.0  # times the typical difference of means at similar contrast is subtracted
ROUNDING = 0.5  # levels that are subtracted: pictures are rounded
STEPS = 4.0  # of the median, for a level
EDGE = 1  # cells at the edge of what is compared that are left out
LEAST = 2  # side of the smallest place, cells

_AROUND = np.ones((3, 3), np.uint8)


def faint_excess(means: FloatArray, contrast: FloatArray, usual: FloatArray, valid: Mask) -> FloatArray:
    """Unexplained difference of the means of smooth windows.

    Parameters
    ----------
    means : (h, w) float32
        Mean signed difference of each window, levels.
    contrast : (h, w) float32
        Standard deviation within the window of the picture that has more of it, levels.
    usual : (h, w) float32
        Squared difference of means that is explained, squared levels.
    valid : (h, w) bool

    Returns
    -------
    (h, w) float32
        In levels of `Residual.excess`; 0 where not valid or not smooth.
    """
    away = means - local_median(means, valid)
    beyond = np.sqrt(np.maximum(away * away - usual - ROUNDING**2, 0))
    inside = cv2.erode(valid.astype(np.uint8), _AROUND, iterations=EDGE, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    smooth = cv2.dilate(contrast, _AROUND) <= SMOOTH
    beyond[~(smooth & (inside > 0))] = 0
    opened = cv2.morphologyEx(beyond, cv2.MORPH_OPEN, np.ones((LEAST, LEAST), np.uint8))
    return np.asarray(GAIN * np.minimum(beyond, cv2.dilate(opened, _AROUND)), np.float32)


def local_median(means: FloatArray, valid: Mask) -> FloatArray:
    """Median of a wide neighbourhood of each window, to a quarter of a level and at most 32 levels.

    Parameters
    ----------
    means : (h, w) float32
        Levels.
    valid : (h, w) bool
        Other windows count as 0.

    Returns
    -------
    (h, w) float32
        Levels.
    """
    side = min(NEIGHBOURHOOD, *(size - 1 + size % 2 for size in means.shape))
    scaled = np.rint(np.where(valid, means, 0) * STEPS + 128).clip(0, 255).astype(np.uint8)
    return (cv2.medianBlur(scaled, side).astype(np.float32) - 128) / STEPS if side > 1 else np.zeros_like(means)
