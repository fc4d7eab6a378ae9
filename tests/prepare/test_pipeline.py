import dataclasses
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from dedupindex.errors import SettingsError
from dedupindex.prepare import pixel_digest, prepare, prepare_stack, reduce_area
from dedupindex.records import PreparedFrame
from dedupindex.settings import SCALINGS, Settings
from tests.amounts import crossed

from .pictures import frame, jpeg, photo


def same(a: PreparedFrame, b: PreparedFrame, tolerance: float = 0.0) -> None:
    for field in dataclasses.fields(PreparedFrame):
        first, second = getattr(a, field.name), getattr(b, field.name)
        if isinstance(first, np.ndarray):
            np.testing.assert_allclose(first, second, rtol=0, atol=tolerance, err_msg=field.name)
            assert first.dtype == second.dtype
        else:
            assert first == second, field.name


def test_shapes_and_ranges():
    for shape in ((375, 500), (500, 375), (90, 60), (2100, 1500)):
        prepared = prepare(frame(photo(*shape)), Settings())
        side = max(shape)
        expected = tuple(round(s * min(1, 256 / side)) for s in shape)
        assert prepared.luminance.shape == prepared.mask.shape == expected
        assert prepared.colour.shape == (*expected, 3)
        assert prepared.luminance.dtype == prepared.colour.dtype == np.float32
        assert 0 <= prepared.luminance.min() <= prepared.luminance.max() <= 1
        assert (prepared.channels, prepared.bits, prepared.valid_share) == (3, 8, 1.0)
        assert prepared.box == (0, 0, *shape)
        assert not prepared.low_information
        assert prepared.scaling == "dtype 0..255"


def test_luminance_is_that_of_bt_601():
    a = np.zeros((40, 60, 3), np.uint8)
    a[:, :20, 0] = a[:, 20:40, 1] = a[:, 40:, 2] = 255
    luminance = prepare(frame(a), Settings(trim_borders=False)).luminance
    np.testing.assert_allclose(luminance[20, [5, 30, 50]], [0.299, 0.587, 0.114], atol=1e-6)
    assert prepare(frame(np.full((4, 4, 3), 255, np.uint8)), Settings()).luminance.max() == 1


def test_the_fast_way_of_bytes_is_the_plain_one():
    a = photo(600, 803)
    fast = prepare(frame(a), Settings(trim_borders=False))
    masked = prepare(frame(a, np.arange(600 * 803).reshape(600, 803) > 0), Settings(trim_borders=False))
    np.testing.assert_allclose(fast.luminance, masked.luminance, atol=1e-2)
    assert np.abs(fast.luminance - masked.luminance).mean() < 1e-3


@given(
    a=hnp.arrays(np.float32, (37, 23), elements=st.floats(0, 1, width=32)),
    mask=hnp.arrays(bool, (37, 23)),
    longest=st.integers(1, 40),
)
@settings(max_examples=40, deadline=None)
def test_reduction_averages_the_valid_area(a, mask, longest):
    values, valid = reduce_area(a, mask, longest)
    assert max(values.shape) <= max(longest, 1) or values.shape == a.shape
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1 + 1e-5
    assert not values[~valid].any()
    garbage = np.where(mask, a, np.float32(np.nan))
    again, _ = reduce_area(garbage, mask, longest)
    np.testing.assert_array_equal(values, again)


def test_reduction_by_a_whole_factor_is_the_mean_of_valid_pixels():
    rng = np.random.default_rng(0)
    a, mask = rng.random((24, 36)).astype(np.float32), rng.random((24, 36)) > 0.5
    values, valid = reduce_area(a, mask, 12)
    blocks = lambda x: x.reshape(8, 3, 12, 3).transpose(0, 2, 1, 3).reshape(8, 12, 9)  # noqa: E731
    count = blocks(mask).sum(-1)
    np.testing.assert_array_equal(valid, count >= 4.5)
    expected = (blocks(a) * blocks(mask)).sum(-1) / np.maximum(count, 1)
    np.testing.assert_allclose(values[valid], expected[valid], rtol=1e-5)


