"""What transparency says of a picture: where there is none, or, of a drawing in one tone, its shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Mask

ONE_TONE = 0.06  # of the range: samples so near the median count as one tone
MOSTLY = 0.95  # share of the opaque pixels that have it
LIGHT = 0.7  # of the range: a lighter drawing is laid on black instead of white
LEAST = 16  # opaque pixels, fewer are no drawing

Array = NDArray[Any]


def without_alpha(colour: Array, alpha: Array, top: int) -> tuple[Array, Mask | None]:
    """Take alpha out of a picture.

    Transparent pixels are no data. A drawing in one tone on transparent ground (an icon, a signature) would have
    nothing left then: its shape is in the alpha alone. It is laid on white, as viewers and scanners show it, or on
    black where the drawing is light itself; all of it is valid.

    Parameters
    ----------
    colour : (H, W) or (H, W, 3) array of unsigned integers
    alpha : (H, W) array of unsigned integers
        0 = transparent, *top* = opaque.
    top : int
        Largest sample.

    Returns
    -------
    pixels : array of the shape and dtype of *colour*
    mask : (H, W) bool or None
        True = valid; None = every pixel is valid.
    """
    mask = np.asarray(alpha != 0)
    if mask.all():
        return np.ascontiguousarray(colour), None
    tone = _one_tone(colour[2 * alpha.astype(np.uint32) > top], top)
    if tone is None:
        return np.ascontiguousarray(colour), mask
    ground = 0.0 if tone > LIGHT else float(top)
    share = alpha.astype(np.float32) / top
    share = share if colour.ndim == 2 else share[..., np.newaxis]
    laid = np.rint(ground + (colour.astype(np.float32) - ground) * share)
    return laid.astype(colour.dtype), None


def _one_tone(opaque: Array, top: int) -> float | None:
    """Mean sample, 0..1, of pixels (N,) or (N, 3) that nearly all have one colour; None where they have not."""
    if len(opaque) < LEAST:
        return None
    middle = np.median(opaque, axis=0)
    near = np.abs(opaque.astype(np.float32) - middle) <= ONE_TONE * top
    near = near if near.ndim == 1 else near.all(axis=1)
    return float(np.mean(middle)) / top if near.mean() >= MOSTLY else None
