"""Faint changes of smooth places: differences below the noise of a pixel that a whole place has in common.

What was erased from wood, snow or haze is filled with nearly the tone that was there. No pixel lies far outside the
range of the other picture. But in many windows side by side the mean differs, where noise and compression average out,
or the texture of one picture is missing in the other. Tone, vignetting and a badly matched curve change means too, but
over large areas: the median of a wide neighbourhood is subtracted. Where there is contrast both depend on sharpness and
on fractions of a pixel, so only smooth windows are looked at.
"""

from __future__ import annotations

import cv2
import numpy as np

from dedupindex.records import FloatArray, Mask

GAIN = 6.0  # a level of mean difference weighs as many of unexplained difference of single pixels
SMOOTH = 16.0  # levels: most contrast of the windows whose means are looked at, and of those beside them
FINE = 8.0  # levels: the same, for their texture
NEIGHBOURHOOD = 33  # cells; its median is what the tone leaves unexplained
TYPICAL = 4.0  # times the typical difference of means at similar contrast is subtracted
TYPICAL_FINE = 3.0  # the same, for texture
ROUNDING = 0.5  # levels that are subtracted: pictures are rounded
STEPS = 4.0  # of the median, for a level
EDGE = 1  # cells at the edge of what is compared that are left out
LEAST = 3  # side of the smallest place, cells

_AROUND = np.ones((3, 3), np.uint8)


def faint_excess(
    moments: tuple[FloatArray, FloatArray], contrast: FloatArray, usual: tuple[FloatArray, FloatArray], valid: Mask
) -> FloatArray:
    """Unexplained difference of smooth windows.

    Parameters
    ----------
    moments : (h, w) float32, (h, w) float32
        Mean of the signed difference of each window, levels, and its variance at half the scale of the grid, squared
        levels.
    contrast : (h, w) float32
        Standard deviation within the window of the picture that has more of it, levels.
    usual : (h, w) float32, (h, w) float32
        Squared mean and variance that are explained, squared levels.
    valid : (h, w) bool

    Returns
    -------
    (h, w) float32
        In levels of `Residual.excess`; 0 where not valid or not smooth.
    """
    means, variance = moments
    around = cv2.dilate(contrast, _AROUND)
    inside = cv2.erode(valid.astype(np.uint8), _AROUND, iterations=EDGE, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    away = means - local_median(means, valid)
    excess = np.zeros_like(means)
    for squared, explained, most in ((away * away, usual[0], SMOOTH), (variance, usual[1], FINE)):
        beyond = np.sqrt(np.maximum(squared - explained - ROUNDING**2, 0))
        beyond[~((around <= most) & (inside > 0))] = 0
        opened = cv2.morphologyEx(beyond, cv2.MORPH_OPEN, np.ones((LEAST, LEAST), np.uint8))
        np.maximum(excess, np.minimum(beyond, cv2.dilate(opened, _AROUND)), out=excess)
    return np.asarray(GAIN * excess, np.float32)


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