@crossed(
    "scaling, filters, dtype",
    [(scaling, filters) for scaling in SCALINGS for filters in ((), ("lee:3", "median:3", "gaussian:1.5"))],
    [np.uint8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64],
)
def test_values_under_the_mask_change_nothing(scaling, dtype, filters):
    rng = np.random.default_rng(5)
    chosen = Settings(scaling=scaling, filters=filters, erode_mask=1)
    base = photo(70, 90, colour=False).astype(np.float64)
    for colour in (False, True):
        a = np.dstack([base, base * 0.5, base * 0.2]) if colour else base
        mask = np.ones(base.shape, bool)
        mask[20:45, 30:60] = False
        mask[:6] = False
        one, two = a.astype(dtype), a.astype(dtype)
        if np.dtype(dtype).kind == "f":
            two[~mask] = rng.choice([np.nan, np.inf, -np.inf, 1e30], two.shape)[~mask]
        else:
            two[~mask] = rng.integers(0, np.iinfo(dtype).max, two.shape)[~mask]
        first, second = (prepare(frame(x, mask, stack_range=(0.0, 250.0)), chosen) for x in (one, two))
        same(first, second)
        assert np.isfinite(first.luminance).all()
        assert 0 <= first.luminance.min() <= first.luminance.max() <= 1


def test_not_finite_is_not_valid():
    a = photo(60, 80, colour=False).astype(np.float32)
    mask = np.ones(a.shape, bool)
    mask[10:30, 20:50] = False
    holes = np.where(mask, a, np.nan)
    same(prepare(frame(holes), Settings()), prepare(frame(a, mask), Settings()))


def test_depth_is_not_clipped():
    a = photo(100, 120, colour=False)
    deep = a.astype(np.uint16) * 17 + 1000
    one, two = prepare(frame(deep, bits=16), Settings()), prepare(frame(deep * 3, bits=16), Settings())
    np.testing.assert_allclose(one.luminance, two.luminance, atol=1e-5)
    assert one.luminance.std() > 0.1
    assert one.scaling.startswith("percentile")
    twelve = prepare(frame(np.tile(np.arange(4096, dtype=np.uint16), (8, 1)), bits=12), Settings(scaling="dtype"))
    assert twelve.scaling == "dtype 0..4095"
    assert twelve.luminance.max() > 0.99


def test_the_range_of_a_stack():
    a = np.arange(400, dtype=np.uint16).reshape(20, 20)
    chosen = Settings(scaling="stack", trim_borders=False)
    prepared = prepare(frame(a, stack_range=(0.0, 798.0)), chosen)
    assert prepared.scaling == "stack 0..798"
    assert prepared.luminance.max() == pytest.approx(0.5)
    assert prepare(frame(a), chosen).scaling == "minmax 0..399"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("value", [0, 9, 255])
def test_constant_frames_are_low_information(dtype, value):
    for shape in ((40, 50), (40, 50, 3), (7, 7), (1, 1)):
        for scaling in SCALINGS:
            prepared = prepare(frame(np.full(shape, value, dtype)), Settings(scaling=scaling))
            assert prepared.low_information
            assert np.isfinite(prepared.luminance).all()


