from __future__ import annotations

import contextlib
import io
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dedupindex.errors import ReadError, Reason
from dedupindex.settings import Settings
from dedupindex.sources import decode_file

PLAIN = Settings()
OBJECTS = Settings(allow_object_arrays=True)


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


def _save(path: Path, array: np.ndarray, **options: Any) -> Path:
    np.save(path, array, **options)
    return path


def _fails(path: Path, reason: Reason, given: Settings = PLAIN) -> ReadError:
    with pytest.raises(ReadError) as caught:
        decode_file(path, given)
    assert caught.value.reason is reason
    return caught.value


# ------------------------------------------------------------------------------------------------ npy and npz
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "i4", "f4", "f8", ">u2", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pictures_and_stacks(tmp_path: Path, dtype: str, order: str) -> None:
    values = np.random.default_rng(0).integers(0, 200, (5, 6, 7)).astype(dtype)
    decoded = decode_file(_save(tmp_path / "s.npy", np.asarray(values, order=order)), PLAIN)
    np.testing.assert_array_equal([f.pixels for f in decoded.frames], values)
    assert decoded.frames[0].pixels.dtype == np.dtype(dtype).newbyteorder("=")
    assert decoded.frames[0].stack_range == (values.min(), values.max())
    assert (decoded.format, decoded.frame_count, decoded.lossless) == ("NPY", 5, True)
    (frame,) = decode_file(_save(tmp_path / "p.npy", np.asarray(values[0], order=order)), PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, values[0])
    assert frame.stack_range is None
    (frame,) = decode_file(tmp_path / "s.npy", PLAIN, frame=3).frames
    np.testing.assert_array_equal(frame.pixels, values[3])
    assert (frame.number, frame.stack_range) == (3, decoded.frames[0].stack_range)


def test_many_tiny_frames_are_views(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (96108, 7, 7), dtype=np.uint16)
    path = _save(tmp_path / "s.npy", values)
    decoded = decode_file(path, PLAIN)
    assert len(decoded.frames) == 96108
    assert decoded.frames[0].pixels.base is not None
    assert decoded.frames[0].mask is decoded.frames[-1].mask
    np.testing.assert_array_equal(decoded.frames[4711].pixels, values[4711])


def test_colour_arrays(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    (frame,) = decode_file(_save(tmp_path / "c.npy", values), PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, values)
    four = np.dstack([values, np.where(values[..., :1] > 100, 255, 0).astype(np.uint8)])
    (frame,) = decode_file(_save(tmp_path / "a.npy", four), PLAIN).frames
    np.testing.assert_array_equal(frame.mask, four[..., 3] > 0)
    assert len(decode_file(_save(tmp_path / "s.npy", np.stack([values] * 4)), PLAIN).frames) == 4


def test_nan_and_sentinels_of_stacks(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    values[1, 2, 3], values[0, 0, 0], values[2] = np.nan, -9, np.inf
    decoded = decode_file(_save(tmp_path / "s.npy", values), Settings(no_data=(-9,)))
    assert [f.number for f in decoded.frames] == [0, 1]  # the third has no valid pixel
    assert decoded.frame_count == 3
    assert decoded.warnings
    for frame in decoded.frames:
        np.testing.assert_array_equal(frame.mask, np.isfinite(values[frame.number]) & (values[frame.number] != -9))
    good = values[np.isfinite(values) & (values != -9)]
    assert decoded.frames[0].stack_range == (good.min(), good.max())
    _fails(_save(tmp_path / "n.npy", np.full((3, 3), np.nan)), Reason.NO_VALID_PIXELS)


def test_what_is_no_picture(tmp_path: Path) -> None:
    _fails(_save(tmp_path / "v.npy", np.arange(5)), Reason.NOT_AN_IMAGE)
    _fails(_save(tmp_path / "e.npy", np.zeros((0, 3, 3))), Reason.NOT_AN_IMAGE)
    _fails(_save(tmp_path / "t.npy", np.array([["a", "b"]])), Reason.NOT_AN_IMAGE)
    path = _save(tmp_path / "c.npy", np.zeros((9, 9)))
    path.write_bytes(path.read_bytes()[:-8])
    _fails(path, Reason.TRUNCATED)
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000, 100000000), }"
    path.write_bytes(b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header)
    _fails(path, Reason.TRUNCATED)


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["DEDUPINDEX_TEST_EVIL"],)


