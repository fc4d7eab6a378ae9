"""Small archives, documents, videos and pictures of every kind that claim to be, or unpack to, something huge."""

import bz2
import gzip
import io
import lzma
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.pictures import picture
from tests.sources.archives.making import seven_of, tar_of, zip_of
from tests.sources.readers import making

BLOCK = 10_000_000  # bytes of zeros that are compressed once, and repeated
UNPACKED = 1_500_000_000  # bytes of a compressed tar
ARRAY = 500_000_000
MEMBER = 150_000_000  # bytes of a member of a zip or 7z


def stream(compress: Callable[[bytes], bytes]) -> bytes:
    """A compressed tar with one member of zeros, as many streams one after the other."""
    head = bytearray(tar_of([("a.jpg", b"")])[:512])
    head[124:136] = b"%011o\0" % UNPACKED
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return compress(bytes(head)) + compress(bytes(BLOCK)) * (UNPACKED // BLOCK + 1)


def dng() -> bytes:
    """A raw picture that announces as many pixels, with the samples of a small one."""
    data = bytearray(making.dng(picture(1, 64, 64)))
    directory = int.from_bytes(data[4:8], "little")
    for number in range(int.from_bytes(data[directory : directory + 2], "little")):
        at = directory + 2 + 12 * number
        if int.from_bytes(data[at : at + 2], "little") in (256, 257):  # width, height
            data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, making.HUGE)
    return bytes(data)


def heic() -> bytes:
    """A HEIC whose property of the size announces as many pixels."""
    data = bytearray(making.encoded(picture(1, 64, 64), "HEIF"))
    at = data.find(b"ispe")
    while at > 0:
        data[at + 8 : at + 16] = struct.pack(">II", making.HUGE, making.HUGE)
        at = data.find(b"ispe", at + 4)
    return bytes(data)


def npz() -> bytes:
    """An archive of arrays with one of 0.5 GB of zeros."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (12_500, 40_000)})
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as member:
        member.write(header.getvalue())
        for _ in range(ARRAY // BLOCK):
            member.write(bytes(BLOCK))
    return made.getvalue()


def make_all(folder: Path) -> list[Path]:
    """One of each kind, in a folder."""
    import pillow_heif
    import zstandard

    pillow_heif.register_heif_opener(thumbnails=False)
    jpeg = making.encoded(picture(1, 120, 160))
    packed = zip_of([("a.jpg", bytes(MEMBER))])
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    files = {
        "member.zip": packed,
        "member.cbz": packed,
        "member.7z": seven_of([("a.jpg", bytes(MEMBER))]),
        "stream.tar.gz": stream(lambda data: gzip.compress(data, 9)),
        "stream.tar.bz2": stream(bz2.compress),
        "stream.tar.xz": stream(lambda data: lzma.compress(data, preset=0)),
        "stream.tar.zst": stream(zstandard.ZstdCompressor().compress),
        "page.pdf": making.pdf([jpeg]).replace(b"[0 0 160 120]", b"[0 0 14400 14400]"),
        "embedded.pdf": making.pdf([jpeg]).replace(b"/Width 160 /Height 120", b"/Width 60000 /Height 60000"),
        "laughs.svg": f'<!DOCTYPE svg [<!ENTITY a0 "ha">{laughs}]><svg xmlns="http://www.w3.org/2000/svg">&a11;</svg>',
        "wide.svg": making.svg(picture(1, 60, 80), inside="<rect/>").replace(b'width="80"', b'width="900000"'),
        "packed.svgz": gzip.compress(b"<svg>" + bytes(4 * BLOCK)),
        "arrays.npz": npz(),
        "raw.dng": dng(),
        "picture.heic": heic(),
        "clip.mp4": making.video([(np.zeros((64, 64, 3), np.uint8), 0.2)]),
        **{f"header.{ending}": making.announcing(ending) for ending in ("qoi", "jxl", "jls", "hdr", "exr")},
    }
    paths = []
    for name, data in files.items():
        path = folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        paths.append(path)
    return paths
