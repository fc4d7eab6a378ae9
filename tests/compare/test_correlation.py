import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dedupindex.compare.correlation import (
    cross_correlate,
    find_peak,
    masked_ncc_map,
    ncc_map,
    padded_shape,
    pearson,
    spectra,
)
from tests.oracles import correlation_map
from tests.scenes import holes, photograph, smooth

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 9)


@given(seeds, sides, sides, sides, sides, st.sampled_from([0.0, 0.3, 0.8]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_score_equals_the_slow_one(seed, rows_a, columns_a, rows_b, columns_b, min_overlap, masked):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(rows_a, columns_a)), random.normal(size=(rows_b, columns_b))
    mask_a = random.random(a.shape) < (0.8 if masked else 2)
    mask_b = random.random(b.shape) < (0.8 if masked else 2)
    padded = padded_shape(a.shape, b.shape)
    score, overlap = ncc_map(spectra(a, mask_a, padded), spectra(b, mask_b, padded), min_overlap=min_overlap)
    slow = correlation_map(a, b, mask_a, mask_b, min_overlap)
    for dy in range(-rows_b + 1, rows_a):
        for dx in range(-columns_b + 1, columns_a):
            if (dy, dx) in slow:
                assert score[dy, dx] == pytest.approx(slow[dy, dx][0], abs=1e-5)
                assert overlap[dy, dx] == slow[dy, dx][1]
            else:
                assert score[dy, dx] == -np.inf
    assert np.isfinite(score).sum() == len(slow)


@given(seeds, sides, sides)
@settings(max_examples=30, deadline=None)
def test_the_peak_is_the_slow_maximum(seed, rows, columns):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(8, 7)), random.normal(size=(rows, columns))
    slow = correlation_map(a, b, np.ones(a.shape, bool), np.ones(b.shape, bool), 0.3)
    peak = cross_correlate(a, b)
    assume(slow and max(score for score, _ in slow.values()) > 1e-6)
    best = max(score for score, _ in slow.values())
    assert peak.score == pytest.approx(best, abs=1e-5)
    assert slow[tuple(int(s) for s in peak.shift)][0] == pytest.approx(best, abs=1e-5)
    assert peak.overlap == pytest.approx(slow[tuple(int(s) for s in peak.shift)][1] / min(a.size, b.size))


@st.composite
def windows(draw):
    """Two windows of one smooth scene with the shift of the second one, and masks."""
    seed = draw(seeds)
    rows_a, columns_a, rows_b, columns_b = (draw(st.integers(24, 60)) for _ in range(4))
    scene = smooth(seed, (120, 120), draw(st.floats(1.5, 4.0)))
    top_a, left_a = draw(st.integers(0, 120 - rows_a)), draw(st.integers(0, 120 - columns_a))
    reach = 0.45
    top_b = int(np.clip(top_a + draw(st.floats(-reach, reach)) * rows_a, 0, 120 - rows_b))
    left_b = int(np.clip(left_a + draw(st.floats(-reach, reach)) * columns_a, 0, 120 - columns_b))
    a = scene[top_a : top_a + rows_a, left_a : left_a + columns_a]
    b = scene[top_b : top_b + rows_b, left_b : left_b + columns_b]
    mask_a, mask_b = np.ones(a.shape, bool), np.ones(b.shape, bool)
    if draw(st.booleans()):
        mask_a, mask_b = holes(seed + 1, a.shape, 0.2), holes(seed + 2, b.shape, 0.1)
    common_rows = min(top_a + rows_a, top_b + rows_b) - max(top_a, top_b)
    common_columns = min(left_a + columns_a, left_b + columns_b) - max(left_a, left_b)
    assume(common_rows > 0 and common_columns > 0)
    assume(common_rows * common_columns > 0.45 * min(a.size, b.size))
    return a, b, mask_a, mask_b, (top_b - top_a, left_b - left_a)


@given(windows(), st.floats(0.1, 50), st.floats(-100, 100))
@settings(max_examples=60, deadline=None)
def test_shifts_are_recovered_whatever_the_gain_and_offset(pair, gain, offset):
    a, b, mask_a, mask_b, shift = pair
    peak = cross_correlate(a, b * gain + offset, mask_a, mask_b)
    assert abs(peak.shift[0] - shift[0]) <= 1
    assert abs(peak.shift[1] - shift[1]) <= 1
    assert peak.score > 0.99
    fine = cross_correlate(a, b, mask_a, mask_b, subpixel=True)
    assert np.abs(np.subtract(fine.shift, shift)).max() <= 1


@given(windows())
@settings(max_examples=30, deadline=None)
def test_correlation_is_symmetric(pair):
    a, b, mask_a, mask_b, _ = pair
    there, back = cross_correlate(a, b, mask_a, mask_b), cross_correlate(b, a, mask_b, mask_a)
    assert there.score == pytest.approx(back.score, abs=1e-9)
    assert there.overlap == pytest.approx(back.overlap)
    assert there.shift == (-back.shift[0], -back.shift[1])


