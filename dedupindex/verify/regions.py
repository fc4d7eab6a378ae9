"""Changed places: windows that differ, joined to regions, and whether what they show lies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.residual import CELL

PATCH = 24  # side of the patches that are sought, pixels of the grid
LEAST_PATCH = 12
PATCHES = 12  # a region
MOVED_SHARE = 0.4  # of the patches of a region that must be found elsewhere
FOUND, BETTER = 0.8, 0.3  # NCC of a patch at its other place, and by how much it exceeds that at its own
TEXTURE = 6.0  # levels: patches with less contrast are not sought
NEAR = 0.08  # of the longest side: how far is sought
MOST_NEAR = 64  # pixels of the grid
SOUGHT = 4  # regions, the largest first, whose content is sought


@dataclass(frozen=True, slots=True)
class Place:
    """A region of changed cells.

    Attributes
    ----------
    top, left, height, width : int
        In pixels of the grid.
    cells : int
        Changed cells.
    peak : float
        Largest excess of a window, levels.
    evidence : float
        Root of the summed squared excess, in levels of one window.
    """

    top: int
    left: int
    height: int
    width: int
    cells: int
    peak: float
    evidence: float


def changed_places(excess: FloatArray, low: float, high: float, gap: int = 1) -> tuple[list[Place], Mask]:
    """Join windows that differ by more than `low` to regions, and keep those that differ by more than `high` somewhere.

    Parameters
    ----------
    excess : (h, w) float32
        By windows, levels.
    low, high : float
        Levels.
    gap : int
        Cells between windows that are joined.

    Returns
    -------
    places : list of Place
        Most evidence first.
    changed : (h, w) bool
        The cells of all of them.
    """
    above = (excess > low).astype(np.uint8)
    joined = cv2.dilate(above, np.ones((2 * gap + 1, 2 * gap + 1), np.uint8)) if gap else above
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    changed = np.zeros(excess.shape, np.bool_)
    places: list[Place] = []
    if count < 2:
        return places, changed
    peaks = np.zeros(count)
    np.maximum.at(peaks, labels[above > 0], excess[above > 0])
    kept = np.flatnonzero(peaks > high)
    kept = kept[kept > 0]
    if not len(kept):
        return places, changed
    energy = np.bincount(labels.reshape(-1), weights=np.square(excess).reshape(-1), minlength=count)
    area = np.bincount(labels.reshape(-1), weights=above.reshape(-1), minlength=count)
    changed = np.isin(labels, kept) & (above > 0)
    for k in kept:
        x, y, width, height = (int(v) for v in boxes[k, :4])
        inset = gap
        top, left = (y + inset) * CELL, (x + inset) * CELL
        places.append(
            Place(
                top=top if y else 0,
                left=left if x else 0,
                height=max(1, height - 2 * inset) * CELL,
                width=max(1, width - 2 * inset) * CELL,
                cells=int(area[k]),
                peak=float(peaks[k]),
                evidence=float(np.sqrt(energy[k]) / 3),
            )
        )
    places.sort(key=lambda place: -place.evidence)
    return places, changed


def movement(first: ByteArray, second: ByteArray, mask: Mask, place: Place, changed: Mask) -> tuple[int, int] | None:
    """(dy, dx) in pixels of the grid by which what `second` shows in a region lies elsewhere in `first`; None if not.

    Something has moved where patches of each picture are found near by in the other one, and not at their own place.

    Parameters
    ----------
    first, second : (H, W) uint8
        Aligned.
    mask : (H, W) bool
    place : Place
    changed : (h, w) bool
        Changed cells.
    """
    reach = min(MOST_NEAR, round(NEAR * max(first.shape)))
    side = min(PATCH, max(LEAST_PATCH, min(place.height, place.width)))
    points = _patches(place, changed, side, first.shape)
    if len(points) < 2 or reach < 3:
        return None
    there = [_found(second, first, mask, y, x, side, reach) for y, x in points]
    back = [_found(first, second, mask, y, x, side, reach) for y, x in points]
    steps_there = [step for step in there if step is not None]
    steps_back = [step for step in back if step is not None]
    needed = max(2, MOVED_SHARE * len(points))
    if len(steps_there) < needed or len(steps_back) < needed:
        return None
    shift = np.median(np.array(steps_there), axis=0)
    other = np.median(np.array(steps_back), axis=0)
    if np.abs(shift + other).max() > 0.5 * np.abs(shift).max() + 2:
        return None
    return round(float(shift[0])), round(float(shift[1]))


def _patches(place: Place, changed: Mask, side: int, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    rows, columns = np.nonzero(
        changed[place.top // CELL : -(-(place.top + place.height) // CELL),
                place.left // CELL : -(-(place.left + place.width) // CELL)]
    )  # fmt: skip
    if not len(rows):
        return []
    step = max(1, len(rows) // PATCHES)
    chosen = range(step // 2, len(rows), step)
    y = np.clip(place.top + rows[list(chosen)] * CELL + CELL // 2 - side // 2, 0, max(0, shape[0] - side))
    x = np.clip(place.left + columns[list(chosen)] * CELL + CELL // 2 - side // 2, 0, max(0, shape[1] - side))
    return [(int(v), int(u)) for v, u in zip(y, x, strict=True)][:PATCHES]


def _found(
    own: ByteArray, other: ByteArray, mask: Mask, y: int, x: int, side: int, reach: int
) -> tuple[int, int] | None:
    """Where a patch of `own` lies in `other`, relative to its own place; None where it is not found elsewhere."""
    patch = own[y : y + side, x : x + side]
    if patch.shape != (side, side) or not mask[y : y + side, x : x + side].all() or float(patch.std()) < TEXTURE:
        return None
    top, left = max(0, y - reach), max(0, x - reach)
    field = other[top : y + side + reach, left : x + side + reach]
    scores = _ncc(field, patch)
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    dy, dx = int(row) + top - y, int(column) + left - x
    best = float(scores[row, column])
    near = scores[max(0, y - top - 1) : y - top + 2, max(0, x - left - 1) : x - left + 2]
    if best < FOUND or best < float(near.max()) + BETTER or max(abs(dy), abs(dx)) < 2:
        return None
    return dy, dx


def _ncc(field: ByteArray, patch: ByteArray) -> NDArray[np.float32]:
    scores = np.asarray(cv2.matchTemplate(field, patch, cv2.TM_CCOEFF_NORMED), np.float32)
    return np.where(np.isfinite(scores), scores, np.float32(0)).clip(-1, 1)
