"""Validity masks of rasters from sentinels, NaN, saturation, no-data tags, mask files, and undeclared fillings.

Large areas of exactly 0, or of the smallest or largest sample, in pictures deeper than 8 bits are fillings.
Sensors and physical units have noise, so an area that is constant to the last bit was filled in by a program: a hole, a
gap between scan lines, the rim of a map. Real black and real saturation are constant too, but the picture fades into
them, and a drawing has more than one constant area; neither is masked. Pictures of 8 bits are left alone: their black
and white are real.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Frame, Mask

GDAL_NODATA = 42113  # TIFF tag: the no-data value as ASCII text
SMALLEST_SIDE = 24  # pixels: in smaller frames no area can be told from a few equal samples
LEAST_SHARE, MOST_SHARE = 0.01, 0.75  # of the frame that compact areas of one value cover
COMPACT = 0.02  # of the shorter side: an area in which no square of this size fits is not compact
NEAR = 0.05  # of the range of the other samples: nearer ones fade into the value
NEAR_FACTOR, NEAR_MORE = 1.5, 0.1  # how many more of them may lie at the rim of an area than elsewhere
ISOLATED = 0.1  # of that range: gap from which a value that is neither 0 nor a limit of the type counts as a filling
DRAWN = 0.8  # share of equal neighbours outside the area from which the frame is a drawing
LOOKED_AT = 100_000  # samples that the range is taken of

_KEPT = frozenset(("uint8", "uint16", "uint32", "int16", "int32", "float32", "float64"))
_WIDENED = {"int8": np.int16, "float16": np.float32}

_BAND = 1 << 22  # samples of which valid ones are copied at once


def native(array: NDArray[Any], note: Callable[[str], None] = lambda _: None) -> NDArray[Any]:
    """Bring an array to one of the dtypes a `Frame` may have, without losing a value where that is possible.

    Byte order becomes the machine's, booleans 0 and 255, 64-bit integers 32-bit where they fit (else float64, noted),
    complex values their magnitude. An array that already is right is returned as it is.
    """
    kind = array.dtype
    if kind.name in _KEPT and kind.isnative:
        return array
    if kind.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind.kind == "c":
        note(f"complex samples ({kind.name}): the magnitude is used")
        return np.asarray(np.abs(array), np.float32 if kind.itemsize <= 8 else np.float64)
    if kind.name in _KEPT:
        return array.astype(kind.newbyteorder("="))
    if kind.name in _WIDENED:
        return array.astype(_WIDENED[kind.name])
    if kind.kind in "iu" and array.size:
        low, high = int(array.min()), int(array.max())
        for smaller in (np.int32, np.uint32):
            if np.iinfo(smaller).min <= low and high <= np.iinfo(smaller).max:
                return array.astype(smaller)
        note(f"{kind.name} samples beyond 32 bits: kept as float64, exact to 2**53")
    return array.astype(np.float64)


def validity(
    stack: NDArray[Any], *, no_data: Sequence[float] = (), saturated: bool = False, bits: int | None = None
) -> Mask | None:
    """Find the valid pixels of a stack of frames.

    Parameters
    ----------
    stack : (N, H, W) or (N, H, W, C) array
    no_data : sequence of float
        Sample values that mean no data; a colour pixel is no data where every channel is that value.
    saturated : bool
        Integer samples at the top of their range are no data (any channel).
    bits : int, optional
        Significant bits, for the top of the range.

    Returns
    -------
    (N, H, W) bool or None
        True = valid; None = every pixel is valid.
    """
    colour = stack.ndim == 4
    invalid: Mask | None = None
    if stack.dtype.kind == "f":
        # one pass without a temporary tells whether any sample is NaN or infinite; overflow only costs the second pass
        with np.errstate(over="ignore", invalid="ignore"):
            total = stack.sum(dtype=np.float64)
        if not math.isfinite(total):
            odd = ~np.isfinite(stack)
            invalid = _or(None, odd.any(axis=-1) if colour else odd)
    for value in no_data:
        sentinel = as_sample(value, stack.dtype)
        if sentinel is None:
            continue
        hit = stack == sentinel
        invalid = _or(invalid, hit.all(axis=-1) if colour else hit)
    if saturated and stack.dtype.kind in "iu":
        top = np.iinfo(stack.dtype).max
        if bits is not None and 0 < bits < stack.dtype.itemsize * 8:
            top = (1 << (bits - (stack.dtype.kind == "i"))) - 1
        hit = stack >= top
        invalid = _or(invalid, hit.any(axis=-1) if colour else hit)
    if invalid is None or not invalid.any():
        return None
    return np.asarray(~invalid)


def as_sample(value: float, dtype: np.dtype[Any]) -> Any:
    """A sentinel as a sample of this dtype; None where no sample can equal it (NaN is found as such anyway)."""
    if math.isnan(value):
        return None
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if math.isinf(value) or value != int(value) or not info.min <= value <= info.max:
            return None
        return dtype.type(int(value))
    with np.errstate(over="ignore"):
        return dtype.type(value)


def gdal_no_data(text: object) -> tuple[float, ...]:
    """Sentinels in the text of a GDAL_NODATA tag; none where it is no number."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    values = []
    for word in str(text).replace("\0", " ").split()[:1]:
        try:
            values.append(float(word))
        except ValueError:
            continue
    return tuple(values)


