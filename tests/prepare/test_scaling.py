import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dedupindex.prepare import contrast_normalise, data_normalise, standardise, to_uint8, to_uint16
from dedupindex.prepare.scaling import BYS

ANY_DTYPE = st.sampled_from([np.uint8, np.uint16, np.uint32, np.int16, np.int32, np.float32, np.float64])


def frames(shape=(5, 7)):
    return ANY_DTYPE.flatmap(lambda dtype: hnp.arrays(dtype, shape))


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(np.uint8, 0, 255), (np.uint16, 0, 65535), (np.int16, -32768, 32767), (np.uint32, 0, 2**32 - 1)],
)
def test_data_normalise_maps_the_range_of_the_dtype(dtype, low, high):
    result = data_normalise(np.array([[low, high]], dtype))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[0, 1]])


def test_data_normalise_by_a_given_range_clips_and_keeps_nan():
    result = data_normalise(np.array([[-np.inf, 0.0, 5.0, 10.0, np.nan]]), value_range=(0, 10))
    np.testing.assert_array_equal(result, [[0, 0, 0.5, 1, np.nan]])


def test_out_may_be_the_input():
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert data_normalise(a, value_range=(0, 11), out=a) is a
    assert a.max() == 1
    b = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert contrast_normalise(b, out=b).values is b
    np.testing.assert_array_equal(b.max((1, 2)), [1, 1])


@pytest.mark.parametrize("by", BYS)
def test_every_frame_of_a_stack_is_scaled_as_if_alone(by):
    stack = np.random.default_rng(0).integers(3, 60000, (50, 7, 7)).astype(np.uint16)
    stack[4] = 9
    mask = np.random.default_rng(1).random(stack.shape) > 0.2
    mask[7] = False
    result = contrast_normalise(stack, mask, by=by)
    assert result.values.shape == stack.shape
    if by != "stack":
        for k in range(len(stack)):
            alone = contrast_normalise(stack[k], mask[k], by=by)
            np.testing.assert_array_equal(result.values[k], alone.values)
            assert bool(result.constant[k]) == bool(alone.constant)


def test_known_ranges():
    a = np.array([[2, 4, 6, 10]], np.uint16)
    np.testing.assert_allclose(contrast_normalise(a).values, [[0, 0.25, 0.5, 1]])
    np.testing.assert_allclose(contrast_normalise(a, by="max").values, [[0.2, 0.4, 0.6, 1]])
    stack = np.stack([a, a * 2])
    np.testing.assert_allclose(contrast_normalise(stack, by="stack").values[0], (a - 2) / 18, rtol=1e-6)
    assert float(contrast_normalise(a).offset) == 2
    assert float(contrast_normalise(a).scale) == 8


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_percentiles_are_those_of_numpy(dtype, masked):
    rng = np.random.default_rng(3)
    stack = (rng.random((6, 9, 11)) * 200).astype(dtype)
    mask = rng.random(stack.shape) > (0.3 if masked else -1)
    result = contrast_normalise(stack, mask, by="percentile", low_percentile=3, high_percentile=91)
    for k in range(len(stack)):
        low, high = np.percentile(stack[k][mask[k]].astype(np.float64), (3, 91))
        assert result.offset[k] == pytest.approx(low)
        assert result.scale[k] == pytest.approx(high - low)


def test_colours_share_one_range():
    a = np.zeros((4, 5, 3), np.uint8)
    a[..., 0], a[..., 1] = 100, 50
    np.testing.assert_allclose(contrast_normalise(a, channels=True).values[0, 0], [1, 0.5, 0])


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("by", BYS)
def test_constant_frames_are_flagged_and_zero(value, by):
    result = contrast_normalise(np.full((4, 4), value, np.uint8), by=by)
    assert bool(result.constant) == (by != "max" or value == 0)
    assert np.isfinite(result.values).all()
    flat = standardise(np.full((4, 4), value, np.uint8))
    assert flat.constant
    assert not flat.values.any()


@pytest.mark.parametrize("by", BYS)
def test_a_frame_without_valid_pixels_is_flagged(by):
    result = contrast_normalise(np.full((3, 3), np.nan, np.float32), by=by)
    assert result.constant
    assert not result.values.any()


@given(frames(), hnp.arrays(bool, (5, 7)), st.sampled_from(BYS), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_values_under_the_mask_change_nothing(a, mask, by, seed):
    garbage = a.copy()
    rng = np.random.default_rng(seed)
    if a.dtype.kind == "f":
        noise = rng.choice([np.nan, np.inf, -np.inf, 1e30, -3.0, 0.0], a.shape)
    else:
        noise = rng.integers(0, 100, a.shape)
    garbage[~mask] = noise.astype(a.dtype)[~mask]
    first, second = contrast_normalise(a, mask, by=by), contrast_normalise(garbage, mask, by=by)
    np.testing.assert_array_equal(first.values, second.values)
    assert np.isfinite(first.values).all()
    assert first.values.min() >= 0
    assert first.values.max() <= 1
    one, two = standardise(a, mask), standardise(garbage, mask)
    np.testing.assert_array_equal(one.values, two.values)
    assert np.isfinite(one.values).all()


@given(hnp.arrays(np.float64, (6, 6), elements=st.floats(-1, 1, width=16)), st.floats(0.1, 100), st.floats(-50, 50))
@settings(max_examples=60, deadline=None)
def test_contrast_normalisation_removes_gain_and_offset(a, gain, offset):
    first, second = contrast_normalise(a), contrast_normalise(a * gain + offset)
    if np.ptp(a) > 1e-3:
        np.testing.assert_allclose(first.values, second.values, atol=1e-5)


def test_standardise():
    a = np.random.default_rng(0).normal(1e6, 3, (4, 20, 20))
    result = standardise(a)
    np.testing.assert_allclose(result.values.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(result.values.std((1, 2)), 1, atol=1e-5)
    np.testing.assert_allclose(result.offset, a.mean((1, 2)))
    np.testing.assert_allclose(result.scale, a.std((1, 2)))


def test_back_to_integers_rounds_and_clips():
    a = np.array([[-1, 0, 0.5 / 255, 0.6 / 255, 1, 2, np.nan, np.inf, -np.inf]])
    np.testing.assert_array_equal(to_uint8(a), [[0, 0, 0, 1, 255, 255, 0, 255, 0]])
    every = np.arange(65536, dtype=np.uint16)[None]
    np.testing.assert_array_equal(to_uint16(data_normalise(every)), every)
    np.testing.assert_array_equal(to_uint8(data_normalise(every[:, :256].astype(np.uint8))), every[:, :256])
    np.testing.assert_array_equal(to_uint8(np.array([[-128, 127]], np.int8), value_range=(-128, 127)), [[0, 255]])


def test_bad_arguments_are_named():
    a = np.zeros((3, 3))
    with pytest.raises(ValueError, match="range"):
        data_normalise(a, value_range=(1, 1))
    with pytest.raises(ValueError, match="by is"):
        contrast_normalise(a, by="mean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="percentiles"):
        contrast_normalise(a, by="percentile", low_percentile=60, high_percentile=40)
    with pytest.raises(ValueError, match="mask"):
        contrast_normalise(a, np.ones((2, 2), bool))
    with pytest.raises(ValueError, match="out"):
        contrast_normalise(a, out=np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match="neither a frame nor a stack"):
        contrast_normalise(np.zeros(3))
    with pytest.raises(TypeError):
        contrast_normalise(np.zeros((3, 3), complex))
