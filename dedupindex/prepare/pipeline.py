"""The ordered stages that bring a frame of any depth to one small luminance picture in 0..1 with its mask.

validity mask -> border trimming -> filters -> scaling -> luminance -> reduction. Ordinary 8-bit pictures without
holes or filters are reduced first and converted afterwards: scaling by the data type is linear, so that the order
does not show, and the work shrinks with the picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare import borders, masks, scaling
from dedupindex.prepare.borders import Box
from dedupindex.prepare.depth import scale_frame, scale_stack, scaling_policy
from dedupindex.prepare.reduction import LUMINANCE_WEIGHTS, reduce_area, reduce_bytes, to_luminance
from dedupindex.prepare.steps import apply_filters, parse_filters
from dedupindex.prepare.wedges import TiltedRectangle, find_wedges
from dedupindex.records import FloatArray, Frame, Mask, PreparedFrame
from dedupindex.settings import Settings

__all__ = ["LUMINANCE_WEIGHTS", "pixel_digest", "prepare", "prepare_stack", "reduce_area"]

MINIMUM_VALID = 0.02  # share of valid pixels below which a frame says nothing
FLAT_LEVELS = 2.0 / 255.0  # a pixel this near to the median does not count as contrast
_TINY_SIDE = 64  # pixels: frames that are worth stacking
FLAT_SHARE = 0.995  # of the valid pixels this near to the median: constant or nearly empty


def prepare(frame: Frame, settings: Settings, *, working_side: int | None = None) -> PreparedFrame:
    """Bring a frame to one scale: trimmed, luminance in 0..1, small, with its mask.

    Parameters
    ----------
    frame : Frame
        As decoded.
    settings : Settings
        `erode_mask`, `mask_saturated`, `trim_borders`, `filters`, `scaling` and the percentiles count here.
    working_side : int, optional
        Longest side of the result, pixels; a smaller picture is not enlarged. None: as the profile wants it.

    Raises
    ------
    ValueError
        Empty frame, shapes that do not fit, or a working side below 1.
    SettingsError
        A filter that is not known.
    """
    working_side = settings.working_side if working_side is None else working_side
    pixels = _checked(frame, working_side)
    steps = parse_filters(settings.filters)
    whole = _valid_pixels(frame, settings)
    digest = pixel_digest(pixels, _decoded_mask(frame))
    share = 1.0 if whole is None else float(whole.mean())
    height, width = pixels.shape[:2]
    policy = scaling_policy(frame, settings)

    simple = pixels.dtype == np.uint8 and whole is None and not steps and policy == "dtype"
    box: Box = (0, 0, height, width)
    small = reduce_bytes(pixels, working_side) if simple else None
    tilted: TiltedRectangle | None = None
    if settings.trim_borders and min(height, width) >= borders.MINIMUM_SIDE:
        proxy, proxy_mask = (small, None) if small is not None else _proxy(pixels, whole, working_side)
        tilted = find_wedges(proxy, proxy_mask)
        found = borders.find_box(proxy, proxy_mask) if tilted is None else (0, 0, *proxy.shape[:2])
        if found != (0, 0, *proxy.shape[:2]):
            box = borders.refine_box(pixels, found, (proxy.shape[0], proxy.shape[1]), whole)
    top, left, rows, columns = box
    part = pixels[top : top + rows, left : left + columns]
    part_valid = None if whole is None else whole[top : top + rows, left : left + columns]
    if part.shape != pixels.shape:  # what was in a border may have been turned before
        small = reduce_bytes(part, working_side) if simple else None
        tilted = find_wedges(*((small, None) if small is not None else _proxy(part, part_valid, working_side)))

    if small is not None:
        values = small * np.float32(1 / 255)
        mask = np.ones(values.shape[:2], np.bool_) if tilted is None else tilted.inside(values.shape[:2], 1.0)
        if tilted is not None:
            values[~mask] = 0.0
        described = "dtype 0..255"
    else:
        if tilted is not None:
            inside = tilted.inside(part.shape[:2], 2.0 * max(1.0, max(rows, columns) / working_side))
            part_valid = inside if part_valid is None else part_valid & inside
        if steps:
            part, part_valid = apply_filters(part, part_valid, steps)
        full, described = scale_frame(part, part_valid, frame, settings, policy)
        values, mask = reduce_area(full, part_valid, working_side)
        np.minimum(values, 1.0, out=values)  # means of ones, rounded
    luminance, colour = to_luminance(values)
    if pixels.dtype == np.uint8:
        flat = _is_flat(luminance, colour, mask)
    else:  # deep data may hold its picture in a few of many thousand levels: only a constant is flat
        planes = part.reshape(1, -1) if part.ndim == 2 else np.moveaxis(part, -1, 0).reshape(3, -1)
        seen = None if part_valid is None else np.broadcast_to(part_valid.reshape(1, -1), planes.shape)
        flat = bool(_rows_are_flat(planes, seen).all())
    if flat and part.shape != pixels.shape:  # two flat areas are a picture; one of them alone is not
        return prepare(frame, replace(settings, trim_borders=False), working_side=working_side)
    full_shape = frame.full_shape if min(frame.full_shape) > 0 else (height, width)
    return PreparedFrame(
        luminance=luminance,
        colour=colour,
        mask=mask,
        box=_at_full_size(box, (height, width), full_shape),
        full_shape=full_shape,
        valid_share=share,
        low_information=share < MINIMUM_VALID or not mask.any() or flat,
        scaling=described,
        pixel_sha256=digest,
        bits=frame.bits,
        channels=1 if pixels.ndim == 2 else pixels.shape[2],
    )


def prepare_stack(
    frames: Sequence[Frame], settings: Settings, *, working_side: int | None = None
) -> list[PreparedFrame]:
    """`prepare` of each frame, in one go where they are many, tiny and of one shape and data type.

    Parameters, errors and results as of `prepare`, one by one.
    """
    working_side = settings.working_side if working_side is None else working_side
    if not _is_uniform(frames, settings, working_side):
        return [prepare(frame, settings, working_side=working_side) for frame in frames]
    first = frames[0]
    shape = first.pixels.shape
    height, width = shape
    pixels = np.stack([frame.pixels for frame in frames])
    decoded: Mask = np.logical_and(np.stack([frame.mask for frame in frames]), masks.valid_from_finite(pixels))
    usable = decoded & masks.valid_from_saturation(pixels, bits=first.bits) if settings.mask_saturated else decoded
    valid = None if usable.all() else usable
    count = len(frames)
    shares = np.ones(count) if valid is None else valid.mean((1, 2))
    values, described = scale_stack(pixels, valid, first, settings)
    rows = pixels.reshape(count, -1)
    seen = None if valid is None else valid.reshape(count, -1)
    flat = _rows_are_flat(rows, seen) if first.pixels.dtype != np.uint8 else None
    header = hashlib.sha256(_digest_header(pixels.dtype, shape))
    samples = np.where(decoded, pixels, pixels.dtype.type(0)).astype(pixels.dtype.newbyteorder("<"), copy=False)
    holes = ~np.all(decoded, axis=(1, 2))
    data = samples.reshape(count, -1).view(np.uint8)
    whole = np.ones((count, *shape), np.bool_) if valid is None else valid
    prepared = []
    for k, frame in enumerate(frames):
        digest = header.copy()
        if holes[k]:
            digest.update(np.packbits(decoded[k]).tobytes())
        digest.update(data[k].data)
        full_shape = frame.full_shape if min(frame.full_shape) > 0 else (height, width)
        share = float(shares[k])
        is_flat = bool(flat[k]) if flat is not None else _is_flat(values[k], None, whole[k])
        prepared.append(
            PreparedFrame(
                luminance=values[k],
                colour=None,
                mask=whole[k],
                box=_at_full_size((0, 0, height, width), (height, width), full_shape),
                full_shape=full_shape,
                valid_share=share,
                low_information=share < MINIMUM_VALID or is_flat,
                scaling=described[k],
                pixel_sha256=digest.digest(),
                bits=frame.bits,
                channels=1,
            )
        )
    return prepared


def _is_uniform(frames: Sequence[Frame], settings: Settings, working_side: int) -> bool:
    """Whether the vectorised way gives what `prepare` gives: no stage in play that looks at neighbours."""
    if len(frames) < 2:
        return False
    first = frames[0]
    shape, dtype = first.pixels.shape, first.pixels.dtype
    return (
        first.pixels.ndim == 2
        and min(shape) > 0
        and dtype.kind in "iuf"
        and max(shape) <= working_side
        and (min(shape) < borders.MINIMUM_SIDE or not settings.trim_borders)
        and max(shape) <= _TINY_SIDE
        and not settings.filters
        and settings.erode_mask == 0
        and all(
            frame.pixels.shape == shape
            and frame.pixels.dtype == dtype
            and frame.mask.shape == shape
            and frame.mask.dtype == np.bool_
            and frame.bits == first.bits
            and frame.stack_range == first.stack_range
            for frame in frames
        )
    )


def _rows_are_flat(rows: NDArray[Any], valid: Mask | None) -> Mask:
    """Whether all valid samples of a row are equal (or there are none)."""
    start = np.zeros(len(rows), np.intp) if valid is None else valid.argmax(1)
    same = rows == np.take_along_axis(rows, start[:, None], 1)
    if valid is not None:
        same |= ~valid
    flat: Mask = same.all(1)
    return flat


def pixel_digest(pixels: NDArray[Any], mask: Mask | None = None) -> bytes:
    """SHA-256 over data type, shape, mask (unless all is valid) and samples, 32 bytes.

    Samples count in little-endian order, whatever the machine, so that the same decoded pixels give the same digest
    in every file format; those under the mask count as 0.
    """
    digest = hashlib.sha256(_digest_header(pixels.dtype, pixels.shape))
    if mask is not None and not mask.all():
        digest.update(np.packbits(mask).tobytes())
        pixels = np.where(mask if pixels.ndim == 2 else mask[..., None], pixels, pixels.dtype.type(0))
    data = np.ascontiguousarray(pixels)
    digest.update(data.astype(data.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data)
    return digest.digest()


def _digest_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return f"{dtype.kind}{dtype.itemsize}{shape}".encode()


def _checked(frame: Frame, working_side: int) -> NDArray[Any]:
    pixels = frame.pixels
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ValueError(f"pixels have shape {pixels.shape}, must be (H, W) or (H, W, 3) and not empty")
    if frame.mask.shape != pixels.shape[:2] or frame.mask.dtype != np.bool_:
        raise ValueError(f"mask is {frame.mask.dtype} {frame.mask.shape}, must be bool {pixels.shape[:2]}")
    if working_side < 1:
        raise ValueError(f"working side is {working_side}, must be at least 1")
    scaling.dtype_range(pixels.dtype)
    return pixels


def _decoded_mask(frame: Frame) -> Mask:
    """The frame's mask without what is not finite."""
    if frame.pixels.dtype.kind != "f":
        return frame.mask
    return frame.mask & masks.valid_from_finite(frame.pixels, channels=frame.pixels.ndim == 3)


