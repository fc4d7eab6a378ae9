import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dedupindex.compare.motion import (
    descend_shift,
    motion_vectors,
    sad_shift,
    ssd_shift,
)
from dedupindex.compare.overlap import overlap_slices, pearson_after
from tests.oracles import block_vector, difference_map
from tests.scenes import holes, photograph, smooth

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(2, 8)


def windows(seed, shift, side=64, sigma=3.0):
    """Two windows of one smooth scene; the second lies at `shift` on the first."""
    scene = smooth(seed, (side + 60, side + 60), sigma)
    dy, dx = shift
    return scene[30 : 30 + side, 30 : 30 + side], scene[30 + dy : 30 + dy + side, 30 + dx : 30 + dx + side]


@given(seeds, sides, sides, sides, sides, st.booleans(), st.sampled_from([0.25, 0.6]))
@settings(max_examples=40, deadline=None)
def test_the_least_difference_is_the_slow_one(seed, rows_a, columns_a, rows_b, columns_b, squared, min_overlap):
    random = np.random.default_rng(seed)
    a, b = random.random((rows_a, columns_a)), random.random((rows_b, columns_b))
    mask_a, mask_b = random.random(a.shape) < 0.8, random.random(b.shape) < 0.8
    assume(mask_a.any() and mask_b.any())
    slow = difference_map(a, b, mask_a, mask_b, min_overlap, squared=squared)
    assume(slow)
    found = [sad_shift(a, b, mask_a, mask_b, limit=8, min_overlap=min_overlap, squared=squared)]
    if squared:
        found.append(ssd_shift(a, b, mask_a, mask_b, min_overlap=min_overlap))
    for match in found:
        assert match.value == pytest.approx(min(value for value, _ in slow.values()), abs=1e-6)
        value, common = slow[match.shift]
        assert value == pytest.approx(match.value, abs=1e-6)
        assert match.overlap == pytest.approx(common / min(mask_a.sum(), mask_b.sum()))


@given(seeds, st.integers(-9, 9), st.integers(-9, 9), st.booleans())
@settings(max_examples=30, deadline=None)
def test_shifts_are_recovered_under_masks(seed, dy, dx, masked):
    a, b = windows(seed, (dy, dx))
    masks = (holes(seed + 1, a.shape), holes(seed + 2, b.shape)) if masked else (None, None)
    for match in (ssd_shift(a, b, *masks, limit=12), sad_shift(a, b, *masks, limit=12)):
        assert match.shift == (dy, dx)
        assert match.value < 1e-6
    field = motion_vectors(a, b, *masks)
    # four blocks, of which one may lie half under a mask and half over the edge
    assert np.abs(np.subtract(field.shift, (dy, dx))).max() <= 1
    assert field.agreement >= 0.5
    assert pearson_after(a, b, (dy, dx), *masks) == pytest.approx(1, abs=1e-5)


@given(seeds, st.sampled_from([np.nan, np.inf, -1e30]))
@settings(max_examples=15, deadline=None)
def test_masked_pixels_cannot_change_a_result(seed, garbage):
    a, b = windows(seed, (4, -3))
    mask_a, mask_b = holes(seed + 1, a.shape), holes(seed + 2, b.shape)
    dirty = np.where(mask_a, a, garbage), np.where(mask_b, b, garbage), mask_a, mask_b
    clean = a, b, mask_a, mask_b
    for measure in (ssd_shift, sad_shift, descend_shift):
        assert measure(*dirty) == measure(*clean)
    there, here = motion_vectors(*dirty), motion_vectors(*clean)
    np.testing.assert_array_equal(there.vectors, here.vectors)
    assert pearson_after(dirty[0], dirty[1], (4, -3), mask_a, mask_b) == pearson_after(a, b, (4, -3), mask_a, mask_b)


@given(seeds, st.integers(-6, 6), st.integers(-6, 6))
@settings(max_examples=15, deadline=None)
def test_differences_are_symmetric(seed, dy, dx):
    a, b = windows(seed, (dy, dx))
    for measure in (ssd_shift, sad_shift):
        there, back = measure(a, b), measure(b, a)
        assert there.shift == (-back.shift[0], -back.shift[1])
        assert there.value == pytest.approx(back.value, abs=1e-9)


