"""Pictures of few colours: differences that a palette explains.

A copy with a palette (GIF, PNG of 8 bits) shows the nearest of its colours. How far that one is from the colour of the
other picture is explained; anything else is not.
"""

from __future__ import annotations

import cv2
import numpy as np

from dedupindex.records import ByteArray, FloatArray

MOST_COLOURS = 256
SAMPLES = 40_000  # pixels that are examined
FIRST_SAMPLES = 2_000  # pixels that are enough to recognise most pictures with many colours
STEP = 8  # levels of a cell of the table in which the nearest colour is looked up


def palette_of(colour: ByteArray) -> ByteArray | None:
    """Return the colours of a picture, (N, 3) uint8; None where they are more than 256, or all grey.

    Parameters
    ----------
    colour : (H, W, 3) uint8
        At the resolution of its file: averages have colours of their own.
    """
    flat = colour.reshape(-1, 3)
    for samples in (FIRST_SAMPLES, SAMPLES):
        sampled = flat[:: max(1, len(flat) // samples)].astype(np.uint32)
        codes = np.unique(sampled @ np.array([1 << 16, 1 << 8, 1], np.uint32))
        if len(codes) > MOST_COLOURS:
            return None
    palette = np.column_stack([codes >> 16, codes >> 8 & 255, codes & 255]).astype(np.uint8)
    return None if (np.ptp(palette.astype(int), axis=1) == 0).all() else palette


def palette_error(colour: ByteArray, palette: ByteArray) -> FloatArray:
    """How far the colours of a picture are from the nearest ones of a palette, RGB levels, (H, W, 3) float32."""
    axis = np.arange(STEP / 2, 256, STEP, dtype=np.float32)
    cells = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    known = palette.astype(np.float32)
    distance = np.square(known).sum(1) - 2 * cells @ known.T
    nearest = known[distance.argmin(1)]
    r, g, b = (plane.astype(np.intp) // STEP for plane in cv2.split(colour))
    side = len(axis)
    offset = nearest[(r * side + g) * side + b] - colour
    # a cell has one nearest colour; what lies within it may be as near to another one
    return np.asarray(np.sign(offset) * np.maximum(np.abs(offset) - STEP / 4, 0), np.float32)
