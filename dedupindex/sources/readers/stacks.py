"""Arrays and instruments: `.npy`, `.npz`, FITS and DICOM."""

from __future__ import annotations

import ast
import io
import math
import zipfile
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from dedupindex.errors import ReadError, Reason, UnsupportedImageError
from dedupindex.records import Frame, Mask
from dedupindex.sources import rasters
from dedupindex.sources.content import (
    DecodedContent,
    Source,
    check_count,
    check_frame,
    check_part,
    check_total,
    choose_frames,
    frames_of_stack,
)
from dedupindex.sources.objects import load_numbers
from dedupindex.sources.quiet import captured, native_stderr
from dedupindex.sources.readers.packages import package

Array = NDArray[Any]

_MASK_KEY, _DATA_KEY = "mask", "data"  # the parts of a numpy.ma array, as people save them with np.savez


def read_npy(source: Source) -> DecodedContent:
    """A NumPy array file: one picture, or a stack whose frames are views into one array.

    ``(H, W)`` is one frame; ``(H, W, 3)`` and ``(H, W, 4)`` one colour frame (a fourth channel is alpha);
    ``(N, H, W)`` is N frames; more axes give ``(..., H, W)`` frames, colour where the last has 3 or 4.

    Raises
    ------
    ReadError
        Object arrays without `allow_object_arrays`, shapes that are no picture, limits, truncation.
    """
    array, mask = _load_npy(source, source.data)
    return _from_array(source, "NPY", array, mask)


def read_npz(source: Source) -> DecodedContent:
    """An archive of NumPy arrays: the frames of its arrays in the order of their names.

    Two arrays ``data`` and ``mask`` of one shape are the parts of a `numpy.ma` array: mask True = no data.
    """
    arrays: dict[str, tuple[Array, Mask | None]] = {}
    with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        check_total(source, sum(info.file_size for info in members))
        check_count(source, len(members))
        for info in members:
            check_part(source, info.filename, info.file_size, info.compress_size)
        for info in sorted(members, key=lambda info: info.filename):
            arrays[info.filename.removesuffix(".npy")] = _load_npy(source, archive.read(info))
    if not arrays:
        raise UnsupportedImageError(source.path, Reason.NOT_AN_IMAGE, "the archive holds no arrays")
    if set(arrays) == {_MASK_KEY, _DATA_KEY} and arrays[_MASK_KEY][0].shape == arrays[_DATA_KEY][0].shape:
        data, valid = arrays[_DATA_KEY]
        return _from_array(source, "NPZ", data, rasters.both(valid, arrays[_MASK_KEY][0] == 0))
    stacks: list[tuple[Array, Mask | None]] = []
    for name, (array, mask) in arrays.items():
        if array.ndim < 2 or not array.size:
            source.note(f"array {name} of shape {array.shape} is no picture")
            continue
        stacks.append(_as_stack(source, array, mask))
    return _from_stacks(source, "NPZ", stacks)


