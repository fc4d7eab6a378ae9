"""Changed places: windows that differ, joined to regions, and whether what they show lies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.proof.residual import CELL, SIDE

HALF = 2  # pixels of the grid for one pixel of the pictures that are searched
PATCH, LEAST_PATCH = 14, 8  # largest and smallest side of the patches that are searched for, pixels
PATCHES = 10  # most patches of a region
LEAST_PATCHES = 3  # patches that must be found at one and the same shift
MOVED_SHARE = 0.3  # of the patches that must be found elsewhere, in both directions together
ONE_WAY_SHARE = 0.5  # or in one direction: the former background may be hidden now
FOUND, BETTER = 0.8, 0.3  # NCC of a patch at its other place, and by how much it exceeds that at its own
TEXTURE = 6.0  # levels: patches with less contrast are skipped
NEAR = 0.085  # search range, share of the longest side
MOST_NEAR = 44  # largest search range, pixels
SOUGHT = 3  # regions, the heaviest first, whose content is searched for


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
    label : int
    """

    top: int
    left: int
    height: int
    width: int
    cells: int
    peak: float
    evidence: float
    label: int = 0

    @property
    def weight(self) -> float:
        """Geometric mean of the largest difference and the evidence, levels: weak differences need a large area."""
        return float(np.sqrt(self.peak * self.evidence))


def changed_places(excess: FloatArray, low: float, gap: int = 1) -> tuple[list[Place], NDArray[np.int32]]:
    """Join windows that differ by more than `low` into regions.

    Parameters
    ----------
    excess : (h, w) float32
        By windows, levels.
    low : float
        Levels.
    gap : int
        Cells between windows that are joined.

    Returns
    -------
    places : list of Place
        The heaviest first.
    labels : (h, w) int32
        `Place.label` at the cells that differ, else 0.
    """
    above = (excess > low).astype(np.uint8)
    joined = cv2.dilate(above, np.ones((2 * gap + 1, 2 * gap + 1), np.uint8)) if gap else above
    count, components, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    labels = np.where(above > 0, components, 0).astype(np.int32)
    rows, columns = np.nonzero(labels)
    if not len(rows):
        return [], labels
    own, values = labels[rows, columns], excess[rows, columns].astype(np.float64)
    peaks = np.zeros(count)
    np.maximum.at(peaks, own, values)
    evidence = np.sqrt(np.bincount(own, weights=values * values, minlength=count)) / SIDE
    area = np.bincount(own, minlength=count)
    places = []
    for k in range(1, count):
        x, y, width, height = (int(v) for v in boxes[k, :4])
        right, bottom = x + width, y + height
        # joined regions are wider by the gap, except at the edges of the grid
        top, left = y + gap if y else 0, x + gap if x else 0
        bottom = bottom - gap if bottom < excess.shape[0] else bottom
        right = right - gap if right < excess.shape[1] else right
        places.append(
            Place(
                top=top * CELL,
                left=left * CELL,
                height=max(1, bottom - top) * CELL,
                width=max(1, right - left) * CELL,
                cells=int(area[k]),
                peak=float(peaks[k]),
                evidence=float(evidence[k]),
                label=k,
            )
        )
    places.sort(key=lambda place: -place.weight)
    return places, labels


def movement(first: ByteArray, second: ByteArray, mask: Mask, place: Place, changed: Mask) -> tuple[int, int] | None:
    """How far the content of a changed region has moved between two pictures.

    Content has moved where patches of each picture are found close by in the other one, all at the same shift, and not
    at their own place.

    Parameters
    ----------
    first, second : (H // 2, W // 2) uint8
        Aligned, at half the scale of the grid.
    mask : (H // 2, W // 2) bool
        Where both are valid.
    place : Place
    changed : (h, w) bool
        Changed cells.

    Returns
    -------
    (int, int) or None
        (dy, dx), pixels of the grid, from what `second` shows to where `first` shows it; None where nothing moved.
    """
    reach = min(MOST_NEAR, round(NEAR * max(first.shape)))
    side = min(PATCH, max(LEAST_PATCH, min(place.height, place.width) // HALF))
    points = [(y, x) for y, x in _patches(place, changed, side, first.shape) if mask[y : y + side, x : x + side].all()]
    if len(points) < 2 or reach < 3:
        return None
    there = _steps([_found(second, first, y, x, side, reach) for y, x in points])
    back = -_steps([_found(first, second, y, x, side, reach) for y, x in points])
    sought = len(points)
    shift, agreeing = _agreed(np.concatenate([there, back]))
    near_there = int(_near(there, shift).sum())
    both = min(near_there, agreeing - near_there) >= 1 and agreeing >= MOVED_SHARE * sought
    if agreeing < LEAST_PATCHES or not (both or max(near_there, agreeing - near_there) >= ONE_WAY_SHARE * sought):
        return None
    return round(HALF * float(shift[0])), round(HALF * float(shift[1]))


def _steps(offsets: list[tuple[int, int] | None]) -> NDArray[np.float64]:
    return np.array([step for step in offsets if step is not None], np.float64).reshape(-1, 2)


def _near(steps: NDArray[np.float64], shift: NDArray[np.float64]) -> Mask:
    return np.asarray(np.abs(steps - shift).max(axis=1) <= 1.5, np.bool_)


def _agreed(steps: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """The shift that most others agree with to a pixel or so, and how many."""
    if not len(steps):
        return np.zeros(2), 0
    close = np.abs(steps[:, None] - steps[None]).max(axis=2) <= 1.5
    best = int(close.sum(1).argmax())
    return steps[close[best]].mean(0), int(close[best].sum())


def _patches(place: Place, changed: Mask, side: int, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    rows, columns = np.nonzero(
        changed[place.top // CELL : -(-(place.top + place.height) // CELL),
                place.left // CELL : -(-(place.left + place.width) // CELL)]
    )  # fmt: skip
    if not len(rows):
        return []
    step = max(1, len(rows) // PATCHES)
    chosen = np.arange(step // 2, len(rows), step)
    y = (place.top + rows[chosen] * CELL + CELL // 2) // HALF - side // 2
    x = (place.left + columns[chosen] * CELL + CELL // 2) // HALF - side // 2
    y, x = y.clip(0, max(0, shape[0] - side)), x.clip(0, max(0, shape[1] - side))
    return [(int(v), int(u)) for v, u in zip(y, x, strict=True)][:PATCHES]


def _found(own: ByteArray, other: ByteArray, y: int, x: int, side: int, reach: int) -> tuple[int, int] | None:
    """Where a patch of `own` lies in `other`, relative to its own place; None where it is not found elsewhere."""
    patch = own[y : y + side, x : x + side]
    if patch.shape != (side, side) or float(patch.std()) < TEXTURE:
        return None
    top, left = max(0, y - reach), max(0, x - reach)
    field = other[top : y + side + reach, left : x + side + reach]
    scores = _ncc(field, patch)
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    dy, dx = int(row) + top - y, int(column) + left - x
    best = float(scores[row, column])
    own_place = float(scores[y - top, x - left])
    if best < FOUND or best < own_place + BETTER or max(abs(dy), abs(dx)) < 1:
        return None
    return dy, dx


def _ncc(field: ByteArray, patch: ByteArray) -> NDArray[np.float32]:
    scores = np.asarray(cv2.matchTemplate(field, patch, cv2.TM_CCOEFF_NORMED), np.float32)
    return np.where(np.isfinite(scores), scores, np.float32(0)).clip(-1, 1)
