import time

import numpy as np
import pytest

from dedupindex.errors import Reason
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from tests.pictures import picture
from tests.sources.mutants import SEEDS
from tests.sources.readers import making
from tests.sources.reading import fails, noise, only

codecs = pytest.importorskip("imagecodecs")

GREY = noise(30, 41, seed=1)
COLOUR = noise(30, 41, 3, seed=2)
DEEP = noise(30, 41, seed=3, dtype=np.uint16)
FLOAT = np.random.default_rng(4).uniform(0, 9, (30, 41, 3)).astype(np.float32)


def written(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("pixels", [GREY, COLOUR, DEEP], ids=["grey", "colour", "16 bits"])
@pytest.mark.parametrize(
    ("ending", "make", "format"),
    [("jxl", making.jpeg_xl, "JPEGXL"), ("jls", making.jpeg_ls, "JPEGLS"), ("qoi", making.qoi, "QOI")],
)
def test_pixels_come_out_as_they_went_in(tmp_path, ending, make, format, pixels):
    if format == "QOI" and (pixels.ndim == 2 or pixels.dtype != np.uint8):
        pytest.skip("QOI holds 8-bit colour alone")
    path = written(tmp_path / f"a.{ending}", make(pixels))
    frame = only(path)
    assert np.array_equal(frame.pixels, pixels)
    assert frame.pixels.dtype == pixels.dtype
    assert frame.mask.all()
    decoded = decode_file(path, Settings())
    assert decoded.format == format
    bare = written(tmp_path / "without_ending", path.read_bytes())
    assert np.array_equal(only(bare).pixels, pixels)  # told by its bytes


def test_floats_of_jpeg_xl_stay_floats(tmp_path):
    frame = only(written(tmp_path / "a.jxl", making.jpeg_xl(FLOAT / 9)))
    assert frame.pixels.dtype == np.float32
    assert np.allclose(frame.pixels, FLOAT / 9, atol=1e-6)


def test_twelve_bits_of_jpeg_ls_are_known(tmp_path):
    frame = only(written(tmp_path / "a.jls", bytes(codecs.jpegls_encode(DEEP >> 4))))
    assert frame.bits in (12, 16)
    assert np.array_equal(frame.pixels, DEEP >> 4)


def test_a_jpeg_ls_that_is_cut_off_is_told_at_once(tmp_path):
    """CharLS computes for seven seconds before it refuses this one."""
    ending, make = SEEDS["JPEG-LS"]
    whole = make()
    assert whole.endswith(b"\xff\xd9")
    began = time.process_time()
    for length in (len(whole) - 1, len(whole) - 2, 261):
        assert "ends before" in fails(written(tmp_path / f"a.{ending}", whole[:length]), Reason.TRUNCATED).detail
    assert time.process_time() - began < 2


def test_transparency_is_no_data(tmp_path):
    alpha = np.full((30, 41, 1), 255, np.uint8)
    alpha[:10] = 0
    both = np.concatenate([COLOUR, alpha], axis=2)
    for name, data in (("a.qoi", making.qoi(both)), ("a.jxl", making.jpeg_xl(both))):
        frame = only(written(tmp_path / name, data))
        assert np.array_equal(frame.mask, alpha[..., 0] > 0)
        assert np.array_equal(frame.pixels[10:], COLOUR[10:])


def test_of_an_animation_the_first_frame_or_all(tmp_path):
    frames = np.stack([picture(n) for n in range(3)])
    path = written(tmp_path / "a.jxl", making.jpeg_xl(frames, photometric="rgb"))
    assert np.array_equal(only(path).pixels, frames[0])
    every = decode_file(path, Settings(all_frames=True))
    assert every.frame_count == 3
    assert all(np.array_equal(frame.pixels, frames[frame.number]) for frame in every.frames)
    assert np.array_equal(only(path, frame=2).pixels, frames[2])
    fails(path, Reason.MISSING, frame=3)
    fails(path, Reason.TOO_MANY_FRAMES, Settings(all_frames=True, max_frames=2))


def test_hdr_is_radiance(tmp_path):
    frame = only(written(tmp_path / "a.hdr", making.hdr(FLOAT)))
    assert frame.pixels.dtype == np.float32
    largest = FLOAT.max(axis=2, keepdims=True)
    assert (np.abs(frame.pixels - FLOAT) <= largest / 100).all()  # 8 bits beside a common exponent


def test_an_hdr_that_lies_otherwise_is_refused_in_words(tmp_path):
    data = making.hdr(FLOAT).replace(b"-Y 30 +X 41", b"+Y 30 +X 41")
    assert "top to bottom" in fails(written(tmp_path / "a.hdr", data), Reason.UNSUPPORTED).detail


@pytest.mark.parametrize("pixels", [FLOAT, FLOAT[..., 0]], ids=["colour", "grey"])
def test_exr_has_its_floats(tmp_path, pixels):
    pytest.importorskip("av")
    frame = only(written(tmp_path / "a.exr", making.exr(pixels)))
    assert frame.pixels.dtype == np.float32
    assert np.array_equal(frame.pixels, pixels)


def test_without_a_package_its_extra_is_named(tmp_path, monkeypatch):
    files = {"science": ("a.jxl", making.jpeg_xl(GREY)), "video": ("a.exr", making.exr(FLOAT))}
    for module in ("imagecodecs", "av"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    for extra, (name, data) in files.items():
        assert f"extra '{extra}'" in fails(written(tmp_path / name, data), Reason.UNSUPPORTED).detail


# ------------------------------------------------------------------------------------------------------- bombs
@pytest.mark.parametrize("name", ["a.qoi", "a.jxl", "a.jls", "a.hdr", "a.exr"])
def test_a_header_that_announces_too_much_costs_nothing(tmp_path, name):
    error = fails(written(tmp_path / name, making.announcing(name.rpartition(".")[2])), Reason.TOO_LARGE)
    assert "60000 x 60000 pixels" in error.detail
