from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from dedupindex.errors import ReadError, Reason
from dedupindex.settings import Settings
from dedupindex.sources import decode_file

PLAIN = Settings()


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


def _values(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.normal(size=shape).astype(kind)
    info = np.iinfo(kind)
    return rng.integers(info.min, info.max, shape, dtype=kind.newbyteorder("="), endpoint=True)


def _write(path: Path, array: np.ndarray, **options: Any) -> Path:
    options.setdefault("photometric", "minisblack")
    tifffile.imwrite(path, array, **options)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True, "tile": (16, 16)},
        {"rowsperstrip": 3},
    ],
    ids=str,
)
def test_samples_are_kept(tmp_path: Path, dtype: str, options: dict[str, Any]) -> None:
    values = _values((21, 33), dtype)
    decoded = decode_file(_write(tmp_path / "x.tif", values, **options), PLAIN)
    (frame,) = decoded.frames
    np.testing.assert_array_equal(frame.pixels, values)
    assert frame.pixels.dtype == values.dtype
    assert frame.pixels.dtype.isnative
    assert frame.bits == values.dtype.itemsize * 8
    assert decoded.lossless
    assert frame.stack_range is None


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colour(tmp_path: Path, dtype: str, planar: str) -> None:
    values = _values((21, 33, 3), dtype)
    data = values if planar == "contig" else np.moveaxis(values, 2, 0)
    path = _write(tmp_path / "x.tif", data, photometric="rgb", planarconfig=planar)
    (frame,) = decode_file(path, PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, values)


def test_alpha(tmp_path: Path) -> None:
    values = _values((21, 33, 4), "uint16")
    values[:5, :, 3] = 0
    path = _write(tmp_path / "x.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    (frame,) = decode_file(path, PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, values[..., :3])
    np.testing.assert_array_equal(frame.mask, values[..., 3] != 0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"contiguous": True}, {"compression": "zlib"}], ids=str)
def test_stacks(tmp_path: Path, dtype: str, options: dict[str, Any]) -> None:
    values = _values((6, 11, 13), dtype)
    path = _write(tmp_path / "x.tif", values, **options)
    decoded = decode_file(path, PLAIN)
    assert decoded.frame_count == 6
    np.testing.assert_array_equal([f.pixels for f in decoded.frames], values)
    assert [f.number for f in decoded.frames] == list(range(6))
    assert {f.stack_range for f in decoded.frames} == {(float(values.min()), float(values.max()))}
    (alone,) = decode_file(path, Settings(scaling="stack"), frame=4).frames
    np.testing.assert_array_equal(alone.pixels, values[4])
    assert alone.number == 4
    assert alone.stack_range == decoded.frames[0].stack_range
    with pytest.raises(ReadError) as caught:
        decode_file(path, PLAIN, frame=6)
    assert caught.value.reason is Reason.MISSING
    with pytest.raises(ReadError) as caught:
        decode_file(path, Settings(max_frames=5))
    assert caught.value.reason is Reason.TOO_MANY_FRAMES


def test_stack_with_one_directory(tmp_path: Path) -> None:
    values = _values((7, 11, 13), "uint16")
    path = _write(tmp_path / "x.tif", values, truncate=True)
    decoded = decode_file(path, PLAIN)
    np.testing.assert_array_equal([f.pixels for f in decoded.frames], values)
    path.write_bytes(path.read_bytes()[:-2000])


def test_bands_are_frames_but_four_interleaved_are_colour(tmp_path: Path) -> None:
    bands = _values((5, 11, 13), "uint16")
    path = _write(tmp_path / "x.tif", bands, planarconfig="separate")
    np.testing.assert_array_equal([f.pixels for f in decode_file(path, PLAIN).frames], bands)
    path = _write(tmp_path / "y.tif", np.moveaxis(bands, 0, 2), planarconfig="contig")
    np.testing.assert_array_equal([f.pixels for f in decode_file(path, PLAIN).frames], bands)
    path = _write(tmp_path / "z.tif", np.moveaxis(bands[:4], 0, 2), planarconfig="contig")
    (frame,) = decode_file(path, PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, np.moveaxis(bands[:3], 0, 2))