def test_object_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array([[1, None, 3.5], [4, 5, None]], dtype=object)
    path = _save(tmp_path / "o.npy", values, allow_pickle=True)
    assert "allow_object_arrays" in _fails(path, Reason.UNSUPPORTED).detail
    (frame,) = decode_file(path, OBJECTS).frames
    np.testing.assert_array_equal(frame.mask, [[True, False, True], [True, True, False]])
    np.testing.assert_array_equal(frame.pixels[frame.mask], [1, 3.5, 4, 5])
    inner = np.empty((2, 2), object)
    inner[:] = np.float32(2.5)
    (frame,) = decode_file(_save(tmp_path / "i.npy", inner, allow_pickle=True), OBJECTS).frames
    assert (frame.pixels == 2.5).all()

    fortran = np.asfortranarray(np.array([[1, 2, None], [4, 5, 6]], dtype=object))
    (frame,) = decode_file(_save(tmp_path / "f.npy", fortran, allow_pickle=True), OBJECTS).frames
    np.testing.assert_array_equal(frame.pixels, [[1, 2, 0], [4, 5, 6]])
    text = np.array([["a", 1], [2, 3]], dtype=object)
    _fails(_save(tmp_path / "t.npy", text, allow_pickle=True), Reason.UNSUPPORTED, OBJECTS)

    monkeypatch.setenv("DEDUPINDEX_TEST_EVIL", str(tmp_path / "evil"))
    evil = np.empty((2, 2), object)
    evil[:] = 1
    evil[0, 0] = _Evil()
    path = _save(tmp_path / "e.npy", evil, allow_pickle=True)
    _fails(path, Reason.UNSUPPORTED)
    _fails(path, Reason.UNSUPPORTED, OBJECTS)
    assert not (tmp_path / "evil").exists()
    path.write_bytes(pickle.dumps(values))
    _fails(path, Reason.NOT_AN_IMAGE, OBJECTS)


def test_damaged_object_arrays_never_crash(tmp_path: Path) -> None:
    path = _save(tmp_path / "o.npy", np.array([[1, None], [2, np.float32(3)]], dtype=object), allow_pickle=True)
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        mutant = bytearray(data)
        for place in rng.integers(100, len(data), 3):
            mutant[place] = rng.integers(256)
        path.write_bytes(mutant)
        with contextlib.suppress(ReadError):
            decode_file(path, OBJECTS)


def test_archives(tmp_path: Path) -> None:
    one, two = np.arange(12, dtype=np.uint16).reshape(3, 4), np.ones((2, 5, 6), np.float32)
    np.savez_compressed(tmp_path / "x.npz", b=one, a=two, c=np.arange(3))
    decoded = decode_file(tmp_path / "x.npz", PLAIN)
    assert [f.pixels.shape for f in decoded.frames] == [(5, 6), (5, 6), (3, 4)]
    assert decoded.frame_count == 3
    assert any("array c" in text for text in decoded.warnings)
    np.savez(tmp_path / "m.npz", data=one, mask=one > 8)
    (frame,) = decode_file(tmp_path / "m.npz", PLAIN).frames
    np.testing.assert_array_equal(frame.mask, one <= 8)
    np.savez_compressed(tmp_path / "bomb.npz", np.zeros(2_000_000))
    _fails(tmp_path / "bomb.npz", Reason.TOO_LARGE, Settings(max_bytes=1_000_000, max_frame_bytes=1_000_000))


