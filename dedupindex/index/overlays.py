"""Pictures for people: one image laid over another, and outlines of what is valid."""

from __future__ import annotations

import numpy as np

from dedupindex.compare.picture import OUTLINE_A, OUTLINE_B, Laid, draw_outline, lay_over
from dedupindex.groups.thumbnails import jpeg
from dedupindex.records import ByteArray, ImageRecord, Registration
from dedupindex.records.pictures import Thumbnail
from dedupindex.verify.keypoint_registration import invert

__all__ = ["both_outlined", "jpeg", "laid_over", "outlined"]


def laid_over(
    below: Thumbnail,
    first: ImageRecord,
    above: Thumbnail,
    other: ImageRecord,
    registration: Registration,
    *,
    turned: bool = False,
) -> Laid | None:
    """Lay the picture of an image over that of another one.

    Parameters
    ----------
    below, above : Thumbnail
        Pictures of *first* and of *other*, the latter on top.
    registration : Registration
        Of *other* on *first*, in pixels of the full frames.
    turned : bool
        It is that of *first* on *other*.

    Returns
    -------
    Laid or None
        None where the registration cannot be drawn.
    """
    matrix = np.array(registration.matrix, np.float64)
    shapes = (first.height, first.width), (other.height, other.width)
    try:
        matrix = invert(matrix) if turned else matrix
        return lay_over(below.pixels, above.pixels, matrix, *shapes, below.mask, above.mask)
    except (ValueError, np.linalg.LinAlgError):
        return None


def both_outlined(laid: Laid) -> ByteArray:
    """Mix two pictures where both are, and draw the outline of each; (H, W, 3) uint8."""
    both = laid.first_valid & laid.second_valid
    mixed = np.where(both[..., None], laid.first // 2 + laid.second // 2, np.maximum(laid.first, laid.second))
    outline = np.ascontiguousarray(mixed, np.uint8)
    draw_outline(outline, laid.first_valid, OUTLINE_A)
    draw_outline(outline, laid.second_valid, OUTLINE_B)
    return outline


def outlined(thumbnail: Thumbnail) -> Thumbnail:
    """Draw the outline of what is valid into a picture; itself where all of it is."""
    if thumbnail.mask.all():
        return thumbnail
    grey: ByteArray = thumbnail.pixels
    colour = np.repeat(grey[..., None], 3, axis=2) if grey.ndim == 2 else grey.copy()
    draw_outline(colour, thumbnail.mask, OUTLINE_A)
    return Thumbnail(colour, thumbnail.mask)
