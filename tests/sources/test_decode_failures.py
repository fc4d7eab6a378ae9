"""Files that cannot be read: each gives its reason, and nothing else comes out."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dedupindex.errors import LimitExceededError, NoValidPixelsError, ReadError, Reason, UnsupportedImageError
from dedupindex.settings import Settings
from dedupindex.sources import content as content_module
from dedupindex.sources import decode as decode_module
from dedupindex.sources import decode_file, decoder_fingerprint
from dedupindex.sources import reading as reading_module
from tests.sources.reading import PLAIN, fails, noise, only, png, save


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing may ever reach stdout or stderr."""
    yield
    assert capfd.readouterr() == ("", "")


def test_fully_transparent_has_no_valid_pixels(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", Image.new("RGBA", (9, 9), (1, 2, 3, 0)))
    assert isinstance(fails(path, Reason.NO_VALID_PIXELS), NoValidPixelsError)


# ------------------------------------------------------------------------------------------------ failures
@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("x.jpg", b"", Reason.EMPTY),
        ("x.jpg", b"version https://git-lfs.github.com/spec/v1\n", Reason.GIT_LFS_POINTER),
        ("x.jpg", b"<!DOCTYPE html><html></html>", Reason.HTML),
        ("._x.jpg", b"\0\x05\x16\x07\0\x02\0\0", Reason.APPLEDOUBLE),
        ("x.jpg", b"just text", Reason.NOT_AN_IMAGE),
        ("x.jpg", b"PK\x03\x04", Reason.NOT_AN_IMAGE),
        ("x.eps", b"%!PS-Adobe-3.0 EPSF-3.0", Reason.UNSUPPORTED),
        ("x.psd", b"8BPS\0\1", Reason.UNSUPPORTED),
        ("x.jpg", b"\xff\xd8\xff\xe0nothing", Reason.TRUNCATED),
        ("x.tif", b"II*\0\xff\xff\xff\xff", Reason.DAMAGED),
        ("x.gif", b"GIF89a", Reason.TRUNCATED),
        ("x.npy", b"\x93NUMPY\x01\0", Reason.DAMAGED),
        ("x.dng", b"II*\0", Reason.UNSUPPORTED),
    ],
)
def test_failures_have_reasons(tmp_path: Path, name: str, data: bytes, reason: Reason) -> None:
    if name == "x.dng" and __import__("importlib.util").util.find_spec("rawpy"):
        pytest.skip("rawpy is installed")
    path = tmp_path / name
    path.write_bytes(data)
    error = fails(path, reason)
    kinds = (
        Reason.UNSUPPORTED,
        Reason.HTML,
        Reason.EMPTY,
        Reason.NOT_AN_IMAGE,
        Reason.GIT_LFS_POINTER,
        Reason.APPLEDOUBLE,
    )
    if reason in kinds:
        assert isinstance(error, UnsupportedImageError)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "PPM", "TGA", "JPEG2000"])
def test_cut_files_fail(tmp_path: Path, kind: str) -> None:
    path = save(tmp_path / f"x.{kind.lower()}", Image.fromarray(noise(64, 64, 3)), format=kind)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ReadError) as caught:
        decode_file(path, PLAIN)
    assert caught.value.reason in (Reason.TRUNCATED, Reason.DAMAGED)


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    fails(tmp_path / "no.png", Reason.MISSING)
    fails(tmp_path, Reason.UNREADABLE)
    os.mkfifo(tmp_path / "pipe.png")
    start = time.monotonic()
    fails(tmp_path / "pipe.png", Reason.UNREADABLE)
    assert time.monotonic() - start < 1
    fails(Path("/dev/zero"), Reason.UNREADABLE)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_bytes": 100}, Reason.TOO_LARGE),
        ({"max_pixels": 599}, Reason.TOO_LARGE),
        ({"max_frame_bytes": 1799}, Reason.TOO_LARGE),
        ({"max_aspect": 1.4}, Reason.TOO_LARGE),
    ],
)
def test_limits(tmp_path: Path, limits: dict[str, Any], reason: Reason) -> None:
    path = save(tmp_path / "x.png", Image.fromarray(noise(20, 30, 3)))
    assert isinstance(fails(path, reason, Settings(**limits)), LimitExceededError)


def test_bombs_are_refused_by_their_header(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    (tmp_path / "x.png").write_bytes(png(60_000, 60_000, 2, b"\0", bits=8))
    start = time.monotonic()
    fails(tmp_path / "x.png", Reason.TOO_LARGE)
    assert time.monotonic() - start < 1
    assert before == Image.MAX_IMAGE_PIXELS


def test_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "x.png", Image.fromarray(noise(20, 30, 3)))
    real, calls = os.read, []

    def read(descriptor: int, count: int) -> bytes:
        data = real(descriptor, count)
        calls.append(len(data))
        if len(calls) <= changes:
            os.utime(path, ns=(0, time.time_ns()))
        return data

    monkeypatch.setattr(reading_module.os, "read", read)
    changes = 1
    assert decode_file(path, PLAIN).sha256 == hashlib.sha256(path.read_bytes()).digest()
    calls.clear()
    changes = 99
    fails(path, Reason.CHANGED_WHILE_READ)
    assert len(calls) == 2


