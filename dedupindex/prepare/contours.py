"""Boundaries of masks as ordered points: smoothing, normals, curvature, resampling.

Points are ``(y, x)``, pixel centres at whole numbers, in order along a closed line (the last point is followed by the
first), the valid area on the right as one walks; outer boundaries so run clockwise as the picture is seen, holes
counter-clockwise, and normals always point out of the valid area.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Mask

Points: TypeAlias = NDArray[np.float64]

# Walking directions 0..3: right, down, left, up; steps in (y, x).
_STEPS = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])


@dataclass(frozen=True, slots=True)
class Contour:
    """One closed boundary.

    Attributes
    ----------
    points : (K, 2) float64
        (y, x).
    hole : bool
        The line runs around a hole of the mask, not around a part of it.
    """

    points: Points
    hole: bool


def boundary_contours(mask: Mask, *, subpixel: bool = False, connectivity: Literal[4, 8] = 8) -> list[Contour]:
    """The boundaries of the valid area, longest first.

    Parameters
    ----------
    mask : (H, W) bool
        True = valid. The frame's edge bounds it too.
    subpixel : bool
        False: centres of the valid pixels along the boundary. True: the line between valid and invalid pixels
        (marching squares at 0.5), a point at the middle of each pixel side; it encloses the mask's true area.
    connectivity : {4, 8}
        Whether valid pixels that only touch at a corner are connected.

    Returns
    -------
    list of Contour

    Raises
    ------
    ValueError
        Not a 2-D bool array, or another connectivity.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, must be bool (H, W)")
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity is {connectivity}, must be 4 or 8")
    start, direction, owner = _sides(mask)
    if not len(start):
        return []
    following = _next_side(start, direction, mask.shape, right_first=connectivity == 4)
    contours = []
    for order in _cycles(following):
        corners = start[order].astype(np.float64) - 0.5
        hole = _signed_area(corners) < 0
        if subpixel:
            points = corners + 0.5 * _STEPS[direction[order]]
        else:
            pixels = owner[order]
            fresh = (pixels != np.roll(pixels, 1, axis=0)).any(1)
            points = (pixels[fresh] if fresh.any() else pixels[:1]).astype(np.float64)
        contours.append(Contour(points, hole))
    return sorted(contours, key=lambda contour: -len(contour.points))


def smooth_contour(points: NDArray[Any], sigma: float) -> Points:
    """Smooth both coordinates by one periodic Gaussian.

    Parameters
    ----------
    points : (K, 2) array
        (y, x).
    sigma : float
        Standard deviation in points along the line (pixels, if they are one pixel apart); 0 changes nothing. A circle
        of radius R shrinks by about ``R (1 - exp(-sigma^2 / (2 R^2)))``.
    """
    line = _checked(points, 1)
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma is {sigma}, must not be negative")
    if sigma == 0:
        return line.copy()
    from scipy import ndimage  # slow to import: only when it is used

    smooth: Points = ndimage.gaussian_filter1d(line, sigma, axis=0, mode="wrap")
    return smooth


def contour_normals(points: NDArray[Any]) -> Points:
    """Unit normals (y, x) out of the valid area, from each point's two neighbours.

    The tangent is that of the parabola through the three points, ``d1 l2 / l1 + d2 l1 / l2`` with the steps *d* and
    their lengths *l*: exact on a circle with even spacing. (0, 0) where neighbours coincide.
    """
    before, after, length_before, length_after = _neighbours(points)
    tangent = before * (length_after / length_before)[:, None] + after * (length_before / length_after)[:, None]
    size = np.hypot(tangent[:, 0], tangent[:, 1])
    unit = tangent / np.where(size > 0, size, 1.0)[:, None]
    return np.stack([-unit[:, 1], unit[:, 0]], axis=1)


def contour_curvature(points: NDArray[Any]) -> NDArray[np.float64]:
    """Signed curvature (1 / pixels) from each point's two neighbours: 1 / radius of the circle through the three.

    Positive where the valid area bulges out, negative where it is dented; around a hole so mostly negative.
    Menger's curvature, ``4 area / (a b c)``: exact on a circle.
    """
    before, after, length_before, length_after = _neighbours(points)
    chord = np.hypot(*(before + after).T)
    cross = before[:, 1] * after[:, 0] - before[:, 0] * after[:, 1]
    product = length_before * length_after * chord
    result: NDArray[np.float64] = np.where(product > 0, 2.0 * cross / np.where(product > 0, product, 1.0), 0.0)
    return result