@pytest.mark.parametrize(("dtype", "sentinel"), [("float32", -9999.0), ("int16", -32768), ("uint16", 0), ("uint8", 0)])
def test_no_data_tag(tmp_path: Path, dtype: str, sentinel: float) -> None:
    values = _values((21, 33), dtype, seed=4)
    values[values == sentinel] += 1
    values[3:9, 4:20] = sentinel
    path = _write(tmp_path / "x.tif", values, extratags=[(42113, 2, 0, str(sentinel), True)])
    (frame,) = decode_file(path, PLAIN).frames
    np.testing.assert_array_equal(frame.mask, values != sentinel)


def test_overviews_are_no_frames_and_mask_pages_mask(tmp_path: Path) -> None:
    values, valid = _values((20, 32), "uint16"), np.ones((20, 32), np.uint8)
    valid[2:9, 5:9] = 0
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(values, photometric="minisblack")
        writer.write(valid > 0, photometric="mask", subfiletype=4)
        writer.write(values[::2, ::2], photometric="minisblack", subfiletype=1)
    decoded = decode_file(path, PLAIN)
    (frame,) = decoded.frames
    assert decoded.frame_count == 1
    np.testing.assert_array_equal(frame.mask, valid > 0)


def test_white_is_zero_palettes_and_orientation(tmp_path: Path) -> None:
    values = _values((20, 32), "uint16")
    (frame,) = decode_file(_write(tmp_path / "w.tif", values, photometric="miniswhite"), PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, 65535 - values)
    table = np.random.default_rng(1).integers(0, 65536, (3, 65536), dtype=np.uint16)
    path = _write(tmp_path / "p.tif", values, photometric="palette", colormap=table)
    (frame,) = decode_file(path, PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, np.moveaxis(table[:, values], 0, 2))
    path = _write(tmp_path / "o.tif", values, extratags=[(274, 3, 1, 6, True)])
    (frame,) = decode_file(path, PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, np.rot90(values, -1))


def test_depth_is_not_guessed_without_a_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tifffile cannot decode Pillow may, unless it would reduce it."""
    values = _values((20, 32), "uint16")
    grey = tmp_path / "g.tif"
    Image.fromarray(values).save(grey, compression="tiff_lzw")
    real = tifffile.TiffPage.asarray

    def lacking(self: Any, *args: Any, **options: Any) -> Any:
        if self.compression != 1:
            raise ValueError(f"{self.compression!r} requires the 'imagecodecs' package")
        return real(self, *args, **options)

    monkeypatch.setattr(tifffile.TiffPage, "asarray", lacking)
    (frame,) = decode_file(grey, PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, values)
    colour = _write(tmp_path / "c.tif", _values((20, 32, 3), "uint16"), photometric="rgb", compression="zlib")
    with pytest.raises(ReadError) as caught:
        decode_file(colour, PLAIN)
    assert caught.value.reason is Reason.UNSUPPORTED
    assert "imagecodecs" in caught.value.detail


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
def test_cut_files_are_truncated(tmp_path: Path, options: dict[str, Any]) -> None:
    path = _write(tmp_path / "x.tif", _values((64, 64), "uint16"), **options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 3000])
    with pytest.raises(ReadError) as caught:
        decode_file(path, PLAIN)
    assert caught.value.reason in (Reason.TRUNCATED, Reason.DAMAGED)


def test_a_broken_page_leaves_the_others(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.tif", _values((4, 64, 64), "uint16"), compression="zlib")
    with tifffile.TiffFile(path) as file:
        start = file.pages[1].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[start : start + 50] = bytes(50)
    path.write_bytes(data)
    decoded = decode_file(path, PLAIN)
    assert [f.number for f in decoded.frames] == [0, 2, 3]
    assert decoded.frame_count == 4
    assert any("frame 1" in text for text in decoded.warnings)


def test_limits_come_before_the_pixels(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.tif", _values((3, 20, 30), "uint16"))
    for limits in ({"max_pixels": 599}, {"max_frame_bytes": 1199}, {"max_bytes": 3599, "max_frame_bytes": 1200}):
        with pytest.raises(ReadError) as caught:
            decode_file(path, Settings(**limits))
        assert caught.value.reason is Reason.TOO_LARGE


def test_pages_of_lossy_codecs_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(_values((40, 40, 3), "uint8")).save(path, compression="jpeg")
    assert not decode_file(path, PLAIN).lossless
    assert sys.byteorder in ("little", "big")
