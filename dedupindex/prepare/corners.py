"""Find the flat corners of a rotated picture: the fill around a tilted rectangle.

Turning a picture by an angle leaves four triangles of one colour, often black or white. They are found by their
geometry, not by their colour alone, so that a dark sky or a studio background is never taken for one: the rectangle
that a rotation by an angle leaves in the frame is known but for that angle (the whole picture, the frame grown to hold
it: ``W = w cos + h sin``, ``H = w sin + h cos``; or a frame of the old size that cuts the corners off). Of all angles
the one is taken whose sides divide fill outside from picture inside best; it must do so on most sides, and all that it
leaves outside must be of the colour of the corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Mask

MINIMUM_SIDE = 48  # pixels of the small picture: below, an angle cannot be told
SMALLEST_ANGLE, LARGEST_ANGLE = 0.6, 42.0  # degrees; near 45 the sides of the rectangle are not determined
CORNER_TOLERANCE = 10.0  # of 255, between the corners
FILL_TOLERANCE = 20.0  # of 255, ringing beside the picture's edge included
OUTSIDE_SHARE = 0.97  # of what lies outside must be fill
SIDE_CONTRAST = 0.4  # least share of a side's points that are picture inside and fill outside
MEAN_CONTRAST = 0.6  # of all sides together
_SAMPLES = 64  # points a side


@dataclass(frozen=True, slots=True)
class TiltedRectangle:
    """A rectangle around the middle of a frame, in fractions of the frame's width and height in pixels.

    Attributes
    ----------
    angle : float
        Radians, counter-clockwise as the picture is seen.
    width, height : float
        Of the rectangle, in units of the frame's width.
    aspect : float
        Height over width of the frame.
    """

    angle: float
    width: float
    height: float
    aspect: float

    def inside(self, shape: tuple[int, int], margin: float = 0.0) -> Mask:
        """Pixels of a frame of the given shape whose centre lies at least *margin* pixels inside the rectangle."""
        rows, columns = shape
        y = ((np.arange(rows, dtype=np.float32) + 0.5) / rows - 0.5) * np.float32(self.aspect)
        x = (np.arange(columns, dtype=np.float32) + 0.5) / columns - 0.5
        cosine, sine = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        edge = margin / columns
        u = np.abs(x[None, :] * cosine - y[:, None] * sine)
        v = np.abs(x[None, :] * sine + y[:, None] * cosine)
        mask: Mask = (u <= self.width / 2 - edge) & (v <= self.height / 2 - edge)
        return mask


def find_corners(picture: NDArray[Any], mask: Mask | None = None) -> TiltedRectangle | None:
    """The tilted rectangle that holds the picture, or None where the frame has no such corners.

    Parameters
    ----------
    picture : (H, W) or (H, W, 3) array
        In steps of 0..255, small: 100 to 300 pixels a side.
    mask : (H, W) bool, optional
        Pixels without data count as neither fill nor picture; a frame with masked corners has none to find.
    """
    rows, columns = picture.shape[:2]
    if min(rows, columns) < MINIMUM_SIDE:
        return None
    if mask is not None and not mask[:: rows - 1, :: columns - 1].all():
        return None
    corners = picture[:: rows - 1, :: columns - 1].astype(np.float32).reshape(4, -1)
    ranked = np.sort(corners, axis=0)
    colour = (ranked[1] + ranked[2]) / np.float32(2)  # the median
    if (np.abs(corners - colour).max(1) <= CORNER_TOLERANCE).sum() < 3:
        return None
    differs = (_away(picture, colour) > FILL_TOLERANCE).view(np.uint8)
    content = np.asarray(cv2.medianBlur(differs, 3), np.uint8)
    if not 0.2 < content.mean() < 0.995:
        return None
    best = _best_of(content, _all_angles(rows, columns))
    if best is None:
        return None
    near = float(np.abs(np.degrees(best.angle))) + np.arange(-0.5, 0.51, 0.1)
    best = _best_of(content, _candidates(rows, columns, near[near >= SMALLEST_ANGLE])) or best
    outside = ~best.inside((rows, columns), -1.0)
    fill = content == 0 if mask is None else (content == 0) | ~mask
    if not outside.any() or fill[outside].mean() < OUTSIDE_SHARE:
        return None
    return best


def _away(picture: NDArray[Any], colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each pixel is from a colour, in the channel where it is farthest; several times as fast as by NumPy."""
    one_pixel = np.resize(colour, 4).astype(np.float64)  # what OpenCV takes for a colour, not for a picture
    away = cv2.absdiff(np.ascontiguousarray(picture, np.float32), one_pixel)
    if picture.ndim == 2:
        return np.asarray(away, np.float32)
    first, *others = cv2.split(away)
    for other in others:
        cv2.max(first, other, first)
    return np.asarray(first, np.float32)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Tilted rectangles in a frame, with the points beside their sides.

    Attributes
    ----------
    angles, widths, heights : (N,) float64
        Radians; pixels.
    inner, outer : (N, 4, 64) int32
        Pixels at both sides of each side, counted row by row; one behind the last where either is not in the frame.
    counts : (N, 4) int64
        Points of a side of which both pixels are in the frame.
    """

    angles: NDArray[np.float64]
    widths: NDArray[np.float64]
    heights: NDArray[np.float64]
    inner: NDArray[np.int32]
    outer: NDArray[np.int32]
    counts: NDArray[np.int64]


@lru_cache(maxsize=8)  # shapes; 0.7 MB each
def _all_angles(rows: int, columns: int) -> _Candidates:
    return _candidates(rows, columns, np.arange(1.0, LARGEST_ANGLE, 0.5))


def _candidates(rows: int, columns: int, degrees: NDArray[np.float64]) -> _Candidates:
    """What a rotation by so many degrees, in either direction, leaves in a frame that grows with it or does not."""
    angles = np.radians(np.concatenate([degrees, -degrees]))
    cosine, sine = np.cos(angles), np.abs(np.sin(angles))
    divisor = cosine**2 - sine**2
    grown_width = (columns * cosine - rows * sine) / divisor
    grown_height = (rows * cosine - columns * sine) / divisor
    angles = np.tile(angles, 2)
    widths = np.concatenate([grown_width, np.full(len(cosine), float(columns))])
    heights = np.concatenate([grown_height, np.full(len(cosine), float(rows))])
    possible = np.minimum(widths, heights) > 0.2 * min(rows, columns)
    angles, widths, heights = angles[possible], widths[possible], heights[possible]
    sides = [_beside(rows, columns, angles, widths, heights, side) for side in range(4)]
    inner, outer = (np.stack(places, axis=1) for places in zip(*sides, strict=True))
    counts = (inner < rows * columns).sum(2)
    return _Candidates(angles, widths, heights, inner, outer, counts)


def _beside(
    rows: int, columns: int, angles: NDArray[Any], widths: NDArray[Any], heights: NDArray[Any], side: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Pixels (N, 64) inside and outside of one side of rectangles, as in `_Candidates`."""
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    along = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    step = 1.5  # pixels to either side of the edge
    sign = 1.0 if side % 2 == 0 else -1.0
    across = (heights if side < 2 else widths)[:, None] / 2
    run = (widths if side < 2 else heights)[:, None] * along
    present = np.ones(run.shape, np.bool_)
    places = []
    for offset in (-step, step):
        level = np.broadcast_to(sign * (across + offset), run.shape)
        u, v = (run, level) if side < 2 else (level, run)
        # the inverse of the turn in `TiltedRectangle.inside`
        x = np.floor(u * cosine + v * sine + columns / 2).astype(np.intp)
        y = np.floor(-u * sine + v * cosine + rows / 2).astype(np.intp)
        present &= (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        places.append(y * columns + x)
    inner, outer = (np.where(present, place, rows * columns).astype(np.int32) for place in places)
    return inner, outer


def _best_of(content: NDArray[np.uint8], candidates: _Candidates) -> TiltedRectangle | None:
    """The candidate whose sides divide best, if it divides well enough.

    Contrast is the share of points along a side that are picture inside and fill outside, less the share of the
    opposite.
    """
    rows, columns = content.shape
    if not len(candidates.angles):
        return None
    samples = np.append(content.ravel(), np.uint8(0))
    inside, outside = (  # counts of at most 64; "clip" spares a check
        samples.take(places, mode="clip").sum(2, np.uint8).astype(np.int64)
        for places in (candidates.inner, candidates.outer)
    )
    contrast = (inside - outside) / np.maximum(candidates.counts, 1)
    weight = candidates.counts / _SAMPLES
    total = (contrast * weight).sum(1) / np.maximum(weight.sum(1), 1e-9)
    place = int(total.argmax())
    clear = contrast[place][weight[place] > 0.1] >= SIDE_CONTRAST
    if total[place] < MEAN_CONTRAST or clear.sum() < 3:
        return None
    return TiltedRectangle(
        float(candidates.angles[place]),
        float(candidates.widths[place]) / columns,
        float(candidates.heights[place]) / columns,
        rows / columns,
    )
