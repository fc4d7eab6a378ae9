"""What each of two pictures holds beyond the other one, on photographs that something was done to."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from dedupindex.records import Outcome, ProofMeasures
from dedupindex.records.proofs import turned_round
from dedupindex.verify.proof.comparison import prove
from dedupindex.verify.proof.information import carried, equally_informative, information, typical_step
from dedupindex.verify.proof.lattice import lattices
from tests.verify.pictures import IDENTITY, inverse, jpeg, photograph, picture, scaled

PHOTO = photograph("astronaut", 512)


def measured(copy, matrix=IDENTITY, original=PHOTO):
    return information(picture(original), picture(copy), matrix)


def noisy(image, sigma=15):
    noise = np.random.default_rng(1).normal(0, sigma, np.asarray(image).shape)
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def test_a_grey_copy_has_no_colours_and_a_tinted_one_has_none_of_its_own():
    grey = PHOTO.convert("L")
    assert measured(grey)["colour_b"] == 0
    assert measured(grey)["colour_a"] > 5
    sepia = ImageOps.colorize(grey, (40, 20, 0), (255, 240, 200))
    assert measured(sepia)["colour_b"] < 0.1 * measured(sepia)["colour_a"]
    assert measured(ImageEnhance.Contrast(PHOTO).enhance(0.8))["colour_b"] > 4


def test_noise_is_no_detail():
    found = measured(noisy(PHOTO))
    assert found["noise_b"] > 2 * found["noise_a"]
    assert found["fine_a"] == pytest.approx(1, abs=0.08), "all of the original's detail is there, as it was"
    assert measured(PHOTO.filter(ImageFilter.GaussianBlur(1)))["fine_b"] > 1.2, "not so of a blurred copy"


def test_a_blur_loses_the_fine_band_and_a_sharpening_amplifies_both():
    blurred = measured(PHOTO.filter(ImageFilter.GaussianBlur(2)))
    assert blurred["fine_a"] < 0.1
    assert blurred["middle_b"] > 1.5
    sharpened = measured(PHOTO.filter(ImageFilter.UnsharpMask(3, 150, 0)))
    assert sharpened["middle_a"] > 1.3
    assert sharpened["fine_a"] / sharpened["middle_a"] == pytest.approx(1, abs=0.15)
    assert sharpened["fine_a"] * sharpened["fine_b"] > 0.8


def test_levels_that_were_merged_explain_less():
    found = measured(ImageOps.posterize(PHOTO, 2))
    assert found["unexplained_b"] < 0.8 * found["unexplained_a"]
    mild = measured(PHOTO.point([round(255 * (i / 255) ** 0.9) for i in range(256)] * 3))
    assert max(mild["unexplained_a"], mild["unexplained_b"]) < 0.04


def test_an_enlargement_has_nothing_beyond_and_an_original_has():
    small = PHOTO.resize((256, 256), Image.Resampling.LANCZOS)
    real = information(picture(PHOTO), picture(small), scaled(2))
    assert real["ratio"] == pytest.approx(2)
    assert real["beyond"] > 5
    enlarged = small.resize((512, 512), Image.Resampling.BICUBIC)
    assert information(picture(enlarged), picture(small), scaled(2))["beyond"] < 2


def test_borders_and_corners_are_plain_and_a_larger_picture_is_not():
    framed = ImageOps.expand(PHOTO, 40, "white")
    ImageDraw.Draw(framed).text((50, 5), "a caption", "black")
    moved = np.array([[1.0, 0, -40], [0, 1, -40]])
    found = measured(framed, moved)
    assert found["outside_a"] == 0
    assert found["outside_b"] == pytest.approx(1 - (512 / 592) ** 2, abs=0.015)
    assert found["plain_b"] > 0.9
    cut = measured(PHOTO.crop((60, 60, 452, 452)), np.array([[1.0, 0, 60], [0, 1, 60]]))
    assert cut["outside_a"] == pytest.approx(1 - (392 / 512) ** 2, abs=0.015)
    assert cut["plain_a"] < 0.4
    assert cut["outside_b"] == 0


def test_the_ground_on_which_something_stands_is_no_border():
    ground = Image.new("RGB", (700, 700), "white")
    ground.paste(PHOTO.resize((260, 260)), (300, 300))
    found = measured(ground.crop((200, 200, 640, 640)), np.array([[1.0, 0, 200], [0, 1, 200]]), original=ground)
    assert found["outside_a"] > 0.5
    assert found["plain_a"] == 0


def test_what_is_without_data_is_not_shown():
    mask = np.ones((512, 512), bool)
    mask[:, :128] = False
    found = information(picture(PHOTO), picture(PHOTO, mask), IDENTITY)
    assert found["outside_a"] == pytest.approx(0.25, abs=0.01)
    assert found["outside_b"] == 0


@pytest.mark.parametrize("copy", [noisy(PHOTO), PHOTO.convert("L"), PHOTO.resize((300, 300))])
def test_the_order_of_the_two_does_not_matter(copy):
    matrix = scaled(512 / copy.width)
    one = information(picture(PHOTO), picture(copy), matrix)
    other = information(picture(copy), picture(PHOTO), inverse(matrix))
    swapped = {f"{n[:-2]}_{'b' if n[-1] == 'a' else 'a'}" if n[-2:] in ("_a", "_b") else n: v for n, v in one.items()}
    assert other.keys() == swapped.keys()
    for name, value in other.items():
        # of two equally fine ones the tone of the second is matched to the first, so amplitudes scale with the tone
        assert value == pytest.approx(swapped[name], rel=0.25, abs=0.05), name


def test_small_pictures_are_measured_as_far_as_they_can_be():
    tiny = PHOTO.resize((40, 40))
    found = information(picture(tiny), picture(tiny), IDENTITY)
    assert "fine_a" not in found
    assert found["outside_a"] == 0


def test_a_proof_holds_the_measures_and_turns_them_round():
    copy, tables = jpeg(noisy(PHOTO), 90)
    proof = prove(picture(PHOTO), picture(copy, tables=tables), IDENTITY)
    assert proof.outcome is Outcome.SAME
    assert proof.measures.step_b == pytest.approx(typical_step(tables[0]), rel=1e-3)
    other = turned_round(proof).measures
    assert other.noise_a == proof.measures.noise_b > proof.measures.noise_a == other.noise_b
    assert turned_round(turned_round(proof)).measures == proof.measures
    strange = photograph("chelsea", 512)
    assert prove(picture(PHOTO), picture(strange), IDENTITY).measures.noise_a is None


def test_only_equally_informative_copies_are_of_one_class():
    again, _ = jpeg(PHOTO, 92)
    assert equally_informative(ProofMeasures.of(measured(again)))
    for worse in (
        PHOTO.convert("L"),
        noisy(PHOTO),
        PHOTO.filter(ImageFilter.GaussianBlur(2)),
        ImageOps.posterize(PHOTO, 2),
    ):
        assert not equally_informative(ProofMeasures.of(measured(worse)))
    assert equally_informative(ProofMeasures())
    every = ProofMeasures(noise_a=1.0, step_b=3.0, lattice_a=0.5, ratio=1.0)
    assert carried(every) == ProofMeasures(noise_a=1.0)


def test_the_steps_of_a_jpeg_stay_in_what_is_made_from_it():
    original, tables = jpeg(PHOTO, 75)
    first = picture(original, tables=tables)
    captioned = original.copy()
    ImageDraw.Draw(captioned).rectangle((30, 30, 200, 80), fill="white")
    turned = original.transpose(Image.Transpose.ROTATE_90)
    quarter = np.array([[0, -1.0, original.width - 1], [1, 0, 0]])
    for copy, matrix in (
        (original, IDENTITY),
        (ImageEnhance.Brightness(original).enhance(0.8), IDENTITY),
        (captioned, IDENTITY),
        (original.convert("L"), IDENTITY),
        (original.crop((5, 3, 500, 480)), np.array([[1.0, 0, 5], [0, 1, 3]])),
        (turned, quarter),
    ):
        again, further = jpeg(copy, 95)
        assert lattices(first, picture(again, tables=further), matrix)["lattice_a"] > 0.33
        assert lattices(first, picture(copy), matrix)["lattice_a"] > 0.33, "saved without loss"


def test_what_is_not_made_from_a_jpeg_does_not_show_its_steps():
    first_tables = jpeg(PHOTO, 75)
    first = picture(first_tables[0], tables=first_tables[1])
    fresh, tables = jpeg(PHOTO, 92)
    assert lattices(first, picture(fresh, tables=tables), IDENTITY)["lattice_a"] < 0.15
    coarse, tables = jpeg(first_tables[0], 50)
    found = lattices(first, picture(coarse, tables=tables), IDENTITY)
    assert found["lattice_b"] < 0.15, "the original is not on the steps of its copy"
    half = cv2.resize(np.asarray(first_tables[0]), (256, 256), interpolation=cv2.INTER_AREA)
    assert lattices(first, picture(half), scaled(2)) == {}


def test_a_picture_of_one_block_gives_no_sign_and_no_warning(recwarn):
    fine, coarse = jpeg(PHOTO.resize((10, 10)), 80), jpeg(PHOTO.resize((10, 10)), 60)
    assert lattices(picture(fine[0], tables=fine[1]), picture(coarse[0], tables=coarse[1]), IDENTITY, 1.0) == {}
    assert [str(warning.message) for warning in recwarn] == []
