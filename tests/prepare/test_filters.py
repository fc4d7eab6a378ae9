import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from dedupindex.errors import SettingsError
from dedupindex.prepare import (
    apply_filters,
    enhanced_lee_filter,
    gaussian_filter,
    lee_filter,
    masked_median,
    mean_filter,
    normalised_convolution,
    normalised_differential_convolution,
    parse_filters,
)

KERNEL = np.array([[1, 2, 0], [0, 3, 1], [4, 0, 0.5]])
MODES = ("reflect", "mirror", "nearest", "wrap")
FILTERS = {
    "mean": lambda a, m, **k: mean_filter(a, 3, m, **k),
    "even mean": lambda a, m, **k: mean_filter(a, 4, m, **k),
    "gaussian": lambda a, m, **k: gaussian_filter(a, 1.2, m, **k),
    "kernel": lambda a, m, **k: normalised_convolution(a, KERNEL, m, **k),
    "lee": lambda a, m, **k: lee_filter(a, 5, m, **k),
    "lee looks": lambda a, m, **k: lee_filter(a, 5, m, looks=4, **k),
    "lee variance": lambda a, m, **k: lee_filter(a, 5, m, noise_variance=2.0, **k),
    "enhanced lee": lambda a, m, **k: enhanced_lee_filter(a, 5, m, looks=2, **k),
    "median": lambda a, m, **k: masked_median(a, 3, m, **k),
    "even median": lambda a, m, **k: masked_median(a, 4, m, even="high", **k),
}


def picture(shape=(40, 50), seed=0):
    return np.random.default_rng(seed).random(shape) * 100


def lee_by_hand(a, size):
    mean = ndimage.uniform_filter(a, size)
    variance = np.maximum(ndimage.uniform_filter(a * a, size) - mean**2, 0)
    return mean + variance / (variance + a.var()) * (a - mean)


@pytest.mark.parametrize("mode", MODES)
def test_plain_inputs_agree_with_scipy(mode):
    a = picture()
    close = {"rtol": 1e-10, "atol": 1e-9}
    np.testing.assert_allclose(mean_filter(a, 5, mode=mode).values, ndimage.uniform_filter(a, 5, mode=mode), **close)
    np.testing.assert_allclose(mean_filter(a, 4, mode=mode).values, ndimage.uniform_filter(a, 4, mode=mode), **close)
    np.testing.assert_allclose(
        gaussian_filter(a, 1.7, mode=mode).values, ndimage.gaussian_filter(a, 1.7, mode=mode), **close
    )
    np.testing.assert_allclose(
        normalised_convolution(a, KERNEL, mode=mode).values, ndimage.convolve(a, KERNEL, mode=mode), **close
    )
    for size in (3, 4, 10):
        np.testing.assert_array_equal(
            masked_median(a, size, even="high", mode=mode).values, ndimage.median_filter(a, size, mode=mode)
        )
    np.testing.assert_array_equal(masked_median(a, 5, mode=mode).values, ndimage.median_filter(a, 5, mode=mode))


@pytest.mark.parametrize("name", FILTERS)
def test_a_mask_of_ones_is_no_mask(name):
    a = picture()
    np.testing.assert_allclose(
        FILTERS[name](a, np.ones(a.shape, bool)).values, FILTERS[name](a, None).values, atol=1e-9
    )


def test_lee_without_mask_is_the_textbook_one():
    a = picture()
    np.testing.assert_allclose(lee_filter(a, 5).values, lee_by_hand(a, 5), rtol=1e-9)


def test_lee_far_from_the_mask_is_the_plain_one():
    a = picture((60, 60))
    mask = np.ones(a.shape, bool)
    mask[20:30, 20:33] = False
    far = ndimage.minimum_filter(mask, 5)
    plain = lee_filter(a, 5, noise_variance=50.0).values
    np.testing.assert_allclose(lee_filter(a, 5, mask, noise_variance=50.0).values[far], plain[far], rtol=1e-9)
    # the overall variance is that of the valid pixels, and only through it does the hole tell
    same = lee_filter(a, 5, noise_variance=float(a[mask].var())).values
    np.testing.assert_allclose(lee_filter(a, 5, mask).values[far], same[far], rtol=1e-9)


