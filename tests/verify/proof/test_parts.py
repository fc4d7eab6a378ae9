"""The parts of the proof, each against a known answer."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dedupindex.search.proof_reading import read_proof_picture
from dedupindex.settings import Settings
from dedupindex.verify.proof.displacement import displacements
from dedupindex.verify.proof.picture import lay, sides_for
from dedupindex.verify.proof.quantisation import quantisation_noise, rounded_means
from dedupindex.verify.proof.regions import changed_places
from dedupindex.verify.proof.residual import outside
from dedupindex.verify.proof.sharpness import match_sharpness
from dedupindex.verify.proof.subpixel import refine
from dedupindex.verify.proof.tone import curve_of, joint_histogram, limits, rising
from tests.verify.pictures import IDENTITY, photograph, picture, scaled

GREY = np.asarray(photograph("astronaut", 512).convert("L"))
EVERYWHERE = np.ones(GREY.shape, bool)


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 10)), min_size=1, max_size=12))
def test_pooled_sequences_rise_and_keep_their_weighted_mean(pairs):
    values, weights = np.array(pairs).T
    found = rising(values, weights)
    assert (np.diff(found) >= -1e-9).all()
    assert np.average(found, weights=weights) == pytest.approx(np.average(values, weights=weights), abs=1e-6)
    if (np.diff(values) >= 0).all():
        assert np.allclose(found, values)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_tone_curve_is_found(sign):
    table = (255 * (np.arange(256) / 255) ** 1.5).astype(np.uint8)
    table = table if sign > 0 else 255 - table
    joint = joint_histogram(GREY, table[GREY])
    curve = curve_of(joint, sign)
    seen = np.unique(GREY)
    assert np.abs(curve.levels[seen] - table[seen]).max() < 3
    assert np.median(curve.spread[seen]) < 3


def test_what_is_painted_over_a_picture_does_not_bend_the_curve():
    painted = GREY.copy()
    painted[:40] = 0
    curve = curve_of(joint_histogram(painted, GREY))
    assert np.abs(curve.levels[10:240] - np.arange(10, 240)).max() < 4


def test_a_clipped_level_allows_all_that_lies_beyond():
    curve = curve_of(joint_histogram(GREY, GREY))
    low, high = limits(curve)
    assert high[255] == 255
    assert low[255] < 252
    assert low[128] == high[128]


def test_a_shift_of_a_pixel_stays_inside_and_another_content_does_not():
    moved = np.roll(GREY, 1, axis=1)
    assert outside(GREY, moved, moved)[:, 2:-2].max() == 0
    changed = GREY.copy()
    changed[100:120, 100:120] = 255 - changed[100:120, 100:120]
    assert outside(GREY, changed, changed)[100:120, 100:120].max() > 60


@pytest.mark.parametrize("width", [0.8, 1.5, 3.0])
def test_blur_is_made_up_for(width):
    soft = cv2.GaussianBlur(GREY, (0, 0), width)
    even = match_sharpness(GREY, soft, EVERYWHERE)
    assert np.array_equal(even.second, soft)
    before = np.abs(GREY.astype(float) - soft).mean()
    assert np.abs(even.first.astype(float) - even.second).mean() < 0.45 * before
    assert even.widths[1] == 0
    assert even.widths[0] in (0, pytest.approx(width, rel=0.15))


def test_a_registration_is_refined_to_a_fraction_of_a_pixel():
    rows, columns = GREY.shape
    true = cv2.getRotationMatrix2D((columns / 2, rows / 2), 0.7, 1.02)
    moved = cv2.warpAffine(GREY, true, (columns, rows))
    found, sign = refine(GREY, 255 - moved, true + np.array([[0.004, 0, 2.0], [0, -0.003, -2.5]]))
    corners = np.array([[0, 0, 1], [columns, 0, 1], [0, rows, 1], [columns, rows, 1]])
    assert sign == -1
    assert np.abs(corners @ (found - true).T).max() < 0.15


def test_a_part_that_moved_does_not_pull_the_registration():
    other = GREY.copy()
    other[150:350, 150:350] = np.roll(GREY, 9, axis=1)[150:350, 150:350]
    found, _ = refine(GREY, other, IDENTITY + np.array([[0, 0, 1.5], [0, 0, -1]]))
    assert np.abs(found - IDENTITY)[:, 2].max() < 0.1


def test_blocks_tell_how_far_they_lie_off():
    steps = displacements(GREY, np.roll(GREY, 1, axis=1), EVERYWHERE)
    assert np.median(steps, axis=0) == pytest.approx((0, 1), abs=0.25)
    assert not displacements(GREY, GREY, EVERYWHERE).any()


def test_noise_of_quantisation_grows_with_the_steps_and_not_beyond_the_contrast():
    fine, coarse = [4] * 64, [60] * 64
    contrast = np.array([0.0, 5.0, 50.0])
    assert (quantisation_noise(coarse, contrast, 1) > quantisation_noise(fine, contrast, 1)).all()
    assert quantisation_noise(coarse, contrast, 1)[1] < 25 + 60**2 / 12 / 64
    assert (quantisation_noise(coarse, contrast, 4) <= quantisation_noise(coarse, contrast, 1)).all()


def test_quantisation_noise_bounds_that_of_a_jpeg_within_a_factor(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.jpg", quality=50)
    opened = Image.open(tmp_path / "a.jpg")
    error = float(np.square(np.asarray(opened).astype(float) - GREY).mean())
    blocks = GREY.reshape(64, 8, 64, 8).std(axis=(1, 3)).ravel()
    expected = float(quantisation_noise(opened.quantization[0], blocks, 1).mean())
    assert 1 < expected / error < 5


def test_places_are_joined_and_weighed():
    excess = np.zeros((60, 80), np.float32)
    excess[10:14, 20:26] = 30
    excess[40, 70] = 6
    places, labels = changed_places(excess, 4.0)
    assert [place.cells for place in places] == [24, 1]
    assert (places[0].top, places[0].left, places[0].height, places[0].width) == (40, 80, 16, 24)
    assert places[0].weight > 13 > places[1].weight
    assert (labels == places[0].label).sum() == 24
    assert changed_places(np.zeros((5, 5), np.float32), 4.0)[0] == []


def test_the_grid_is_that_of_the_coarser_picture():
    image = photograph("astronaut", 500)
    small = image.resize((200, 200))
    for a, b, matrix in ((image, small, scaled(2.5)), (small, image, scaled(0.4))):
        laid = lay(picture(a), picture(b), matrix)
        assert laid.still.shape == (200, 200)
        assert laid.swapped == (a is image)
    assert lay(picture(image), picture(small), np.array([[1, 0, 900.0], [0, 1, 0]])) is None


def test_sides_are_chosen_for_what_both_show():
    assert sides_for((3000, 4000), (3000, 4000), IDENTITY) == (973, 973)
    assert sides_for((3000, 4000), (600, 800), scaled(5)) == (760, 760)
    crop = np.array([[1, 0, 500], [0, 1, 300.0]])
    assert sides_for((3000, 4000), (400, 500), crop) == (3800, 475)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_is_read_upright_reduced_and_with_its_tables(tmp_path, orientation):
    image = photograph("astronaut", 512).resize((2048, 1536))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", quality=80, exif=exif)
    read = read_proof_picture(tmp_path / "a.jpg", Settings(), side=400)
    assert read.full_shape == ((1536, 2048) if orientation == 1 else (2048, 1536))
    assert max(read.luminance.shape) == 400
    assert read.mask is None
    assert [len(table) for table in read.quantisation] == [64, 64]
    assert read.file_scale == pytest.approx(2048 / 400)


def test_transparent_pixels_and_missing_frames(tmp_path):
    from dedupindex.errors import ReadError

    pixels = np.dstack([np.asarray(photograph("astronaut", 100)), np.full((100, 100), 255, np.uint8)])
    pixels[:30, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = read_proof_picture(tmp_path / "a.png", Settings())
    assert read.quantisation == ()
    assert not read.mask[:30].any()
    assert read.mask[30:].all()
    with pytest.raises(ReadError, match="frame 3"):
        read_proof_picture(tmp_path / "a.png", Settings(), frame=3)


def test_the_rounding_of_block_means_bounds_what_a_jpeg_does_to_them():
    random = np.random.default_rng(5)
    plane = cv2.GaussianBlur(random.normal(128, 40, (240, 240)), (0, 0), 12).clip(0, 255).astype(np.uint8)
    table = [60] * 64
    blocks = plane.astype(np.float64).reshape(30, 8, 30, 8).mean((1, 3))
    step = table[0] / 8
    away = np.abs(np.round(blocks / step) * step - blocks).max()
    assert 0 < away**2 <= rounded_means([(table, 1.0, 1.0)], 8)
    assert rounded_means([(table, 2.0, 1.0)], 12) < rounded_means([(table, 1.0, 1.0)], 12)
    assert rounded_means([], 12) == 0
