"""Refine the shift of two pictures at equal pixel scale to a fraction of a full pixel.

Verification uses thumbnails of 128 pixels. Where the full pictures are in memory, they are correlated at the few
shifts around the one that it found.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.compare.correlation import parabola_vertex
from dedupindex.compare.direct import direct_scores
from dedupindex.prepare import to_luminance
from dedupindex.prepare.masks import valid_from_finite
from dedupindex.records import FloatArray, Mask, Side, Verification

REACH = 3  # full pixels around the shift that is known
LARGEST = 1024  # side of the part of the overlap that is correlated, pixels
PLAIN = 1e-6  # departure of a map from a plain shift


def refined(
    verification: Verification,
    a: NDArray[Any],
    b: NDArray[Any],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
) -> Verification:
    """Bring the shift of two accepted pictures to a fraction of a pixel.

    Parameters
    ----------
    verification : Verification
        Of `a` and `b`. Returned as it is unless it is accepted and a plain shift at equal pixel scale.
    a, b : (H, W) or (H, W, 3) arrays
        The full pictures, any depth.
    mask_a, mask_b : bool arrays or None
        True = valid.

    Returns
    -------
    Verification
        With the shift, the matrix and the crop box corrected, at most 3 pixels.
    """
    registration = verification.registration
    matrix = np.array(registration.matrix, np.float64)
    if not verification.accepted or np.abs(matrix[:, :2] - np.eye(2)).max() > PLAIN:
        return verification
    first, valid_a = _luminance(a, mask_a)
    second, valid_b = _luminance(b, mask_b)
    dy, dx = (round(float(step)) for step in (matrix[1, 2], matrix[0, 2]))
    rows, columns = _common(first.shape[0], second.shape[0], dy), _common(first.shape[1], second.shape[1], dx)
    if rows.stop - rows.start < 2 * REACH + 2 or columns.stop - columns.start < 2 * REACH + 2:
        return verification
    top, left = rows.start - dy, columns.start - dx
    there = np.s_[top : top + rows.stop - rows.start, left : left + columns.stop - columns.start]
    scores = direct_scores(
        first[rows, columns], second[there], (0, 0), valid_a[rows, columns], valid_b[there], reach=REACH
    )
    row, column = (int(place) for place in np.unravel_index(int(scores.argmax()), scores.shape))
    if not (0 < row < 2 * REACH and 0 < column < 2 * REACH):
        return verification  # no peak within reach: keep the shift of the thumbnails
    best = scores[row, column]
    found_y = dy + row - REACH + parabola_vertex(scores[row - 1, column], best, scores[row + 1, column])
    found_x = dx + column - REACH + parabola_vertex(scores[row, column - 1], best, scores[row, column + 1])
    moved_y, moved_x = found_y - matrix[1, 2], found_x - matrix[0, 2]
    box = verification.crop_box
    if box is not None:
        sign = 1 if verification.crop_of == Side.A else -1
        box = (max(0, box[0] + round(sign * moved_y)), max(0, box[1] + round(sign * moved_x)), *box[2:])
    exact = replace(
        registration,
        shift=(registration.shift[0] + moved_y, registration.shift[1] + moved_x),
        matrix=((1.0, 0.0, found_x), (0.0, 1.0, found_y)),
    )
    return replace(verification, registration=exact, crop_box=box)


def _luminance(pixels: NDArray[Any], mask: Mask | None) -> tuple[FloatArray, Mask]:
    colour = pixels.ndim == 3
    valid = valid_from_finite(pixels, channels=colour)
    if mask is not None:
        valid = valid & mask
    values = np.where(valid[..., None] if colour else valid, pixels, 0).astype(np.float32)
    return (to_luminance(values)[0] if colour else values), valid


def _common(length_a: int, length_b: int, shift: int) -> slice:
    """The middle of what both cover along one axis, in pixels of a, at most `LARGEST` long."""
    start, stop = max(0, shift), min(length_a, length_b + shift)
    spare = max(0, stop - start - LARGEST) // 2
    return slice(start + spare, max(start, stop - spare))