def test_lee_does_not_darken_along_a_hole():
    rng = np.random.default_rng(7)
    truth = 100 + 20 * np.sin(np.arange(200) / 30)[:, None] * np.cos(np.arange(220) / 25)
    noisy = truth * rng.gamma(4, 1 / 4, truth.shape)
    mask = np.ones(truth.shape, bool)
    mask[60:110, 80:150] = False
    band = mask & ~ndimage.minimum_filter(mask, 7)
    zeroed = np.where(mask, noisy, 0)
    error = lee_filter(noisy, 7, mask, looks=4).values - truth
    naive = lee_by_hand(zeroed, 7) - truth
    assert abs(error[band].mean()) < 3
    assert naive[band].mean() < -10


@pytest.mark.parametrize("name", ["lee looks", "mean", "gaussian", "enhanced lee"])
def test_speckle_stays_unbiased(name):
    noisy = 50 * np.random.default_rng(1).gamma(4, 1 / 4, (200, 200)).astype(np.float32)
    mask = np.random.default_rng(2).random(noisy.shape) > 0.3
    assert FILTERS[name](noisy, mask).values[mask].mean() == pytest.approx(50, rel=0.02)


@pytest.mark.parametrize("size", [3, 4, 7])
@pytest.mark.parametrize("mode", ["reflect", "nearest", "constant"])
def test_median_against_the_slow_one(size, mode):
    a = picture((17, 13)).astype(np.float32)
    mask = np.random.default_rng(5).random(a.shape) > 0.6
    result = masked_median(a, size, mask, mode=mode, fill=True)
    wide = np.where(mask, a, np.nan)
    pad = ((size // 2, size - 1 - size // 2),) * 2
    names = {"reflect": "symmetric", "nearest": "edge"}
    padded = np.pad(wide, pad, constant_values=np.nan) if mode == "constant" else np.pad(wide, pad, mode=names[mode])
    for y in range(a.shape[0]):
        for x in range(a.shape[1]):
            window = padded[y : y + size, x : x + size]
            window = window[np.isfinite(window)]
            assert result.mask[y, x] == bool(window.size)
            assert result.values[y, x] == pytest.approx(np.median(window) if window.size else 0, rel=1e-6)


@pytest.mark.parametrize("name", FILTERS)
@given(
    a=st.sampled_from([np.uint8, np.uint16, np.float32, np.float64]).flatmap(
        lambda dtype: hnp.arrays(
            dtype, (8, 9), elements=st.floats(-6e4, 6e4, width=16) if dtype in (np.float32, np.float64) else None
        )
    ),
    mask=hnp.arrays(bool, (8, 9)),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=15, deadline=None)
def test_values_under_the_mask_change_nothing(name, a, mask, seed):
    rng = np.random.default_rng(seed)
    garbage = a.copy()
    if a.dtype.kind == "f":
        garbage[~mask] = rng.choice([np.nan, np.inf, -np.inf, 3e38, -1.0], a.shape)[~mask]
    else:
        garbage[~mask] = rng.integers(0, 255, a.shape)[~mask]
    for fill in (False, True):
        first, second = FILTERS[name](a, mask, fill=fill), FILTERS[name](garbage, mask, fill=fill)
        np.testing.assert_array_equal(first.values, second.values)
        np.testing.assert_array_equal(first.mask, second.mask)
        assert np.isfinite(first.values).all()
        assert not first.values[~first.mask].any()
        if not fill:
            assert not (first.mask & ~mask).any()


@pytest.mark.parametrize("name", FILTERS)
def test_nan_is_masked_without_a_mask(name):
    a = picture()
    mask = np.random.default_rng(3).random(a.shape) > 0.2
    np.testing.assert_array_equal(FILTERS[name](np.where(mask, a, np.nan), None).values, FILTERS[name](a, mask).values)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("value", [0, 37, 255])
def test_constant_frames_stay_constant(name, value):
    a = np.full((12, 14), value, np.uint8)
    mask = np.random.default_rng(0).random(a.shape) > 0.4
    gain = KERNEL.sum() if name == "kernel" else 1
    result = FILTERS[name](a, mask)
    np.testing.assert_allclose(result.values[result.mask], value * gain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", FILTERS)
def test_every_frame_of_a_stack_as_if_alone(name):
    stack = picture((4, 20, 21))
    stack[2] *= 1e-3
    mask = np.random.default_rng(3).random(stack.shape) > 0.3
    together = FILTERS[name](stack, mask)
    for k in range(len(stack)):
        np.testing.assert_allclose(together.values[k], FILTERS[name](stack[k], mask[k]).values, rtol=1e-9)


def test_holes_are_filled_or_stay():
    a = picture((30, 30))
    mask = np.ones(a.shape, bool)
    mask[5:25, 5:25] = False
    stays, fills = mean_filter(a, 5, mask), mean_filter(a, 5, mask, fill=True)
    np.testing.assert_array_equal(stays.mask, mask)
    assert fills.mask[6, 6]
    assert not fills.mask[15, 15]
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    alone = np.zeros((9, 9), bool)
    alone[4, 4] = True
    assert not normalised_convolution(np.ones((9, 9)), ring, alone).mask.any()


def test_confidence_weighs():
    a = np.array([[0.0, 1.0, 3.0]] * 3)
    confidence = np.array([[1.0, 0.5, 0.25]] * 3)
    result = normalised_convolution(a, np.ones((1, 3)) / 3, confidence, mode="constant")
    assert result.values[1, 1] == pytest.approx((0.5 + 0.75) / 1.75)
    with pytest.raises(ValueError, match="confidences"):
        mean_filter(a, 3, confidence * 3)


def test_gradient_of_a_plane_is_exact_whatever_the_mask():
    y, x = np.mgrid[:40, :50]
    plane = 1e4 + 3.0 * y - 0.5 * x
    mask = np.random.default_rng(0).random(plane.shape) > 0.5
    for m in (None, mask):
        gradient = normalised_differential_convolution(np.where(mask, plane, 1e9) if m is not None else plane, 1.5, m)
        valid = gradient.mask
        assert valid.sum() > 0.95 * (plane.size if m is None else m.sum())
        np.testing.assert_allclose(gradient.dy[valid], 3.0, atol=1e-6)
        np.testing.assert_allclose(gradient.dx[valid], -0.5, atol=1e-6)
        assert not gradient.dy[~valid].any()


def test_gradient_of_plain_input_is_a_correlation():
    a = picture()
    offset = np.arange(-8, 9)
    weight = np.exp(-0.5 * (offset / 2.0) ** 2)
    along = ndimage.correlate1d(a, weight / weight.sum(), axis=0)
    expected = ndimage.correlate1d(along, weight * offset / (weight * offset**2).sum(), axis=1)
    np.testing.assert_allclose(
        normalised_differential_convolution(a, 2.0).dx[8:-8, 8:-8], expected[8:-8, 8:-8], rtol=1e-6, atol=1e-9
    )


def test_gradient_needs_neighbours_off_one_line():
    mask = np.zeros((9, 9), bool)
    mask[4] = True
    assert not normalised_differential_convolution(np.ones((9, 9)), 1.0, mask).mask.any()


def test_large_values_keep_their_digits():
    a = 1e9 + picture((30, 30))
    np.testing.assert_allclose(lee_filter(a, 5).values - 1e9, lee_by_hand(a - 1e9, 5), atol=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: mean_filter(a, 0),
        lambda a: gaussian_filter(a, 0),
        lambda a: normalised_convolution(a, -KERNEL),
        lambda a: normalised_convolution(a, np.zeros((3, 3))),
        lambda a: lee_filter(a, 5, looks=1, noise_variance=1),
        lambda a: lee_filter(a, 5, looks=0),
        lambda a: lee_filter(a, 5, noise_variance=-1),
        lambda a: enhanced_lee_filter(a, 5, damping=-1),
        lambda a: mean_filter(a, 3, np.ones((2, 2), bool)),
        lambda a: mean_filter(a[0], 3),
        lambda a: mean_filter(a, 3, mode="zero"),
        lambda a: masked_median(a, 3, even="low"),
        lambda a: masked_median(a, 3, np.ones(a.shape)),
        lambda a: normalised_differential_convolution(a, -1),
    ],
)
def test_bad_arguments_are_value_errors(call):
    with pytest.raises(ValueError):  # noqa: PT011  what is wrong differs, that it is named is tested by hand
        call(picture())


def test_filters_by_name():
    a = picture().astype(np.float32)
    colour = np.dstack([a, a * 2, a + 5])
    mask = np.random.default_rng(0).random(a.shape) > 0.2
    steps = parse_filters(("lee:5", "median:3", "gaussian:1.5", "mean:3", "enhanced_lee:5:4"))
    values, valid = apply_filters(colour, mask, steps)
    assert values.shape == colour.shape
    np.testing.assert_array_equal(valid, mask)
    alone, _ = apply_filters(a, mask, steps[:2])
    expected = masked_median(lee_filter(a, 5, mask).values, 3, mask)
    np.testing.assert_array_equal(alone, expected.values)


@pytest.mark.parametrize("text", ["lee", "lee:", "lee:x", "lee:2.5", "lee:0", "sharpen:3", "median:3:2", "gaussian:-1"])
def test_filters_that_mean_nothing(text):
    with pytest.raises(SettingsError, match=text.split(":")[0]):
        parse_filters((text,))
