import numpy as np
import pytest
from scipy import ndimage

from dedupindex.prepare import masks


def test_finite():
    a = np.array([[1, np.nan, np.inf, -np.inf]])
    np.testing.assert_array_equal(masks.valid_from_finite(a), [[True, False, False, False]])
    assert masks.valid_from_finite(np.zeros((2, 2), np.uint8)).all()
    colour = np.zeros((1, 2, 3))
    colour[0, 1, 2] = np.nan
    np.testing.assert_array_equal(masks.valid_from_finite(colour, channels=True), [[True, False]])


def test_sentinels():
    a = np.array([[-9999, 0, 5]], np.int16)
    np.testing.assert_array_equal(masks.valid_from_sentinels(a, [-9999, 1e9, 0.5]), [[False, True, True]])
    b = np.array([[np.float32(-3.4028235e38), np.nan, 1]], np.float32)
    np.testing.assert_array_equal(masks.valid_from_sentinels(b, [-3.4028234663852886e38, np.nan]), [[0, 0, 1]])
    colour = np.zeros((1, 2, 3), np.uint8)
    colour[0, 1, 1] = 255  # green is not "0 = no data"
    np.testing.assert_array_equal(masks.valid_from_sentinels(colour, [0], channels=True), [[False, True]])


def test_range():
    a = np.array([[1.0, 2, 3, np.nan]])
    np.testing.assert_array_equal(masks.valid_from_range(a, 2, 3), [[False, True, True, False]])


def test_masked_arrays_and_objects():
    data, valid = masks.valid_from_masked_array(np.ma.array([[1, 2]], mask=[[0, 1]]))
    np.testing.assert_array_equal(valid, [[True, False]])
    np.testing.assert_array_equal(data[valid], [1])
    values, valid = masks.valid_from_objects(np.array([[1, None, 2.5, float("nan")]], object))
    np.testing.assert_array_equal(valid, [[True, False, True, False]])
    assert values[0, 2] == 2.5
    with pytest.raises(TypeError, match="numbers and None"):
        masks.valid_from_objects(np.array([["x", None]], object))


def test_alpha_and_saturation():
    alpha = np.array([[0, 1, 128, 255]], np.uint8)
    np.testing.assert_array_equal(masks.valid_from_alpha(alpha), [[0, 1, 1, 1]])
    np.testing.assert_allclose(masks.confidence_from_alpha(alpha), alpha / 255, rtol=1e-6)
    a = np.array([[4094, 4095]], np.uint16)
    np.testing.assert_array_equal(masks.valid_from_saturation(a, bits=12), [[True, False]])
    assert masks.valid_from_saturation(a).all()
    assert masks.valid_from_saturation(np.ones((2, 2))).all()


def test_combine():
    a, b = np.array([[True, True]]), np.array([[True, False]])
    np.testing.assert_array_equal(masks.combine(a, None, b), b)
    with pytest.raises(ValueError, match="shapes"):
        masks.combine(a, np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="no mask"):
        masks.combine(None)


@pytest.mark.parametrize("pixels", [0, 1, 3])
def test_erosion_is_that_of_scipy(pixels):
    mask = np.random.default_rng(0).random((40, 50)) > 0.02
    square = np.ones((2 * pixels + 1,) * 2)
    expected = ndimage.binary_erosion(mask, square, border_value=1)
    np.testing.assert_array_equal(masks.erode(mask, pixels), expected)
    np.testing.assert_array_equal(masks.erode(np.stack([mask, ~mask]), pixels)[0], expected)
    with pytest.raises(ValueError, match="erosion"):
        masks.erode(mask, -1)


def test_confidence_from_distance():
    mask = np.ones((5, 9), bool)
    mask[:, 0] = False
    np.testing.assert_allclose(masks.confidence_from_distance(mask, 4)[2], [0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
    assert masks.confidence_from_distance(np.ones((3, 3), bool), 2).all()
    with pytest.raises(ValueError, match="width"):
        masks.confidence_from_distance(mask, 0)
