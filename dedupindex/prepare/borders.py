"""Find flat borders, letterbox bars and empty strips around the picture in a frame.

A border is a run of rows (or columns) of one colour from the frame's edge inwards that ends in a *step*: where a
large part of the row departs from the colour at once. A sky that fades or a white studio background that gives way to
an object here and there has no step and stays, so that a copy with another exposure is cut alike. Found on a small
picture, then refined to the pixel at full resolution.
"""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Mask

Box: TypeAlias = tuple[int, int, int, int]  # top, left, height, width

MINIMUM_SIDE = 16  # pixels: in smaller frames a border cannot be told from content
MINIMUM_AREA = 0.2  # share that must be left, else nothing is trimmed
TOLERANCE = 8.0  # of 255: largest departure of a border pixel, compression noise included
FLAT_SHARE = 0.985  # of a row's pixels within the tolerance
STEP_SHARE = 0.3  # of a row's pixels that begin to depart from one row to the next but one
FIRST_ROWS = 24  # that are looked at first: most borders and most drifts end within them
STEP_DEPTH = 9  # rows after the end of the flat ones in which the step must come: a JPEG block of 16 pixels


def find_box(picture: NDArray[Any], mask: Mask | None = None) -> Box:
    """The part of a small picture that is left when flat borders are trimmed.

    Parameters
    ----------
    picture : (H, W) or (H, W, 3) array
        In steps of 0..255; best 100 to 300 pixels a side, so that compression noise is averaged out.
    mask : (H, W) bool, optional
        Rows without valid pixels count as border too.

    Returns
    -------
    (top, left, height, width)
        The whole picture where nothing is to be trimmed.
    """
    height, width = picture.shape[:2]
    if min(height, width) < MINIMUM_SIDE:
        return 0, 0, height, width
    bounds = [0, height, 0, width]
    for _ in range(4):  # trimming one side may make another one flat
        changed = False
        for side in range(4):
            depth = _depth(picture, mask, bounds, side)
            if depth:
                bounds[side] += depth if side % 2 == 0 else -depth
                changed = True
        if not changed:
            break
    top, bottom, left, right = bounds
    rows, columns = bottom - top, right - left
    if min(rows, columns) < 1 or rows * columns < MINIMUM_AREA * height * width:
        return 0, 0, height, width
    return top, left, rows, columns


def _depth(picture: NDArray[Any], mask: Mask | None, bounds: list[int], side: int) -> int:
    """How many rows (columns) of one side are border. Sides: 0 top, 1 bottom, 2 left, 3 right."""
    top, bottom, left, right = bounds
    if bottom - top < 2 or right - left < 2:
        return 0
    if mask is None and _is_busy(_one_channel(_outermost(picture, bounds, side))):  # most sides end here
        return 0
    view = _from_side(picture[top:bottom, left:right], side)
    valid = None if mask is None else _from_side(mask[top:bottom, left:right], side)
    skipped = 0
    if valid is not None:
        filled = valid.any(1)
        if not filled.any():
            return 0
        skipped = int(filled.argmax())
        view, valid = view[skipped:], valid[skipped:]
    first = view[0].astype(np.float32) if valid is None else view[0][valid[0]].astype(np.float32)
    if valid is not None and _is_busy(_one_channel(first)):
        return skipped
    colour = np.median(first, axis=0)
    noise = float(np.quantile(_departure(first, colour), FLAT_SHARE))
    if noise > TOLERANCE:
        return skipped
    # A drawn border is flatter than the tolerance: where nothing departs that far, a dark picture in a black border
    # still departs a little.
    seen = _Rows(view, valid, colour)
    return skipped + (_flat_rows(seen, TOLERANCE) or _flat_rows(seen, 3.0 + 2.0 * noise))


class _Rows:
    """How far each pixel of a picture's first rows is from the border's colour; of as many rows as it takes."""

    def __init__(self, view: NDArray[Any], valid: Mask | None, colour: NDArray[Any]) -> None:
        self._view, self._valid, self._colour = view, valid, colour
        self.away: NDArray[np.float32] = np.empty((0, view.shape[1]), np.float32)
        self.counts: NDArray[Any] | float = float(view.shape[1])
        self.more()

    def more(self) -> bool:
        """Look at more rows; False where there are none."""
        before, everything = len(self.away), len(self._view)
        if before == everything:
            return False
        rows = np.s_[before : 4 * before if before else FIRST_ROWS]
        away = _departure(self._view[rows].astype(np.float32), self._colour)
        if self._valid is not None:
            away[~self._valid[rows]] = 0.0
        self.away = np.concatenate([self.away, away])
        if self._valid is not None:
            self.counts = np.maximum(self._valid[: len(self.away)].sum(1), 1)
        return True


def _flat_rows(seen: _Rows, tolerance: float) -> int:
    """Rows before the step; 0 where there is none."""
    tolerance = min(tolerance, TOLERANCE)
    while True:
        share = (seen.away > tolerance).sum(1) / seen.counts
        ends = share > 1 - FLAT_SHARE
        end = int(ends.argmax())
        if (ends[end] and (end == 0 or end + STEP_DEPTH <= len(share))) or not seen.more():
            break
    if end == 0:  # no row departs, or already the first one does
        return 0
    if float(np.median(seen.away[end - 1])) > tolerance / 2:  # it drifted there: a gradient, not a border
        return 0
    # The ringing of a hard JPEG frays the border before the step; a skyline has no row where much departs at once.
    near = share[end - 1 : end + STEP_DEPTH]
    jump = near[2:] - near[:-2]
    if not len(jump) or jump.max() < STEP_SHARE:
        return 0
    return end + int(jump.argmax())


