"""JPEG XL, QOI, JPEG-LS and Radiance HDR through imagecodecs, OpenEXR through FFmpeg (PyAV); all at native depth."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import ReadError, Reason, UnsupportedImageError
from dedupindex.records import Mask
from dedupindex.sources import rasters
from dedupindex.sources.content import (
    DecodedContent,
    Source,
    check_decoder,
    check_frame,
    check_total,
    choose_frames,
    make_frame,
)
from dedupindex.sources.quiet import native_stderr
from dedupindex.sources.readers.headers import (
    exr_header,
    hdr_header,
    is_lossless_jpeg_xl,
    jpeg_ls_header,
    jpeg_xl_header,
    qoi_header,
)
from dedupindex.sources.readers.packages import package
from dedupindex.sources.transparency import without_alpha

Array = NDArray[Any]

_XL_BYTES = 16.0  # a pixel: libjxl computes with four floats
_JPEG_END = b"\xff\xd9"  # stands nowhere else in a JPEG-LS stream: a bit 0 is stuffed after each byte 255
_STREAM = "the compressed picture is damaged"


def read_jpeg_xl(source: Source) -> DecodedContent:
    """JPEG XL: 8, 16 bits or float as the file has them, upright; of an animation the first frame, or all on request.

    Raises
    ------
    ReadError
    """
    codecs = package(source, "imagecodecs", "JPEG XL", "science")
    header = _header(source, jpeg_xl_header)
    check_frame(source, header.height, header.width, 4)
    check_decoder(source, header.height, header.width, _XL_BYTES)
    if not source.settings.all_frames and source.wanted in (None, 0):
        first = _decoded(source, codecs.jpegxl_decode, index=0, numthreads=1)
        return _finished(source, "JPEGXL", [_single(source, first)], [0], lossless=is_lossless_jpeg_xl(source.data))
    samples = _decoded(source, codecs.jpegxl_decode, numthreads=1)
    frames = samples if samples.ndim == 4 else samples[np.newaxis]
    check_total(source, samples.nbytes)
    numbers = choose_frames(source, len(frames), stack=False)
    return _finished(source, "JPEGXL", [_single(source, frames[n]) for n in numbers], list(numbers), len(frames))


def read_qoi(source: Source) -> DecodedContent:
    """QOI, 8 bits.

    Raises
    ------
    ReadError
    """
    codecs = package(source, "imagecodecs", "QOI", "science")
    header = _header(source, qoi_header)
    check_frame(source, header.height, header.width, 4)
    choose_frames(source, 1, stack=False)
    samples = _single(source, _decoded(source, codecs.qoi_decode))
    return _finished(source, "QOI", [samples], [0], lossless=True)


def read_jpeg_ls(source: Source) -> DecodedContent:
    """JPEG-LS, 2 to 16 bits.

    Raises
    ------
    ReadError
    """
    codecs = package(source, "imagecodecs", "JPEG-LS", "science")
    header = jpeg_ls_header(source.data)
    if header is None:
        raise ReadError(source.path, Reason.DAMAGED, "the header cannot be read")
    check_frame(source, header.height, header.width, max(1, header.channels) * (2 if header.bits > 8 else 1))
    choose_frames(source, 1, stack=False)
    if _JPEG_END not in source.data:  # CharLS refuses it too, but may compute for seconds before
        raise ReadError(source.path, Reason.TRUNCATED, "the file ends before the picture does")
    samples = _single(source, _decoded(source, codecs.jpegls_decode))
    return _finished(source, "JPEGLS", [samples], [0], lossless=True, bits=header.bits)


def read_hdr(source: Source) -> DecodedContent:
    """Radiance HDR as float32 RGB.

    Raises
    ------
    ReadError
    """
    codecs = package(source, "imagecodecs", "Radiance HDR", "science")
    header, upright = _header(source, hdr_header)
    if not upright:
        detail = "a Radiance HDR picture whose rows lie otherwise than from top to bottom"
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, detail)
    check_frame(source, header.height, header.width, 12)
    choose_frames(source, 1, stack=False)
    with native_stderr(source.notes):
        samples = _single(source, _decoded(source, codecs.rgbe_decode))
    return _finished(source, "HDR", [samples], [0], lossless=True)


def read_exr(source: Source) -> DecodedContent:
    """OpenEXR as float32, grey or RGB: its main layer, the display window.

    Raises
    ------
    ReadError
    """
    av = package(source, "av", "OpenEXR", "video")
    header = _header(source, exr_header)
    check_frame(source, header.height, header.width, 4 * max(3, header.channels))
    choose_frames(source, 1, stack=False)
    decoder = av.CodecContext.create("exr", "r")
    decoder.thread_count = 1
    try:
        pictures = decoder.decode(av.Packet(source.data))
        samples = np.asarray(pictures[0].to_ndarray()) if pictures else None
    except (av.error.FFmpegError, ValueError) as error:
        raise ReadError(source.path, Reason.DAMAGED, _STREAM) from error
    if samples is None:
        raise ReadError(source.path, Reason.TRUNCATED, "the file ends before the picture does")
    return _finished(source, "EXR", [_single(source, samples)], [0], lossless=True)


def _header(source: Source, read: Callable[[bytes], Any]) -> Any:
    try:
        return read(source.data)
    except (ValueError, struct.error, IndexError) as error:
        raise ReadError(source.path, Reason.DAMAGED, "the header cannot be read") from error


def _decoded(source: Source, decode: Callable[..., Any], **options: Any) -> Array:
    """What imagecodecs makes of the bytes; its errors are sentences for programmers."""
    try:
        return np.asarray(decode(source.data, **options))
    except MemoryError:
        raise
    except Exception as error:
        raise ReadError(source.path, Reason.DAMAGED, _STREAM) from error


def _single(source: Source, samples: Array) -> tuple[Array, Mask | None]:
    """One picture's samples, (H, W) or (H, W, 3), with alpha taken out into the mask."""
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[..., 0]
    if samples.ndim == 2:
        return samples, None
    if samples.ndim != 3 or samples.shape[2] not in (2, 3, 4):
        detail = f"samples of shape {samples.shape} are no picture"
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, detail)
    if samples.shape[2] == 3:
        return samples, None
    colour = samples[..., :3] if samples.shape[2] == 4 else samples[..., 0]
    if samples.dtype.kind == "u":
        return without_alpha(colour, samples[..., -1], int(np.iinfo(samples.dtype).max))
    alpha = samples[..., -1] != 0
    return np.ascontiguousarray(colour), None if alpha.all() else alpha


def _finished(
    source: Source,
    format: str,
    pictures: list[tuple[Array, Mask | None]],
    numbers: list[int],
    count: int = 1,
    *,
    lossless: bool = False,
    bits: int | None = None,
) -> DecodedContent:
    frames = []
    for number, (samples, mask) in zip(numbers, pictures, strict=True):
        check_frame(source, samples.shape[0], samples.shape[1], samples.nbytes / max(1, samples[..., 0].size))
        frames.append(make_frame(source, rasters.native(samples, source.note), number, mask=mask, bits=bits))
    return DecodedContent(format, tuple(frames), count, lossless=lossless)


__all__ = ["read_exr", "read_hdr", "read_jpeg_ls", "read_jpeg_xl", "read_qoi"]