# ------------------------------------------------------------------------------------------------ instruments
def test_fits(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    cube = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    second = fits.ImageHDU(np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32))
    second.data[2, 2] = np.nan
    blank = fits.ImageHDU(np.array([[1, 2], [3, -99]], np.int32))
    blank.header["BLANK"] = -99
    unsigned = fits.ImageHDU(np.array([[0, 65535], [7, 8]], np.uint16))
    fits.HDUList([fits.PrimaryHDU(cube), second, blank, unsigned]).writeto(tmp_path / "x.fits")
    decoded = decode_file(tmp_path / "x.fits", PLAIN)
    assert (decoded.format, decoded.frame_count) == ("FITS", 6)
    np.testing.assert_array_equal([f.pixels for f in decoded.frames[:3]], cube)
    assert decoded.frames[0].stack_range == (0, 59)
    assert decoded.frames[0].pixels.dtype == np.int16
    assert not decoded.frames[3].mask[2, 2]
    np.testing.assert_array_equal(decoded.frames[4].mask, [[True, True], [True, False]])
    np.testing.assert_array_equal(decoded.frames[5].pixels, [[0, 65535], [7, 8]])
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "t.fits")
    _fails(tmp_path / "t.fits", Reason.NOT_AN_IMAGE)


def _dicom(path: Path, array: np.ndarray, **fields: Any) -> Path:
    pydicom = pytest.importorskip("pydicom")
    data = pydicom.dataset.Dataset()
    data.SOPClassUID = data.SOPInstanceUID = "1.2.3"
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    frames = array.shape[0] if array.ndim == 3 and fields.get("SamplesPerPixel", 1) == 1 else 1
    data.Rows, data.Columns = array.shape[-2:] if fields.get("SamplesPerPixel", 1) == 1 else array.shape[:2]
    data.NumberOfFrames = frames
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = array.dtype.itemsize * 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(array.dtype.kind == "i")
    for name, value in fields.items():
        setattr(data, name, value)
    data.HighBit = data.BitsStored - 1
    data.PixelData = array.tobytes()
    data["PixelData"].VR = "OW"
    data.save_as(path, enforce_file_format=True)
    return path


def test_dicom(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (3, 8, 10), dtype=np.uint16)
    values[1, 2, 2] = 0
    path = _dicom(tmp_path / "x.dcm", values, BitsStored=12, PixelPaddingValue=0)
    decoded = decode_file(path, PLAIN)
    assert (decoded.format, decoded.frame_count) == ("DICOM", 3)
    np.testing.assert_array_equal([f.pixels for f in decoded.frames], values)
    np.testing.assert_array_equal([f.mask for f in decoded.frames], values != 0)
    assert {f.bits for f in decoded.frames} == {12}
    (alone,) = decode_file(path, PLAIN, frame=1).frames
    np.testing.assert_array_equal(alone.pixels, values[1])
    np.testing.assert_array_equal(alone.mask, values[1] != 0)
    assert alone.stack_range == decoded.frames[0].stack_range
    (inverted,) = decode_file(
        _dicom(tmp_path / "m.dcm", values[0], BitsStored=12, PhotometricInterpretation="MONOCHROME1"), PLAIN
    ).frames
    np.testing.assert_array_equal(inverted.pixels, 4095 - values[0])
    colour = np.random.default_rng(0).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    path = _dicom(tmp_path / "c.dcm", colour, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    (frame,) = decode_file(path, PLAIN).frames
    np.testing.assert_array_equal(frame.pixels, colour)


@pytest.mark.parametrize(
    ("module", "name", "data", "extra"),
    [
        ("astropy.io.fits", "x.fits", b"SIMPLE  =                    T", "science"),
        ("pydicom", "x.dcm", b"\0" * 128 + b"DICM", "science"),
        ("rawpy", "x.nef", b"II*\0", "raw"),
    ],
)
def test_missing_extras_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, data: bytes, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).write_bytes(data)
    assert f"install dedupindex with its extra '{extra}'" in _fails(tmp_path / name, Reason.UNSUPPORTED).detail


def test_read_only_bytes_give_read_only_frames(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((3, 3)))
    (tmp_path / "x.npy").write_bytes(buffer.getvalue())
    (frame,) = decode_file(tmp_path / "x.npy", PLAIN).frames
    assert not frame.pixels.flags.writeable
