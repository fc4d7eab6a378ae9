"""Drawings: one image over another, and outlines of valid areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dedupindex.compare.picture import OUTLINE_A, OUTLINE_B, draw_boxes, draw_outline, lay_over
from dedupindex.groups.thumbnails import jpeg, regions_on, webp
from dedupindex.records import ByteArray, ImageRecord, Registration
from dedupindex.records.pictures import Thumbnail
from dedupindex.records.proofs import Box
from dedupindex.verify.keypoint_registration import invert

__all__ = ["Overlay", "blurred", "jpeg", "laid_over", "outlined", "regions_on", "webp"]


BLUR = 16  # the longest side over the standard deviation of the blur: forms are seen, faces and writing are not


def blurred(thumbnail: Thumbnail) -> Thumbnail:
    """A thumbnail blurred so much that only its colours and large forms are left."""
    sigma = max(thumbnail.pixels.shape[:2]) / BLUR
    pixels = cv2.GaussianBlur(thumbnail.pixels, (0, 0), sigma)
    return Thumbnail(np.asarray(pixels, np.uint8), thumbnail.mask)


@dataclass(frozen=True, slots=True)
class Overlay:
    """An image laid over another one, on that one's grid. Changed places are outlined in each view.

    Attributes
    ----------
    first, second : (H, W, 3) uint8
        Each alone; black where it has no pixels.
    difference : (H, W, 3) uint8
        From black over red and yellow to white.
    outline : (H, W, 3) uint8
        Both mixed, with the outline of what is valid of each.
    """

    first: ByteArray
    second: ByteArray
    difference: ByteArray
    outline: ByteArray


def laid_over(
    below: Thumbnail,
    first: ImageRecord,
    above: Thumbnail,
    other: ImageRecord,
    registration: Registration,
    *,
    turned: bool = False,
    changed: Sequence[Box] = (),
) -> Overlay | None:
    """Lay the picture of an image over that of another one.

    Parameters
    ----------
    below, above : Thumbnail
        Pictures of *first* and of *other*, the latter on top.
    registration : Registration
        Of *other* on *first*, in pixels of the full frames.
    turned : bool
        It is that of *first* on *other*.
    changed : sequence of boxes
        Places in which the two differ, (top, left, height, width) in full pixels of *first*.
    first, other : ImageRecord
        The two images; their full sizes count.

    Returns
    -------
    Overlay or None
        None where the registration cannot be drawn.
    """
    matrix = np.array(registration.matrix, np.float64)
    shapes = (first.height, first.width), (other.height, other.width)
    try:
        matrix = invert(matrix) if turned else matrix
        laid = lay_over(below.pixels, above.pixels, matrix, *shapes, below.mask, above.mask)
    except (ValueError, np.linalg.LinAlgError):
        return None
    both = laid.first_valid & laid.second_valid
    mixed = np.where(both[..., None], laid.first // 2 + laid.second // 2, np.maximum(laid.first, laid.second))
    outline = np.ascontiguousarray(mixed, np.uint8)
    draw_outline(outline, laid.first_valid, OUTLINE_A)
    draw_outline(outline, laid.second_valid, OUTLINE_B)
    for view in (laid.first, laid.second, laid.difference, outline):
        draw_boxes(view, changed, shapes[0])
    return Overlay(laid.first, laid.second, laid.difference, outline)


def outlined(thumbnail: Thumbnail) -> Thumbnail:
    """Draw the outline of what is valid into a picture; itself where all of it is."""
    if thumbnail.mask.all():
        return thumbnail
    grey: ByteArray = thumbnail.pixels
    colour = np.repeat(grey[..., None], 3, axis=2) if grey.ndim == 2 else grey.copy()
    draw_outline(colour, thumbnail.mask, OUTLINE_A)
    return Thumbnail(colour, thumbnail.mask)
