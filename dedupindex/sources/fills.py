"""Undeclared no-data: large areas of exactly 0, or of the smallest or largest sample, in pictures deeper than 8 bits.

Sensors and physical units have noise, so an area that is constant to the last bit was filled in by a program: a hole, a
gap between scan lines, the rim of a map. Real black and real saturation are constant too, but the picture fades into
them, and a drawing has more than one constant area; neither is masked. Pictures of 8 bits are left alone: their black
and white are real.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Frame, Mask

SMALLEST_SIDE = 24  # pixels: in smaller frames no area can be told from a few equal samples
LEAST_SHARE, MOST_SHARE = 0.01, 0.75  # of the frame that compact areas of one value cover
COMPACT = 0.02  # of the shorter side: an area in which no square of this size fits is not compact
NEAR = 0.05  # of the range of the other samples: nearer ones fade into the value
NEAR_FACTOR, NEAR_MORE = 1.5, 0.1  # how many more of them may lie at the rim of an area than elsewhere
ISOLATED = 0.1  # of that range: gap from which a value that is neither 0 nor a limit of the type counts as a filling
DRAWN = 0.8  # share of equal neighbours outside the area from which the frame is a drawing
LOOKED_AT = 100_000  # samples that the range is taken of


@dataclass(frozen=True, slots=True)
class Fill:
    """Areas of a frame that a program filled in.

    Attributes
    ----------
    area : (H, W) bool
        True = filled.
    values : tuple of float
        What with, in units of the samples.
    """

    area: Mask
    values: tuple[float, ...]


def without_fills(frame: Frame) -> Frame:
    """The frame, with what `find_fill` finds masked and named; the same frame where it finds nothing."""
    fill = find_fill(frame.pixels, frame.mask, frame.bits)
    return frame if fill is None else replace(frame, mask=frame.mask & ~fill.area, fills=fill.values)


def find_fill(pixels: NDArray[Any], mask: Mask, bits: int | None = None) -> Fill | None:
    """Find large constant areas that are no picture.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) array
        Native depth; a colour pixel has a value where all its samples have it.
    mask : (H, W) bool
        What is known to be valid, True = valid.
    bits : int, optional
        Significant bits of an unsigned sample; by default those of the type.

    Returns
    -------
    Fill or None
        None where there is nothing, or where it may be picture; always for samples of 8 bits.
    """
    if pixels.dtype.itemsize == 1 or min(mask.shape) < SMALLEST_SIDE:
        return None
    whole = bool(mask.all())
    samples = pixels if whole else pixels[mask]
    if not samples.size:
        return None
    area: Mask | None = None
    values: list[float] = []
    for value in dict.fromkeys((0.0, float(samples.min()), float(samples.max()))):
        same = pixels == pixels.dtype.type(value)
        same = same.all(axis=2) if same.ndim == 3 else same
        if not whole:
            same &= mask
        if np.count_nonzero(same) < LEAST_SHARE * same.size:
            continue
        compact = _compact(same)
        if not LEAST_SHARE <= compact.mean() <= MOST_SHARE:
            continue
        plane = pixels if pixels.ndim == 2 else pixels[..., 1]
        gap = 0.0 if value in _limits(pixels.dtype, bits) else ISOLATED
        if _is_filled(plane, mask & ~same, compact, value, gap):
            area = compact if area is None else area | compact
            values.append(value)
    if area is None or area.mean() > MOST_SHARE:
        return None
    return Fill(area, tuple(values))


def _limits(dtype: np.dtype[Any], bits: int | None) -> tuple[float, ...]:
    """Values that programs fill with, whatever else the picture holds: 0 and the limits of an integer type."""
    if dtype.kind == "f":
        return (0.0,)
    info = np.iinfo(dtype)
    limits = (0.0, float(info.min), float(info.max))
    return (*limits, float(2**bits - 1)) if bits and dtype.kind == "u" else limits


def _compact(same: Mask) -> Mask:
    """The parts of an area that have a core, whole: threads and single pixels are left out."""
    side = max(3, round(COMPACT * min(same.shape)))
    plane = same.astype(np.uint8)
    core = cv2.erode(plane, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    grown = cv2.dilate(core, np.ones((2 * side + 1, 2 * side + 1), np.uint8))
    return np.asarray((grown > 0) & same)


def _is_filled(plane: NDArray[Any], others: Mask, area: Mask, value: float, gap: float) -> bool:
    """Whether the picture ends at an area instead of fading into it, and is no drawing.

    Parameters
    ----------
    plane : (H, W) array
    others : (H, W) bool
        Valid pixels of other values.
    area : (H, W) bool
    value : float
        Of the area.
    gap : float
        How far all other samples must be from it, in units of their range.
    """
    inside = area.astype(np.uint8)
    ring = cv2.dilate(inside, np.ones((3, 3), np.uint8)) > inside
    beside = plane[ring & others].astype(np.float64)
    elsewhere = plane[others]
    elsewhere = elsewhere[:: max(1, elsewhere.size // LOOKED_AT)].astype(np.float64)
    if not beside.size or not elsewhere.size:
        return False
    extent = float(np.percentile(elsewhere, 99) - np.percentile(elsewhere, 1))
    away, near = np.abs(elsewhere - value), NEAR * extent
    if gap and float(away.min()) < gap * extent:
        return False
    share = float((away <= near).mean())
    if float((np.abs(beside - value) <= near).mean()) > NEAR_FACTOR * share + NEAR_MORE:
        return False
    pairs = others[:, 1:] & others[:, :-1]
    equal = int(np.count_nonzero((plane[:, 1:] == plane[:, :-1]) & pairs))
    return equal < DRAWN * max(1, int(np.count_nonzero(pairs)))
