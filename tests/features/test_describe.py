import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.features import describe_stack
from dedupindex.features.describe import describe
from dedupindex.features.descriptor import assemble, normalise_rows
from dedupindex.features.model import GLOBAL_DIMENSIONS, load_model
from dedupindex.features.thumbnail import (
    COLOUR_SIDE,
    HIGH,
    LOW,
    SIDE,
    TAILED,
    _percentiles,
    reduce,
    small_colour,
    stretch,
)
from dedupindex.settings import Settings
from dedupindex.versions import versions
from tests.amounts import crossed
from tests.scenes import SETTINGS, grey, holes, photograph, plain_prepared, prepared, same_features, smooth


def test_shapes_types_and_ranges():
    described = describe(prepared(photograph("coffee")), SETTINGS)
    assert described.thumbnail.shape == described.mask.shape == (86, SIDE)
    assert described.colour.shape == (21, COLOUR_SIDE, 3)
    assert described.histogram.shape == (3, 32)
    np.testing.assert_allclose(described.histogram.sum(1), 1, atol=1e-5)
    assert described.spectrum.shape == (23, 12)
    assert {name: len(value) for name, value in described.hashes.items()} == dict.fromkeys(
        ("phash", "dhash", "ahash", "whash"), 8
    )
    assert described.descriptor.dtype == np.int8
    assert described.keypoints.codes.shape == (len(described.keypoints), 64)
    assert (described.box, described.full_shape) == ((0, 0, 400, 600), (400, 600))
    assert not described.low_information


def stack(seed: int, number: int, shape: tuple[int, int], *, colour: bool, masked: bool):
    random = np.random.default_rng(seed)
    frames = []
    for _ in range(number):
        values = random.random((*shape, 3) if colour else shape)
        frames.append(plain_prepared(values, random.random(shape) < 0.8 if masked else None))
    return frames


@crossed(
    "shape, colour, masked",
    [(shape,) for shape in ((7, 7), (1, 9), (24, 13), (25, 25), (40, 60), (170, 256))],
    [(colour, masked) for colour in (False, True) for masked in (False, True)],
)
def test_a_stack_is_described_as_one_by_one(shape, colour, masked):
    frames = stack(3, 5, shape, colour=colour, masked=masked)
    for alone, together in zip([describe(f, SETTINGS) for f in frames], describe_stack(frames, SETTINGS), strict=True):
        same_features(alone, together)


def test_mixed_stacks_keep_their_order():
    frames = stack(0, 3, (7, 7), colour=False, masked=False) + stack(1, 2, (7, 7), colour=True, masked=False)
    frames += [*stack(2, 2, (9, 5), colour=False, masked=True), prepared(photograph("cat"))]
    frames += stack(4, 2, (7, 7), colour=False, masked=True) + stack(5, 2, (90, 128), colour=True, masked=False)
    frames += [prepared(photograph("cat")), *stack(6, 2, (90, 128), colour=True, masked=True)]
    described = describe_stack(frames, SETTINGS)
    for frame, found in zip(frames, described, strict=True):
        same_features(describe(frame, SETTINGS), found)


def test_a_descriptor_does_not_depend_on_its_batch():
    model, random = load_model(), np.random.default_rng(6)
    wholes = normalise_rows(random.normal(size=(300, GLOBAL_DIMENSIONS)).astype(np.float32))
    codes = [random.integers(-90, 90, (k % 3 * 20, model.local_basis.shape[1])).astype(np.int8) for k in range(300)]
    alone = np.concatenate([assemble(wholes[i : i + 1], codes[i : i + 1], model) for i in range(300)])
    np.testing.assert_array_equal(assemble(wholes, codes, model), alone)


def test_a_low_information_frame_in_a_stack_leaves_the_others():
    frames = stack(0, 3, (7, 7), colour=False, masked=False)
    frames[1] = dataclasses.replace(frames[1], low_information=True)
    described = describe_stack(frames, SETTINGS)
    assert [bool(f.descriptor.any()) for f in described] == [True, False, True]


def test_nothing_in_nothing_out():
    assert describe_stack([], SETTINGS) == []


@given(
    st.integers(0, 10_000),
    st.sampled_from(["astronaut", "cat", "camera"]),
    st.sampled_from([(300, 260), (130, 90), (40, 61), (20, 24), (9, 7)]),
    st.floats(0.05, 0.7),
)
@settings(max_examples=15, deadline=None)
def test_garbage_under_the_mask_changes_no_feature(seed, name, shape, share):
    picture = photograph(name)[: shape[0], : shape[1]].astype(np.float32) / 255
    mask = holes(seed, shape, share)
    other = picture.copy()
    other[~mask] = np.random.default_rng(seed).random((int((~mask).sum()), 3))
    same_features(describe(plain_prepared(picture, mask), SETTINGS), describe(plain_prepared(other, mask), SETTINGS))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_garbage_under_the_mask_of_the_file_changes_no_feature(dtype):
    picture = photograph("coffee")[..., 0].astype(np.float64)
    if dtype is not np.uint8:
        picture *= 100
    picture = picture.astype(dtype)
    mask = holes(2, picture.shape, 0.3)
    other = picture.copy()
    other[~mask] = np.nan if dtype is np.float32 else 0
    described = [describe(prepared(p, mask), SETTINGS) for p in (picture, other)]
    same_features(*described)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (60, 1), (2, 2), (3, 300)])
