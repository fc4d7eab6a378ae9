"""Small files that claim to be, or unpack to, something huge. Made here: nobody's pictures."""

import struct
import zlib
from pathlib import Path

import numpy as np


def zeros(count: int) -> bytes:
    """A zlib stream of so many zero bytes: one packed block repeated, since packing a gigabyte takes seconds."""
    block = 1 << 24
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(count % block)) + packer.flush()
    return b"\x78\xda" + packed * (count // block) + rest + struct.pack(">I", count % 65521 << 16 | 1)


def png(path: Path, width: int, height: int, *, bits: int, colour: int, samples: int) -> Path:
    """An all-zero PNG, packed as tightly as deflate can (1:1,030)."""
    packed = zeros(height * (1 + width * samples * bits // 8))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts))
    return path


def gif(path: Path, frames: int) -> Path:
    """An animation of one-pixel steps."""
    head = b"GIF89a" + struct.pack("<HH", 64, 64) + b"\x80\0\0" + bytes([0, 0, 0, 255, 255, 255])
    steps = (
        b"!\xf9\x04\0\x05\0\0\0," + struct.pack("<HHHH", i % 64, i // 64 % 64, 1, 1) + b"\0\2\2\x44\1\0"
        for i in range(frames)
    )
    path.write_bytes(head + b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0" + b"".join(steps) + b";")
    return path


def tiff(path: Path, pages: int, side: int) -> Path:
    """Pages of side x side grey pixels; all of them share one deflated strip, with something to see in a corner."""
    pixels = np.zeros((side, side), np.uint8)
    pixels[: side // 4, : side // 4] = np.random.default_rng(0).integers(0, 4, (side // 4, side // 4)) * 60
    strip = zlib.compress(pixels.tobytes(), 9)
    entries = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 8), (262, 3, 1), (273, 4, 8), (277, 3, 1),
               (278, 4, side), (279, 4, len(strip))]  # fmt: skip
    size = 2 + 12 * len(entries) + 4
    start = 8 + len(strip) + len(strip) % 2
    body = b""
    for page in range(pages):
        after = start + (page + 1) * size if page + 1 < pages else 0
        fields = b"".join(struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries)
        body += struct.pack("<H", len(entries)) + fields + struct.pack("<I", after)
    path.write_bytes(b"II*\0" + struct.pack("<I", start) + strip + b"\0" * (len(strip) % 2) + body)
    return path


def make_all(folder: Path) -> list[Path]:
    """Every kind, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        png(folder / "rgba13000.png", 13_000, 13_000, bits=8, colour=6, samples=4),
        png(folder / "deep9400.png", 9_400, 9_400, bits=16, colour=0, samples=1),
        png(folder / "deep9400rgb.png", 9_400, 9_400, bits=16, colour=2, samples=3),
        png(folder / "strip.png", 89_000_000, 1, bits=8, colour=0, samples=1),
        png(folder / "just_allowed.png", 11_500, 11_500, bits=8, colour=0, samples=1),
        gif(folder / "frames.gif", 20_000),
        tiff(folder / "pages.tif", 100, 3_000),
    ]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