def test_a_limit_is_kept_and_equal_shifts_stay_near():
    a, b = windows(1, (9, 0))
    assert max(abs(s) for s in ssd_shift(a, b, limit=4).shift) <= 4
    assert max(abs(s) for s in sad_shift(a, b, limit=4).shift) <= 4
    assert sad_shift(a, b, limit=2, start=(8, 1)).shift == (9, 0)
    flat = np.zeros((30, 30))
    assert sad_shift(flat, flat, limit=5).shift == (0, 0)
    assert sad_shift(flat, flat, limit=5, start=(2, 1)).shift == (2, 1)
    assert ssd_shift(flat, flat).shift == (0, 0)


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_every_motion_vector_is_the_slow_one(seed):
    a, b = windows(seed, (1, -2), side=24, sigma=2)
    mask_a, mask_b = holes(seed + 1, a.shape, 0.3), holes(seed + 2, b.shape, 0.3)
    try:
        field = motion_vectors(a, b, mask_a, mask_b, block=8, reach=3)
    except ValueError:
        return
    for (top, left), vector in zip(field.positions, field.vectors, strict=True):
        slow = block_vector(a, b, mask_a, mask_b, top, left, 8, 3)
        place = [slice(start, start + 8) for start in (top, left)]

        def cost(at, place=place, top=top, left=left):
            total = count = 0.0
            for y in range(top, top + 8):
                for x in range(left, left + 8):
                    inside = 0 <= y + at[0] < a.shape[0] and 0 <= x + at[1] < a.shape[1]
                    if inside and mask_b[y, x] and mask_a[y + at[0], x + at[1]]:
                        total, count = total + abs(float(a[y + at[0], x + at[1]]) - float(b[y, x])), count + 1
            return total / count

        assert mask_b[tuple(place)].mean() >= 0.5
        assert cost(vector) == pytest.approx(cost(slow), abs=1e-5)


def test_consensus_survives_blocks_that_move_otherwise():
    picture = photograph("astronaut")[..., 1].astype(np.float32)[:320, :320]
    a, b = picture[10:298, 10:298], picture[14:302, 5:293].copy()
    b[:96, :160] = np.random.default_rng(0).random((96, 160)) * 255
    field = motion_vectors(a, b)
    assert field.shift == (4, -5)
    assert 0.6 < field.agreement < 0.95
    assert len(field.vectors) == len(field.positions)
    far = motion_vectors(a, picture[14:302, 30:318], start=(4, 20))
    assert far.shift == (4, 20)
    assert far.agreement > 0.9


def test_blocks_without_contrast_are_not_judged():
    a, b = windows(2, (2, 1), side=96)
    b = b.copy()
    b[:32] = 0.5
    assert (motion_vectors(a, b).positions[:, 0] >= 32).all()
    with pytest.raises(ValueError, match="no block"):
        motion_vectors(a, np.full_like(b, 0.5))
    with pytest.raises(ValueError, match="no block"):
        motion_vectors(a, b[:20])


@given(seeds, st.integers(-10, 10), st.integers(-10, 10))
@settings(max_examples=25, deadline=None)
def test_descent_ends_in_a_valley(seed, dy, dx):
    a, b = windows(seed, (dy, dx), side=96, sigma=14)
    descent = descend_shift(a, b)
    again = descend_shift(a, b, start=descent.shift)
    assert again.value <= descent.value + 1e-9
    back = descend_shift(b, a)
    if descent.shift == (dy, dx) and back.shift == (-dy, -dx):  # a valley need not be the deepest
        assert descent.value < 1e-4
        assert descent.value == pytest.approx(back.value, abs=1e-6)


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-12, 9), (20, 25)])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat"])
def test_descent_on_photographs(name, shift):
    picture = photograph(name)[..., 1].astype(np.float32)[:280, :280]
    a = picture[30:250, 30:250]
    b = picture[30 + shift[0] : 250 + shift[0], 30 + shift[1] : 250 + shift[1]]
    assert descend_shift(a, b).shift == shift


def test_descent_needs_overlap_at_its_start():
    a, b = windows(0, (0, 0))
    with pytest.raises(ValueError, match="overlap"):
        descend_shift(a, b, start=(60, 60))


@given(sides, sides, sides, sides, st.integers(-12, 12), st.integers(-12, 12))
@settings(max_examples=50, deadline=None)
def test_overlap_slices_lie_on_each_other(rows_a, columns_a, rows_b, columns_b, dy, dx):
    y, x = np.mgrid[:rows_a, :columns_a]
    v, u = np.mgrid[:rows_b, :columns_b]
    on_a, on_b = overlap_slices((rows_a, columns_a), (rows_b, columns_b), (dy, dx))
    np.testing.assert_array_equal(y[on_a], v[on_b] + dy)
    np.testing.assert_array_equal(x[on_a], u[on_b] + dx)
    inside = (v + dy >= 0) & (v + dy < rows_a) & (u + dx >= 0) & (u + dx < columns_a)
    assert v[on_b].size == inside.sum()


@pytest.mark.parametrize("measure", [ssd_shift, sad_shift, motion_vectors, descend_shift])
def test_shapes_that_do_not_fit(measure):
    good = np.zeros((40, 40))
    with pytest.raises(ValueError, match="2-D"):
        measure(np.zeros((40, 40, 3)), good)
    with pytest.raises(ValueError, match="mask"):
        measure(good, good, np.ones((4, 4), bool))
    with pytest.raises(ValueError, match="valid"):
        measure(good, good, np.zeros(good.shape, bool))


@pytest.mark.parametrize("measure", [ssd_shift, sad_shift])
def test_masks_that_never_meet_within_the_limit(measure):
    good, first, last = np.zeros((40, 40)), np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    first[0, 0] = last[-1, -1] = True
    with pytest.raises(ValueError, match="overlap"):
        measure(good, good, first, last, limit=3)
