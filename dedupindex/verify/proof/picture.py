"""A picture as it is compared for a proof, and the common grid of two of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, Mask
from dedupindex.verify.keypoint_registration import compose, invert

GRID_SIDE = 1024  # longest side of the grid, pixels
MOST_SIDE = 4096  # longest side at which a picture is decoded to compare a part of it, pixels
LEAST_SIDE = 0.95  # of the side of the grid: smallest decoded side, so that a quarter of 4,000 pixels is enough
MOST_OVER = 1.12  # times the side of the grid: larger pictures are reduced
SHRINK = 1.2  # pixels of a picture for one of the grid: from here on it is averaged before it is warped

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ProofPicture:
    """A picture reduced to about the scale of the comparison.

    Attributes
    ----------
    luminance : (h, w) uint8
        Of the frame's own range (data type, or percentiles of deep data); a step is 1/255 of it.
    colour : (h, w, 3) uint8 or None
        RGB at the same size; None for frames of one channel.
    mask : (h, w) bool or None
        True = valid; None = all.
    full_shape : (int, int)
        Height and width of the frame in its file, upright, pixels.
    quantisation : tuple of tuples of 64 int
        Quantisation tables of a JPEG in natural order (row by row), luminance first; empty where there are none.
    palette : (N, 3) uint8 or None
        The colours of a picture that has no more than 256.
    file_scale : float
        Pixels of the file for one pixel here.
    """

    luminance: ByteArray
    colour: ByteArray | None
    mask: Mask | None
    full_shape: tuple[int, int]
    quantisation: tuple[tuple[int, ...], ...] = ()
    palette: ByteArray | None = None

    @property
    def file_scale(self) -> float:
        """Pixels of the file for one pixel here."""
        return float(max(self.full_shape) / max(self.luminance.shape))

    @property
    def key(self) -> bytes:
        """Digest by which two pictures are ordered, so that the result does not depend on the order of arguments."""
        return hashlib.blake2b(np.ascontiguousarray(self.luminance[::4, ::4]).tobytes(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Laid:
    """Two pictures and the grid on which they are compared: that of the coarser one.

    Attributes
    ----------
    still, moving : (h, w), (h', w') uint8
        The coarser picture on the grid, and the other one reduced to about its scale.
    still_colour, moving_colour : (h, w, 3), (h', w', 3) uint8 or None
    still_mask, moving_mask : bool arrays or None
        True = valid; None = all.
    still_palette, moving_palette : (N, 3) uint8 or None
    matrix : (2, 3) float64
        Grid (x, y, 1) pixel indices to those of `moving`.
    still_to_full, moving_to_full : (2, 3) float64
        Pixel indices of the two to those of their full frames.
    swapped : bool
        `still` is picture b.
    """

    still: ByteArray
    moving: ByteArray
    still_colour: ByteArray | None
    moving_colour: ByteArray | None
    still_mask: Mask | None
    moving_mask: Mask | None
    still_palette: ByteArray | None
    moving_palette: ByteArray | None
    matrix: Matrix
    still_to_full: Matrix
    moving_to_full: Matrix
    swapped: bool


def sides_for(
    shape_a: tuple[int, int], shape_b: tuple[int, int], matrix: Matrix, side: int = GRID_SIDE
) -> tuple[int, int]:
    """Smallest longest sides at which two pictures should be decoded, so that their overlap about fills the grid.

    Parameters
    ----------
    shape_a, shape_b : (int, int)
        Full height and width.
    matrix : (2, 3) float64
        Full-frame (x, y, 1) pixel indices of b to those of a.
    side : int
        Longest side of the grid, pixels.

    Returns
    -------
    (int, int)
        For a and b; at most `MOST_SIDE`, and no more than the pictures have.
    """
    scale = float(np.sqrt(abs(np.linalg.det(np.asarray(matrix, np.float64)[:, :2]))))
    box = overlap_box(shape_a, shape_b, np.asarray(matrix, np.float64))
    longest = max(box[2], box[3], 1)  # of the overlap, pixels of a
    step = max(1.0, scale, longest / side)  # pixels of a for a pixel of the grid
    wanted = LEAST_SIDE * max(shape_a) / step, LEAST_SIDE * max(shape_b) * scale / step
    return (
        min(max(shape_a), MOST_SIDE, int(np.ceil(wanted[0]))),
        min(max(shape_b), MOST_SIDE, int(np.ceil(wanted[1]))),
    )


def overlap_box(
    shape_a: tuple[int, int], shape_b: tuple[int, int], matrix: Matrix
) -> tuple[float, float, float, float]:
    """Bounding box of the part of a that b may show.

    Parameters
    ----------
    shape_a, shape_b : (int, int)
        Height and width, pixels.
    matrix : (2, 3) float64
        (x, y, 1) pixel indices of b to those of a.

    Returns
    -------
    left, top, width, height : float
        Continuous pixels of a; width and height are 0 where there is no overlap.
    """
    height, width = shape_b
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64) - 0.5
    moved = corners @ matrix[:, :2].T + matrix[:, 2] + 0.5
    low = np.maximum(moved.min(0), 0)
    high = np.minimum(moved.max(0), shape_a[::-1])
    left, top = float(low[0]), float(low[1])
    return left, top, max(0.0, float(high[0]) - left), max(0.0, float(high[1]) - top)


def lay(a: ProofPicture, b: ProofPicture, matrix: Matrix, side: int = GRID_SIDE) -> Laid | None:
    """Choose the grid: pixels of the coarser picture, over what both show, at most `side` on the longest side.

    Parameters
    ----------
    a, b : ProofPicture
    matrix : (2, 3) float64
        Full-frame (x, y, 1) pixel indices of b to those of a.
    side : int
        Longest side of the grid, pixels.

    Returns
    -------
    Laid or None
        None where the pictures have no pixel in common.
    """
    to_full_a, to_full_b = to_full(a), to_full(b)
    between = compose(invert(to_full_a), compose(matrix, to_full_b))  # decoded b to decoded a
    swapped = bool(np.sqrt(abs(np.linalg.det(between[:, :2]))) > 1.0)
    still, moving = (b, a) if swapped else (a, b)
    forward = between if not swapped else invert(between)  # moving to still
    left, top, width, height = overlap_box(still.luminance.shape, moving.luminance.shape, forward)
    x, y = int(np.floor(left)), int(np.floor(top))
    right, bottom = int(np.ceil(left + width)), int(np.ceil(top + height))
    if width < 1 or height < 1:
        return None
    part = np.s_[y:bottom, x:right]
    factor = max(right - x, bottom - y) / side
    factor = 1.0 if factor < MOST_OVER else factor
    shape = max(1, round((bottom - y) / factor)), max(1, round((right - x) / factor))
    luminance, colour, mask = _reduced(still, part, shape)
    to_still = _scaling(((right - x) / shape[1], (bottom - y) / shape[0]))
    to_still[:, 2] += (x, y)
    back = compose(invert(forward), to_still)  # grid to moving
    shrink = float(np.sqrt(abs(np.linalg.det(back[:, :2]))))
    rows, columns = moving.luminance.shape
    size = (rows, columns)
    if shrink >= SHRINK:
        size = max(1, round(rows / shrink)), max(1, round(columns / shrink))
    moved, moved_colour, moved_mask = _reduced(moving, np.s_[:, :], size)
    to_moving = _scaling((columns / size[1], rows / size[0]))
    full = (to_full_b, to_full_a) if swapped else (to_full_a, to_full_b)
    return Laid(
        still=luminance,
        moving=moved,
        still_colour=colour,
        moving_colour=moved_colour,
        still_mask=mask,
        moving_mask=moved_mask,
        still_palette=still.palette,
        moving_palette=moving.palette,
        matrix=compose(invert(to_moving), back),
        still_to_full=compose(full[0], to_still),
        moving_to_full=compose(full[1], to_moving),
        swapped=swapped,
    )


def _scaling(factors: tuple[float, float]) -> Matrix:
    """Pixel indices of a reduced picture to those of the larger one (the centre of the first pixel is at 0)."""
    return np.array([[factors[0], 0.0, (factors[0] - 1) / 2], [0.0, factors[1], (factors[1] - 1) / 2]])


def to_full(picture: ProofPicture) -> Matrix:
    """Return the map of a picture's pixel indices to those of its full frame, (2, 3) float64."""
    rows, columns = picture.luminance.shape
    return _scaling((picture.full_shape[1] / columns, picture.full_shape[0] / rows))


def _reduced(
    picture: ProofPicture, part: tuple[slice, slice], shape: tuple[int, int]
) -> tuple[ByteArray, ByteArray | None, Mask | None]:
    """Average a part of a picture over areas; a pixel is valid where all pixels that went into it are."""
    luminance = picture.luminance[part]
    colour = None if picture.colour is None else picture.colour[part]
    mask = None if picture.mask is None else picture.mask[part]
    if mask is not None and mask.all():
        mask = None
    if shape == luminance.shape:
        return luminance, colour, mask
    size = shape[::-1]
    luminance = np.asarray(cv2.resize(luminance, size, interpolation=cv2.INTER_AREA), np.uint8)
    if colour is not None:
        colour = np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), np.uint8)
    if mask is not None:
        share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        mask = np.asarray(share > 0.999)
    return luminance, colour, mask
