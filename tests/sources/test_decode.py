from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from dedupindex.errors import LimitExceededError, NoValidPixelsError, ReadError, Reason, UnsupportedImageError
from dedupindex.records import DecodedFile, Frame
from dedupindex.settings import Settings
from dedupindex.sources import content as content_module
from dedupindex.sources import decode as decode_module
from dedupindex.sources import decode_file, decoder_fingerprint
from dedupindex.sources.pictures import upright

PLAIN = Settings()


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing may ever reach stdout or stderr."""
    yield
    assert capfd.readouterr() == ("", "")


def _noise(*shape: int, seed: int = 0, dtype: Any = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)


def _save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def _only(path: Path, given: Settings = PLAIN, **options: Any) -> Frame:
    decoded = decode_file(path, given, **options)
    assert len(decoded.frames) == 1
    frame = decoded.frames[0]
    assert frame.mask.dtype == np.bool_
    assert frame.mask.shape == frame.pixels.shape[:2]
    return frame


def _fails(path: Path, reason: Reason, given: Settings = PLAIN, **options: Any) -> ReadError:
    with pytest.raises(ReadError) as caught:
        decode_file(path, given, **options)
    assert caught.value.reason is reason
    assert caught.value.path == path
    assert caught.value.detail
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return caught.value


def _png(width: int, height: int, colour: int, raw: bytes, extra: bytes = b"", bits: int = 16) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    transparent = chunk(b"tRNS", extra) if extra else b""
    body = chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + transparent + body + chunk(b"IEND", b"")


def _rows(samples: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in samples)


# ------------------------------------------------------------------------------------------------ identity
def test_bytes_are_hashed_and_stat_is_told(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.png", Image.fromarray(_noise(20, 30, 3)))
    decoded = decode_file(path, PLAIN)
    assert decoded.sha256 == hashlib.sha256(path.read_bytes()).digest()
    status = path.stat()
    assert (decoded.size, decoded.mtime_ns, decoded.inode) == (status.st_size, status.st_mtime_ns, status.st_ino)
    assert (decoded.path, decoded.format, decoded.frame_count, decoded.lossless) == (path, "PNG", 1, True)
    assert decoded.warnings == ()
    assert isinstance(pickle.loads(pickle.dumps(decoded)), DecodedFile)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "JPEG2000", "PPM", "ICO", "TGA"])
def test_lossless_formats_give_the_pixels(tmp_path: Path, kind: str) -> None:
    pixels = np.repeat(_noise(16, 16, seed=3)[..., None] // 2, 3, axis=2)
    pixels[..., 1] //= 2
    suffix = {"JPEG2000": "jp2", "DIB": "bmp"}.get(kind, kind.lower())
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    options |= {"sizes": [(16, 16)]} if kind == "ICO" else {}
    frame = _only(_save(tmp_path / f"x.{suffix}", Image.fromarray(pixels), format=kind, **options))
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.mask.all()
    assert (frame.bits, frame.full_shape, frame.stack_range) == (8, (16, 16), None)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF", "MPO"])
def test_lossy_formats_are_near(tmp_path: Path, kind: str) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8) + np.uint8([200, 100, 50])
    decoded = decode_file(_save(tmp_path / "x.jpg", Image.fromarray(pixels), format=kind), PLAIN)
    assert decoded.format == {"MPO": "JPEG"}.get(kind, kind)
    assert not decoded.lossless
    assert np.abs(decoded.frames[0].pixels.astype(int) - pixels).max() <= 4


def test_heif(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    pixels = np.zeros((40, 60, 3), np.uint8) + np.uint8([200, 100, 50])
    heif.from_pillow(Image.fromarray(pixels)).save(tmp_path / "x.heic")
    assert np.abs(_only(tmp_path / "x.heic").pixels.astype(int) - pixels).max() <= 4


def test_heif_without_its_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 50)
    assert "dedupindex[heif]" in _fails(tmp_path / "x.heic", Reason.UNSUPPORTED).detail


# ------------------------------------------------------------------------------------------------ reduced JPEG
@pytest.mark.parametrize(
    ("size", "min_side", "shape"),
    [
        ((1600, 1200), 512, (600, 800)),
        ((1600, 1200), 200, (150, 200)),
        ((1601, 1203), 200, (151, 201)),
        ((1600, 1200), 2000, (1200, 1600)),
        ((1600, 1200), None, (1200, 1600)),
        ((1600, 40), 100, (40, 1600)),
    ],
)
def test_jpeg_is_reduced_but_not_below(
    tmp_path: Path, size: tuple[int, int], min_side: int | None, shape: tuple[int, int]
) -> None:
    path = _save(tmp_path / "x.jpg", Image.new("RGB", size, "red"))
    frame = _only(path, min_side=min_side)
    assert frame.pixels.shape[:2] == shape
    assert frame.full_shape == size[::-1]


# ------------------------------------------------------------------------------------------------ orientation
@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "tif", "webp"])
def test_orientation_as_pillow_turns_it(tmp_path: Path, number: int, kind: str) -> None:
    pixels = _noise(12, 20, 3)
    exif = Image.Exif()
    exif[0x0112] = number
    path = _save(
        tmp_path / f"x.{kind}", Image.fromarray(pixels), exif=exif, **({"lossless": True} if kind == "webp" else {})
    )
    frame = _only(path)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(frame.pixels, expected)
    assert frame.full_shape == expected.shape[:2]
    assert frame.pixels.flags.c_contiguous
    np.testing.assert_array_equal(upright(pixels, number), expected)


def test_orientation_of_a_reduced_jpeg(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker"
    decoded = decode_file(_save(tmp_path / "x.jpg", Image.new("RGB", (1600, 800)), exif=exif), PLAIN)
    assert decoded.frames[0].pixels.shape == (400, 200, 3)
    assert decoded.frames[0].full_shape == (1600, 800)
    assert decoded.metadata_count == 2


@pytest.mark.parametrize("entry", [struct.pack("<HHIHH", 0x112, 3, 1, n, 0) for n in (0, 9, 255)])
def test_odd_orientations_mean_upright(tmp_path: Path, entry: bytes) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0"
    path = _save(tmp_path / "x.jpg", Image.new("RGB", (30, 20)), exif=exif)
    assert _only(path).pixels.shape == (20, 30, 3)


def test_orientation_of_a_wrong_type_means_upright(tmp_path: Path) -> None:
    for entry in (struct.pack("<HHI4s", 0x112, 7, 1, b"\x08"), struct.pack("<HHI4s", 0x112, 2, 2, b"6\0")):
        exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0"
        path = _save(tmp_path / "x.jpg", Image.new("RGB", (30, 20)), exif=exif)
        assert _only(path).pixels.shape == (20, 30, 3)


def test_broken_metadata_is_a_warning(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.jpg", Image.new("RGB", (30, 20)), exif=b"Exif\0\0II*\0\x08\0\0\0\x63\0cut")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = decode_file(path, PLAIN)
    assert decoded.warnings
    assert decoded.metadata_count == 0


# ------------------------------------------------------------------------------------------------ modes and masks
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB"])
def test_modes_become_grey_or_rgb(tmp_path: Path, mode: str) -> None:
    source = Image.fromarray(_noise(24, 32, 3)).convert("RGB" if mode == "LAB" else mode)
    path = tmp_path / "x.tif"
    if mode == "LAB":
        source = Image.merge("LAB", [Image.new("L", (32, 24), value) for value in (150, 128, 128)])
    elif mode == "HSV":
        source, mode = source.convert("RGB"), "RGB"
    source.save(path)
    frame = _only(path)
    expected = np.asarray(source.convert("L" if mode in ("1", "L") else "RGB")) if mode != "LAB" else None
    assert frame.pixels.dtype == np.uint8
    if expected is None:
        assert frame.pixels.shape == (24, 32, 3)
        assert np.ptp(frame.pixels, axis=2).max() <= 2  # a = b = 128: neutral
    else:
        np.testing.assert_array_equal(frame.pixels, expected)


def test_grey_palette_is_grey(tmp_path: Path) -> None:
    indices = _noise(10, 12)
    image = Image.fromarray(indices, "L").convert("P")
    image.putpalette([value for i in range(256) for value in (255 - i,) * 3])
    np.testing.assert_array_equal(_only(_save(tmp_path / "x.png", image)).pixels, 255 - np.asarray(image))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_zero_is_no_data(tmp_path: Path, mode: str) -> None:
    samples = _noise(10, 12, len(mode))
    samples[..., -1] = 255
    samples[2:4, 3:6, -1] = 0
    samples[5, 5, -1] = 1
    frame = _only(_save(tmp_path / "x.png", Image.fromarray(samples, mode)))
    np.testing.assert_array_equal(frame.mask, samples[..., -1] > 0)
    np.testing.assert_array_equal(frame.pixels, samples[..., 0] if mode == "LA" else samples[..., :3])


def test_transparent_palette_entries_and_colours(tmp_path: Path) -> None:
    indices = np.arange(120, dtype=np.uint8).reshape(10, 12) % 5
    image = Image.fromarray(indices, "P")
    image.putpalette(list(range(15)))
    for name, options in (("x.gif", {"transparency": 2}), ("x.png", {"transparency": bytes([9, 9, 0])})):
        np.testing.assert_array_equal(_only(_save(tmp_path / name, image, **options)).mask, indices != 2)
    grey = Image.fromarray(indices, "L")
    np.testing.assert_array_equal(_only(_save(tmp_path / "g.png", grey, transparency=3)).mask, indices != 3)
    colour = np.stack([indices] * 3, axis=2)
    path = _save(tmp_path / "c.png", Image.fromarray(colour), transparency=(4, 4, 4))
    np.testing.assert_array_equal(_only(path).mask, indices != 4)


def test_fully_transparent_has_no_valid_pixels(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.png", Image.new("RGBA", (9, 9), (1, 2, 3, 0)))
    assert isinstance(_fails(path, Reason.NO_VALID_PIXELS), NoValidPixelsError)


def test_mask_file_beside_the_picture(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.jpg", Image.new("RGB", (1200, 800), "red"))
    valid = np.zeros((800, 1200), np.uint8)
    valid[:401, 600:] = 255
    _save(tmp_path / "x.mask.png", Image.fromarray(valid))
    np.testing.assert_array_equal(_only(path, min_side=None).mask, valid > 0)
    reduced = _only(path, min_side=600)
    assert reduced.pixels.shape[:2] == (400, 600)
    assert reduced.mask.sum() == 200 * 300  # the row that is half masked is out
    other = replace(PLAIN, mask_pattern="{stem}_valid.png", no_data=(255,))
    assert _only(path, other).mask.all()
    (tmp_path / "x.mask.png").rename(tmp_path / "x_valid.png")
    assert not _only(path, other).mask.all()


def test_mask_file_that_does_not_fit_is_a_warning(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.png", Image.new("L", (30, 20), 7))
    _save(tmp_path / "x.mask.png", Image.new("L", (20, 30)))
    assert "mask file" in decode_file(path, PLAIN).warnings[0]
    (tmp_path / "x.mask.png").write_bytes(b"nothing")
    assert "mask file" in decode_file(path, PLAIN).warnings[0]


def test_no_data_and_saturation_by_settings(tmp_path: Path) -> None:
    pixels = np.array([[0, 7, 255], [1, 2, 3]], np.uint8)
    path = _save(tmp_path / "x.png", Image.fromarray(pixels))
    frame = _only(path, Settings(no_data=(7.0, 1.5), mask_saturated=True))
    np.testing.assert_array_equal(frame.mask, [[True, False, False], [True, True, True]])


# ------------------------------------------------------------------------------------------------ depth
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
@pytest.mark.parametrize("suffix", ["png", "pgm", "tif", "jp2"])
def test_sixteen_bits_stay(tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    pixels = np.kron(_noise(*shape, dtype=np.uint16), np.ones((8, 8, 1) if len(shape) == 3 else (8, 8), np.uint16))
    path = tmp_path / f"x.{'ppm' if suffix == 'pgm' and len(shape) == 3 else suffix}"
    options = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000] if suffix == "jp2" else []
    cv2.imwrite(str(path), pixels[..., ::-1] if len(shape) == 3 else pixels, options)
    frame = _only(path)
    assert frame.pixels.dtype == np.uint16
    assert frame.bits == 16
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_sixteen_bit_alpha_and_transparent_colour(tmp_path: Path) -> None:
    grey = _noise(9, 11, 2, dtype=np.uint16).astype(">u2")
    grey[:3, :, 1] = 0
    (tmp_path / "la.png").write_bytes(_png(11, 9, 4, _rows(grey)))
    frame = _only(tmp_path / "la.png")
    np.testing.assert_array_equal(frame.pixels, grey[..., 0])
    np.testing.assert_array_equal(frame.mask, grey[..., 1] != 0)
    colour = _noise(9, 11, 4, dtype=np.uint16).astype(">u2")
    colour[4:, :, 3] = 0
    (tmp_path / "rgba.png").write_bytes(_png(11, 9, 6, _rows(colour)))
    frame = _only(tmp_path / "rgba.png")
    np.testing.assert_array_equal(frame.pixels, colour[..., :3])
    np.testing.assert_array_equal(frame.mask, colour[..., 3] != 0)
    key = struct.pack(">HHH", *colour[1, 2, :3])
    (tmp_path / "key.png").write_bytes(_png(11, 9, 2, _rows(colour[..., :3]), key))
    frame = _only(tmp_path / "key.png")
    np.testing.assert_array_equal(frame.pixels, colour[..., :3])
    assert not frame.mask[1, 2]
    assert frame.mask.sum() == 98


def test_float_picture(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    values[1, 1] = np.nan
    (tmp_path / "x.pfm").write_bytes(b"Pf\n7 6\n-1.0\n" + values[::-1].tobytes())
    frame = _only(tmp_path / "x.pfm")
    np.testing.assert_array_equal(frame.pixels, values)
    np.testing.assert_array_equal(frame.mask, np.isfinite(values))


# ------------------------------------------------------------------------------------------------ animations
@pytest.mark.parametrize("kind", ["gif", "webp", "png", "avif"])
def test_animations(tmp_path: Path, kind: str) -> None:
    pictures = [Image.new("RGB", (32, 24), colour) for colour in ("red", "lime", "blue")]
    path = _save(tmp_path / f"x.{kind}", pictures[0], save_all=True, append_images=pictures[1:], duration=100)
    first = decode_file(path, PLAIN)
    assert (len(first.frames), first.frame_count) == (1, 3)
    every = decode_file(path, Settings(all_frames=True))
    assert [f.number for f in every.frames] == [0, 1, 2]
    for frame, colour in zip(every.frames, ((255, 0, 0), (0, 255, 0), (0, 0, 255)), strict=True):
        assert np.abs(frame.pixels[5, 5].astype(int) - colour).max() < 8
    alone = _only(path, frame=2)
    assert alone.number == 2
    np.testing.assert_array_equal(alone.pixels, every.frames[2].pixels)
    _fails(path, Reason.MISSING, frame=3)
    _fails(path, Reason.TOO_MANY_FRAMES, Settings(all_frames=True, max_frames=2))


def test_later_frames_that_fail_leave_the_good_ones(tmp_path: Path) -> None:
    pictures = [Image.fromarray(_noise(60, 60, 3, seed=i)) for i in range(4)]
    path = _save(tmp_path / "x.png", pictures[0], save_all=True, append_images=pictures[1:])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.8)])
    decoded = decode_file(path, Settings(all_frames=True))
    assert 1 <= len(decoded.frames) < 4
    assert decoded.warnings


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
        ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", Reason.UNSUPPORTED),
        ("x.eps", b"%!PS-Adobe-3.0 EPSF-3.0", Reason.UNSUPPORTED),
        ("x.psd", b"8BPS\0\1", Reason.UNSUPPORTED),
        ("x.jpg", b"\xff\xd8\xff\xe0nothing", Reason.TRUNCATED),
        ("x.tif", b"II*\0\xff\xff\xff\xff", Reason.DAMAGED),
        ("x.gif", b"GIF89a", Reason.DAMAGED),
        ("x.npy", b"\x93NUMPY\x01\0", Reason.DAMAGED),
        ("x.dng", b"II*\0", Reason.UNSUPPORTED),
    ],
)
def test_failures_have_reasons(tmp_path: Path, name: str, data: bytes, reason: Reason) -> None:
    if name == "x.dng" and __import__("importlib.util").util.find_spec("rawpy"):
        pytest.skip("rawpy is installed")
    path = tmp_path / name
    path.write_bytes(data)
    error = _fails(path, reason)
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
    path = _save(tmp_path / f"x.{kind.lower()}", Image.fromarray(_noise(64, 64, 3)), format=kind)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ReadError) as caught:
        decode_file(path, PLAIN)
    assert caught.value.reason in (Reason.TRUNCATED, Reason.DAMAGED)


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    _fails(tmp_path / "no.png", Reason.MISSING)
    _fails(tmp_path, Reason.UNREADABLE)
    os.mkfifo(tmp_path / "pipe.png")
    start = time.monotonic()
    _fails(tmp_path / "pipe.png", Reason.UNREADABLE)
    assert time.monotonic() - start < 1
    _fails(Path("/dev/zero"), Reason.UNREADABLE)


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
    path = _save(tmp_path / "x.png", Image.fromarray(_noise(20, 30, 3)))
    assert isinstance(_fails(path, reason, Settings(**limits)), LimitExceededError)


def test_bombs_are_refused_by_their_header(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    (tmp_path / "x.png").write_bytes(_png(60_000, 60_000, 2, b"\0", bits=8))
    start = time.monotonic()
    _fails(tmp_path / "x.png", Reason.TOO_LARGE)
    assert time.monotonic() - start < 1
    assert before == Image.MAX_IMAGE_PIXELS


def test_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _save(tmp_path / "x.png", Image.fromarray(_noise(20, 30, 3)))
    real, calls = os.read, []

    def read(descriptor: int, count: int) -> bytes:
        data = real(descriptor, count)
        calls.append(len(data))
        if len(calls) <= changes:
            os.utime(path, ns=(0, time.time_ns()))
        return data

    monkeypatch.setattr(decode_module.os, "read", read)
    changes = 1
    assert decode_file(path, PLAIN).sha256 == hashlib.sha256(path.read_bytes()).digest()
    calls.clear()
    changes = 99
    _fails(path, Reason.CHANGED_WHILE_READ)
    assert len(calls) == 2


def test_native_lines_and_warnings_are_captured(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.tif", Image.fromarray(_noise(64, 64)).convert("1"), compression="group4")
    data = bytearray(path.read_bytes())
    data[20:200] = bytes(180)
    path.write_bytes(data)
    try:
        told = decode_file(path, PLAIN).warnings
    except ReadError as error:
        told = (error.detail,)
    assert told


def test_memory_error_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _save(tmp_path / "x.png", Image.new("L", (4, 4)))

    def hungry(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_module, "_decode", hungry)
    _fails(path, Reason.OUT_OF_MEMORY)


def _seeds() -> list[bytes]:
    seeds = []
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000", "ICO"):
        stream = io.BytesIO()
        Image.fromarray(_noise(18, 22, 3)).save(stream, kind)
        seeds.append(stream.getvalue())
    stream = io.BytesIO()
    np.save(stream, _noise(3, 6, 7, dtype=np.uint16))
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
    path = _save(tmp_path / "a.png", Image.new("L", (900, 900)))
    monkeypatch.setattr(content_module, "FREE_BYTES", 800_000)
    error = _fails(path, Reason.TOO_LARGE)
    assert "max_ratio is 250" in error.detail
    _only(path, Settings(max_ratio=1000.0))
    _only(_save(tmp_path / "b.png", Image.fromarray(_noise(900, 900))))


def test_a_large_stack_can_be_had_in_parts(tmp_path, monkeypatch):
    pages = [Image.fromarray(_noise(60, 50, seed=n)) for n in range(7)]
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
        _save(path, Image.fromarray(_noise(8, 8, seed=number)))
        decoded = decode_file(path, PLAIN)
        path.write_bytes(bytes([*path.read_bytes()[:-1], number]))  # of the same size, at once
        assert path.stat().st_mtime_ns != decoded.mtime_ns


def test_whole_seconds_are_waited_for(tmp_path, monkeypatch):
    path, slept = _save(tmp_path / "a.bmp", Image.fromarray(_noise(8, 8))), []
    monkeypatch.setattr(decode_module.time, "sleep", slept.append)
    second = 1_000_000_000
    now = time.time_ns() // second * second
    for mtime, least, most in ((now, 0.5, 2.0), (now - 3 * second, 0, 0), (now + 10**6, 0, 0.02), (now + 10**10, 0, 0)):
        os.utime(path, ns=(mtime, mtime))
        slept.clear()
        decode_file(path, PLAIN)
        assert least <= sum(slept) <= most
