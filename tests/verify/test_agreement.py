import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.compare.correlation import pearson
from dedupindex.verify.agreement import agreement, masked_pearson, overlay, window_agreement
from tests.scenes import features, grey, photograph, photograph_features, smooth
from tests.verify.test_keypoint_registration import made, similarity

IDENTITY = np.eye(2, 3)


def of(pixels: np.ndarray, mask: np.ndarray | None = None):
    """Features of nothing but a thumbnail."""
    from dataclasses import replace

    empty = made(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros((0, 64), np.int8))
    return replace(empty, thumbnail=pixels, mask=np.ones(pixels.shape, bool) if mask is None else mask)


def textured(seed: int, shape: tuple[int, int] = (60, 80)) -> np.ndarray:
    return grey(smooth(seed, shape, 2))


def test_a_picture_agrees_with_itself():
    a = of(textured(0))
    measures, ncc, solid = agreement(overlay(a, a, IDENTITY))
    for name in ("ncc", "fine_ncc", "area_agreement", "overlap", "cover_a", "cover_b"):
        assert measures[name] == pytest.approx(1, abs=1e-3), name
    assert measures["pixels"] == 60 * 80
    assert ncc[solid].min() > 0.99
    assert np.isfinite(list(measures.values())).all()


def test_different_pictures_do_not_agree():
    measures, _, _ = agreement(overlay(of(textured(0)), of(textured(1)), IDENTITY))
    assert measures["area_agreement"] < 0.3
    assert abs(measures["ncc"]) < 0.3


@given(st.floats(0.3, 1), st.floats(0, 60))
@settings(max_examples=10, deadline=None)
def test_gain_and_offset_do_not_matter(gain, offset):
    a, b = of(textured(0)), of(np.clip(textured(0) * gain + offset, 0, 255).astype(np.uint8))
    measures, _, _ = agreement(overlay(a, b, IDENTITY))
    assert measures["ncc"] > 0.9
    assert measures["area_agreement"] > 0.98


def test_the_edited_part_is_found_where_it_is():
    changed = textured(0).copy()
    changed[20:45, 30:60] = textured(5)[20:45, 30:60]
    ncc, solid, _ = window_agreement(overlay(of(textured(0)), of(changed), IDENTITY))
    assert ncc[28:38, 38:52][solid[28:38, 38:52]].mean() < 0.5
    assert ncc[:10][solid[:10]].min() > 0.9
    assert ncc[:, 70:][solid[:, 70:]].min() > 0.9


def test_what_is_masked_cannot_matter():
    mask = np.ones((60, 80), bool)
    mask[10:30, 20:50] = False
    other = textured(0).copy()
    other[~mask] = textured(9)[~mask]
    clean = agreement(overlay(of(textured(0), mask), of(textured(0)), IDENTITY))[0]
    dirty = agreement(overlay(of(textured(0), mask), of(other, mask), IDENTITY))[0]
    for name in ("ncc", "area_agreement", "fine_ncc"):
        assert clean[name] > 0.97
        assert dirty[name] > 0.97
    assert clean["pixels"] == mask.sum()


def test_masked_pixels_of_the_moved_picture_do_not_bleed():
    mask = np.ones((60, 80), bool)
    mask[10:30, 20:50] = False
    values = []
    for fill in (0, 255):
        other = np.where(mask, textured(0), fill).astype(np.uint8)
        values.append(agreement(overlay(of(textured(0)), of(other, mask), similarity(0.9, 8, 3, 2)))[0])
    assert values[0]["pixels"] == values[1]["pixels"]
    assert values[0]["ncc"] == pytest.approx(values[1]["ncc"], abs=0.02)


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.0, 2.0, 3.0])
def test_the_coarser_picture_gives_the_grid(factor):
    a, b = photograph_features("coffee"), photograph_features("coffee")
    matrix = np.array([[factor, 0, 0], [0, factor, 0]], float)
    laid = overlay(a, b, matrix)
    assert laid.on_a == (factor <= 1)
    assert laid.a.shape == laid.b.shape == laid.mask.shape == a.mask.shape
    small = min(factor, 1 / factor)
    assert min(laid.cover_a, laid.cover_b) == pytest.approx(small**2, rel=0.1)
    assert laid.overlap > 0.9


def test_pictures_apart_share_nothing():
    a = of(textured(0))
    far = np.array([[1.0, 0, 500], [0, 1, 0]])
    laid = overlay(a, a, far)
    measures, _, solid = agreement(laid)
    assert not laid.mask.any()
    assert not solid.any()
    assert measures["ncc"] == measures["area_agreement"] == measures["overlap"] == 0


def test_flat_pictures_say_nothing():
    flat = of(np.full((40, 40), 128, np.uint8))
    measures, _, solid = agreement(overlay(flat, flat, IDENTITY))
    assert not solid.any()
    assert measures["textured"] == measures["ncc"] == measures["area_mean"] == 0


@pytest.mark.parametrize("shape", [(7, 7), (5, 40), (3, 3), (1, 1)])
def test_pictures_smaller_than_a_window(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    measures, _, _ = agreement(overlay(of(pixels), of(pixels), IDENTITY))
    assert np.isfinite(list(measures.values())).all()
    if min(shape) >= 3:
        assert measures["area_agreement"] == 1


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_masked_pearson_equals_pearson(seed):
    random = np.random.default_rng(seed)
    a, b, mask = random.normal(size=(9, 9)), random.normal(size=(9, 9)), random.random((9, 9)) < 0.6
    expected = pearson(a, b, mask) if mask.sum() >= 8 else 0.0
    assert masked_pearson(a, b, mask) == pytest.approx(expected, abs=1e-9)


def test_one_pixel_of_misalignment_is_forgiven():
    picture = photograph("cat")
    a, b = features(np.ascontiguousarray(picture[:, 3:])), features(np.ascontiguousarray(picture[:, :-3]))
    measures, _, _ = agreement(overlay(a, b, IDENTITY))
    assert measures["area_agreement"] > 0.95


def test_the_strange_patch_is_the_part_that_shows_something_else():
    base, other = photograph("coffee"), photograph("cat")
    noise = np.random.default_rng(0).normal(0, 25, base.shape)
    framed = base.copy()
    framed[60:300, 80:400] = other[60:300, 80:400]
    share = 240 * 320 / (base.shape[0] * base.shape[1])
    a = photograph_features("coffee")
    found = {}
    for name, pixels in (("framed", framed), ("noisy", np.clip(base + noise, 0, 255).astype(np.uint8))):
        found[name] = agreement(overlay(a, features(pixels), np.eye(2, 3)))[0]["strange_patch"]
    assert 0.1 * share < found["framed"] <= 1.2 * share
    assert found["noisy"] < 0.01
    assert agreement(overlay(a, a, np.eye(2, 3)))[0]["strange_patch"] == 0
