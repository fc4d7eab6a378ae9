"""Validity masks of rasters from sentinels, NaN, saturation, no-data tags and mask files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Mask

GDAL_NODATA = 42113  # TIFF tag: the no-data value as ASCII text

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
