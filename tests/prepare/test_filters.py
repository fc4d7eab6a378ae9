import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dedupindex.errors import SettingsError
from dedupindex.prepare.filters import (
    FILTERS,
    apply_filters,
    enhanced_lee_filter,
    gaussian_filter,
    lee_filter,
    masked_median,
    mean_filter,
    normalised_convolution,
    parse_filters,
)

RANDOM = np.random.default_rng(7)
PICTURE = RANDOM.random((41, 53)).astype(np.float32)
WHOLE = np.ones(PICTURE.shape, bool)


@pytest.mark.parametrize("mask", [None, WHOLE])
@pytest.mark.parametrize("size", [1, 2, 5, 10])
def test_plain_pictures_agree_with_scipy(size, mask):
    np.testing.assert_allclose(mean_filter(PICTURE, size, mask), ndimage.uniform_filter(PICTURE, size), atol=1e-6)
    np.testing.assert_array_equal(masked_median(PICTURE, size, mask), ndimage.median_filter(PICTURE, size))
    np.testing.assert_allclose(gaussian_filter(PICTURE, size, mask), ndimage.gaussian_filter(PICTURE, size), atol=1e-6)


@pytest.mark.parametrize("name", FILTERS)
@given(seed=st.integers(0, 1000), share=st.floats(0.05, 0.95), garbage=st.sampled_from([np.nan, np.inf, -1e30, 7e9]))
@settings(max_examples=15, deadline=None)
def test_values_under_the_mask_change_nothing(name, seed, share, garbage):
    random = np.random.default_rng(seed)
    mask = random.random((23, 19)) > share
    values = random.random(mask.shape).astype(np.float32)
    clean = FILTERS[name](np.where(mask, values, 0), 3, mask)
    np.testing.assert_array_equal(FILTERS[name](np.where(mask, values, garbage), 3, mask), clean)
    assert np.isfinite(clean).all()
    assert (clean[~mask] == 0).all()


def test_median_counts_valid_pixels_only():
    mask = RANDOM.random(PICTURE.shape) > 0.4
    found = masked_median(PICTURE, 5, mask)
    padded, valid = np.pad(PICTURE, 2, mode="symmetric"), np.pad(mask, 2, mode="symmetric")
    for row, column in np.argwhere(mask)[::17]:
        window = padded[row : row + 5, column : column + 5][valid[row : row + 5, column : column + 5]]
        assert found[row, column] == np.sort(window)[len(window) // 2]


def test_mean_counts_valid_pixels_only():
    mask = RANDOM.random(PICTURE.shape) > 0.4
    found = mean_filter(PICTURE, 3, mask)
    row, column = np.argwhere(mask[1:-1, 1:-1])[40] + 1
    window = np.s_[row - 1 : row + 2, column - 1 : column + 2]
    assert found[row, column] == pytest.approx(PICTURE[window][mask[window]].mean(), rel=1e-5)


@pytest.mark.parametrize("smooth", [lee_filter, enhanced_lee_filter])
def test_far_from_the_mask_nothing_changes_and_its_edge_does_not_darken(smooth):
    random = np.random.default_rng(3)
    truth = 110 + 40 * ndimage.gaussian_filter(random.normal(size=(160, 160)), 12)
    speckled = truth * random.gamma(4, 1 / 4, truth.shape)
    mask = np.ones(truth.shape, bool)
    mask[50:110, 60:100] = False
    ours = smooth(np.where(mask, speckled, np.nan), 7, mask)
    overall = np.isclose(ours, smooth(speckled, 7), rtol=0.02)  # the picture's own variance changes a little
    far = ~ndimage.binary_dilation(~mask, iterations=8)
    assert overall[far].mean() > 0.99
    band = ndimage.binary_dilation(~mask, iterations=3) & mask
    bled = smooth(np.where(mask, speckled, 0), 7)
    assert abs((ours - truth)[band].mean()) < 4
    assert (bled - truth)[band].mean() < -5


def test_speckle_stays_unbiased():
    random = np.random.default_rng(5)
    speckled = 50 * random.gamma(4, 1 / 4, (200, 200))
    assert enhanced_lee_filter(speckled, 9, looks=4).mean() == pytest.approx(speckled.mean(), rel=0.01)
    assert enhanced_lee_filter(speckled, 9, looks=4).std() < 0.4 * speckled.std()


def test_normalised_convolution_weighs_by_confidence():
    confidence = np.zeros((5, 5), np.float32)
    confidence[2, 1], confidence[2, 3] = 1, 0.5
    values = np.zeros((5, 5), np.float32)
    values[2, 1], values[2, 3] = 3, 9
    assert normalised_convolution(values, np.ones((3, 3)), confidence)[2, 2] == pytest.approx((3 + 4.5) / 1.5)
    assert normalised_convolution(values, np.ones((3, 3)), confidence)[0, 0] == 0
    with pytest.raises(ValueError, match="non-negative"):
        normalised_convolution(values, np.array([[1, -1]]))


def test_filters_by_name():
    assert parse_filters(("lee:5", "gaussian:1.5")) == (("lee", 5.0), ("gaussian", 1.5))
    colour = np.dstack([PICTURE, PICTURE**2, 1 - PICTURE])
    smooth, _ = apply_filters(colour, None, parse_filters(("median:3",)))
    np.testing.assert_array_equal(smooth[..., 1], masked_median(PICTURE**2, 3))
    for bad in ("lee", "median:2.5", "blur:3", "mean:0"):
        with pytest.raises(SettingsError):
            parse_filters((bad,))
