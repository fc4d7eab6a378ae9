"""Native depth to float32 and back: data normalisation, contrast normalisation, standardisation.

*Data normalisation* maps the range of the data type (or a given range) to 0..1 and does not look at the values;
*contrast normalisation* maps each frame's own range to 0..1 and so removes gain and offset. All of it over valid
pixels only, per frame of a stack, in float32, without a float64 copy of the whole stack.

Shapes: a frame is ``(H, W)``, a stack ``(N, H, W)``; with ``channels=True`` the last axis is colour, and a frame is
``(H, W, C)``, a stack ``(N, H, W, C)``. Masks never have the colour axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask

By: TypeAlias = Literal["minmax", "max", "stack", "percentile"]
BYS: tuple[By, ...] = ("minmax", "max", "stack", "percentile")

_CHUNK = 1 << 20  # samples that are handled at once in double precision: 8 MB


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised frame or stack: ``values = (a - offset) / scale``.

    Attributes
    ----------
    values : float32, shape of the input
        0 where not valid, and all over a constant frame.
    offset, scale : () or (N,) float64
        What was taken from, and what divided, each frame; *scale* is 1 for a constant one.
    constant : () or (N,) bool
        The frame has no contrast (or no valid pixel): its values are 0 and mean nothing.
    """

    values: FloatArray
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    constant: Mask


