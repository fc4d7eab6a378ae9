import numpy as np
import pytest

from dedupindex.features import unit
from dedupindex.features.keypoints import extract
from dedupindex.features.negative import Negatives, has_negative, negative, negative_probes, reversed_cells
from tests.scenes import PHOTOGRAPHS, features, grey, photograph, photograph_features, smooth


def inverted(pixels: np.ndarray) -> np.ndarray:
    return 255 - pixels


@pytest.mark.parametrize("name", ["camera", "coffee", "astronaut"])
def test_sift_of_an_inverted_picture_has_its_cells_in_reverse(name):
    picture = photograph(name)[::2, ::2, 1].copy()
    valid = np.ones(picture.shape, bool)
    plain, other = extract(picture, valid), extract(inverted(picture), valid)
    distance = np.abs(plain.position[:, None] - other.position[None]).sum(2)
    turn = np.abs(np.mod(plain.angle[:, None] - other.angle[None], 2 * np.pi) - np.pi)
    sizes = plain.scale[:, None] / other.scale[None] - 1
    rows, columns = np.nonzero((distance < 0.003) & (turn < 0.1) & (np.abs(sizes) < 0.05))
    assert len(rows) > 0.6 * len(plain.scale)
    products = (plain.descriptors[rows][:, reversed_cells()] * other.descriptors[columns]).sum(1)
    assert np.median(products) > 0.99


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_what_is_made_of_the_features_is_what_the_inverted_picture_gives(name):
    made, real = negative(photograph_features(name)), features(inverted(photograph(name)))
    assert np.abs(made.thumbnail.astype(int) - real.thumbnail).max() <= 2
    assert np.abs(made.colour.astype(int) - real.colour).max() <= 1
    np.testing.assert_allclose(made.histogram, real.histogram, atol=5e-3)  # grey levels on a bin's edge
    products = unit(np.stack([made.descriptor, photograph_features(name).descriptor])) @ unit(real.descriptor[None])[0]
    assert products[0] > 0.75
    assert products[0] > products[1] + 0.4
    [probes] = negative_probes([photograph_features(name)])
    assert probes.shape == (2, len(real.descriptor))
    assert probes[0] @ unit(made.descriptor[None])[0] == pytest.approx(1, abs=1e-5)


def test_what_lies_under_a_mask_does_not_matter():
    picture = photograph("coffee").copy()
    mask = np.ones(picture.shape[:2], bool)
    mask[100:250, 200:420] = False
    one = negative(features(picture, mask))
    picture[~mask] = 77
    other = negative(features(picture, mask))
    np.testing.assert_array_equal(one.descriptor, other.descriptor)


def test_twice_the_negative_is_the_picture():
    plain = photograph_features("cat")
    again = negative(negative(plain))
    np.testing.assert_array_equal(again.thumbnail, plain.thumbnail)
    np.testing.assert_allclose(np.mod(again.keypoints.angle, 2 * np.pi), plain.keypoints.angle, atol=1e-5)
    assert unit(again.descriptor[None])[0] @ unit(plain.descriptor[None])[0] > 0.8


def test_smooth_fields_have_no_negative_of_their_own():
    assert has_negative(photograph_features("cat"))
    assert not has_negative(features(grey(smooth(3))))
    found = negative_probes([features(grey(smooth(3))), photograph_features("cat")])
    assert [len(probes) for probes in found] == [0, 2]


def test_the_negative_of_a_picture_is_made_once():
    negatives = Negatives()
    one, other = photograph_features("camera"), photograph_features("coffee")
    made = negatives.of(one)
    assert negatives.of(one) is made
    assert negatives.of(other) is not made
    np.testing.assert_array_equal(made.descriptor, negative(one).descriptor)
    np.testing.assert_array_equal(made.keypoints.codes, negative(one).keypoints.codes)