def test_nearly_empty_is_low_information_but_little_contrast_is_not():
    page = np.full((300, 400), 250, np.uint8)
    page[100:104, 100:110] = 0
    assert prepare(frame(jpeg(page)), Settings()).low_information
    assert not prepare(frame((photo(colour=False) // 16 + 100).astype(np.uint8)), Settings()).low_information
    assert not prepare(
        frame(np.random.default_rng(0).integers(500, 503, (7, 7)).astype(np.uint16)), Settings()
    ).low_information
    red_on_grey = np.full((60, 60, 3), 76, np.uint8)
    red_on_grey[20:40] = (254, 0, 0)  # the same luminance
    assert not prepare(frame(red_on_grey), Settings()).low_information


def test_hardly_any_valid_pixel_is_low_information():
    mask = np.zeros((60, 80), bool)
    mask[0, :40] = True
    prepared = prepare(frame(photo(60, 80), mask), Settings())
    assert prepared.low_information
    assert prepared.valid_share == pytest.approx(40 / 4800)
    nothing = prepare(frame(photo(60, 80), np.zeros((60, 80), bool)), Settings())
    assert nothing.low_information
    assert not nothing.mask.any()


def test_erosion_and_saturation():
    a = photo(60, 80, colour=False)
    mask = np.ones(a.shape, bool)
    mask[20:30, 20:30] = False
    assert prepare(frame(a, mask), Settings(erode_mask=2)).valid_share == pytest.approx(1 - 14 * 14 / 4800)
    assert prepare(frame(a), Settings(erode_mask=2)).valid_share == 1
    a = a.copy()
    a[:10, :10] = 255
    assert prepare(frame(a), Settings(mask_saturated=True)).valid_share == pytest.approx(1 - 100 / 4800)


def test_filters_are_applied_and_checked():
    a = photo(100, 120)
    noisy = np.clip(a + np.random.default_rng(0).normal(0, 20, a.shape), 0, 255).astype(np.uint8)
    plain, smooth = (prepare(frame(noisy), Settings(filters=f)) for f in ((), ("mean:5",)))
    truth = prepare(frame(a), Settings(filters=("mean:5",))).luminance
    assert np.abs(smooth.luminance - truth).mean() < 0.5 * np.abs(plain.luminance - truth).mean()
    assert smooth.scaling == "dtype 0..255"
    with pytest.raises(SettingsError):
        prepare(frame(a), Settings(filters=("sharpen:2",)))


def test_the_digest_follows_the_pixels_not_the_format():
    a = photo(30, 40)
    digests = []
    for name in ("PNG", "BMP"):
        file = io.BytesIO()
        Image.fromarray(a).save(file, name)
        digests.append(prepare(frame(np.asarray(Image.open(file))), Settings()).pixel_sha256)
    assert digests[0] == digests[1] == pixel_digest(a)
    assert len(digests[0]) == 32
    others = [a.transpose(1, 0, 2), a.astype(np.uint16), a.reshape(60, 20, 3), a[..., 0]]
    mask = np.ones(a.shape[:2], bool)
    assert pixel_digest(a, mask) == digests[0]
    mask[3, 3] = False
    found = {pixel_digest(x) for x in others} | {pixel_digest(a, mask), digests[0]}
    assert len(found) == 6
    assert pixel_digest(a.astype(">u2")) == pixel_digest(a.astype("<u2"))
    assert pixel_digest(np.asfortranarray(a)) == digests[0]


@crossed("scaling, dtype", SCALINGS, [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_a_stack_is_prepared_as_one_by_one(scaling, dtype):
    rng = np.random.default_rng(1)
    stack = (rng.random((60, 7, 7)) * rng.integers(1, 250, (60, 1, 1))).astype(dtype)
    stack[3] = 5
    stack[4] = 0
    stack[4, 2, 2] = 9
    masks = rng.random(stack.shape) > 0.3
    masks[10:20] = True
    masks[7] = False
    if np.dtype(dtype).kind == "f":
        stack[9, 0, 0] = np.nan
        stack[12, 1, 1] = np.inf
    for mask in (masks, np.ones_like(masks)):
        frames = [
            frame(a, m, number=k, stack_range=(0.0, 300.0)) for k, (a, m) in enumerate(zip(stack, mask, strict=True))
        ]
        for chosen in (Settings(scaling=scaling), Settings(scaling=scaling, mask_saturated=True)):
            for one, many in zip(frames, prepare_stack(frames, chosen), strict=True):
                same(prepare(one, chosen), many, 1e-7)


def test_stacks_of_mixed_frames_are_prepared_one_by_one():
    frames = [frame(photo(40, 50)), frame(photo(30, 50)[..., 0]), frame(np.zeros((7, 7), np.uint16))]
    for one, many in zip(frames, prepare_stack(frames, Settings()), strict=True):
        same(prepare(one, Settings()), many)
    assert prepare_stack([], Settings()) == []


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.float32, np.float64]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24),
    ),
    st.sampled_from(SCALINGS),
    st.integers(1, 30),
)
@settings(max_examples=80, deadline=None)
def test_any_frame_gives_a_defined_result(a, scaling, side):
    prepared = prepare(frame(a), Settings(scaling=scaling), working_side=side)
    assert np.isfinite(prepared.luminance).all()
    assert max(prepared.luminance.shape) <= max(side, 1)
    assert prepared.luminance.min() >= 0
    assert prepared.luminance.max() <= 1


@pytest.mark.parametrize(
    ("pixels", "mask"),
    [
        (np.zeros((3, 4, 2), np.uint8), np.ones((3, 4), bool)),
        (np.zeros((0, 4), np.uint8), np.ones((0, 4), bool)),
        (np.zeros((3, 4), np.uint8), np.ones((4, 3), bool)),
        (np.zeros((3, 4), np.uint8), np.ones((3, 4), np.uint8)),
    ],
)
def test_frames_that_do_not_fit_are_refused(pixels, mask):
    with pytest.raises(ValueError, match=r"pixels|mask"):
        prepare(frame(pixels, mask), Settings())


def test_complex_samples_and_no_side_are_refused():
    with pytest.raises(TypeError, match="complex"):
        prepare(frame(np.zeros((3, 4), complex)), Settings())
    with pytest.raises(ValueError, match="working side"):
        prepare(frame(photo()), Settings(), working_side=0)