def dtype_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Smallest and largest sample of a data type; 0 and 1 for floats and bool.

    Raises
    ------
    TypeError
        Neither bool, integer nor float.
    """
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return float(info.min), float(info.max)
    if dtype.kind in "fb":
        return 0.0, 1.0
    raise TypeError(f"samples are {dtype}, must be bool, integer or float")


def data_normalise(
    a: NDArray[Any], *, value_range: tuple[float, float] | None = None, out: FloatArray | None = None
) -> FloatArray:
    """Map a fixed range of sample values to 0..1: ``clip((a - low) / (high - low), 0, 1)``.

    Parameters
    ----------
    a : array
        bool, integer or float, any shape.
    value_range : (low, high), optional
        By default the range of the data type; floats are taken to be 0..1 already.
    out : float32 array, optional
        Of the same shape; may be *a* itself.

    Returns
    -------
    float32 array
        0..1. NaN stays NaN: no-data has no value; infinities are clipped.

    Raises
    ------
    TypeError, ValueError
        Samples that are no numbers, an empty range, an *out* that does not fit.
    """
    own = dtype_range(a.dtype)
    low, high = _checked(own if value_range is None else value_range)
    result = _output(a, out)
    _affine(a.reshape(1, -1), np.array([low]), np.array([high - low]), result.reshape(1, -1), clip=True)
    return result


def contrast_normalise(
    a: NDArray[Any],
    mask: Mask | None = None,
    *,
    by: By = "minmax",
    low_percentile: float = 0.5,
    high_percentile: float = 99.5,
    channels: bool = False,
    out: FloatArray | None = None,
) -> Normalised:
    """Map each frame's own range of valid samples to 0..1, clipped.

    ``minmax``: ``(a - min) / (max - min)``; ``max``: ``a / max`` (zero stays zero; negative samples become 0);
    ``stack``: minimum and maximum over the whole stack; ``percentile``: between two percentiles (linear
    interpolation, as `numpy.percentile`). Colours of a frame share one range.

    Parameters
    ----------
    a : (H, W), (N, H, W), or with `channels` (H, W, C), (N, H, W, C) array
        bool, integer or float.
    mask : bool array, optional
        True = valid; shape of *a* without colours. NaN and infinities are never valid.
    by : {"minmax", "max", "stack", "percentile"}
        Where the range comes from.
    low_percentile, high_percentile : float
        For ``by="percentile"``, 0..100.
    channels : bool
        The last axis is colour.
    out : float32 array, optional
        Of the same shape; may be *a* itself.

    Returns
    -------
    Normalised

    Raises
    ------
    TypeError, ValueError
        Samples that are no numbers, shapes that do not fit, an unknown *by*, percentiles that do not rise.
    """
    if by not in BYS:
        raise ValueError(f"by is {by!r}, must be one of {', '.join(BYS)}")
    if not 0 <= low_percentile < high_percentile <= 100:
        raise ValueError(f"percentiles {low_percentile}, {high_percentile} must rise within 0..100")
    rows, valid, single = _as_rows(a, mask, channels)
    result = _output(a, out)
    low = np.zeros(len(rows))
    high = np.zeros(len(rows))
    for part in _chunks(rows):
        if by == "percentile":
            ends = _percentiles(rows[part], None if valid is None else valid[part], low_percentile, high_percentile)
        else:
            ends = _extremes(rows[part], None if valid is None else valid[part])
        low[part], high[part] = ends
    if by == "stack" and len(rows):
        low[:], high[:] = low.min(), high.max()
    elif by == "max":
        low[:] = 0.0
        high[~np.isfinite(high)] = 0.0
    constant = ~(low < high)
    offset = np.where(np.isfinite(low), low, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # the span may be twice the largest float64
        scale = np.where(constant, 1.0, np.minimum(high - low, np.finfo(np.float64).max))
    _affine(rows, offset, scale, result.reshape(rows.shape), clip=True)
    _blank(result.reshape(rows.shape), valid, constant)
    return _packed(result, offset, scale, constant, single)


def standardise(
    a: NDArray[Any], mask: Mask | None = None, *, channels: bool = False, out: FloatArray | None = None
) -> Normalised:
    """Zero mean and unit variance of the valid samples of each frame: ``(a - mean) / std``.

    The variance is that of the population (ddof 0). A frame whose standard deviation is nothing but rounding (below
    1e-7 of its largest magnitude) counts as constant.

    Parameters
    ----------
    a : (H, W), (N, H, W), or with `channels` (H, W, C), (N, H, W, C) array
        bool, integer or float.
    mask : bool array, optional
        True = valid; shape of *a* without colours. NaN and infinities are never valid.
    channels : bool
        The last axis is colour.
    out : float32 array, optional
        Of the same shape; may be *a* itself.

    Returns
    -------
    Normalised
        Offset = mean, scale = standard deviation, a frame each.

    Raises
    ------
    TypeError, ValueError
        Samples that are no numbers, or shapes that do not fit.
    """
    rows, valid, single = _as_rows(a, mask, channels)
    result = _output(a, out)
    mean = np.zeros(len(rows))
    std = np.zeros(len(rows))
    for part in _chunks(rows):
        x = rows[part].astype(np.float64)
        v = np.ones(x.shape, bool) if valid is None else valid[part]
        x[~v] = 0.0
        count = np.maximum(v.sum(1), 1)
        peak = np.maximum(np.abs(x).max(1, initial=0.0), np.finfo(float).tiny)
        x /= peak[:, None]  # keeps the squares of the largest floats finite
        m = x.sum(1) / count
        x -= m[:, None]
        x[~v] = 0.0
        s = np.sqrt(np.square(x).sum(1) / count)
        s[s < 1e-7] = 0.0
        mean[part], std[part] = m * peak, s * peak
    constant = ~(std > 0)
    scale = np.where(constant, 1.0, std)
    _affine(rows, mean, scale, result.reshape(rows.shape), clip=False)
    _blank(result.reshape(rows.shape), valid, constant)
    return _packed(result, mean, scale, constant, single)


def to_uint8(a: NDArray[Any], *, value_range: tuple[float, float] = (0.0, 1.0)) -> ByteArray:
    """Round to 0..255: ``rint(255 (a - low) / (high - low))``, clipped, so that nothing ever wraps around.

    NaN becomes 0.
    """
    return _quantised(a, value_range, 255.0).astype(np.uint8)


def to_uint16(a: NDArray[Any], *, value_range: tuple[float, float] = (0.0, 1.0)) -> NDArray[np.uint16]:
    """Round to 0..65535, as `to_uint8` does to 0..255."""
    return _quantised(a, value_range, 65535.0).astype(np.uint16)


def _quantised(a: NDArray[Any], value_range: tuple[float, float], top: float) -> NDArray[np.float64]:
    low, high = _checked(value_range)
    x = np.nan_to_num(np.asarray(a, np.float64), nan=low, posinf=high, neginf=low)
    np.clip(x, low, high, out=x)
    x -= low
    x *= top / (high - low)
    result: NDArray[np.float64] = np.rint(x)
    return result


def _checked(value_range: tuple[float, float]) -> tuple[float, float]:
    low, high = value_range
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"range {low}..{high} must be finite and rise")
    return low, high


def _output(a: NDArray[Any], out: FloatArray | None) -> FloatArray:
    if out is None:
        return np.empty(a.shape, np.float32)
    if out.shape != a.shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"out is {out.dtype} {out.shape}, must be contiguous float32 {a.shape}")
    return out


def _as_rows(a: NDArray[Any], mask: Mask | None, channels: bool) -> tuple[NDArray[Any], Mask | None, bool]:
    """One frame a row; the mask likewise, or None when all is valid."""
    dtype_range(a.dtype)
    dimensions = a.ndim - channels
    if dimensions not in (2, 3):
        raise ValueError(f"shape {a.shape} is neither a frame nor a stack{' with channels' if channels else ''}")
    single = dimensions == 2
    count = 1 if single else a.shape[0]
    rows = a.reshape(count, -1)
    spatial = a.shape[:-1] if channels else a.shape
    valid: Mask | None = None
    if mask is not None:
        if mask.shape != spatial or mask.dtype != np.bool_:
            raise ValueError(f"mask is {mask.dtype} {mask.shape}, must be bool {spatial}")
        if not mask.all():
            valid = mask.reshape(count, -1)
            if channels:
                valid = np.repeat(valid, a.shape[-1], axis=1)
    if a.dtype.kind == "f":
        finite = np.isfinite(rows)
        if not finite.all():
            valid = finite if valid is None else valid & finite
    return rows, valid, single


def _chunks(rows: NDArray[Any]) -> Iterator[slice]:
    step = max(1, _CHUNK // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        yield slice(start, start + step)


def _extremes(rows: NDArray[Any], valid: Mask | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minimum and maximum of the valid samples of each row; inf and -inf where there are none."""
    if rows.shape[1] == 0:
        return np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    if valid is None:
        return rows.min(1).astype(np.float64), rows.max(1).astype(np.float64)
    x = rows.astype(np.float64)
    return np.where(valid, x, np.inf).min(1), np.where(valid, x, -np.inf).max(1)