def read_fits(source: Source) -> DecodedContent:
    """FITS through astropy: every image of two or more axes; BLANK and NaN are no data. Rows as they are stored.

    Raises
    ------
    UnsupportedImageError
        astropy is not installed, or the file holds only tables.
    """
    fits = package(source, "astropy.io.fits", "FITS", "science")
    stacks, size, frames = [], 0.0, 0
    with captured(source.notes), fits.open(io.BytesIO(source.data), memmap=False, lazy_load_hdus=True) as units:
        for unit in units:
            shape = tuple(getattr(unit, "shape", ()) or ())
            if not getattr(unit, "is_image", False) or len(shape) < 2 or 0 in shape:
                continue
            check_frame(source, shape[-2], shape[-1], abs(int(unit.header.get("BITPIX", 64))) // 8)
            size, frames = size + math.prod(shape) * 8.0, frames + math.prod(shape[:-2])
            check_total(source, size)
            check_count(source, frames)
            data = unit.data
            if data is not None:
                array = np.asarray(data)
                stacks.append((array.reshape(-1, *array.shape[-2:]), None))
    return _from_stacks(source, "FITS", stacks)


def read_dicom(source: Source) -> DecodedContent:
    """DICOM through pydicom: stored values (no rescaling), palette and YBR as RGB, MONOCHROME1 inverted.

    `Frame.bits` is BitsStored; pixel padding (value or range) is no data.

    Raises
    ------
    UnsupportedImageError
        pydicom is not installed, or there is no pixel data.
    """
    pydicom = package(source, "pydicom", "DICOM", "science")
    pixels = package(source, "pydicom.pixels", "DICOM", "science")
    data = pydicom.dcmread(io.BytesIO(source.data))
    if "PixelData" not in data and "FloatPixelData" not in data and "DoubleFloatPixelData" not in data:
        raise UnsupportedImageError(source.path, Reason.NOT_AN_IMAGE, "no pixel data")
    height, width, samples = int(data.Rows), int(data.Columns), int(data.get("SamplesPerPixel", 1))
    count = int(data.get("NumberOfFrames", 1) or 1)
    if count < 1:
        raise ReadError(source.path, Reason.DAMAGED, f"{count} frames are announced")
    bits = int(data.get("BitsStored", 0) or data.get("BitsAllocated", 8))
    check_frame(source, height, width, samples * math.ceil(int(data.get("BitsAllocated", 8)) / 8))
    check_total(source, float(count) * height * width * samples * math.ceil(int(data.get("BitsAllocated", 8)) / 8))
    numbers = choose_frames(source, count, stack=True)
    with native_stderr(source.notes):
        array = np.asarray(pixels.pixel_array(data))
    stack = array.reshape(count, height, width, *array.shape[-1:][: samples > 1])
    kind = str(data.get("PhotometricInterpretation", ""))
    mask = rasters.range_mask(stack, _padding(data)) if samples == 1 else None
    if kind == "PALETTE COLOR":
        stack = np.asarray(pixels.apply_color_lut(stack.reshape(count * height, width), data))
        stack, bits = stack.reshape(count, height, width, -1)[..., :3], stack.dtype.itemsize * 8
    elif kind == "MONOCHROME1":
        top = (1 << bits) - 1 if stack.dtype.kind == "u" else -1
        stack = (top - stack).astype(stack.dtype)
    lossless = str(data.get("LossyImageCompression", "00")) != "01"
    return _finish(source, "DICOM", [(stack, mask)], numbers, bits=bits, metadata=len(data), lossless=lossless)


# ------------------------------------------------------------------------------------------------------- arrays
def _load_npy(source: Source, data: bytes) -> tuple[Array, Mask | None]:
    """The array in the bytes of a `.npy` file, without a copy, and its validity where it has objects."""
    stream = io.BytesIO(data)
    version = npy_format.read_magic(stream)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, f"npy version {version}")
    length = int.from_bytes(stream.read(2 if version == (1, 0) else 4), "little")
    if length > 1_000_000:
        raise ReadError(source.path, Reason.DAMAGED, f"a header of {length:,} bytes")
    try:
        header = ast.literal_eval(stream.read(length).decode("latin-1" if version < (3, 0) else "utf-8"))
        kind = npy_format.descr_to_dtype(header["descr"])
        shape, fortran = tuple(int(n) for n in header["shape"]), bool(header["fortran_order"])
    except (ValueError, SyntaxError, TypeError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        # MemoryError: what the parser raises where the header is nested too deep
        raise ReadError(source.path, Reason.DAMAGED, "its header describes no array") from error
    if kind.hasobject:
        return _load_objects(source, stream, shape)
    if kind.kind not in "biufc" or min(shape, default=0) < 0:
        raise UnsupportedImageError(source.path, Reason.NOT_AN_IMAGE, f"an array of {kind}, shape {shape}")
    count = math.prod(shape)
    if stream.tell() + count * kind.itemsize > len(data):
        raise ReadError(source.path, Reason.TRUNCATED, f"{shape} {kind} is announced and the file ends before")
    flat = np.frombuffer(data, kind, count, stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C"), None


def _load_objects(source: Source, stream: io.BytesIO, shape: tuple[int, ...]) -> tuple[Array, Mask | None]:
    if not source.settings.allow_object_arrays:
        detail = "an array of Python objects; set allow_object_arrays to read numbers and None from it"
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, detail)
    items = load_numbers(stream)
    if len(items) != math.prod(shape):
        raise ReadError(source.path, Reason.DAMAGED, f"{len(items)} objects for the shape {shape}")
    valid: Mask = np.fromiter((item is not None for item in items), np.bool_, len(items)).reshape(shape)
    numbers = np.array([0 if item is None else item for item in items]).reshape(shape)
    if numbers.dtype.kind not in "biuf":
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, "numbers of no common type")
    return numbers, None if valid.all() else valid