def both(first: Mask | None, second: Mask | None) -> Mask | None:
    """Valid in both; None means valid everywhere."""
    if first is None or second is None:
        return second if first is None else first
    return first & second


def valid_range(pixels: NDArray[Any], mask: Mask) -> tuple[float, float]:
    """Smallest and largest valid sample; NaN twice where there is none."""
    return _range_of(pixels, None if mask.all() else mask) or (math.nan, math.nan)


def stack_range(stack: NDArray[Any], mask: Mask | None) -> tuple[float, float] | None:
    """Valid minimum and maximum of a whole stack, or None where nothing is valid.

    Parameters
    ----------
    stack : (N, H, W) or (N, H, W, C) array
    mask : (N, H, W) or (H, W) bool, or None
    """
    if mask is None:
        return _range_of(stack, None)
    masks = np.broadcast_to(mask, stack.shape[:3])
    ranges = [_range_of(frame, valid) for frame, valid in zip(stack, masks, strict=True)]
    known = [one for one in ranges if one is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def _range_of(samples: NDArray[Any], mask: Mask | None) -> tuple[float, float] | None:
    """Smallest and largest valid sample; band by band, because what is valid has to be copied."""
    if mask is None:
        return (float(samples.min()), float(samples.max())) if samples.size else None
    rows = max(1, _BAND // max(1, samples[:1].size))
    bands = (samples[i : i + rows][mask[i : i + rows]] for i in range(0, len(samples), rows))
    ranges = [(band.min(), band.max()) for band in bands if band.size]
    return (float(min(low for low, _ in ranges)), float(max(high for _, high in ranges))) if ranges else None


def range_mask(stack: NDArray[Any], ranges: Iterable[tuple[float, float]]) -> Mask | None:
    """Valid where no sample lies in one of the closed ranges (DICOM pixel padding)."""
    invalid: Mask | None = None
    for low, high in ranges:
        invalid = _or(invalid, (stack >= min(low, high)) & (stack <= max(low, high)))
    return None if invalid is None or not invalid.any() else ~invalid


def mask_path(path: Path, pattern: str) -> Path | None:
    """Where the mask file of a picture would lie; None where the pattern has no ``{stem}`` or names the picture."""
    if "{stem}" not in pattern:
        return None
    beside = path.parent / pattern.replace("{stem}", path.stem)
    return None if beside == path else beside


def _or(first: Mask | None, second: Any) -> Mask:
    mask = np.asarray(second, np.bool_)
    return mask if first is None else first | mask


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