def _valid_pixels(frame: Frame, settings: Settings) -> Mask | None:
    """The stage "validity mask"; None = all valid."""
    pixels = frame.pixels
    colour = pixels.ndim == 3
    valid = _decoded_mask(frame)
    if settings.mask_saturated:
        valid = valid & masks.valid_from_saturation(pixels, bits=frame.bits, channels=colour)
    if valid.all():
        return None
    return masks.erode(valid, settings.erode_mask) if settings.erode_mask else valid


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


def _is_flat(luminance: FloatArray, colour: FloatArray | None, mask: Mask) -> bool:
    """Constant or nearly empty, in 8-bit steps."""
    if not mask.any():
        return True
    return _nearly_one_value(luminance, mask) and (
        colour is None or all(_nearly_one_value(colour[..., c], mask) for c in range(3))
    )


def _nearly_one_value(values: FloatArray, mask: Mask) -> bool:
    # A share f of outliers within 0..1 cannot give a variance above f + FLAT_LEVELS^2: most pictures end here.
    spread = cv2.meanStdDev(np.ascontiguousarray(values), mask=mask.view(np.uint8))[1]
    if float(spread[0, 0]) ** 2 > 1 - FLAT_SHARE + FLAT_LEVELS**2:
        return False
    samples = values[mask]
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
