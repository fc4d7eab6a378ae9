from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dedupindex.sources import rasters


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        (">u2", "uint16"),
        (">f4", "float32"),
        ("i1", "int16"),
        ("f2", "float32"),
        ("u1", "uint8"),
        ("i8", "int32"),
        ("u8", "int32"),
        ("?", "uint8"),
        ("c8", "float32"),
        (">i4", "int32"),
    ],
)
def test_native_dtypes(given_: str, kept: str) -> None:
    array = np.array([[0, 1], [1, 0]], given_)
    out = rasters.native(array)
    assert out.dtype == np.dtype(kept)
    assert out.dtype.isnative
    np.testing.assert_array_equal(out != 0, array != 0)


def test_native_keeps_what_is_right_and_says_what_is_lost() -> None:
    notes: list[str] = []
    array = np.zeros((2, 2), np.uint16)
    assert rasters.native(array) is array
    huge = rasters.native(np.array([[2**40, -1]]), notes.append)
    assert huge.dtype == np.float64
    assert huge[0, 0] == 2**40
    assert rasters.native(np.array([[2**32 - 1]], np.uint64)).dtype == np.uint32
    assert len(notes) == 1


def test_sentinels_colour_and_saturation() -> None:
    grey = np.array([[[0, 7, 4095]]], np.uint16)
    assert rasters.validity(grey) is None
    np.testing.assert_array_equal(rasters.validity(grey, no_data=(7,)), [[[True, False, True]]])
    np.testing.assert_array_equal(rasters.validity(grey, saturated=True, bits=12), [[[True, True, False]]])
    assert rasters.validity(grey, saturated=True) is None
    assert rasters.validity(grey, no_data=(0.5, -1, 1e9, float("nan"), float("inf"))) is None
    colour = np.array([[[[0, 0, 0], [0, 0, 1]]]], np.uint8)
    np.testing.assert_array_equal(rasters.validity(colour, no_data=(0,)), [[[False, True]]])


def test_float_sentinel_that_float32_rounds() -> None:
    stack = np.array([[[-3.4e38, 1.0]]], np.float32)
    np.testing.assert_array_equal(rasters.validity(stack, no_data=(-3.39999999999999996e38,)), [[[False, True]]])


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)))
def test_validity_of_floats_is_finiteness(stack: np.ndarray) -> None:
    mask = rasters.validity(stack)
    expected = np.isfinite(stack)
    np.testing.assert_array_equal(np.ones_like(expected) if mask is None else mask, expected)


def test_gdal_texts() -> None:
    assert rasters.gdal_no_data("-9999\0") == (-9999.0,)
    assert rasters.gdal_no_data(b" 0 ") == (0.0,)
    assert rasters.gdal_no_data(-32768) == (-32768.0,)
    assert rasters.gdal_no_data("none") == ()
    assert rasters.gdal_no_data("") == ()


def test_mask_paths() -> None:
    assert rasters.mask_path(Path("/a/b.tif"), "{stem}.mask.png") == Path("/a/b.mask.png")
    assert rasters.mask_path(Path("/a/b.png"), "{stem}.png") is None
    assert rasters.mask_path(Path("/a/b.png"), "") is None
    assert rasters.mask_path(Path("/a/{0.x}.png"), "{stem}.m.png") == Path("/a/{0.x}.m.png")
