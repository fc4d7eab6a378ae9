import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.compare.blocks import block_ncc
from tests.scenes import holes, photograph, smooth

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 20), st.integers(1, 20), st.integers(1, 7), st.sampled_from([0.3, 0.8, 2.0]))
@settings(max_examples=50, deadline=None)
def test_every_block_is_the_slow_one(seed, rows, columns, block, share):
    random = np.random.default_rng(seed)
    a, b, mask = (
        random.normal(size=(rows, columns)),
        random.normal(size=(rows, columns)),
        random.random((rows, columns)),
    )
    mask = mask < share
    found = block_ncc(a, b, mask, block=block)
    for i in range(found.ncc.shape[0]):
        for j in range(found.ncc.shape[1]):
            place = slice(i * block, (i + 1) * block), slice(j * block, (j + 1) * block)
            first, second = a[place][mask[place]], b[place][mask[place]]
            assert found.share[i, j] == pytest.approx(len(first) / block**2, abs=1e-6)
            if len(first) < 2:
                assert found.ncc[i, j] == 0
                continue
            assert found.ncc[i, j] == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-4)
            assert found.spread_a[i, j] == pytest.approx(first.std(), abs=1e-5)
            assert found.spread_b[i, j] == pytest.approx(second.std(), abs=1e-5)


@given(seeds, st.floats(0.1, 50), st.floats(-100, 100))
@settings(max_examples=20, deadline=None)
def test_gain_offset_and_masked_values_change_nothing(seed, gain, offset):
    a, b, mask = smooth(seed, (40, 50), 2), smooth(seed + 1, (40, 50), 2).astype(np.float64), holes(seed, (40, 50))
    found = block_ncc(a, b, mask)
    np.testing.assert_allclose(found.ncc, block_ncc(a, b * gain + offset, mask).ncc, atol=1e-5)
    np.testing.assert_array_equal(found.ncc, block_ncc(b, a, mask).ncc)
    dirty = block_ncc(np.where(mask, a, np.nan), np.where(mask, b, -1e30), mask)
    np.testing.assert_array_equal(found.ncc, dirty.ncc)


def test_agreement_is_judged_by_area():
    picture = photograph("astronaut")[..., 1]
    edited = picture.copy()
    edited[: picture.shape[0] // 2] = photograph("coffee")[: picture.shape[0] // 2, : picture.shape[1], 1]
    assert block_ncc(picture, picture).agreement(8) == 1
    assert 0.3 < block_ncc(picture, edited).agreement(8) < 0.75
    assert block_ncc(picture, edited).agreement(1e9) == 0


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30])
def test_flat_and_empty_blocks(value):
    flat, scene = np.full((30, 30), value), smooth(0, (30, 30), 2)
    assert not block_ncc(flat, scene).ncc.any()
    assert not block_ncc(flat, flat).ncc.any()
    nothing = block_ncc(scene, scene, np.zeros(scene.shape, bool))
    assert not nothing.ncc.any()
    assert nothing.agreement(0.0) == 0


def test_shapes_that_do_not_fit():
    good = np.zeros((8, 8))
    for arguments in ((good, good[1:]), (good[0], good[0]), (good, good, np.ones((3, 3), bool))):
        with pytest.raises(ValueError, match="2-D"):
            block_ncc(*arguments)
    with pytest.raises(ValueError, match="block 0"):
        block_ncc(good, good, block=0)
