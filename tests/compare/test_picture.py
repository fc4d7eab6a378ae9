import cv2
import numpy as np
import pytest

from dedupindex.compare.picture import GAP, PANEL, draw_alignment, lay_over
from dedupindex.records import Registration
from tests.scenes import holes, photograph

YELLOW, MAGENTA = (255, 215, 0), (255, 0, 200)


def moved_by(dy, dx, **others):
    return Registration((dy, dx), matrix=((1.0, 0.0, dx), (0.0, 1.0, dy)), **others)


def panels(drawn, shape_a, shape_b):
    """The four panels of a drawing of pictures that are shown pixel by pixel: a, b, overlay, difference."""
    widths = (shape_a[1], shape_b[1], shape_a[1], shape_a[1])
    heights = (shape_a[0], shape_b[0], shape_a[0], shape_a[0])
    top = drawn.shape[0] - GAP - max(heights)
    lefts = np.cumsum([GAP, *(width + GAP for width in widths)])
    return [drawn[top : top + h, left : left + w] for h, w, left in zip(heights, widths, lefts, strict=False)]


def colours(panel):
    return {tuple(int(c) for c in pixel) for pixel in panel.reshape(-1, 3)}


def test_the_overlay_of_a_shifted_copy_is_grey_and_the_difference_black():
    scene = photograph("astronaut")[..., 1]
    a, b = scene[100:300, 100:340], scene[120:320, 90:330]
    drawn = draw_alignment(a, b, moved_by(20.0, -10.0))
    assert drawn.dtype == np.uint8
    assert drawn.shape[2] == 3
    _, _, over, difference = panels(drawn, a.shape, b.shape)
    common = over[25:195, 5:225].astype(int)
    assert np.abs(common[..., 0] - common[..., 1]).mean() < 4
    np.testing.assert_array_equal(common[..., 1], common[..., 2])
    assert difference[25:195, 5:225].mean() < 6
    wrong = panels(draw_alignment(a, b, moved_by(0.0, 0.0)), a.shape, b.shape)[3]
    assert wrong.mean() > 5 * difference.mean()


def test_what_only_one_shows_is_red_or_cyan():
    a = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    over = panels(draw_alignment(a, a, moved_by(0.0, 100.0)), a.shape, a.shape)[2]
    left = over[10:190, 20:80].reshape(-1, 3)  # only a
    assert not left[:, 1:].any()
    assert left[:, 0].any()


def test_outlines_follow_the_masks():
    scene = photograph("camera")[:200, :220, 1]
    mask_a, mask_b = holes(1, scene.shape), holes(2, scene.shape)
    drawn = draw_alignment(scene, scene, moved_by(0.0, 0.0), mask_a, mask_b)
    first, second, over, _ = panels(drawn, scene.shape, scene.shape)
    edge = mask_a & (cv2.erode(mask_a.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    np.testing.assert_array_equal((first == YELLOW).all(2), edge)
    assert YELLOW not in colours(second)
    assert MAGENTA in colours(second)
    assert {YELLOW, MAGENTA} <= colours(over)
    plain = draw_alignment(scene, scene, moved_by(0.0, 0.0))
    assert not {YELLOW, MAGENTA} & colours(plain)


def test_masked_garbage_does_not_show():
    scene = photograph("camera")[:150, :150, 1].astype(np.float64)
    mask = holes(3, scene.shape)
    clean = draw_alignment(np.where(mask, scene, 0), scene, moved_by(0.0, 0.0), mask)
    for garbage in (np.nan, np.inf, -1e30):
        np.testing.assert_array_equal(
            clean, draw_alignment(np.where(mask, scene, garbage), scene, moved_by(0, 0), mask)
        )


def test_scale_rotation_and_depth():
    scene = photograph("coffee")
    half = cv2.resize(scene, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint16) * 200
    # the middle of the first pixel of the half is the corner that four pixels of the whole share
    matrix = ((2.0, 0.0, 0.5), (0.0, 2.0, 0.5))
    drawn = draw_alignment(scene, half, Registration((0.0, 0.0), scale=2.0, matrix=matrix))
    difference = panels(drawn, scene.shape, half.shape)[3]
    turned = np.ascontiguousarray(np.rot90(scene))
    matrix = ((0.0, -1.0, scene.shape[1] - 1.0), (1.0, 0.0, 0.0))  # rot90: new (x, y) = (old y, width - 1 - old x)
    same = draw_alignment(scene, turned, Registration((0.0, 0.0), rotation=-90.0, matrix=matrix))
    assert difference.mean() < 6
    assert panels(same, scene.shape, turned.shape)[3].mean() < 1


@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (3, 900), (2000, 1500)])
def test_every_size_is_drawn(shape):
    picture = (np.random.default_rng(0).random(shape) * 60000).astype(np.uint16)
    drawn = draw_alignment(picture, picture, moved_by(0.0, 0.0, confidence=0.0))
    assert drawn.shape[0] < PANEL + 200
    assert drawn.shape[1] <= 4 * PANEL + 5 * GAP
    assert drawn.max() > 100


def test_what_cannot_be_drawn():
    good = np.zeros((20, 20))
    flat = Registration((0.0, 0.0), matrix=((1.0, 1.0, 0.0), (1.0, 1.0, 0.0)))
    for arguments in (
        (good, good, flat),
        (np.zeros((4, 4, 2)), good, moved_by(0, 0)),
        (good, good, moved_by(0, 0), np.ones((3, 3), bool)),
        (good, good, moved_by(0, 0), None, np.zeros(good.shape, bool)),
        (good, np.full((4, 4), np.nan), moved_by(0, 0)),
    ):
        with pytest.raises(ValueError, match=r"shape|mask|valid|folds"):
            draw_alignment(*arguments)


def test_no_overlap_is_drawn_too():
    picture = photograph("camera")[:200, :200, 1]
    difference = panels(draw_alignment(picture, picture, moved_by(500.0, 500.0)), picture.shape, picture.shape)[3]
    assert not difference.any()


@pytest.mark.parametrize("reduced", [1, 2])
def test_a_reduced_picture_is_laid_over_another_by_the_map_of_the_full_ones(reduced):
    scene = photograph("astronaut")
    a, b = scene[100:300, 100:340], scene[120:320, 90:330]
    small = [cv2.resize(p, None, fx=1 / reduced, fy=1 / reduced, interpolation=cv2.INTER_AREA) for p in (a, b)]
    matrix = np.array(moved_by(20.0, -10.0).matrix)
    laid = lay_over(small[0], small[1], matrix, a.shape[:2], b.shape[:2])
    assert laid.first.shape == laid.second.shape == laid.difference.shape == small[0].shape
    inside = np.s_[20 // reduced + 2 : 198 // reduced, 2 : 225 // reduced]
    assert np.abs(laid.second[inside].astype(int) - laid.first[inside]).mean() < 3
    assert laid.difference[inside].mean() < 4
    assert not laid.second[: 18 // reduced].any()  # b does not reach there
    wrong = lay_over(small[0], small[1], np.eye(2, 3), a.shape[:2], b.shape[:2])
    assert wrong.difference[inside].mean() > 10 * laid.difference[inside].mean()


def test_grey_pictures_are_laid_too_and_folding_maps_refused():
    a = photograph("camera")[..., 0][:100, :120]
    laid = lay_over(a, a, np.eye(2, 3), a.shape, a.shape)
    np.testing.assert_array_equal(laid.first, laid.second)
    assert not laid.difference.any()
    with pytest.raises(ValueError, match="folds"):
        lay_over(a, a, np.zeros((2, 3)), a.shape, a.shape)
