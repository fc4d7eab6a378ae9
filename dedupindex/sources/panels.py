"""Panels: the pictures of which a page or a figure is made, found by the gutters and rules between them.

A recursive cut along rows and columns of one colour (the XY-cut: Nagy, Seth 1984). No learning; the same pixels give
the same panels. Gutters have the ground's colour, which is that of most of the picture's flat rows and columns; rules
are thin lines of any even colour across the whole part that is cut. A part is a panel where it is large enough and
nearly all of its box is covered: text, line charts and letters beside the panels are not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dedupindex.places import FIRST_PANEL, PANELS_A_PAGE
from dedupindex.records import ByteArray, Frame, Mask

Box = tuple[int, int, int, int]  # top, left, height, width, pixels

LEAST_SIDE = 48  # pixels of a panel's shorter side
LEAST_SHARE = 0.01  # of the whole picture
TOLERANCE = 24  # levels within which pixels have the colour of the ground: JPEG rings beside edges
EVEN = 0.98  # share of a row that must be of the ground's colour
RULE = 6  # pixels: even lines of another colour are rules up to this width
RULE_TOLERANCE = 16  # levels within which the pixels of a rule are of one colour
COVERED = 0.6  # share of a panel's box that must differ from the ground
KEPT = 0.6  # share of what is no ground that the panels of a cut must hold; else it went through a picture
WHOLE = 0.95  # share of what is no ground from which a single part is the picture itself, with a margin
MOST_PANELS = PANELS_A_PAGE
DEPTH = 8  # cuts one inside another


def panel_boxes(picture: ByteArray) -> list[Box]:
    """The panels of a picture.

    Parameters
    ----------
    picture : (H, W) or (H, W, 3) uint8

    Returns
    -------
    list of (top, left, height, width)
        Row by row as the picture was cut, from top to bottom and left to right; empty without gutters or rules.
    """
    planes = picture[..., None] if picture.ndim == 2 else picture
    ground = ground_of(planes)
    if ground is None:
        return []
    ink = np.abs(planes.astype(np.int16) - ground).max(2) > TOLERANCE
    shape = (planes.shape[0], planes.shape[1])
    least = LEAST_SHARE * shape[0] * shape[1]
    parts = _cut(planes, ink, (0, 0, *shape), DEPTH)
    boxes = [box for box in parts if box[2] * box[3] >= least and _is_picture(ink, box)]
    if len(boxes) == 1 and _amount(ink, boxes[0]) >= WHOLE * ink.sum():
        return []
    return boxes[:MOST_PANELS]


def ground_of(planes: NDArray[np.uint8]) -> NDArray[np.int16] | None:
    """The colour (C,) of most even rows and columns of a picture (H, W, C); None where there is no such row."""
    colours: dict[tuple[int, ...], int] = {}
    for lines in (planes, planes.swapaxes(0, 1)):
        middle = np.median(lines, axis=1).astype(np.int16)
        away = np.abs(lines.astype(np.int16) - middle[:, None]).max(2)
        for colour in middle[(away <= TOLERANCE).mean(1) >= EVEN]:
            key = tuple((colour // 16).tolist())
            colours[key] = colours.get(key, 0) + 1
    if not colours:
        return None
    best = max(colours, key=lambda key: (colours[key], key))
    return np.array(best, np.int16) * 16 + 8


def _cut(planes: NDArray[np.uint8], ink: Mask, box: Box, depth: int) -> Iterator[Box]:
    """Parts of a box that gutters and rules leave, without margins."""
    inside = _trimmed(ink, box)
    if inside is None:
        return
    top, left, height, width = inside
    if min(height, width) < LEAST_SIDE:
        return
    if depth:
        for axis in (0, 1):
            spans = list(_spans(planes, ink, inside, axis))
            if len(spans) < 2:
                continue
            parts = [
                (top + start, left, end - start, width) if axis == 0 else (top, left + start, height, end - start)
                for start, end in spans
            ]
            panels = [one for part in parts for one in _cut(planes, ink, part, depth - 1)]
            pictures = [one for one in panels if _is_picture(ink, one)]
            if sum(_amount(ink, one) for one in pictures) >= KEPT * _amount(ink, inside):
                yield from pictures
                return
    yield inside


def _spans(planes: NDArray[np.uint8], ink: Mask, box: Box, axis: int) -> Iterator[tuple[int, int]]:
    """Runs of rows (axis 0) or columns of a box between its gutters and rules."""
    top, left, height, width = box
    part, pixels = ink[top : top + height, left : left + width], planes[top : top + height, left : left + width]
    if axis == 1:
        part, pixels = part.T, pixels.swapaxes(0, 1)
    between = part.mean(1) <= 1 - EVEN
    middle = np.median(pixels, axis=1).astype(np.int16)
    away = np.abs(pixels.astype(np.int16) - middle[:, None]).max(2)
    even = ((away <= RULE_TOLERANCE).mean(1) >= EVEN) & ~between
    for start, end in _runs(even):
        steps = [
            int(np.abs(middle[beside] - middle[start]).max())
            for beside in (start - 1, end)
            if 0 <= beside < len(middle)
        ]
        if end - start <= RULE and len(steps) == 2 and min(steps) > TOLERANCE:
            between[start:end] = True
    yield from _runs(~between)


def _runs(flags: Mask) -> Iterator[tuple[int, int]]:
    """Start and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _trimmed(ink: Mask, box: Box) -> Box | None:
    """A box without rows and columns of the ground along its edges; None where nothing else is in it."""
    top, left, height, width = box
    part = ink[top : top + height, left : left + width]
    rows, columns = np.flatnonzero(part.mean(1) > 1 - EVEN), np.flatnonzero(part.mean(0) > 1 - EVEN)
    if not len(rows) or not len(columns):
        return None
    y, x = int(rows[0]), int(columns[0])
    return top + y, left + x, int(rows[-1]) + 1 - y, int(columns[-1]) + 1 - x


def _amount(ink: Mask, box: Box) -> int:
    top, left, height, width = box
    return int(ink[top : top + height, left : left + width].sum())


def _is_picture(ink: Mask, box: Box) -> bool:
    return min(box[2:]) >= LEAST_SIDE and _amount(ink, box) >= COVERED * box[2] * box[3]


# -------------------------------------------------------------------------------------------------- as frames
def panel_frames(whole: Frame, first: int = FIRST_PANEL) -> tuple[Frame, ...]:
    """The panels of a frame at full size, as frames from *first* on; none of pictures deeper than 8 bits.

    Parameters
    ----------
    whole : Frame
    first : int
        Frame number of the first panel.

    Returns
    -------
    tuple of Frame
    """
    if whole.pixels.dtype != np.uint8 or whole.pixels.shape[:2] != whole.full_shape:
        return ()
    frames = []
    for number, (top, left, height, width) in enumerate(panel_boxes(np.asarray(whole.pixels, np.uint8))):
        part = np.s_[top : top + height, left : left + width]
        pixels, mask = np.ascontiguousarray(whole.pixels[part]), np.ascontiguousarray(whole.mask[part])
        frames.append(Frame(pixels, mask, first + number, (height, width), whole.bits))
    return tuple(frames)
