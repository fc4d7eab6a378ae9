import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.compare.correlation import cross_correlate, masked_ncc_map
from dedupindex.compare.direct import direct_scores, full_search
from tests.scenes import holes, smooth

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(4, 14), st.integers(4, 14), st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_slow_ways_find_what_the_ffts_find(seed, rows, columns, masked):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(12, 10)), random.normal(size=(rows, columns))
    masks = (random.random(a.shape) < 0.8, random.random(b.shape) < 0.8) if masked else (None, None)
    quick, slow = cross_correlate(a, b, *masks), full_search(a, b, *masks)
    assert slow.score == pytest.approx(quick.score, abs=1e-6)
    assert slow.shift == quick.shift
    assert slow.overlap == pytest.approx(quick.overlap)
    around = direct_scores(a, b, quick.shift, *masks, reach=2)
    assert around[2, 2] == pytest.approx(quick.score, abs=1e-6)
    score, _ = masked_ncc_map(a, b, *masks, min_overlap=0)
    for row in range(5):
        for column in range(5):
            place = int(quick.shift[0]) + row - 2 + rows - 1, int(quick.shift[1]) + column - 2 + columns - 1
            if all(0 <= i < n for i, n in zip(place, score.shape, strict=True)) and np.isfinite(score[place]):
                assert around[row, column] == pytest.approx(score[place], abs=1e-5)


def test_masked_garbage_changes_nothing():
    a, b = smooth(0, (20, 24), 2), smooth(1, (18, 18), 2)
    mask_a, mask_b = holes(0, a.shape), holes(1, b.shape)
    dirty = np.where(mask_a, a, np.nan), np.where(mask_b, b, 1e30), mask_a, mask_b
    assert full_search(*dirty) == full_search(a, b, mask_a, mask_b)
    np.testing.assert_array_equal(
        direct_scores(*dirty[:2], (1, 2), *dirty[2:]), direct_scores(a, b, (1, 2), mask_a, mask_b)
    )


def test_flat_pictures_and_shapes_that_do_not_fit():
    flat, scene = np.full((9, 9), 0.1), smooth(0, (9, 9), 1)
    assert full_search(flat, scene).score == 0
    assert not direct_scores(flat, scene, (0, 0)).any()
    with pytest.raises(ValueError, match="2-D"):
        full_search(np.zeros((4, 4, 3)), scene)
    with pytest.raises(ValueError, match="masks"):
        full_search(scene, scene, np.ones((3, 3), bool))
    empty = full_search(scene, scene, np.zeros(scene.shape, bool))
    assert (empty.score, empty.overlap) == (0.0, 0.0)
