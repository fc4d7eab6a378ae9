import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.features.resampling import area_matrix, fitted, resample, resample_masked
from tests.oracles import area_average

sizes = st.integers(1, 40)


@given(sizes, sizes)
@settings(max_examples=60, deadline=None)
def test_rows_of_the_area_matrix_are_averages(length, target):
    matrix = area_matrix(length, target)
    assert matrix.shape == (target, length)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-5)


def test_the_matrix_is_shared_and_so_read_only():
    with pytest.raises(ValueError, match="read-only"):
        area_matrix(7, 3)[0, 0] = 2


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_masked_average_equals_the_slow_one(height, width, rows, columns, seed):
    random = np.random.default_rng(seed)
    picture = random.random((height, width)).astype(np.float32)
    mask = random.random((height, width)) < 0.7
    values, share = resample_masked(picture[None], mask[None].astype(np.float32), (rows, columns))
    slow_values, slow_share = area_average(picture, mask, (rows, columns))
    np.testing.assert_allclose(share[0], slow_share, atol=1e-5)
    np.testing.assert_allclose(values[0], slow_values, atol=1e-4)


def test_an_enlarged_or_unchanged_picture_keeps_its_values():
    picture = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    np.testing.assert_array_equal(resample(picture, (3, 4)), picture)
    np.testing.assert_allclose(resample(picture, (6, 8))[0], np.kron(picture[0], np.ones((2, 2))), atol=1e-5)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_values_under_the_mask_cannot_matter(seed):
    random = np.random.default_rng(seed)
    picture = random.random((13, 17)).astype(np.float32)
    mask = random.random((13, 17)) < 0.6
    other = np.where(mask, picture, random.normal(0, 1e6, picture.shape)).astype(np.float32)
    first, _ = resample_masked(picture, mask.astype(np.float32), (5, 6))
    second, _ = resample_masked(other, mask.astype(np.float32), (5, 6))
    np.testing.assert_array_equal(first, second)


def test_nothing_valid_gives_zero():
    values, share = resample_masked(np.ones((4, 4), np.float32), np.zeros((4, 4), np.float32), (2, 2))
    assert not values.any()
    assert not share.any()


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_fitted_sizes(height, width, side):
    rows, columns = fitted((height, width), side)
    assert 1 <= rows <= height
    assert 1 <= columns <= width
    assert max(rows, columns) == min(side, max(height, width))


@given(sizes, sizes, sizes, sizes, st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_no_weights_are_ones(height, width, rows, columns, seed):
    pictures = np.random.default_rng(seed).random((2, 3, height, width)).astype(np.float32)
    ones = np.ones((2, 1, height, width), np.float32)
    for found, expected in zip(
        resample_masked(pictures, None, (rows, columns)), resample_masked(pictures, ones, (rows, columns)), strict=True
    ):
        np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))
