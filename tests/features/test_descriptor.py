import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.features import descriptor, pack, packed_aim
from dedupindex.features.describe import describe
from dedupindex.features.descriptor import DESCRIPTOR_DIMENSIONS, aim, probes, turned_probes, unit, vlad
from dedupindex.features.model import GLOBAL_DIMENSIONS, VLAD_DIMENSIONS, encode_codes, load_model, mirror_vlad
from tests.scenes import PHOTOGRAPHS, SETTINGS, features, grey, photograph, photograph_features, smooth

MODEL = load_model()


def turns(pixels: np.ndarray) -> list[np.ndarray]:
    """All eight orientations of a picture."""
    orientations = [np.rot90(pixels, k) for k in range(4)] + [np.rot90(pixels[:, ::-1], k) for k in range(4)]
    return [np.ascontiguousarray(orientation) for orientation in orientations]


def test_photographs_differ_from_each_other():
    vectors = unit(np.stack([photograph_features(name).descriptor for name in PHOTOGRAPHS]))
    products = vectors @ vectors.T - np.eye(len(vectors))
    assert products.max() < 0.5


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize(("profile", "least"), [("fast", 0.995), ("default", 0.8)])
def test_the_mirrored_picture_has_the_mirrored_descriptor(name, profile, least):
    # SIFT itself is not quite symmetric: a shift by one pixel moves these descriptors as far (.76 to .95)
    settings = dataclasses.replace(SETTINGS, profile=profile)
    plain = features(photograph(name), settings=settings).descriptor[None]
    mirrored = features(np.ascontiguousarray(photograph(name)[:, ::-1]), settings=settings).descriptor[None]
    guess = descriptor.normalise_rows(unit(plain) @ MODEL.mirror)
    assert float((guess @ unit(mirrored).T)[0, 0]) > least


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_transposed_picture_has_the_transposed_descriptor(name):
    fast = dataclasses.replace(SETTINGS, profile="fast")
    plain = features(photograph(name), settings=fast).descriptor[None]
    turned = features(np.ascontiguousarray(photograph(name).transpose(1, 0, 2)), settings=fast).descriptor[None]
    guess = descriptor.normalise_rows(unit(plain) @ MODEL.transpose)
    assert float((guess @ unit(turned).T)[0, 0]) > 0.96


@pytest.mark.parametrize("seed", range(4))
def test_eight_probes_hold_all_eight_lays_of_a_smooth_picture(seed):
    picture = grey(smooth(seed, (150, 110), 14))
    described = features(picture)
    assert len(described.keypoints) < descriptor.FEW_KEYPOINTS
    [found] = probes([aim(described)])
    assert found.shape == (8, DESCRIPTOR_DIMENSIONS)
    near = np.array([unit(features(orientation).descriptor[None])[0] @ found.T for orientation in turns(picture)])
    assert near.max(1).min() > 0.85
    assert sorted(near.argmax(1)) == list(range(8))


