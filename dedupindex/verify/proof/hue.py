"""Estimate and undo a rotation of all hues by one angle, as the hue slider of an editor makes it.

The slider keeps the largest and the smallest of red, green and blue of each pixel. So the turn has a single number,
which nearly all coloured pixels of a copy agree on; a place that was recoloured does not.
"""

from __future__ import annotations

import cv2
import numpy as np

from dedupindex.records import ByteArray, FloatArray, Mask

LEAST_CHROMA = 24.0  # levels between the largest and the smallest channel: pixels that have a hue
LEAST_PIXELS = 200
LEAST_TURN = 4.0  # degrees: smaller turns are within what compression does
NEAR = 10.0  # degrees: pixels that agree
AGREEING = 0.5  # of the chroma, so much must agree
BIN = 4  # degrees


def hue_turn(first: ByteArray, second: ByteArray, mask: Mask) -> float | None:
    """Angle by which the hues of the second picture are turned against those of the first.

    Parameters
    ----------
    first, second : (H, W, 3) uint8
        Aligned, RGB.
    mask : (H, W) bool
        Where both are valid.

    Returns
    -------
    float or None
        Degrees, -180..180; None where the hues are not turned as a whole.
    """
    sampled = np.s_[::2, ::2]
    hues, chroma = zip(*(_hue(picture[sampled]) for picture in (first, second)), strict=True)
    weight = np.minimum(*chroma)
    seen = mask[sampled] & (weight > LEAST_CHROMA)
    if seen.sum() < LEAST_PIXELS:
        return None
    turn, weight = np.mod(hues[1][seen] - hues[0][seen], 360).astype(np.float64), weight[seen].astype(np.float64)
    counts = np.bincount((turn / BIN).astype(int) % (360 // BIN), weight, minlength=360 // BIN)
    peak = (int(np.argmax(counts + np.roll(counts, 1) + np.roll(counts, -1))) + 0.5) * BIN
    away = np.mod(turn - peak + 180, 360) - 180
    near = np.abs(away) < NEAR
    degrees = float(np.mod(peak + np.median(away[near]) + 180, 360) - 180)
    if weight[near].sum() < AGREEING * weight.sum() or abs(degrees) < LEAST_TURN:
        return None
    return degrees


def turned(colour: ByteArray, degrees: float) -> ByteArray:
    """Turn all hues of a picture, (H, W, 3) uint8."""
    hsv = cv2.cvtColor(colour.astype(np.float32), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = np.mod(hsv[..., 0] + np.float32(degrees), 360)
    return np.clip(np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)), 0, 255).astype(np.uint8)


def _hue(colour: ByteArray) -> tuple[FloatArray, FloatArray]:
    """Hue in degrees and chroma in levels of each pixel."""
    hsv = cv2.cvtColor(colour.astype(np.float32), cv2.COLOR_RGB2HSV)
    return np.asarray(hsv[..., 0], np.float32), np.asarray(hsv[..., 1] * hsv[..., 2], np.float32)
