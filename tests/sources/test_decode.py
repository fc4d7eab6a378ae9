from __future__ import annotations

import hashlib
import pickle
import struct
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dedupindex.errors import Reason
from dedupindex.records import DecodedFile
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.sources.pictures import upright
from dedupindex.versions import decoding
from tests.sources.reading import PLAIN, fails, noise, only, png, rows, save


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing may ever reach stdout or stderr."""
    yield
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------------------------------------ identity
def test_bytes_are_hashed_and_stat_is_told(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", Image.fromarray(noise(20, 30, 3)))
    decoded = decode_file(path, PLAIN)
    assert decoded.sha256 == hashlib.sha256(path.read_bytes()).digest()
    status = path.stat()
    assert (decoded.size, decoded.mtime_ns, decoded.inode) == (status.st_size, status.st_mtime_ns, status.st_ino)
    assert (decoded.path, decoded.format, decoded.frame_count, decoded.lossless) == (path, "PNG", 1, True)
    assert decoded.warnings == ()
    assert isinstance(pickle.loads(pickle.dumps(decoded)), DecodedFile)


@pytest.mark.parametrize("path", ["a.png", "../below/a.png", "./a.png", "../below/../below/a.png"])
def test_a_relative_path_counts_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / "below").mkdir()
    save(tmp_path / "below" / "a.png", Image.fromarray(noise(24, 32)))
    monkeypatch.chdir(tmp_path / "below")
    decoded = decode_file(Path(path), PLAIN)
    assert decoded.sha256 == hashlib.sha256((tmp_path / "below" / "a.png").read_bytes()).digest()
    assert decoded.path == tmp_path / "below" / "a.png"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "JPEG2000", "PPM", "ICO", "TGA"])
def test_lossless_formats_give_the_pixels(tmp_path: Path, kind: str) -> None:
    pixels = np.repeat(noise(16, 16, seed=3)[..., None] // 2, 3, axis=2)
    pixels[..., 1] //= 2
    suffix = {"JPEG2000": "jp2", "DIB": "bmp"}.get(kind, kind.lower())
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    options |= {"sizes": [(16, 16)]} if kind == "ICO" else {}
    frame = only(save(tmp_path / f"x.{suffix}", Image.fromarray(pixels), format=kind, **options))
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.mask.all()
    assert (frame.bits, frame.full_shape, frame.stack_range) == (8, (16, 16), None)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF", "MPO"])
def test_lossy_formats_are_near(tmp_path: Path, kind: str) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8) + np.uint8([200, 100, 50])
    decoded = decode_file(save(tmp_path / "x.jpg", Image.fromarray(pixels), format=kind), PLAIN)
    assert decoded.format == {"MPO": "JPEG"}.get(kind, kind)
    assert not decoded.lossless
    assert np.abs(decoded.frames[0].pixels.astype(int) - pixels).max() <= 4


def test_heif(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    pixels = np.zeros((40, 60, 3), np.uint8) + np.uint8([200, 100, 50])
    heif.from_pillow(Image.fromarray(pixels)).save(tmp_path / "x.heic")
    assert np.abs(only(tmp_path / "x.heic").pixels.astype(int) - pixels).max() <= 4


def test_heif_without_its_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 50)
    assert "extra 'heif'" in fails(tmp_path / "x.heic", Reason.UNSUPPORTED).detail


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
    path = save(tmp_path / "x.jpg", Image.new("RGB", size, "red"))
    frame = only(path, min_side=min_side)
    assert frame.pixels.shape[:2] == shape
    assert frame.full_shape == size[::-1]


@pytest.mark.parametrize(("profile", "shape"), [("default", (300, 400)), ("fast", (150, 200))])
def test_a_jpeg_is_reduced_as_far_as_the_profile_allows(tmp_path: Path, profile: str, shape: tuple[int, int]) -> None:
    path = save(tmp_path / "x.jpg", Image.new("RGB", (1600, 1200), "red"))
    assert only(path, Settings(profile=profile)).pixels.shape[:2] == shape


# ------------------------------------------------------------------------------------------------ orientation
@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "tif", "webp"])
def test_orientation_as_pillow_turns_it(tmp_path: Path, number: int, kind: str) -> None:
    pixels = noise(12, 20, 3)
    exif = Image.Exif()
    exif[0x0112] = number
    path = save(
        tmp_path / f"x.{kind}", Image.fromarray(pixels), exif=exif, **({"lossless": True} if kind == "webp" else {})
    )
    frame = only(path)
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
    decoded = decode_file(save(tmp_path / "x.jpg", Image.new("RGB", (1600, 800)), exif=exif), PLAIN)
    assert decoded.frames[0].pixels.shape == (400, 200, 3)
    assert decoded.frames[0].full_shape == (1600, 800)
    assert decoded.metadata_count == 2


@pytest.mark.parametrize("entry", [struct.pack("<HHIHH", 0x112, 3, 1, n, 0) for n in (0, 9, 255)])
def test_odd_orientations_mean_upright(tmp_path: Path, entry: bytes) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0"
    path = save(tmp_path / "x.jpg", Image.new("RGB", (30, 20)), exif=exif)
    assert only(path).pixels.shape == (20, 30, 3)


def test_orientation_of_a_wrong_type_means_upright(tmp_path: Path) -> None:
    for entry in (struct.pack("<HHI4s", 0x112, 7, 1, b"\x08"), struct.pack("<HHI4s", 0x112, 2, 2, b"6\0")):
        exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0"
        path = save(tmp_path / "x.jpg", Image.new("RGB", (30, 20)), exif=exif)
        assert only(path).pixels.shape == (20, 30, 3)


def test_broken_metadata_is_a_warning(tmp_path: Path) -> None:
    path = save(tmp_path / "x.jpg", Image.new("RGB", (30, 20)), exif=b"Exif\0\0II*\0\x08\0\0\0\x63\0cut")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = decode_file(path, PLAIN)
    assert decoded.warnings
    assert decoded.metadata_count == 0


# ------------------------------------------------------------------------------------------------ modes and masks
def pillow_reads(path: Path) -> None:
    """Go on only where Pillow reads a file that it wrote: releases before 13 do not in this mode."""
    try:
        with Image.open(path) as image:
            image.load()
    except OSError:
        pytest.xfail("this release of Pillow cannot read it")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB"])
def test_modes_become_grey_or_rgb(tmp_path: Path, mode: str) -> None:
    source = Image.fromarray(noise(24, 32, 3)).convert("RGB" if mode == "LAB" else mode)
    path = tmp_path / "x.tif"
    if mode == "LAB":
        source = Image.merge("LAB", [Image.new("L", (32, 24), value) for value in (150, 128, 128)])
    elif mode == "HSV":
        source, mode = source.convert("RGB"), "RGB"
    source.save(path)
    if mode == "YCbCr":
        pillow_reads(path)
    frame = only(path)
    expected = np.asarray(source.convert("L" if mode in ("1", "L") else "RGB")) if mode != "LAB" else None
    assert frame.pixels.dtype == np.uint8
    if expected is None:
        assert frame.pixels.shape == (24, 32, 3)
        assert np.ptp(frame.pixels, axis=2).max() <= 2  # a = b = 128: neutral
    else:
        np.testing.assert_array_equal(frame.pixels, expected)


def test_grey_palette_is_grey(tmp_path: Path) -> None:
    indices = noise(10, 12)
    image = Image.fromarray(indices, "L").convert("P")
    image.putpalette([value for i in range(256) for value in (255 - i,) * 3])
    np.testing.assert_array_equal(only(save(tmp_path / "x.png", image)).pixels, 255 - np.asarray(image))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_zero_is_no_data(tmp_path: Path, mode: str) -> None:
    samples = noise(10, 12, len(mode))
    samples[..., -1] = 255
    samples[2:4, 3:6, -1] = 0
    samples[5, 5, -1] = 1
    frame = only(save(tmp_path / "x.png", Image.fromarray(samples, mode)))
    np.testing.assert_array_equal(frame.mask, samples[..., -1] > 0)
    np.testing.assert_array_equal(frame.pixels, samples[..., 0] if mode == "LA" else samples[..., :3])


def test_transparent_palette_entries_and_colours(tmp_path: Path) -> None:
    indices = np.arange(120, dtype=np.uint8).reshape(10, 12) % 5
    image = Image.fromarray(indices, "P")
    image.putpalette(list(range(0, 255, 17)))  # five tones
    for name, options in (("x.gif", {"transparency": 2}), ("x.png", {"transparency": bytes([9, 9, 0])})):
        np.testing.assert_array_equal(only(save(tmp_path / name, image, **options)).mask, indices != 2)
    grey = Image.fromarray(indices, "L")
    np.testing.assert_array_equal(only(save(tmp_path / "g.png", grey, transparency=3)).mask, indices != 3)
    colour = np.stack([indices] * 3, axis=2)
    path = save(tmp_path / "c.png", Image.fromarray(colour), transparency=(4, 4, 4))
    np.testing.assert_array_equal(only(path).mask, indices != 4)


def test_mask_file_beside_the_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "x.jpg", Image.new("RGB", (1200, 800), "red"))
    valid = np.zeros((800, 1200), np.uint8)
    valid[:401, 600:] = 255
    save(tmp_path / "x.mask.png", Image.fromarray(valid))
    np.testing.assert_array_equal(only(path, min_side=None).mask, valid > 0)
    reduced = only(path, min_side=600)
    assert reduced.pixels.shape[:2] == (400, 600)
    assert reduced.mask.sum() == 200 * 300  # the row that is half masked is out
    other = replace(PLAIN, mask_pattern="{stem}_valid.png", no_data=(255,))
    assert only(path, other).mask.all()
    (tmp_path / "x.mask.png").rename(tmp_path / "x_valid.png")
    assert not only(path, other).mask.all()


def test_mask_file_that_does_not_fit_is_a_warning(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", Image.new("L", (30, 20), 7))
    save(tmp_path / "x.mask.png", Image.new("L", (20, 30)))
    assert "mask file" in decode_file(path, PLAIN).warnings[0]
    (tmp_path / "x.mask.png").write_bytes(b"nothing")
    assert "mask file" in decode_file(path, PLAIN).warnings[0]


def test_no_data_and_saturation_by_settings(tmp_path: Path) -> None:
    pixels = np.array([[0, 7, 255], [1, 2, 3]], np.uint8)
    path = save(tmp_path / "x.png", Image.fromarray(pixels))
    frame = only(path, Settings(no_data=(7.0, 1.5), mask_saturated=True))
    np.testing.assert_array_equal(frame.mask, [[True, False, False], [True, True, True]])


# ------------------------------------------------------------------------------------------------ depth
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
@pytest.mark.parametrize("suffix", ["png", "pgm", "tif", "jp2"])
def test_sixteen_bits_stay(tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    pixels = np.kron(noise(*shape, dtype=np.uint16), np.ones((8, 8, 1) if len(shape) == 3 else (8, 8), np.uint16))
    path = tmp_path / f"x.{'ppm' if suffix == 'pgm' and len(shape) == 3 else suffix}"
    options = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000] if suffix == "jp2" else []
    cv2.imwrite(str(path), pixels[..., ::-1] if len(shape) == 3 else pixels, options)
    frame = only(path)
    assert frame.pixels.dtype == np.uint16
    assert frame.bits == 16
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_sixteen_bit_alpha_and_transparent_colour(tmp_path: Path) -> None:
    grey = noise(9, 11, 2, dtype=np.uint16).astype(">u2")
    grey[:3, :, 1] = 0
    (tmp_path / "la.png").write_bytes(png(11, 9, 4, rows(grey)))
    frame = only(tmp_path / "la.png")
    np.testing.assert_array_equal(frame.pixels, grey[..., 0])
    np.testing.assert_array_equal(frame.mask, grey[..., 1] != 0)
    colour = noise(9, 11, 4, dtype=np.uint16).astype(">u2")
    colour[4:, :, 3] = 0
    (tmp_path / "rgba.png").write_bytes(png(11, 9, 6, rows(colour)))
    frame = only(tmp_path / "rgba.png")
    np.testing.assert_array_equal(frame.pixels, colour[..., :3])
    np.testing.assert_array_equal(frame.mask, colour[..., 3] != 0)
    key = struct.pack(">HHH", *colour[1, 2, :3])
    (tmp_path / "key.png").write_bytes(png(11, 9, 2, rows(colour[..., :3]), key))
    frame = only(tmp_path / "key.png")
    np.testing.assert_array_equal(frame.pixels, colour[..., :3])
    assert not frame.mask[1, 2]
    assert frame.mask.sum() == 98


def test_float_picture(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    values[1, 1] = np.nan
    (tmp_path / "x.pfm").write_bytes(b"Pf\n7 6\n-1.0\n" + values[::-1].tobytes())
    frame = only(tmp_path / "x.pfm")
    np.testing.assert_array_equal(frame.pixels, values)
    np.testing.assert_array_equal(frame.mask, np.isfinite(values))


# ------------------------------------------------------------------------------------------------ animations
@pytest.mark.parametrize("kind", ["gif", "webp", "png", "avif"])
def test_animations(tmp_path: Path, kind: str) -> None:
    pictures = [Image.new("RGB", (32, 24), colour) for colour in ("red", "lime", "blue")]
    path = save(tmp_path / f"x.{kind}", pictures[0], save_all=True, append_images=pictures[1:], duration=100)
    first = decode_file(path, PLAIN)
    assert (len(first.frames), first.frame_count) == (1, 3)
    every = decode_file(path, Settings(all_frames=True))
    assert [f.number for f in every.frames] == [0, 1, 2]
    for frame, colour in zip(every.frames, ((255, 0, 0), (0, 255, 0), (0, 0, 255)), strict=True):
        assert np.abs(frame.pixels[5, 5].astype(int) - colour).max() < 8
    alone = only(path, frame=2)
    assert alone.number == 2
    np.testing.assert_array_equal(alone.pixels, every.frames[2].pixels)
    fails(path, Reason.MISSING, frame=3)
    fails(path, Reason.TOO_MANY_FRAMES, Settings(all_frames=True, max_frames=2))


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "avif"])
def test_the_first_frame_that_shows_something_stands_for_an_animation(tmp_path: Path, kind: str) -> None:
    shown = Image.fromarray(noise(24, 32, 3))
    pictures = [Image.new("RGB", (32, 24), "black"), Image.new("RGB", (32, 24), "black"), shown]
    pictures[1].putpixel((0, 0), (3, 3, 3))
    path = save(tmp_path / f"x.{kind}", pictures[0], save_all=True, append_images=pictures[1:], duration=100)
    frame = decode_file(path, PLAIN).frames[0]
    assert frame.number == 0
    assert frame.pixels.std() > 20
    assert decode_file(path, PLAIN, frame=0, exact=True).frames[0].pixels.max() < 8
    blank = save(tmp_path / f"b.{kind}", pictures[0], save_all=True, append_images=pictures[:2], duration=100)
    assert decode_file(blank, PLAIN).frames[0].pixels.max() < 8


def test_later_frames_that_fail_leave_the_good_ones(tmp_path: Path) -> None:
    pictures = [Image.fromarray(noise(60, 60, 3, seed=i)) for i in range(4)]
    path = save(tmp_path / "x.png", pictures[0], save_all=True, append_images=pictures[1:])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.8)])
    decoded = decode_file(path, Settings(all_frames=True))
    assert 1 <= len(decoded.frames) < 4
    assert decoded.warnings


def test_filters_see_every_pixel_of_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(np.full((1600, 2400), 90, np.uint8)).save(path, quality=90)
    plain, filtered = Settings(), Settings(filters=("median:3",))
    assert decode_file(path, plain).frames[0].pixels.shape < (1600, 2400)
    assert decode_file(path, filtered).frames[0].pixels.shape == (1600, 2400)
    assert decoding(plain) != decoding(filtered)  # databases with filters that saw reduced pixels are refused