@given(seeds, sides, sides, sides, sides)
@settings(max_examples=30, deadline=None)
def test_every_shift_is_symmetric(seed, rows_a, columns_a, rows_b, columns_b):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(rows_a, columns_a)), random.normal(size=(rows_b, columns_b))
    padded = padded_shape(a.shape, b.shape)
    first, second = spectra(a, None, padded), spectra(b, None, padded)
    there, back = ncc_map(first, second)[0], ncc_map(second, first)[0]
    mirrored = np.roll(back[::-1, ::-1], (1, 1), (0, 1))
    np.testing.assert_allclose(there, mirrored, atol=1e-6)


@given(windows(), st.sampled_from(["nan", "inf", "huge", "noise"]))
@settings(max_examples=30, deadline=None)
def test_masked_pixels_cannot_change_the_result(pair, garbage):
    a, b, mask_a, mask_b, _ = pair
    mask_a, mask_b = mask_a.copy(), mask_b.copy()
    mask_a[3:6, 4:9] = mask_b[0:2] = False
    values = {"nan": np.nan, "inf": np.inf, "huge": 1e30, "noise": None}[garbage]
    dirty_a, dirty_b = a.copy(), b.copy()
    random = np.random.default_rng(0)
    dirty_a[~mask_a] = random.normal(size=int((~mask_a).sum())) if values is None else values
    dirty_b[~mask_b] = random.normal(size=int((~mask_b).sum())) if values is None else values
    assert cross_correlate(a, b, mask_a, mask_b) == cross_correlate(dirty_a, dirty_b, mask_a, mask_b)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1.0, 255.0, -7.3, 1e-30, 1e30])
def test_flat_pictures_score_zero(value):
    flat, scene = np.full((20, 30), value), smooth(0, (25, 25), 2)
    for a, b in ((flat, flat), (flat, scene), (scene, flat)):
        peak = cross_correlate(a, b)
        assert peak.score == 0
        assert np.isfinite([*peak.shift, peak.overlap]).all()


def test_rounding_of_a_flat_float32_picture_is_no_contrast():
    ripple = np.full((30, 30), 0.3, np.float32)
    ripple[::2, ::3] = np.nextafter(np.float32(0.3), np.float32(1))
    assert cross_correlate(ripple, ripple).score == 0
    assert cross_correlate(ripple.astype(np.float64), ripple.astype(np.float64)).score > 0.99


def test_a_picture_flat_where_it_overlaps_scores_zero_there():
    a = np.zeros((20, 40))
    a[:, 25:] = np.random.default_rng(0).normal(size=(20, 15))
    b = np.random.default_rng(1).normal(size=(20, 20))
    padded = padded_shape(a.shape, b.shape)
    score, _ = ncc_map(spectra(a, None, padded), spectra(b, None, padded), min_overlap=0.9)
    assert score[0, 0] == 0
    assert score[0, 3] == 0


@pytest.mark.parametrize("mask", [np.zeros((9, 9), bool), np.eye(9, dtype=bool) & (np.arange(9) == 4)])
def test_nothing_or_one_pixel_valid(mask):
    peak = cross_correlate(smooth(0, (9, 9), 2), smooth(1, (9, 9), 2), mask, None)
    assert (peak.score, peak.overlap) == (0.0, 0.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64, np.bool_])
def test_every_dtype(dtype):
    scene = (smooth(3, (60, 60), 3) * 200).astype(dtype) if dtype != np.bool_ else smooth(3, (60, 60), 3) > 0.5
    assert cross_correlate(scene[5:45, 10:50], scene[0:40, 17:57]).shift == (-5.0, 7.0)


def test_a_large_offset_does_not_drown_the_contrast():
    scene = smooth(1, (60, 60), 3).astype(np.float64) + 1e6
    peak = cross_correlate(scene[5:45, 10:50], scene[0:40, 17:57])
    assert peak.shift == (-5.0, 7.0)
    assert peak.score == pytest.approx(1, abs=1e-6)


def test_shifts_can_be_bounded():
    scene = smooth(1, (80, 80), 2)
    a, b = scene[:50, :50], scene[20:70, 8:58]
    assert cross_correlate(a, b).shift == (20.0, 8.0)
    bounded = cross_correlate(a, b, max_shift=5)
    assert max(abs(s) for s in bounded.shift) <= 5
    assert cross_correlate(a, a, max_shift=0).shift == (0.0, 0.0)


