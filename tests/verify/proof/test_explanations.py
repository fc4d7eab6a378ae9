"""What may have been done to a copy is found and undone; and what was changed besides is still told."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

from dedupindex.records.proofs import Outcome
from dedupindex.verify.proof.comparison import prove
from dedupindex.verify.proof.explanations import added_noise
from dedupindex.verify.proof.hue import hue_turn, turned
from dedupindex.verify.proof.palette import palette_error, palette_of
from dedupindex.verify.proof.sharpness import blurred_like, sharpened, unsharp_mask
from tests.amounts import crossed
from tests.verify.pictures import IDENTITY, holds, jpeg, photograph, picture

COLOUR = np.asarray(photograph("coffee"))
GREY = np.asarray(photograph("astronaut", 512).convert("L"))
PLACE = (120, 200, 40, 60)  # top, left, height, width


def with_patch(image):
    changed = image.copy()
    top, left, height, width = PLACE
    changed.paste(ImageOps.fit(photograph("chelsea"), (width, height)), (left, top))
    return changed


def speckled(image, looks=6):
    grey = np.asarray(image.convert("L"), np.float32)
    return Image.fromarray(
        (grey * np.random.default_rng(2).gamma(looks, 1 / looks, grey.shape)).clip(0, 255).astype(np.uint8)
    )


def noisy(image, level=20):
    noise = np.random.default_rng(3).normal(0, level, np.asarray(image).shape)
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


COPIES = {
    "palette": lambda image: image.quantize(48).convert("RGB"),
    "sharpened": lambda image: jpeg(image.filter(ImageFilter.UnsharpMask(3, 200, 2)), 90)[0],
    "hue": lambda image: jpeg(Image.fromarray(turned(np.asarray(image), 33.0)), 90)[0],
    "speckle": lambda image: jpeg(speckled(image), 90)[0],
    "noise": lambda image: jpeg(noisy(image), 90)[0],
    "blur": lambda image: jpeg(image.filter(ImageFilter.GaussianBlur(2.7)), 90)[0],
}


@crossed("name, kind", ["coffee", "chelsea"], COPIES)
def test_what_was_done_to_a_copy_is_explained(name, kind):
    image = photograph(name)
    assert prove(picture(image), picture(COPIES[kind](image)), IDENTITY).outcome is Outcome.SAME


@pytest.mark.parametrize("kind", COPIES)
def test_a_patch_is_told_whatever_else_was_done(kind):
    image = photograph("coffee")
    proof = prove(picture(image), picture(COPIES[kind](with_patch(image))), IDENTITY)
    assert proof.outcome in (Outcome.EDITED, Outcome.ALTERNATE)
    assert any(holds(region.box, PLACE) for region in proof.regions)


@settings(max_examples=12, deadline=None)
@given(st.floats(8, 172), st.sampled_from([-1, 1]))
def test_a_turn_of_hues_is_found_and_undone(angle, sign):
    away = turned(COLOUR, sign * angle)
    found = hue_turn(COLOUR, away, np.ones(COLOUR.shape[:2], bool))
    assert found == pytest.approx(sign * angle, abs=2)
    assert np.abs(turned(away, -sign * angle).astype(int) - COLOUR).mean() < 2


def test_hues_that_stay_or_turn_in_one_place_only_are_no_turn():
    everywhere = np.ones(COLOUR.shape[:2], bool)
    assert hue_turn(COLOUR, COLOUR, everywhere) is None
    other = COLOUR.copy()
    other[100:200, 100:200] = turned(COLOUR, 90)[100:200, 100:200]
    assert hue_turn(COLOUR, other, everywhere) is None
    assert hue_turn(np.repeat(COLOUR[..., :1], 3, axis=2), COLOUR, everywhere) is None


def test_a_palette_is_known_and_what_it_lacks():
    few = np.asarray(photograph("coffee").quantize(40).convert("RGB"))
    palette = palette_of(few)
    assert palette is not None
    assert {tuple(colour) for colour in palette} == {tuple(colour) for colour in few.reshape(-1, 3)}
    assert palette_of(COLOUR) is None
    assert palette_of(np.repeat(GREY[..., None], 3, axis=2)) is None
    away = few.astype(float) - COLOUR
    error = palette_error(COLOUR, palette)
    assert np.abs(error).mean() < np.abs(away).mean()
    assert np.corrcoef(error.ravel(), away.ravel())[0, 1] > 0.6
    assert np.abs(palette_error(few, palette)).mean() < 1


@pytest.mark.parametrize(("width", "amount"), [(1.0, 1.5), (3.0, 2.0)])
def test_an_unsharp_mask_is_found(width, amount):
    everywhere = np.ones(GREY.shape, bool)
    found = unsharp_mask(GREY, sharpened(GREY, width, amount), everywhere)
    assert found is not None
    assert found[0] == pytest.approx(width, rel=0.5)
    assert np.abs(sharpened(GREY, *found).astype(int) - sharpened(GREY, width, amount)).mean() < 2
    assert unsharp_mask(GREY, GREY, everywhere) is None


@pytest.mark.parametrize("width", [1.1, 2.3, 4.4])
def test_a_gaussian_blur_is_found_in_another_tone(width):
    soft = np.asarray(cv2.GaussianBlur(GREY, (0, 0), width), np.uint8)
    made, found = blurred_like((0.7 * soft + 30).astype(np.uint8), GREY, np.ones(GREY.shape, bool))
    assert found == pytest.approx(width, rel=0.12)
    assert np.abs(made.astype(int) - soft).mean() < 1


def test_noise_is_what_one_picture_has_and_the_other_has_not():
    everywhere = np.ones(GREY.shape, bool)
    noise = np.random.default_rng(1).normal(0, 16, GREY.shape)
    worse = (GREY + noise).clip(0, 255).astype(np.uint8)
    assert 5 < added_noise(GREY, worse, everywhere) < 12
    assert added_noise(worse, GREY, everywhere) == pytest.approx(added_noise(GREY, worse, everywhere))
    assert added_noise(GREY, np.roll(GREY, 3, axis=1), everywhere) < 1
