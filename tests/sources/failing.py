"""A small file for every reason: what the manual's table shows is what is said of these."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from dedupindex.errors import Reason
from dedupindex.settings import Settings
from tests.sources.reading import noise

SMALL = Settings(max_pixels=1_000_000)


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def _damaged() -> bytes:
    data = bytearray(encoded(noise(40, 60), "PNG"))
    data[60:80] = bytes(20)
    return bytes(data)


def _stack() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros((300, 8, 8), np.uint8))
    return stream.getvalue()


# reason -> name, bytes (None = there is no such file), settings
FAILING: dict[Reason, tuple[str, Callable[[], bytes] | None, Settings]] = {
    Reason.EMPTY: ("a.jpg", bytes, Settings()),
    Reason.NOT_AN_IMAGE: ("a.jpg", lambda: b"to do: buy milk and bread", Settings()),
    Reason.GIT_LFS_POINTER: (
        "a.png",
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        Settings(),
    ),
    Reason.HTML: ("a.jpg", lambda: b"<!DOCTYPE html><html><body>404</body></html>", Settings()),
    Reason.APPLEDOUBLE: (
        "._a.jpg",
        lambda: b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(60),
        Settings(),
    ),
    Reason.UNSUPPORTED: ("a.psd", lambda: b"8BPS\x00\x01" + bytes(60), Settings()),
    Reason.TRUNCATED: ("a.png", lambda: encoded(noise(40, 60), "PNG")[:1000], Settings()),
    Reason.DAMAGED: ("a.png", _damaged, Settings()),
    Reason.TOO_LARGE: ("a.png", lambda: encoded(np.zeros((1500, 1000), np.uint8), "PNG"), SMALL),
    Reason.TOO_MANY_FRAMES: ("a.npy", _stack, Settings(max_frames=200)),
    Reason.UNREADABLE: ("folder", None, Settings()),
    Reason.MISSING: ("nothing.png", None, Settings()),
    Reason.NO_VALID_PIXELS: ("a.png", lambda: encoded(np.zeros((8, 8, 4), np.uint8), "PNG"), Settings()),
}


def make(folder: Path, reason: Reason) -> Path:
    """The file, or what stands in its place."""
    name, data, _ = FAILING[reason]
    path = folder / name
    if data is not None:
        path.write_bytes(data())
    elif reason is Reason.UNREADABLE:
        path.mkdir()
    return path