def test_degenerate_shapes_are_described(shape):
    described = describe(plain_prepared(np.random.default_rng(0).random(shape)), SETTINGS)
    assert np.isfinite(described.spectrum).all()
    assert np.isfinite(described.histogram).all()
    assert described.descriptor.any()


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_constant_and_wholly_masked_frames_are_described(value):
    for mask in (None, np.zeros((40, 50), bool)):
        described = describe(plain_prepared(np.full((40, 50), value), mask), SETTINGS)
        assert np.isfinite(described.spectrum).all()
        assert np.isfinite(described.histogram).all()
        assert len(described.keypoints) == 0


@given(st.floats(0.05, 1.0), st.floats(0, 0.4))
@settings(max_examples=10, deadline=None)
def test_the_thumbnail_does_not_see_exposure(gain, offset):
    picture = photograph("camera")[..., 0].astype(np.float32) / 255 * 0.6
    first = stretch(picture, np.ones(picture.shape, bool)).astype(int)
    second = stretch(picture * np.float32(gain) + np.float32(offset), np.ones(picture.shape, bool)).astype(int)
    assert np.abs(first - second).max() <= 1


def test_sixteen_bits_look_like_eight():
    eight = photograph("cat")
    described = [describe(prepared(p), SETTINGS) for p in (eight, eight.astype(np.uint16) * 257)]
    difference = described[0].thumbnail.astype(int) - described[1].thumbnail.astype(int)
    assert np.abs(difference).max() <= 3
    assert described[0].hashes.keys() == described[1].hashes.keys()
    bits = [np.unpackbits(np.frombuffer(d.hashes["phash"], np.uint8)).astype(int) for d in described]
    assert np.abs(bits[0] - bits[1]).sum() <= 2


def test_hashes_of_copies_are_near_and_of_others_far():
    def bits(pixels):
        return np.unpackbits(np.frombuffer(describe(prepared(pixels), SETTINGS).hashes["phash"], np.uint8)).astype(int)

    cat, copy, coffee = bits(photograph("cat")), bits(photograph("cat")[::2, ::2].copy()), bits(photograph("coffee"))
    assert np.abs(cat - copy).sum() <= 4
    assert np.abs(cat - coffee).sum() > 16


def test_pictures_without_room_for_hashes_have_none():
    assert dict(describe(plain_prepared(smooth(0, (8, 40), 2)), SETTINGS).hashes) == {}


def test_reduced_masks_and_values():
    picture = np.zeros((8, 8), np.uint8)
    picture[:4] = 200
    mask = np.ones((8, 8), bool)
    mask[:, 3:] = False
    small, valid = reduce(picture, mask, 4)
    assert valid.tolist() == [[True, True, False, False]] * 4
    assert small[:2, :2].tolist() == [[200, 200]] * 2
    assert small[2:, :2].tolist() == [[0, 0]] * 2
    same, same_mask = reduce(picture, mask, 8)
    assert same is picture
    assert same_mask is mask


def test_colour_thumbnails():
    colour = np.zeros((64, 64, 3), np.float32)
    colour[..., 0] = 1
    mask = np.ones((64, 64), bool)
    mask[:, 32:] = False
    small = small_colour(np.moveaxis(colour, 2, 0), mask)
    assert small.shape == (32, 32, 3)
    assert small[5, 5].tolist() == [255, 0, 0]
    assert small[5, 30].tolist() == [0, 0, 0]
    assert small_colour(smooth(0)[None], np.ones((128, 128), bool)).std(2).max() == 0


def test_versions_name_the_model():
    found = versions(Settings())
    assert load_model().digest in found["descriptor"]
    assert load_model().digest in found["keypoints"]
    assert set(found) == {
        "thumbnail", "colour", "histogram", "spectrum", "hashes", "keypoints", "descriptor", "frame", "prepared"
    }  # fmt: skip


def test_photographs_at_a_hundredth_of_the_contrast_keep_their_structure():
    picture = photograph("astronaut")[..., 1].astype(np.float64)
    dim = (30_000 + picture).astype(np.uint16)  # 255 grey levels in the middle of 65,536
    first, second = (describe(prepared(p), SETTINGS) for p in (grey(picture / 255), dim))
    assert np.corrcoef(first.thumbnail.ravel(), second.thumbnail.ravel())[0, 1] > 0.99


@given(
    st.integers(TAILED - 5, 5 * TAILED),
    st.sampled_from(["spread", "few levels", "nearly constant", "rising"]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_percentiles_from_the_tails_are_those_of_all(count, kind, seed):
    random = np.random.default_rng(seed)
    values = random.random(count).astype(np.float32)
    if kind == "few levels":
        values = np.round(values * 3) / np.float32(3)
    elif kind == "nearly constant":
        values = np.where(values > 0.99, values, np.float32(0.5))
    elif kind == "rising":  # the tails lie at the ends, and the sample sees them
        values.sort()
    np.testing.assert_allclose(_percentiles(values), np.percentile(values.astype(float), [LOW, HIGH]), atol=1e-6)


def test_the_fast_profile_describes_a_smaller_picture_without_points_and_hashes():
    fast = dataclasses.replace(SETTINGS, profile="fast")
    full, small = (prepared(photograph("coffee"), settings=some) for some in (SETTINGS, fast))
    assert (max(full.mask.shape), max(small.mask.shape)) == (256, 128)
    described = describe(small, fast)
    assert len(described.keypoints) == 0
    assert described.hashes == {}
    assert versions(fast) != versions(SETTINGS)