def test_native_lines_and_warnings_are_captured(tmp_path: Path) -> None:
    path = save(tmp_path / "x.tif", Image.fromarray(noise(64, 64)).convert("1"), compression="group4")
    data = bytearray(path.read_bytes())
    data[20:200] = bytes(180)
    path.write_bytes(data)
    try:
        told = decode_file(path, PLAIN).warnings
    except ReadError as error:
        told = (error.detail,)
    assert told


def test_memory_error_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "x.png", Image.new("L", (4, 4)))

    def hungry(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_module, "_decode", hungry)
    fails(path, Reason.OUT_OF_MEMORY)


def _seeds() -> list[bytes]:
    seeds = []
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000", "ICO"):
        stream = io.BytesIO()
        Image.fromarray(noise(18, 22, 3)).save(stream, kind)
        seeds.append(stream.getvalue())
    stream = io.BytesIO()
    np.save(stream, noise(3, 6, 7, dtype=np.uint16))
    return [*seeds, stream.getvalue()]


SEEDS = _seeds()


@settings(max_examples=150, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5),
    cut=st.integers(0, 2000),
)
def test_only_read_errors_come_out(
    tmp_path_factory: pytest.TempPathFactory, seed: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(seed)
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "mutant"
    path.write_bytes(data[: len(data) - cut] if cut < len(data) else data)
    try:
        decoded = decode_file(path, Settings(all_frames=True))
    except ReadError:
        return
    for frame in decoded.frames:
        assert frame.mask.any()
        assert frame.pixels.shape[:2] == frame.mask.shape


# ------------------------------------------------------------------------------------------------ large and small
def test_a_small_file_that_claims_to_be_huge(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", Image.new("L", (900, 900)))
    monkeypatch.setattr(content_module, "FREE_BYTES", 800_000)
    error = fails(path, Reason.TOO_LARGE)
    assert "max_ratio is 250" in error.detail
    only(path, Settings(max_ratio=1000.0))
    only(save(tmp_path / "b.png", Image.fromarray(noise(900, 900))))


def test_a_large_stack_can_be_had_in_parts(tmp_path, monkeypatch):
    pages = [Image.fromarray(noise(60, 50, seed=n)) for n in range(7)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    whole = decode_file(tmp_path / "a.tif", PLAIN)
    assert (whole.part, len(whole.frames)) == (0, 7)
    assert decode_file(tmp_path / "a.tif", PLAIN, first=0).part == 0
    monkeypatch.setattr(content_module, "PART_BYTES", 3 * 60 * 50)
    assert decode_file(tmp_path / "a.tif", PLAIN).part == 0
    parts = [decode_file(tmp_path / "a.tif", PLAIN, first=first) for first in (0, 3, 6)]
    assert [(part.part, part.frame_count, len(part.frames)) for part in parts] == [(3, 7, 3), (3, 7, 3), (3, 7, 1)]
    for one, other in zip([f for part in parts for f in part.frames], whole.frames, strict=True):
        assert one.number == other.number
        assert np.array_equal(one.pixels, other.pixels)
    assert decode_file(tmp_path / "a.tif", Settings(scaling="stack"), first=0).part == 0  # its range is that of all


def test_the_decoder_is_known_by_its_limits():
    assert decoder_fingerprint(PLAIN) == decoder_fingerprint(Settings(threshold=0.7))
    assert decoder_fingerprint(PLAIN) != decoder_fingerprint(Settings(max_pixels=7))


def test_a_change_right_after_reading_shows_in_the_time(tmp_path):
    path = tmp_path / "a.bmp"
    for number in range(20):
        save(path, Image.fromarray(noise(8, 8, seed=number)))
        decoded = decode_file(path, PLAIN)
        path.write_bytes(bytes([*path.read_bytes()[:-1], number]))  # of the same size, at once
        assert path.stat().st_mtime_ns != decoded.mtime_ns


def test_whole_seconds_are_waited_for(tmp_path, monkeypatch):
    path, slept = save(tmp_path / "a.bmp", Image.fromarray(noise(8, 8))), []
    monkeypatch.setattr(reading_module.time, "sleep", slept.append)
    second = 1_000_000_000
    now = time.time_ns() // second * second
    for mtime, least, most in ((now, 0.5, 2.0), (now - 3 * second, 0, 0), (now + 10**6, 0, 0.02), (now + 10**10, 0, 0)):
        os.utime(path, ns=(mtime, mtime))
        slept.clear()
        decode_file(path, PLAIN)
        assert least <= sum(slept) <= most


def test_frames_that_an_apng_only_announces(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(noise(20, 30)).save(
        stream, "PNG", save_all=True, append_images=[Image.fromarray(noise(20, 30, seed=1))]
    )
    data = bytearray(stream.getvalue())
    at = data.index(b"acTL")
    (tmp_path / "a.png").write_bytes(data)
    assert decode_file(tmp_path / "a.png", PLAIN).frame_count == 2
    data[at + 4 : at + 8] = struct.pack(">I", 2**31 - 1)
    data[at + 12 : at + 16] = struct.pack(">I", zlib.crc32(data[at : at + 12]))
    (tmp_path / "a.png").write_bytes(data)
    decoded = decode_file(tmp_path / "a.png", PLAIN)
    assert decoded.frame_count == 1
    assert "2,147,483,647 frames" in decoded.warnings[0]
