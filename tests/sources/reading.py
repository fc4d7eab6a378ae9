"""What the tests of the decoder share."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dedupindex.errors import ReadError, Reason
from dedupindex.records import Frame
from dedupindex.settings import Settings
from dedupindex.sources import decode_file

PLAIN = Settings()


def noise(*shape: int, seed: int = 0, dtype: Any = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def only(path: Path, given: Settings = PLAIN, **options: Any) -> Frame:
    decoded = decode_file(path, given, **options)
    assert len(decoded.frames) == 1
    frame = decoded.frames[0]
    assert frame.mask.dtype == np.bool_
    assert frame.mask.shape == frame.pixels.shape[:2]
    return frame


def fails(path: Path, reason: Reason, given: Settings = PLAIN, **options: Any) -> ReadError:
    with pytest.raises(ReadError) as caught:
        decode_file(path, given, **options)
    assert caught.value.reason is reason
    assert caught.value.path == path
    assert caught.value.detail
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return caught.value


def png(width: int, height: int, colour: int, raw: bytes, extra: bytes = b"", bits: int = 16) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    transparent = chunk(b"tRNS", extra) if extra else b""
    body = chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + transparent + body + chunk(b"IEND", b"")


def rows(samples: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in samples)