def refine_box(pixels: NDArray[Any], box: Box, small_shape: tuple[int, int], mask: Mask | None = None) -> Box:
    """Bring a box found on a small picture to the pixel of the full one.

    Each trimmed side moves, within two small pixels, to where neighbouring rows differ most in how far they are from
    the colour of the border: the step itself, whatever ringing a JPEG left around it.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) array
        The full frame.
    box : (top, left, height, width)
        In the small picture of `small_shape`.
    mask : (H, W) bool, optional
        Of the full frame; what lies under it counts for nothing.
    small_shape : (int, int)
        Height and width of the small picture.

    Returns
    -------
    (top, left, height, width)
        In pixels of the full frame.
    """
    height, width = pixels.shape[:2]
    scale_y, scale_x = height / small_shape[0], width / small_shape[1]
    top, left, rows, columns = box
    exact = [top * scale_y, (top + rows) * scale_y, left * scale_x, (left + columns) * scale_x]
    result = [round(edge) for edge in exact]
    trimmed = [top > 0, top + rows < small_shape[0], left > 0, left + columns < small_shape[1]]
    for side in range(4):
        if not trimmed[side]:
            continue
        scale = scale_y if side < 2 else scale_x
        # seen from the side itself: rows 0.. run inwards, across the part that the other sides leave
        part = np.s_[:, result[2] : result[3]] if side < 2 else np.s_[result[0] : result[1]]
        view = _from_side(pixels[part], side)
        valid = None if mask is None else _from_side(mask[part], side)
        extent = height if side < 2 else width
        place = exact[side] if side % 2 == 0 else extent - exact[side]
        start = max(0, int(place - 2 * scale) - 1)
        stop = min(extent, int(place + 2 * scale) + 2)
        edge = _edge(view[start:stop], None if valid is None else valid[start:stop])
        if edge is None:
            continue
        edge += start
        result[side] = edge if side % 2 == 0 else extent - edge
    rows, columns = result[1] - result[0], result[3] - result[2]
    if min(rows, columns) < 1 or rows * columns < MINIMUM_AREA * height * width:
        return 0, 0, height, width
    return result[0], result[2], rows, columns


def _edge(band: NDArray[Any], valid: Mask | None) -> int | None:
    """The row of a band, seen from the side, with which the picture begins; None where that cannot be told."""
    if len(band) < 2:
        return None
    if valid is None:
        away = _departure(band.astype(np.float32), np.median(band[0], axis=0)).mean(1)
        return 1 + int(np.diff(away).argmax())
    filled = valid.any(1)
    if not filled.any():
        return None
    first = int(filled.argmax())
    samples = band[first][valid[first]].astype(np.float32)
    colour = np.median(samples, axis=0)
    if first and np.quantile(_departure(samples, colour), FLAT_SHARE) > TOLERANCE:
        return first  # rows without data, then the picture at once
    away = _departure(np.where(valid if band.ndim == 2 else valid[..., None], band, 0).astype(np.float32), colour)
    away[~valid] = 0.0
    means = away.sum(1) / np.maximum(valid.sum(1), 1)
    return 1 + int(np.diff(means).argmax())


def _from_side(a: NDArray[Any], side: int) -> NDArray[Any]:
    """A view whose rows run from the given side inwards."""
    turned = a if side < 2 else a.swapaxes(0, 1)
    return turned if side % 2 == 0 else turned[::-1]


def _outermost(picture: NDArray[Any], bounds: list[int], side: int) -> NDArray[Any]:
    """The row (column) of the part within the bounds that lies at the given side."""
    top, bottom, left, right = bounds
    if side < 2:
        return picture[top if side == 0 else bottom - 1, left:right]
    return picture[top:bottom, left if side == 2 else right - 1]


def _one_channel(line: NDArray[Any]) -> NDArray[np.float32]:
    """Green, or the only channel."""
    return (line if line.ndim == 1 else line[:, 1]).astype(np.float32)


def _is_busy(line: NDArray[np.float32]) -> bool:
    """Whether so many samples depart from the median that their `FLAT_SHARE` quantile must exceed the tolerance."""
    ranked = np.sort(line)  # in float32 faster than a partition
    half = len(line) // 2
    middle = (ranked[half] + ranked[half if len(line) % 2 else half - 1]) / np.float32(2)
    return int(np.count_nonzero(np.abs(ranked - middle) > TOLERANCE)) > (1 - FLAT_SHARE) * len(line) + 2


def _departure(a: NDArray[np.float32], colour: NDArray[Any]) -> NDArray[np.float32]:
    away: NDArray[np.float32] = np.abs(a - np.asarray(colour, np.float32))
    return over_channels(away) if np.ndim(colour) else away


def over_channels(a: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest number over the last axis, of few channels: ``a.max(-1)``, which takes NumPy several times as long."""
    largest: NDArray[np.float32] = functools.reduce(np.maximum, np.moveaxis(a, -1, 0))
    return largest