def test_subpixel_shifts():
    y, x = np.mgrid[:60, :60]

    def wave(dy, dx):
        return np.sin((y + dy) / 7) + np.cos((x + dx) / 5) + np.sin((x + y + dx + dy) / 9)

    peak = cross_correlate(wave(0, 0), wave(0.4, -0.3), subpixel=True, max_shift=3)
    np.testing.assert_allclose(peak.shift, (0.4, -0.3), atol=0.15)  # the overlap changes with the shift, which pulls


@pytest.mark.parametrize(
    ("a", "mask"), [(np.zeros((4, 4, 3)), None), (np.zeros(5), None), (np.zeros((4, 4)), np.ones((4, 5), bool))]
)
def test_shapes_that_do_not_fit(a, mask):
    with pytest.raises(ValueError, match=r"2-D|zip"):
        cross_correlate(a, np.zeros((4, 4)), mask)


def test_spectra_of_other_sizes_cannot_be_mixed():
    picture = smooth(0, (20, 20), 2)
    with pytest.raises(ValueError, match="padded shapes"):
        find_peak(spectra(picture, None, (40, 40)), spectra(picture, None, (48, 40)))


@given(seeds, st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_pearson(seed, gain, offset):
    random = np.random.default_rng(seed)
    a, b, mask = random.normal(size=(6, 8)), random.normal(size=(6, 8)), random.random((6, 8)) < 0.7
    assume(mask.sum() > 3)
    expected = np.corrcoef(a[mask], b[mask])[0, 1]
    assert pearson(a, b, mask) == pytest.approx(expected, abs=1e-9)
    assert pearson(a, b * gain + offset, mask) == pytest.approx(expected, abs=1e-6)
    assert pearson(a, a) == pytest.approx(1)
    assert pearson(a, np.ones_like(a)) == 0
    assert pearson(a, b, np.zeros(a.shape, bool)) == 0
    with pytest.raises(ValueError, match="no common pixels"):
        pearson(a, b[:, 1:])


@given(seeds, sides, sides, sides, sides)
@settings(max_examples=30, deadline=None)
def test_pictures_without_masks_take_a_shorter_way_to_the_same_map(seed, rows_a, columns_a, rows_b, columns_b):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(rows_a, columns_a)), random.normal(size=(rows_b, columns_b))
    wider = np.pad(b, ((0, 1), (0, 1)))  # a masked rim makes it go the long way
    rim = np.pad(np.ones(b.shape, bool), ((0, 1), (0, 1)))
    score, overlap = masked_ncc_map(a, b)
    long_score, long_overlap = masked_ncc_map(a, wider, None, rim)
    np.testing.assert_allclose(score, long_score[1:, 1:], atol=1e-6)
    np.testing.assert_array_equal(overlap, long_overlap[1:, 1:])
    assert np.isneginf(long_score[0]).all()


def test_the_map_stands_in_the_order_of_correlate2d():
    from scipy.signal import correlate2d  # takes a second of computing

    random = np.random.default_rng(0)
    a, b = random.normal(size=(9, 7)), random.normal(size=(4, 6))
    score, overlap = masked_ncc_map(a, b)
    np.testing.assert_array_equal(overlap, np.rint(correlate2d(np.ones(a.shape), np.ones(b.shape))))
    assert score[3 + 2, 5 + 1] == pytest.approx(np.corrcoef(a[2:6, 1:7].ravel(), b.ravel())[0, 1], abs=1e-9)


@pytest.mark.parametrize("masked", [False, True])
def test_a_periodic_picture_lies_on_itself_unshifted(masked):
    stripes = np.tile([0.0, 1.0, 3.0, 1.0], 12)[None, :].repeat(40, 0)
    mask = holes(0, stripes.shape) if masked else None
    assert cross_correlate(stripes, stripes, mask, mask).shift == (0.0, 0.0)


def test_each_transform_is_made_once_and_only_when_needed():
    scene = smooth(0, (40, 40), 2)
    padded = padded_shape(scene.shape, scene.shape)
    plain, masked = spectra(scene, None, padded), spectra(scene, holes(0, scene.shape), padded)
    find_peak(plain, plain)
    assert "squares" not in vars(plain)
    find_peak(plain, masked)
    assert vars(plain)["squares"] is plain.squares
    assert find_peak(pickle.loads(pickle.dumps(plain)), masked) == find_peak(plain, masked)


def test_scikit_image_finds_the_same_shift():
    registration = pytest.importorskip("skimage.registration")
    scene = photograph("astronaut")[..., 1].astype(float)[::4, ::4]
    a, b = scene[10:90, 10:90], scene[17:97, 4:84]
    mask_a, mask_b = holes(1, a.shape), holes(2, b.shape)
    theirs = registration.phase_cross_correlation(a, b, reference_mask=mask_a, moving_mask=mask_b, overlap_ratio=0.3)
    assert tuple(theirs[0]) == cross_correlate(a, b, mask_a, mask_b).shift == (7.0, -6.0)