def _percentiles(
    rows: NDArray[Any], valid: Mask | None, low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two percentiles of the valid samples of each row, linear interpolation; inf and -inf where there are none."""
    size = rows.shape[1]
    if valid is not None and len(rows) == 1:
        rows, valid = rows[:, valid[0]], None
        size = rows.shape[1]
    if size == 0:
        return np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    if valid is None:
        count = np.full(len(rows), size)
        places = {min(int(q / 100.0 * (size - 1)) + more, size - 1) for q in (low, high) for more in (0, 1)}
        ranked = np.partition(rows, sorted(places), axis=1)
    else:
        count = valid.sum(1)
        ranked = np.sort(np.where(valid, rows.astype(np.float64), np.inf), axis=1)
    return _ranked(ranked, count, low, np.inf), _ranked(ranked, count, high, -np.inf)


def _ranked(ranked: NDArray[Any], count: NDArray[np.intp], q: float, empty: float) -> NDArray[np.float64]:
    place = q / 100.0 * np.maximum(count - 1, 0)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    first = np.take_along_axis(ranked, below[:, None], 1)[:, 0].astype(np.float64)
    second = np.take_along_axis(ranked, above[:, None], 1)[:, 0].astype(np.float64)
    present = count > 0
    first, second = np.where(present, first, 0.0), np.where(present, second, 0.0)
    part = place - below
    return np.where(present, first * (1 - part) + second * part, empty)


def _affine(
    rows: NDArray[Any], offset: NDArray[np.float64], scale: NDArray[np.float64], out: FloatArray, *, clip: bool
) -> None:
    """``out = (rows - offset) / scale``; in float32 where that is exact enough, else double in chunks."""
    exact = rows.dtype.itemsize <= 2  # 8 and 16 bits fit the 24 of float32
    columns = max(1, min(rows.shape[1], _CHUNK))
    for part in _chunks(rows):
        for start in range(0, rows.shape[1], columns):
            place = (part, slice(start, start + columns))
            if exact:
                x = rows[place].astype(np.float32)
                x -= offset[part, None].astype(np.float32)
                x /= scale[part, None].astype(np.float32)
            else:
                x = rows[place].astype(np.float64)
                with np.errstate(over="ignore", invalid="ignore"):  # huge or not finite: clipped or blanked
                    x -= offset[part, None]
                    x /= scale[part, None]
            if clip:
                np.clip(x, 0.0, 1.0, out=x)
            with np.errstate(over="ignore"):  # only what is under the mask, and blanked next
                out[place] = x


def _blank(values: FloatArray, valid: Mask | None, constant: Mask) -> None:
    if valid is not None:
        values[~valid] = 0.0
    if constant.any():
        values[constant] = 0.0


def _packed(
    values: FloatArray, offset: NDArray[np.float64], scale: NDArray[np.float64], constant: Mask, single: bool
) -> Normalised:
    if single:
        return Normalised(values, offset[0, ...], scale[0, ...], constant[0, ...])
    return Normalised(values, offset, scale, constant)
