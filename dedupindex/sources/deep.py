"""16-bit colour that Pillow silently reduces to 8 bits: PNG, PPM and JPEG 2000 through OpenCV.

10-bit and 12-bit AVIF and HEIF are not among them: there the reduction to 8 bits is accepted.
"""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import Reason, UnsupportedImageError
from dedupindex.records import Mask
from dedupindex.sources.content import Source
from dedupindex.sources.quiet import native_stderr
from dedupindex.sources.transparency import without_alpha

_PPM = re.compile(rb"P[36](?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+(\d+)\s")
_SIZ = b"\xff\x4f\xff\x51"  # start of a JPEG 2000 codestream: its size segment
_SIZ_SEARCH = 4096  # bytes in which it must begin
_HEADER = 512


def deep_bits(data: bytes) -> int:
    """Significant bits of a picture that has more than 8 and more than one channel; 0 for every other file."""
    head = data[:_HEADER]
    if head.startswith(b"\x89PNG"):
        return 16 if head[24:25] == b"\x10" and head[25:26] in (b"\x02", b"\x04", b"\x06") else 0
    if head[:2] in (b"P3", b"P6"):
        header = _PPM.match(head)
        most = int(header[1]) if header else 0
        return most.bit_length() if 255 < most < 65536 else 0
    if head.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")):
        return _jpeg_2000_bits(data)
    return 0


def read_deep(source: Source, bits: int, bands: tuple[str, ...]) -> tuple[NDArray[Any], Mask | None]:
    """Samples of such a picture as uint16.

    Parameters
    ----------
    source : Source
    bits : int
        What `deep_bits` said.
    bands : tuple of str
        The channels that Pillow found; it must have loaded the picture, because OpenCV fills what is missing of a
        truncated file without an error.

    Returns
    -------
    pixels : (H, W) or (H, W, 3) uint16
    mask : (H, W) bool or None
        False where alpha is 0.

    Raises
    ------
    UnsupportedImageError
        OpenCV cannot decode it, or not at full depth.
    """
    with native_stderr(source.notes):
        samples = cv2.imdecode(np.frombuffer(source.data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        detail = f"a {bits}-bit picture that cannot be decoded without loss"
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, detail)
    if samples.ndim == 2:
        return np.asarray(samples), None
    grey = len(bands) < 3 or (source.data[:4] == b"\x89PNG" and source.data[25] == 4)
    colour = samples[..., 0] if grey else samples[..., 2::-1]
    if bands[-1] == "A" and samples.shape[2] in (2, 4):
        return without_alpha(colour, samples[..., -1], (1 << bits) - 1)
    return np.ascontiguousarray(colour), None


def _jpeg_2000_bits(data: bytes) -> int:
    """Of the first component, read from the SIZ marker segment (ISO/IEC 15444-1, A.5.1)."""
    start = data.find(_SIZ, 0, _SIZ_SEARCH)
    sizes = data[start + 4 :]
    if start < 0 or len(sizes) < 41 or int.from_bytes(sizes[36:38]) < 2:
        return 0
    bits = (sizes[38] & 0x7F) + 1
    return bits if 8 < bits <= 16 else 0