def resample_contour(points: NDArray[Any], count: int) -> Points:
    """*count* points at even distances along the closed line, from the first point on (linear interpolation)."""
    line = _checked(points, 1)
    if count < 1:
        raise ValueError(f"{count} points, must be at least 1")
    closed = np.concatenate([line, line[:1]])
    travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    places = np.arange(count) * (travelled[-1] / count)
    return np.stack([np.interp(places, travelled, closed[:, axis]) for axis in (0, 1)], axis=1)


def smooth_mask(mask: Mask, sigma: float) -> Mask:
    """A mask whose ragged outline is smoothed: the two-dimensional Gaussian of the mask, at least one half.

    The frame's edge is continued outwards, so that it is not rounded. Parts and holes much smaller than *sigma* (in
    pixels) vanish; straight outlines stay where they are.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, must be bool (H, W)")
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma is {sigma}, must not be negative")
    if sigma == 0 or not mask.size:
        return mask.copy()
    from scipy import ndimage  # slow to import: only when it is used

    smooth: Mask = ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="nearest") >= 0.5
    return smooth


def _checked(points: NDArray[Any], least: int) -> Points:
    line = np.asarray(points, np.float64)
    if line.ndim != 2 or line.shape[1] != 2 or len(line) < least or not np.isfinite(line).all():
        raise ValueError(f"points have shape {line.shape}, must be at least {least} finite (y, x)")
    return line


def _neighbours(points: NDArray[Any]) -> tuple[Points, Points, NDArray[np.float64], NDArray[np.float64]]:
    """Steps from the point before and to the point after, and their lengths (tiny instead of 0)."""
    line = _checked(points, 3)
    before = line - np.roll(line, 1, axis=0)
    after = np.roll(line, -1, axis=0) - line
    least = 1e-12
    return before, after, np.maximum(np.hypot(*before.T), least), np.maximum(np.hypot(*after.T), least)


def _sides(mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Pixel sides between valid and invalid: first corner, walking direction, valid pixel; each (n, 2), (n,), (n, 2).

    Corner (i, j) is the upper left one of pixel (i, j). The valid pixel is on the right.
    """
    padded = np.pad(mask, 1)
    core = padded[1:-1, 1:-1]
    beside = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])  # above, right, below, left
    first_corner = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])
    starts, directions, owners = [], [], []
    for direction, neighbour in enumerate(beside):
        pixels = np.argwhere(core & ~neighbour)
        starts.append(pixels + first_corner[direction])
        directions.append(np.full(len(pixels), direction))
        owners.append(pixels)
    return np.concatenate(starts), np.concatenate(directions), np.concatenate(owners)


def _next_side(
    start: NDArray[np.intp], direction: NDArray[np.intp], shape: tuple[int, ...], *, right_first: bool
) -> NDArray[np.intp]:
    """Index of the side that follows each side. Where two pixels touch at a corner, turn right to part them."""
    at = np.full((4, shape[0] + 1, shape[1] + 1), -1, np.intp)
    at[direction, start[:, 0], start[:, 1]] = np.arange(len(start))
    end = start + _STEPS[direction]
    following = np.full(len(start), -1, np.intp)
    for turn in (1, 0, -1) if right_first else (-1, 0, 1):
        candidate = at[(direction + turn) % 4, end[:, 0], end[:, 1]]
        following = np.where(following < 0, candidate, following)
    return following


def _cycles(following: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The cycles of a permutation, each from its smallest member on, by pointer jumping (n log n, no loop a member)."""
    count = len(following)
    first = np.arange(count)  # smallest member met so far
    jump = following.copy()
    reach = 1
    while reach < count:
        first = np.minimum(first, first[jump])
        jump = jump[jump]
        reach *= 2
    # Rank: steps until the cycle's first member comes next round. The first member points to itself and has rank 0.
    head = first == np.arange(count)
    rank = np.where(head, 0, 1)
    jump = np.where(head, np.arange(count), following)
    reach = 1
    while reach < count:
        rank = rank + rank[jump]
        jump = jump[jump]
        reach *= 2
    # Long ranks come soon after the first member, whose own place is in front of all.
    order = np.lexsort((np.where(head, -count - 1, -rank), first))
    edges = np.flatnonzero(np.diff(first[order])) + 1
    return list(np.split(order, edges))


def _signed_area(corners: Points) -> float:
    """Positive for a line that runs clockwise as the picture is seen."""
    y, x = corners.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