def test_pictures_with_keypoints_probe_themselves_and_their_mirror_image():
    described = photograph_features("cat")
    [found] = probes([aim(described)])
    assert found.shape == (2, DESCRIPTOR_DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found[0], unit(described.descriptor[None])[0], atol=1e-6)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_small_picture_is_searched_for_in_the_other_orientations_too(name):
    original = photograph_features(name)
    assert not aim(original).turned
    assert turned_probes([aim(original)])[0].shape == (0, DESCRIPTOR_DIMENSIONS)
    factor = 0.3 * 640 / max(photograph(name).shape)
    reduced = cv2.resize(photograph(name), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = features(np.ascontiguousarray(np.rot90(reduced)))
    asked = aim(small)
    assert (asked.probes, asked.turned) == (2, True)
    packed = packed_aim(pack(small))
    assert (packed.probes, packed.reach, packed.turned) == (asked.probes, asked.reach, True)
    [nothing, turned] = turned_probes([aim(original), asked])
    assert len(nothing) == 0
    eight = descriptor.orientations(small.descriptor[None], 8)[:, 0]
    np.testing.assert_allclose(np.concatenate([*probes([asked]), turned]), eight, atol=1e-6)
    target = unit(original.descriptor[None])[0]
    assert (turned @ target).max() > max(descriptor.TURNED_REACH, (eight[:2] @ target).max())


def test_probes_of_several_pictures_are_those_of_each_alone():
    pictures = [features(grey(smooth(1, (150, 110), 14))), features(np.zeros((50, 70, 3), np.uint8))]
    pictures += [photograph_features("cat"), features(grey(smooth(2, (90, 110), 14))), photograph_features("coffee")]
    together = probes([aim(picture) for picture in pictures])
    assert [len(some) for some in together] == [8, 0, 2, 8, 2]
    for picture, some in zip(pictures, together, strict=True):
        np.testing.assert_allclose(some, probes([aim(picture)])[0], atol=1e-6)
    assert probes([]) == []


def test_mirroring_twice_is_nothing():
    vectors = unit(np.stack([photograph_features(name).descriptor for name in PHOTOGRAPHS]))
    for action in (MODEL.mirror, MODEL.transpose):
        twice = descriptor.normalise_rows(vectors @ action @ action)
        assert (twice * vectors).sum(1).min() > 0.95


@pytest.mark.parametrize("pixels", [np.zeros((50, 70, 3), np.uint8), np.full((90, 90), 255, np.uint8)])
def test_low_information_has_no_probe_and_no_descriptor(pixels):
    described = features(pixels)
    assert described.low_information
    assert not described.descriptor.any()
    assert probes([aim(described)])[0].shape == (0, DESCRIPTOR_DIMENSIONS)


def test_int8_holds_the_descriptor():
    random = np.random.default_rng(0)
    fused = descriptor.normalise_rows(random.normal(size=(20, len(MODEL.mean))).astype(np.float32))
    codes = descriptor.project(fused, MODEL)
    assert codes.dtype == np.int8
    assert (np.abs(codes.astype(int)).max(1) == 127).all()
    exact = descriptor.normalise_rows((fused - MODEL.mean) @ MODEL.projection)
    assert (unit(codes) * exact).sum(1).min() > 0.999


def test_without_keypoints_the_short_product_is_the_long_one():
    random = np.random.default_rng(1)
    wholes = descriptor.normalise_rows(random.normal(size=(20, GLOBAL_DIMENSIONS)).astype(np.float32))
    nothing = np.zeros((20, len(MODEL.mean) - GLOBAL_DIMENSIONS), np.float32)
    long = descriptor.project(descriptor.fuse(wholes, nothing), MODEL).astype(int)
    short = descriptor.project_global(wholes, MODEL).astype(int)
    assert np.abs(long - short).max() <= 1
    assert (long != short).mean() < 0.01


def test_rows_of_zeros_stay_zero():
    rows = np.array([[0, 0], [3, 4]], np.float32)
    np.testing.assert_allclose(descriptor.normalise_rows(rows), [[0, 0], [0.6, 0.8]], atol=1e-6)
    assert not unit(np.zeros((2, 5), np.int8)).any()


@given(st.integers(0, 2**32 - 1), st.integers(0, 90))
@settings(max_examples=20, deadline=None)
def test_vlad_equals_a_loop_and_does_not_see_the_order(seed, number):
    random = np.random.default_rng(seed)
    codes = encode_codes(random.normal(0, 0.2, (number, 64)))
    slow = np.zeros((len(MODEL.words), VLAD_DIMENSIONS))
    for code in codes[:, :VLAD_DIMENSIONS] / 180.0:
        word = ((MODEL.words - code) ** 2).sum(1).argmin()
        slow[word] += code - MODEL.words[word]
    slow = np.sign(slow) * np.sqrt(np.abs(slow))
    slow /= np.maximum(np.linalg.norm(slow, axis=1, keepdims=True), 1e-12)
    slow = slow.ravel() / max(np.linalg.norm(slow), 1e-12) * min(1, number / descriptor.VLAD_FULL) ** 0.5
    np.testing.assert_allclose(vlad(codes, MODEL.words), slow, atol=1e-3)
    np.testing.assert_allclose(vlad(codes[random.permutation(number)], MODEL.words), slow, atol=1e-3)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_the_aggregate_of_mirrored_codes_is_the_mirrored_aggregate(seed):
    codes = encode_codes(np.random.default_rng(seed).normal(0, 0.2, (60, 64)))
    mirrored = (codes * MODEL.local_parity).astype(np.int8)
    action = mirror_vlad(len(MODEL.words), MODEL.local_parity)
    expected = action.apply(vlad(codes, MODEL.words)[None])[0]
    assert vlad(mirrored, MODEL.words) @ expected > 0.99


def test_the_model_keeps_its_promises():
    basis, parity = MODEL.local_basis, MODEL.local_parity
    assert set(parity.tolist()) == {1.0, -1.0}
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=5e-3)
    from dedupindex.features.symmetry import mirror_sift

    np.testing.assert_allclose(basis[mirror_sift()], basis * parity, atol=2e-3)
    np.testing.assert_allclose(MODEL.local_mean[mirror_sift()], MODEL.local_mean, atol=1e-4)
    half = len(MODEL.words) // 2
    np.testing.assert_allclose(MODEL.words[half:], MODEL.words[:half] * parity[:VLAD_DIMENSIONS], atol=2e-3)
    assert MODEL.projection.shape == (len(MODEL.mean), DESCRIPTOR_DIMENSIONS)
    assert len(MODEL.digest) == 16


def test_the_fast_profile_has_no_keypoints_but_finds_copies():
    fast = dataclasses.replace(SETTINGS, profile="fast")
    picture = photograph("coffee")
    first, second = features(picture, settings=fast), features(np.ascontiguousarray(picture[::2, ::2]), settings=fast)
    assert len(first.keypoints) == 0
    assert float((unit(first.descriptor[None]) @ unit(second.descriptor[None]).T)[0, 0]) > 0.9
    assert probes([aim(first)])[0].shape == (8, DESCRIPTOR_DIMENSIONS)


def test_tiny_frames_are_told_apart():
    random = np.random.default_rng(0)
    frames = [grey(random.random((7, 7))) for _ in range(60)]
    copies = [grey(np.clip(f / 255 * 0.8 + 0.05 + random.normal(0, 0.01, f.shape), 0, 1)) for f in frames]
    first = unit(np.stack([features(f).descriptor for f in frames]))
    second = unit(np.stack([features(f).descriptor for f in copies]))
    assert ((first @ second.T).argmax(1) == np.arange(60)).all()


def test_describing_is_deterministic():
    from tests.scenes import prepared, same_features

    frame = prepared(photograph("camera"))
    same_features(describe(frame, SETTINGS), describe(frame, SETTINGS))


def test_the_fast_profile_looks_less_far():
    assert descriptor.reach_of(128, 0) == descriptor.POOR_REACH < descriptor.reach_of(128, 0, "fast")
    assert descriptor.reach_of(7, 0, "fast") == descriptor.TINY_REACH
    assert descriptor.reach_of(32, 0) == descriptor.SMALL_REACH < descriptor.reach_of(descriptor.SMALL + 1, 0)
    assert descriptor.reach_of(32, 0, "fast") == descriptor.FAST_REACH
    assert descriptor.reach_of(128, 50) == -1
