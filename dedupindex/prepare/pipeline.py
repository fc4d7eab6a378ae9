"""The ordered stages that bring a frame of any depth to one small luminance picture in 0..1 with its mask.

validity mask -> border trimming -> filters -> scaling -> luminance -> reduction. Ordinary 8-bit pictures without
holes or filters are reduced first and converted afterwards: scaling by the data type is linear, so that the order
does not show, and the work shrinks with the picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare import borders, filters, masks, scaling
from dedupindex.prepare.borders import Box
from dedupindex.prepare.wedges import TiltedRectangle, find_wedges
from dedupindex.records import FloatArray, Frame, Mask, PreparedFrame
from dedupindex.settings import Settings

LUMINANCE_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601
MINIMUM_VALID = 0.02  # share of valid pixels below which a frame says nothing
FLAT_LEVELS = 2.0 / 255.0  # a pixel this near to the median does not count as contrast
FLAT_SHARE = 0.995  # of the valid pixels this near to the median: constant or nearly empty


def prepare(frame: Frame, settings: Settings, *, working_side: int = 256) -> PreparedFrame:
    """Bring a frame to one scale: trimmed, luminance in 0..1, small, with its mask.

    Parameters
    ----------
    frame : Frame
        As decoded.
    settings : Settings
        `erode_mask`, `mask_saturated`, `trim_borders`, `filters`, `scaling` and the percentiles count here.
    working_side : int
        Longest side of the result, pixels; a smaller picture is not enlarged.

    Raises
    ------
    ValueError
        Empty frame, shapes that do not fit, or a working side below 1.
    SettingsError
        A filter that is not known.
    """
    pixels, valid = _checked(frame, working_side)
    steps = filters.parse_filters(settings.filters)
    whole = _valid_pixels(frame, settings)
    digest = pixel_digest(pixels, valid)
    share = 1.0 if whole is None else float(whole.mean())
    height, width = pixels.shape[:2]
    policy = _policy(frame, settings)

    simple = pixels.dtype == np.uint8 and whole is None and not steps and policy == "dtype"
    box: Box = (0, 0, height, width)
    small = _reduce_bytes(pixels, working_side) if simple else None
    tilted: TiltedRectangle | None = None
    if settings.trim_borders and min(height, width) >= borders.MINIMUM_SIDE:
        proxy, proxy_mask = (small, None) if small is not None else _proxy(pixels, whole, working_side)
        tilted = find_wedges(proxy, proxy_mask)
        found = borders.find_box(proxy, proxy_mask) if tilted is None else (0, 0, *proxy.shape[:2])
        if found != (0, 0, *proxy.shape[:2]):
            box = borders.refine_box(pixels, found, (proxy.shape[0], proxy.shape[1]))
    top, left, rows, columns = box
    part = pixels[top : top + rows, left : left + columns]
    part_valid = None if whole is None else whole[top : top + rows, left : left + columns]
    if part.shape != pixels.shape:  # what was in a border may have been turned before
        small = _reduce_bytes(part, working_side) if simple else None
        tilted = find_wedges(*((small, None) if small is not None else _proxy(part, part_valid, working_side)))

    if small is not None:
        values = small * np.float32(1 / 255)
        mask = np.ones(values.shape[:2], np.bool_) if tilted is None else tilted.inside(values.shape[:2], 1.0)
        if tilted is not None:
            values[~mask] = 0.0
        described = "dtype 0..255"
    else:
        if tilted is not None:
            inside = tilted.inside(part.shape[:2], max(1.0, max(rows, columns) / working_side))
            part_valid = inside if part_valid is None else part_valid & inside
        if steps:
            part, part_valid = filters.apply_filters(part, part_valid, steps)
        full, described = _scaled(part, part_valid, frame, settings, policy)
        values, mask = reduce_area(full, part_valid, working_side)
    luminance, colour = _luminance(values)
    low = share < MINIMUM_VALID or _is_flat(luminance, colour, mask, part, part_valid)
    full_shape = frame.full_shape if min(frame.full_shape) > 0 else (height, width)
    return PreparedFrame(
        luminance=luminance,
        colour=colour,
        mask=mask,
        box=_at_full_size(box, (height, width), full_shape),
        full_shape=full_shape,
        valid_share=share,
        low_information=low,
        scaling=described,
        pixel_sha256=digest,
        bits=frame.bits,
        channels=1 if pixels.ndim == 2 else pixels.shape[2],
    )


def prepare_stack(frames: Sequence[Frame], settings: Settings, *, working_side: int = 256) -> list[PreparedFrame]:
    """`prepare` of each frame, in one go where they are many, tiny and of one shape and data type."""
    return [prepare(frame, settings, working_side=working_side) for frame in frames]


def pixel_digest(pixels: NDArray[Any], mask: Mask | None = None) -> bytes:
    """SHA-256 over data type, shape, mask (unless all is valid) and samples.

    Samples count in little-endian order, whatever the machine, so that the same decoded pixels give the same digest
    in every file format. 32 bytes.
    """
    digest = hashlib.sha256(f"{pixels.dtype.kind}{pixels.dtype.itemsize}{pixels.shape}".encode())
    if mask is not None and not mask.all():
        digest.update(np.packbits(mask).tobytes())
    data = np.ascontiguousarray(pixels)
    digest.update(data.astype(data.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data)
    return digest.digest()


def reduce_area(values: FloatArray, mask: Mask | None, longest: int) -> tuple[FloatArray, Mask]:
    """Average over areas down to a longest side; masked pixels contribute nothing.

    Parameters
    ----------
    values : (H, W) or (H, W, 3) float32
    mask : (H, W) bool or None
        True = valid; None = all.
    longest : int
        Longest side of the result; a smaller picture keeps its size.

    Returns
    -------
    values, mask
        A pixel is valid where at least half of its area is; others are 0.
    """
    shape = _reduced_shape(values.shape, longest)
    same = shape == values.shape[:2]
    if mask is None:
        reduced = values if same else _resized(values, shape)
        return reduced, np.ones(shape, np.bool_)
    inside = mask if values.ndim == 2 else mask[..., None]
    clean = np.where(inside, values, np.float32(0))
    if same:
        return clean, mask.copy()
    weight = _resized(mask.astype(np.float32), shape)
    total = _resized(clean, shape)
    valid = weight >= np.float32(0.5 - 1e-5)
    divisor = np.where(valid, weight, np.float32(1))
    kept = valid if values.ndim == 2 else valid[..., None]
    result = np.where(kept, total / (divisor if values.ndim == 2 else divisor[..., None]), np.float32(0))
    return result.astype(np.float32, copy=False), valid


def _checked(frame: Frame, working_side: int) -> tuple[NDArray[Any], Mask]:
    pixels = frame.pixels
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ValueError(f"pixels have shape {pixels.shape}, must be (H, W) or (H, W, 3) and not empty")
    if frame.mask.shape != pixels.shape[:2] or frame.mask.dtype != np.bool_:
        raise ValueError(f"mask is {frame.mask.dtype} {frame.mask.shape}, must be bool {pixels.shape[:2]}")
    if working_side < 1:
        raise ValueError(f"working side is {working_side}, must be at least 1")
    scaling.dtype_range(pixels.dtype)
    return pixels, frame.mask


def _valid_pixels(frame: Frame, settings: Settings) -> Mask | None:
    """The stage "validity mask"; None = all valid."""
    pixels = frame.pixels
    colour = pixels.ndim == 3
    valid = frame.mask
    if pixels.dtype.kind == "f":
        valid = valid & masks.valid_from_finite(pixels, channels=colour)
    if settings.mask_saturated:
        valid = valid & masks.valid_from_saturation(pixels, bits=frame.bits, channels=colour)
    if valid.all():
        return None
    return masks.erode(valid, settings.erode_mask) if settings.erode_mask else valid


def _policy(frame: Frame, settings: Settings) -> str:
    """The scaling that "auto" means here, and "stack" of a picture that is none."""
    if settings.scaling == "auto":
        return "dtype" if frame.pixels.dtype.itemsize == 1 else "percentile"
    if settings.scaling == "stack" and frame.stack_range is None:
        return "minmax"
    return settings.scaling


def _scaled(
    pixels: NDArray[Any], valid: Mask | None, frame: Frame, settings: Settings, policy: str
) -> tuple[FloatArray, str]:
    """The stage "scaling": 0..1 float32 and how that was done, for people."""
    if policy == "dtype" or (policy == "stack" and frame.stack_range is not None):
        if policy == "dtype":
            ends = scaling.dtype_range(frame.pixels.dtype)
            if 0 < frame.bits < 8 * frame.pixels.dtype.itemsize and frame.pixels.dtype.kind == "u":
                ends = (0.0, float(2**frame.bits - 1))  # 12 bits in 16
        else:
            ends = frame.stack_range or (0.0, 1.0)
        if not ends[0] < ends[1]:
            return np.zeros(pixels.shape, np.float32), f"{policy} {ends[0]:g}..{ends[1]:g}"
        values = scaling.data_normalise(pixels, value_range=ends)
        return values, f"{policy} {ends[0]:g}..{ends[1]:g}"
    by: scaling.By = "max" if policy == "max" else "percentile" if policy == "percentile" else "minmax"
    result = scaling.contrast_normalise(
        pixels,
        valid,
        by=by,
        low_percentile=settings.low_percentile,
        high_percentile=settings.high_percentile,
        channels=pixels.ndim == 3,
    )
    if result.constant and by == "percentile":  # nearly empty: a few pixels hold all the contrast
        by = "minmax"
        result = scaling.contrast_normalise(pixels, valid, by=by, channels=pixels.ndim == 3)
    return result.values, f"{by} {float(result.offset):g}..{float(result.offset + result.scale):g}"


def _proxy(pixels: NDArray[Any], valid: Mask | None, working_side: int) -> tuple[NDArray[Any], Mask | None]:
    """A small picture in steps of 0..255 on which borders are looked for."""
    colour = pixels.ndim == 3
    if pixels.dtype == np.uint8:
        values = pixels.astype(np.float32)
    else:
        values = scaling.contrast_normalise(pixels, valid, by="percentile", channels=colour).values
        values *= np.float32(255)
    small, mask = reduce_area(values, valid, working_side)
    return small, None if valid is None else mask


def _reduced_shape(shape: Sequence[int], longest: int) -> tuple[int, int]:
    height, width = shape[:2]
    side = max(height, width)
    if side <= longest:
        return height, width
    return max(1, round(height * longest / side)), max(1, round(width * longest / side))


def _reduce_bytes(pixels: NDArray[np.uint8], longest: int) -> FloatArray:
    """`reduce_area` of an 8-bit picture without holes, in steps of 0..255.

    Large ones are halved first, which OpenCV does many times faster than other ratios; an odd last row or column is
    dropped then, half a pixel of a picture at least four times as large as the result.
    """
    shape = _reduced_shape(pixels.shape, longest)
    while min(pixels.shape[0] / shape[0], pixels.shape[1] / shape[1]) >= 4:
        rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
        even = np.ascontiguousarray(pixels[: 2 * rows, : 2 * columns])
        pixels = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    values = pixels.astype(np.float32)
    return values if shape == values.shape[:2] else _resized(values, shape)


def _resized(values: FloatArray, shape: tuple[int, int]) -> FloatArray:
    return cv2.resize(values, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def _luminance(values: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """The stage "luminance": ``.299 R + .587 G + .114 B``."""
    if values.ndim == 2:
        return values, None
    luminance = cv2.transform(values, np.array([LUMINANCE_WEIGHTS], np.float32))
    return np.minimum(luminance.reshape(values.shape[:2]), np.float32(1)), values


def _is_flat(
    luminance: FloatArray, colour: FloatArray | None, mask: Mask, pixels: NDArray[Any], valid: Mask | None
) -> bool:
    """Constant or nearly empty."""
    if not mask.any():
        return True
    if pixels.dtype == np.uint8:
        return _nearly_one_value(luminance, mask) and (
            colour is None or all(_nearly_one_value(colour[..., c], mask) for c in range(3))
        )
    samples = pixels if valid is None else pixels[valid]
    return bool((samples == samples.reshape(-1)[0]).all())


def _nearly_one_value(values: FloatArray, mask: Mask) -> bool:
    samples = values[mask]
    # A share f of outliers within 0..1 cannot give a variance above f + FLAT_LEVELS^2: most pictures end here.
    if float(samples.std()) ** 2 > 1 - FLAT_SHARE + FLAT_LEVELS**2:
        return False
    away = np.abs(samples - np.median(samples)) > FLAT_LEVELS
    return bool(away.mean() <= 1 - FLAT_SHARE)


def _at_full_size(box: Box, shape: tuple[int, int], full_shape: tuple[int, int]) -> Box:
    if shape == full_shape:
        return box
    top, left, rows, columns = box
    scale_y, scale_x = full_shape[0] / shape[0], full_shape[1] / shape[1]
    y0, y1 = round(top * scale_y), round((top + rows) * scale_y)
    x0, x1 = round(left * scale_x), round((left + columns) * scale_x)
    return y0, x0, y1 - y0, x1 - x0
