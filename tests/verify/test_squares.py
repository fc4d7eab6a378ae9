"""Spectra of turned squares against squares that are turned."""

import numpy as np
import pytest

from dedupindex.compare.correlation import cross_correlate
from dedupindex.verify import squares
from dedupindex.verify.orientations import eight_orientations
from tests.scenes import features, photograph


def turned(values, orientation):
    swapped, rows, columns = orientation
    values = values.T if swapped else values
    return values[:: -1 if rows else 1, :: -1 if columns else 1]


@pytest.fixture(scope="module")
def two():
    return [squares.square_of(features(photograph(name))) for name in ("cat", "coins")]


def test_orientations_are_those_of_the_maps():
    """The pixel at (x, y) of a picture is at the mapped place of the oriented one."""
    picture = np.arange(9).reshape(3, 3)
    for linear in eight_orientations():
        moved = turned(picture, squares.orientation_of(linear))
        for x in (-1, 0, 1):
            for y in (-1, 0, 1):
                new_x, new_y = (linear @ (x, y)).astype(int)
                assert moved[1 + new_y, 1 + new_x] == picture[1 + y, 1 + x]


def test_peaks_are_those_of_the_turned_squares(two):
    one, other = two
    eight = [squares.orientation_of(linear) for linear in eight_orientations()]
    found = squares.peaks(one, other, eight)
    expected = [
        cross_correlate(one.values, turned(other.values, each), min_overlap=squares.MIN_COMMON).score for each in eight
    ]
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_a_turned_picture_has_its_peak_in_its_orientation():
    picture = np.ascontiguousarray(photograph("coffee")[..., 1])
    eight = [squares.orientation_of(linear) for linear in eight_orientations()]
    one = squares.square_of(features(picture))
    for number, each in enumerate(eight):
        found = squares.peaks(squares.square_of(features(np.ascontiguousarray(turned(picture, each)))), one, eight)
        assert found.argmax() == number
        assert found[number] > 0.99


def test_a_masked_or_small_picture_has_no_square():
    picture = photograph("cat")
    mask = np.ones(picture.shape[:2], bool)
    mask[:, 40:90] = False
    assert squares.square_of(features(picture, mask)) is None
    assert squares.square_of(features(picture[:24, :24])) is None
