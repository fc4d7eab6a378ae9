"""One picture in every format and container that needs a package: (H, W, 3) uint8 in, the bytes of a file out."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.pictures import picture

HUGE = 60_000  # pixels of a side
SMALL = picture(1, 30, 41)


def encoded(pixels: np.ndarray, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def jpeg_xl(pixels: np.ndarray, **options: object) -> bytes:
    return bytes(pytest.importorskip("imagecodecs").jpegxl_encode(pixels, lossless=True, **options))


def qoi(pixels: np.ndarray) -> bytes:
    return bytes(pytest.importorskip("imagecodecs").qoi_encode(np.ascontiguousarray(pixels)))


def jpeg_ls(pixels: np.ndarray) -> bytes:
    return bytes(pytest.importorskip("imagecodecs").jpegls_encode(np.ascontiguousarray(pixels)))


def linear(pixels: np.ndarray) -> np.ndarray:
    """Light in proportion to radiance, as HDR pictures have it."""
    return ((pixels / 255.0) ** 2.2).astype(np.float32)


def hdr(pixels: np.ndarray) -> bytes:
    return bytes(pytest.importorskip("imagecodecs").rgbe_encode(np.ascontiguousarray(pixels, np.float32), header=True))


def exr(pixels: np.ndarray) -> bytes:
    """Float samples, grey or RGB."""
    av = pytest.importorskip("av")
    kind = "grayf32le" if pixels.ndim == 2 else "gbrpf32le"
    encoder = av.CodecContext.create("exr", "w")
    encoder.height, encoder.width, encoder.pix_fmt, encoder.time_base = *pixels.shape[:2], kind, Fraction(1, 1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels, np.float32), format=kind)
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))


def dng(pixels: np.ndarray, preview: bytes = b"") -> bytes:
    """A raw picture with an RGGB mosaic of 16 bits; a JPEG as its preview."""
    height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    values = np.rint(60000 * linear(pixels[:height, :width])).astype(np.uint16)
    mosaic = values[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = values[::2, ::2, 0], values[1::2, 1::2, 2]
    colours = (10000, 10000, 0, 10000, 0, 10000, 0, 10000, 0, 10000, 10000, 10000, 0, 10000, 0, 10000, 10000, 10000)
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),  # DNGVersion
        (50708, "s", 0, "Made Up", True),  # UniqueCameraModel
        (271, "s", 0, "Made", True),
        (272, "s", 0, "Up", True),
        (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, "B", 4, (0, 1, 1, 2), True),  # CFAPattern
        (50714, "H", 1, 0, True),  # BlackLevel
        (50717, "H", 1, 60000, True),  # WhiteLevel
        (50721, "2i", 9, colours_of_srgb(), True),  # ColorMatrix1
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),  # AsShotNeutral
        (50778, "H", 1, 21, True),  # CalibrationIlluminant1: D65
    ]
    del colours
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(mosaic, photometric=32803, compression=None, extratags=tags, subfiletype=0, metadata=None)
    data = stream.getvalue()
    return with_preview(data, preview) if preview else data


def colours_of_srgb() -> tuple[int, ...]:
    """The matrix from XYZ to a camera that sees as sRGB does, as nine fractions."""
    matrix = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
    return tuple(number for value in matrix for number in (round(value * 10000), 10000))


def with_preview(data: bytes, preview: bytes) -> bytes:
    """A DNG with a JPEG preview: a second directory behind the first one, whose only strip is the JPEG."""
    with Image.open(io.BytesIO(preview)) as image:
        width, height = image.size
    start = len(data) + len(data) % 2
    strip = start + 2 + 12 * 9 + 4
    bits = strip + len(preview) + len(preview) % 2
    entries = [
        (254, 4, 1, 1), (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits), (259, 3, 1, 7), (262, 3, 1, 6),
        (273, 4, 1, strip), (277, 3, 1, 3), (279, 4, 1, len(preview)),
    ]  # fmt: skip
    directory = len(entries).to_bytes(2, "little")
    for tag, kind, count, value in entries:
        directory += tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + count.to_bytes(4, "little")
        directory += value.to_bytes(4, "little")
    directory += bytes(4)
    changed = bytearray(data.ljust(start, b"\0"))
    first = int.from_bytes(changed[4:8], "little")
    number = int.from_bytes(changed[first : first + 2], "little")
    link = first + 2 + 12 * number
    changed[link : link + 4] = start.to_bytes(4, "little")
    whole = bytes(changed) + directory + preview
    return whole.ljust(bits, b"\0") + (8).to_bytes(2, "little") * 3


def announcing(ending: str) -> bytes:
    """A small picture of which the header announces `HUGE` x `HUGE` pixels."""
    if ending == "qoi":
        return b"qoif" + struct.pack(">IIBB", HUGE, HUGE, 4, 0) + bytes([0xFD]) * 5000 + bytes(7) + b"\1"
    if ending == "jxl":
        bits, at = 0, 0
        for value, width in ((0, 1), (3, 2), (HUGE - 1, 30), (1, 3)):  # not small, 30 bits, height - 1, a square
            bits |= value << at
            at += width
        return b"\xff\x0a" + bits.to_bytes(10, "little") + bytes(50)
    if ending == "jls":
        data = bytearray(jpeg_ls(SMALL[..., 0]))
        at = data.find(b"\xff\xf7")
        data[at + 5 : at + 9] = struct.pack(">HH", HUGE, HUGE)
        return bytes(data)
    if ending == "hdr":
        return hdr((SMALL / 255).astype(np.float32)).replace(b"-Y 30 +X 41", f"-Y {HUGE} +X {HUGE}".encode())
    data = bytearray(exr((SMALL / 255).astype(np.float32)))
    for window in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
        at = data.find(window) + len(window) + 4
        data[at : at + 16] = struct.pack("<4i", 0, 0, HUGE - 1, HUGE - 1)
    return bytes(data)


def svg(pixels: np.ndarray, inside: str = "") -> bytes:
    """A drawing that holds a picture as data."""
    height, width = pixels.shape[:2]
    data = base64.b64encode(encoded(pixels, "PNG")).decode()
    image = f'<image width="{width}" height="{height}" xlink:href="data:image/png;base64,{data}"/>'
    root = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'{root} width="{width}" height="{height}" viewBox="0 0 {width} {height}">{inside or image}</svg>'.encode()


def pdf(pages: Sequence[bytes | None]) -> bytes:
    """A document with a JPEG on each page, as large as the page; None = an empty page."""
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    add(b"")  # the catalogue
    add(b"")  # the tree of pages
    kids = []
    for jpeg in pages:
        if jpeg is None:
            kids.append(add(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 400] >>"))
            continue
        with Image.open(io.BytesIO(jpeg)) as image:
            width, height = image.size
        head = (
            f"<< /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB"
            f" /BitsPerComponent 8 /Filter /DCTDecode /Length {len(jpeg)} >>"
        )
        picture = add(head.encode() + b"\nstream\n" + jpeg + b"\nendstream")
        drawn = f"q {width} 0 0 {height} 0 0 cm /P Do Q".encode()
        content = add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
        kids.append(
            add(
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents {content} 0 R"
                f" /Resources << /XObject << /P {picture} 0 R >> >> >>".encode()
            )
        )
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>".encode()
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(data))
    return data + table + trailer


def video(
    scenes: Sequence[tuple[np.ndarray, float]], *, rate: int = 10, kind: str = "mp4", codec: str = "libx264", **options
) -> bytes:
    """A clip of still scenes: pixels, and for how many seconds they are shown."""
    av = pytest.importorskip("av")
    height, width = scenes[0][0].shape[0] // 2 * 2, scenes[0][0].shape[1] // 2 * 2
    stream = io.BytesIO()
    with av.open(stream, "w", format=kind) as container:
        track = container.add_stream(codec, rate=rate, options={"crf": "18", "sc_threshold": "0", **options})
        track.height, track.width, track.pix_fmt = height, width, "yuv420p"
        for pixels, seconds in scenes:
            for _ in range(round(seconds * rate)):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
                container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return stream.getvalue()


def clip_with(pixels: np.ndarray, *, at: float = 3.0, seconds: float = 2.0, **options) -> bytes:
    """A clip that shows a picture from a time on, other ones before and after it."""
    height, width = pixels.shape[:2]
    before, after = (picture(seed, height, width) for seed in (901, 902))
    return video([(before, at), (pixels, seconds), (after, 2.0)], **options)
