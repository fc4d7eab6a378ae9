"""Faint changes: differences below the noise of a pixel, or below the contrast, that a whole place has in common.

What was erased from wood, snow or haze is filled with nearly the tone that was there. No pixel lies far outside the
range of the other picture. But in many windows side by side the mean differs, where noise and compression average out,
or the texture of one picture is missing in the other. Tone, vignetting and a badly matched curve change means too, but
over large areas: the median of a wide neighbourhood is subtracted. Where there is contrast both depend on sharpness and
on fractions of a pixel, so there texture is not looked at, and much is allowed for a mean. Grass or gravel that was
made darker is seen nevertheless, though no pixel leaves the range of its neighbours.
"""

from __future__ import annotations

import cv2
import numpy as np

from dedupindex.records import FloatArray, Mask

GAIN = 6.0  # a level of mean difference weighs as many of unexplained difference of single pixels
SMOOTH = 16.0  # levels: contrast of a window and of those beside it up to which a place is smooth
SLOPE = 2.0  # of the contrast beyond: what a fraction of a pixel, sharpness and turned hues can do to a mean
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
) -> tuple[FloatArray, FloatArray]:
    """Unexplained difference of the means and of the fine texture of windows.

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
    means, texture : (h, w) float32
        In levels of `Residual.excess`; 0 where not valid, and that of texture where not smooth.
    """
    means, variance = moments
    around = cv2.dilate(contrast, _AROUND)
    inside = cv2.erode(valid.astype(np.uint8), _AROUND, iterations=EDGE, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    away = means - local_median(means, valid)
    shifted = usual[0] + np.square(SLOPE * np.maximum(around - SMOOTH, 0))
    smooth = around <= FINE
    return _places(away * away, shifted, inside > 0), _places(variance, usual[1], smooth & (inside > 0))


def _places(squared: FloatArray, explained: FloatArray, where: Mask) -> FloatArray:
    """What is beyond the explained, in levels of `Residual.excess`, where several windows side by side have it."""
    beyond = np.sqrt(np.maximum(squared - explained - ROUNDING**2, 0))
    beyond[~where] = 0
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