def _as_stack(source: Source, array: Array, mask: Mask | None) -> tuple[Array, Mask | None]:
    """(N, H, W) or (N, H, W, 3) of an array, by the rules of `read_npy`."""
    colour = array.ndim >= 3 and array.shape[-1] in (3, 4) and array.shape[-2] > 4
    keep = 3 if colour else 2
    if mask is not None:
        mask = np.asarray(mask.all(axis=-1)) if colour else mask
        mask = mask.reshape(-1, *array.shape[-keep:][:2])
    stack = array.reshape(-1, *array.shape[-keep:])
    check_frame(source, stack.shape[1], stack.shape[2], stack.dtype.itemsize * (stack.shape[3] if colour else 1))
    if colour and stack.shape[3] == 4:
        mask = rasters.both(mask, stack[..., 3] != 0)
        stack = stack[..., :3]
    return stack, mask


def _from_array(source: Source, format: str, array: Array, mask: Mask | None) -> DecodedContent:
    if array.ndim < 2:
        detail = f"an array of shape {array.shape} is no picture"
        raise UnsupportedImageError(source.path, Reason.NOT_AN_IMAGE, detail)
    return _from_stacks(source, format, [_as_stack(source, array, mask)] if array.size else [])


def _from_stacks(source: Source, format: str, stacks: Sequence[tuple[Array, Mask | None]]) -> DecodedContent:
    count = sum(len(stack) for stack, _ in stacks)
    if not count:
        raise UnsupportedImageError(source.path, Reason.NOT_AN_IMAGE, "holds no picture")
    return _finish(source, format, stacks, choose_frames(source, count, stack=True))


def _finish(
    source: Source,
    format: str,
    stacks: Sequence[tuple[Array, Mask | None]],
    numbers: Sequence[int],
    *,
    bits: int | None = None,
    metadata: int = 0,
    lossless: bool = True,
) -> DecodedContent:
    """Frames of the stacks, those of `numbers`; each stack has its own range."""
    frames: list[Frame] = []
    start = 0
    for raw, mask in stacks:
        mine = range(start, start + len(raw))
        start += len(raw)
        stack = rasters.native(raw, source.note)
        limits = None
        if len(stack) > 1:
            valid = rasters.validity(stack, no_data=source.settings.no_data)
            limits = rasters.stack_range(stack, rasters.both(valid, mask))
        chosen = [n - mine.start for n in numbers[bisect_left(numbers, mine.start) : bisect_left(numbers, mine.stop)]]
        if len(chosen) < len(stack):
            stack, mask = stack[chosen], None if mask is None else mask[chosen]
        places = [mine.start + i for i in chosen]
        frames += frames_of_stack(source, stack, places, mask=mask, bits=bits, stack_range=limits)
    return DecodedContent(format, tuple(frames), start, metadata, lossless)


def _padding(data: Any) -> list[tuple[float, float]]:
    value = data.get("PixelPaddingValue")
    if value is None:
        return []
    other = data.get("PixelPaddingRangeLimit")
    return [(float(value), float(value if other is None else other))]
