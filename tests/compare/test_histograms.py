import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dedupindex.compare import histograms
from dedupindex.compare.histograms import (
    chi_square,
    fft_magnitude,
    hamming_distance,
    histogram_intersection,
    histogram_l1,
    histogram_l2,
    rgb_histogram,
    spectrum_cosine,
    spectrum_l1,
    weighted_jaccard,
)
from tests.scenes import holes, photograph, smooth

counts = arrays.arrays(np.int64, 12, elements=st.integers(0, 1000)).filter(lambda c: c.sum() > 0)
DISTANCES = {histogram_l1: 2.0, histogram_l2: np.sqrt(2), chi_square: 1.0}
SCORES = (histogram_intersection, weighted_jaccard)


@given(counts, counts, st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_distances_and_scores(a, b, times):
    for distance, largest in DISTANCES.items():
        assert distance(a, a) == pytest.approx(0, abs=1e-12)
        assert 0 <= distance(a, b) <= largest + 1e-12
        assert distance(a, b) == pytest.approx(distance(b, a))
        assert distance(a, b * times) == pytest.approx(distance(a, b), abs=1e-12)  # pictures of other sizes
    for score in SCORES:
        assert score(a, a) == pytest.approx(1)
        assert 0 <= score(a, b) <= 1 + 1e-12
        assert score(a, b) == pytest.approx(score(b, a))
        assert score(a, b * times) == pytest.approx(score(a, b))
    shared = histogram_intersection(a, b)
    assert weighted_jaccard(a, b) == pytest.approx(shared / (2 - shared))
    assert histogram_l1(a, b) == pytest.approx(2 * (1 - shared))


def test_known_values():
    a, b = np.array([1, 3, 0]), np.array([2, 0, 2])
    assert histogram_l1(a, b) == pytest.approx(1.5)
    assert histogram_l2(a, b) == pytest.approx(np.sqrt(0.25**2 + 0.75**2 + 0.5**2))
    assert chi_square(a, b) == pytest.approx(0.5 * (0.25**2 / 0.75 + 0.75 + 0.5))
    assert histogram_intersection(a, b) == pytest.approx(0.25)
    assert weighted_jaccard(a, b) == pytest.approx(0.25 / 1.75)
    disjoint = np.array([1, 0]), np.array([0, 1])
    assert [measure(*disjoint) for measure in (*DISTANCES, *SCORES)] == pytest.approx([2, np.sqrt(2), 1, 0, 0])


@pytest.mark.parametrize("measure", [*DISTANCES, *SCORES])
@pytest.mark.parametrize("bad", [np.zeros(3), np.array([1, -1, 1]), np.array([1, np.nan, 1]), np.ones(4)])
def test_counts_that_are_none(measure, bad):
    with pytest.raises(ValueError, match=r"counts|shapes"):
        measure(bad, np.ones(3))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_histogram_is_the_one_numpy_counts(seed, bins, colour):
    random = np.random.default_rng(seed)
    picture = random.random((9, 11, 3) if colour else (9, 11))
    mask = random.random((9, 11)) < 0.6
    mask[0, 0] = True
    found = rgb_histogram(picture, mask, bins=bins)
    for channel in range(3):
        values = picture[..., channel][mask] if colour else picture[mask]
        expected = np.histogram(values, bins=bins, range=(0, 1))[0] / mask.sum()
        np.testing.assert_allclose(found[channel], expected, atol=1e-6)
    picture[~mask] = np.nan
    np.testing.assert_array_equal(found, rgb_histogram(picture, mask, bins=bins))
    tiled = np.concatenate([picture, picture]), np.concatenate([mask, mask])
    np.testing.assert_allclose(found, rgb_histogram(*tiled, bins=bins), atol=1e-6)


def test_values_outside_the_range_count_at_its_ends():
    found = rgb_histogram(np.array([[-5, 0, 99, 255, 256, 1000]]), bins=2, value_range=(0, 256))
    np.testing.assert_allclose(found, [[3 / 6, 3 / 6]] * 3)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((np.zeros((4, 4, 2)),), {}),
        ((np.zeros(4),), {}),
        ((np.zeros((4, 4)), np.ones((4, 5), bool)), {}),
        ((np.zeros((4, 4)), np.zeros((4, 4), bool)), {}),
        ((np.zeros((4, 4)),), {"bins": 0}),
        ((np.zeros((4, 4)),), {"value_range": (1, 1)}),
    ],
)
def test_no_histogram(arguments, options):
    with pytest.raises(ValueError, match=r"shape|mask|valid|bins"):
        rgb_histogram(*arguments, **options)


def test_a_spectrum_hardly_sees_a_shift_but_sees_another_picture():
    scene = photograph("astronaut")[..., 1]
    spectrum = fft_magnitude(scene[40:296, 40:296])
    shifted, other = fft_magnitude(scene[48:304, 34:290]), fft_magnitude(photograph("coins")[:256, :256, 1])
    assert spectrum.sum() == pytest.approx(1, abs=1e-4)
    assert spectrum_cosine(spectrum, spectrum) == pytest.approx(1)
    assert spectrum_l1(spectrum, spectrum) == 0
    assert spectrum_cosine(spectrum, shifted) > spectrum_cosine(spectrum, other) + 0.05
    assert spectrum_l1(spectrum, shifted) < spectrum_l1(spectrum, other)


@given(st.integers(0, 1000), st.floats(0.1, 50), st.floats(-100, 100))
@settings(max_examples=15, deadline=None)
def test_a_spectrum_knows_neither_gain_nor_offset_nor_what_lies_under_the_mask(seed, gain, offset):
    picture, mask = smooth(seed, (60, 80), 3).astype(np.float64), holes(seed, (60, 80))
    spectrum = fft_magnitude(picture, mask)
    np.testing.assert_allclose(spectrum, fft_magnitude(picture * gain + offset, mask), atol=1e-5)
    np.testing.assert_array_equal(spectrum, fft_magnitude(np.where(mask, picture, np.nan), mask))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-20, 1e20, 65535.0])
def test_a_constant_picture_has_no_spectrum(value):
    spectrum = fft_magnitude(np.full((30, 50), value))
    assert not spectrum.any()
    assert spectrum_cosine(spectrum, spectrum) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (7, 7), (300, 20), (640, 480)])
def test_every_size_has_a_spectrum_of_one_shape(shape):
    side = histograms.SPECTRUM_SIDE
    spectrum = fft_magnitude(np.random.default_rng(0).random(shape))
    assert spectrum.shape == (side, side // 2 + 1)
    assert np.isfinite(spectrum).all()


def test_no_spectrum():
    for arguments in ((np.zeros((4, 4, 3)),), (np.zeros((4, 4)), np.ones((5, 4), bool))):
        with pytest.raises(ValueError, match="2-D"):
            fft_magnitude(*arguments)
    with pytest.raises(ValueError, match="valid"):
        fft_magnitude(np.zeros((4, 4)), np.zeros((4, 4), bool))
    with pytest.raises(ValueError, match="shapes"):
        spectrum_l1(np.zeros((4, 3), np.float32), np.zeros((4, 4), np.float32))


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8))
def test_hamming_distance(a, b):
    difference = int.from_bytes(a, "big") ^ int.from_bytes(b, "big")
    assert hamming_distance(a, b) == difference.bit_count()


def test_hashes_of_other_lengths_do_not_compare():
    with pytest.raises(ValueError, match=r"bits|bytes|length"):
        hamming_distance(bytes(8), bytes(4))
