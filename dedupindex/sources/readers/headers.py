"""Sizes of pictures from the headers of JPEG XL, QOI, JPEG-LS, Radiance HDR and OpenEXR files.

They are read before anything is decoded, so that a header that announces too much costs nothing.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

JXL_CODESTREAM, JXL_CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
_JXL_BITS = (9, 13, 18, 30)  # of a size, by the two bits before it
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height, by the three bits
_MOST_BOXES = 100
_JXL_BOXES = 4096  # bytes in which the box of a packed JPEG would be named
_SOF_JPEG_LS = 0xF7
_HDR_SIZE = re.compile(rb"\n\n?([+-])([XY]) (\d{1,9}) ([+-])([XY]) (\d{1,9})\n")
_HDR_HEADER = 1 << 14  # bytes in which the size must stand
_MOST_ATTRIBUTES = 1000
_EXR_TYPES = {0: 4, 1: 2, 2: 4}  # bytes a sample: 32-bit integer, half, float


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says of a picture.

    Attributes
    ----------
    height, width : int
        Pixels, as stored.
    channels : int
        0 = it does not say.
    bits : int
        Of a sample.
    """

    height: int
    width: int
    channels: int = 0
    bits: int = 8


def jpeg_xl_header(data: bytes) -> Header:
    """The size in the codestream of a JPEG XL file (ISO/IEC 18181-1, SizeHeader), bare or in a container.

    Raises
    ------
    ValueError
        There is none.
    """
    return _jpeg_xl_size(_jpeg_xl_bits(data))


def is_lossless_jpeg_xl(data: bytes) -> bool:
    """Whether a JPEG XL file keeps its samples as they are, as far as the first fields of its header say.

    Lossy ones are in the colour space XYB, or hold a packed JPEG. False too where the flag stands behind fields that
    are not read here (extra channels, animations).
    """
    try:
        bits = _jpeg_xl_bits(data)
        _jpeg_xl_size(bits)
    except ValueError:
        return False
    if bits.take(1) or bits.take(1) or b"jbrd" in data[:_JXL_BOXES]:  # all by default: XYB; extra fields
        return False
    is_float, kind = bits.take(1), bits.take(2)
    if kind == 3:
        bits.take(6)
    if is_float:
        bits.take(4)
    bits.take(1)
    return not bits.take(2) and not bits.take(1)  # no extra channel; not XYB


def _jpeg_xl_bits(data: bytes) -> _Bits:
    """The bits of a codestream, after its signature."""
    start = 0 if data.startswith(JXL_CODESTREAM) else _codestream(data)
    head = data[start : start + 32]
    if not head.startswith(JXL_CODESTREAM):
        raise ValueError("no codestream")
    return _Bits(int.from_bytes(head[2:].ljust(30, b"\0"), "little"))


def _jpeg_xl_size(bits: _Bits) -> Header:
    small = bits.take(1)
    height = 8 * (1 + bits.take(5)) if small else 1 + bits.take(_JXL_BITS[bits.take(2)])
    ratio = bits.take(3)
    if ratio:
        across, down = _JXL_RATIOS[ratio - 1]
        return Header(height, height * across // down)
    return Header(height, 8 * (1 + bits.take(5)) if small else 1 + bits.take(_JXL_BITS[bits.take(2)]))


def qoi_header(data: bytes) -> Header:
    """The header of a QOI file.

    Raises
    ------
    struct.error
        It is cut off.
    """
    width, height, channels = struct.unpack_from(">IIB", data, 4)
    return Header(height, width, channels)


def jpeg_ls_header(data: bytes) -> Header | None:
    """The frame header (SOF55) of a JPEG-LS file; None where the file is another kind of JPEG, or has none."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if kind == _SOF_JPEG_LS and at + 10 <= len(data):
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 4)
            return Header(height, width, channels, bits)
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return None
        at += 2 + length
    return None


def hdr_header(data: bytes) -> tuple[Header, bool]:
    """The header of a Radiance HDR file.

    Returns
    -------
    header : Header
    upright : bool
        Whether the rows lie from top to bottom and from left to right (``-Y N +X N``), as nearly always.

    Raises
    ------
    ValueError
        It has no size.
    """
    match = _HDR_SIZE.search(data[:_HDR_HEADER])
    if match is None:
        raise ValueError("no size in the header")
    sign, axis, rows, other_sign, other_axis, columns = match.groups()
    if {axis, other_axis} != {b"X", b"Y"}:
        raise ValueError("no size in the header")
    upright = (sign, axis, other_sign, other_axis) == (b"-", b"Y", b"+", b"X")
    return Header(int(rows), int(columns), 3, 32), upright


def exr_header(data: bytes) -> Header:
    """The header of an OpenEXR file: the larger of its two windows, and its channels.

    Raises
    ------
    ValueError
        It is damaged, or lacks them.
    """
    at = 8
    sizes: list[tuple[int, int]] = []
    channels = bits = 0
    for _ in range(_MOST_ATTRIBUTES):
        name, at = _word(data, at)
        if not name:
            break
        kind, at = _word(data, at)
        length = int.from_bytes(data[at : at + 4], "little")
        value = data[at + 4 : at + 4 + length]
        at += 4 + length
        if len(value) < length:
            raise ValueError("the header is cut off")
        if kind == b"box2i" and name in (b"dataWindow", b"displayWindow") and length >= 16:
            left, top, right, bottom = struct.unpack_from("<4i", value)
            sizes.append((bottom - top + 1, right - left + 1))
        elif kind == b"chlist":
            channels, bits = _channels(value)
    if not sizes:
        raise ValueError("no size in the header")
    height, width = (max(size[axis] for size in sizes) for axis in (0, 1))
    return Header(height, width, channels, bits)


def _channels(value: bytes) -> tuple[int, int]:
    """Number of channels in a channel list, and bits of a sample."""
    at = count = most = 0
    while at < len(value) and value[at]:
        _, at = _word(value, at)
        most = max(most, _EXR_TYPES.get(int.from_bytes(value[at : at + 4], "little"), 4))
        count, at = count + 1, at + 16
    return count, 8 * most


def _word(data: bytes, at: int) -> tuple[bytes, int]:
    """A text that ends with a zero byte, and where the next thing begins."""
    end = data.find(b"\0", at, at + 256)
    if end < 0:
        raise ValueError("the header is cut off")
    return data[at:end], end + 1


def _codestream(data: bytes) -> int:
    """Where the codestream begins in a JPEG XL container: in a box `jxlc`, or the first `jxlp`."""
    at = 0
    for _ in range(_MOST_BOXES):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        start = at + 8
        if length == 1:
            length, start = int.from_bytes(data[at + 8 : at + 16]), at + 16
        if kind == b"jxlc":
            return start
        if kind == b"jxlp":
            return start + 4
        if length < 8:
            break
        at += length
    raise ValueError("no codestream")


class _Bits:
    """A number whose bits are taken from its low end."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        """The next bits as a number."""
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken
