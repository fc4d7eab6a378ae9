"""Copies inside one picture: what was moved is found at both places, untouched pictures hold none."""

import cv2
import numpy as np
import pytest

from dedupindex.verify.pieces.confirmation import find_within
from tests.scenes import photograph
from tests.verify.pieces.test_confirmation import near, page, view


def moved(picture, source, target, *, mirrored=False, angle=0, factor=1.0):
    """A picture in which a square (top, left, side) stands again at (top, left); the box of the copy."""
    top, left, side = source
    part = picture[top : top + side, left : left + side].copy()
    if mirrored:
        part = part[:, ::-1]
    if angle:
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0)
        part = cv2.warpAffine(np.ascontiguousarray(part), matrix, (side, side), flags=cv2.INTER_CUBIC)
        rim = side // 6
        part = part[rim : side - rim, rim : side - rim]
    if factor != 1:
        part = cv2.resize(np.ascontiguousarray(part), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    copy = picture.copy()
    y, x = target
    copy[y : y + part.shape[0], x : x + part.shape[1]] = part
    return copy, (y, x, *part.shape[:2])


@pytest.mark.parametrize("change", [{}, {"mirrored": True}, {"angle": 25}, {"factor": 0.8}])
def test_a_part_that_was_copied_and_moved(change):
    copy, target = moved(photograph("astronaut"), (40, 160, 170), (300, 20), **change)
    found = find_within(view(copy))
    assert found
    places = [found[0].box, found[0].part_box]
    assert any(near(place, target, 45) for place in places)
    middle = [(top + height / 2, left + width / 2) for top, left, height, width in places]
    assert any(abs(y - 125) < 40 and abs(x - 245) < 40 for y, x in middle)
    assert found[0].mirrored is bool(change.get("mirrored"))
    assert len(found) == 1


@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat", "rocket", "coins", "camera"])
def test_untouched_pictures_hold_no_copies(name):
    assert find_within(view(photograph(name))) == []


def test_text_repeats_and_is_no_copy():
    assert find_within(view(page(1))) == []


def test_a_picture_that_is_its_own_mirror_image_is_no_copy():
    half = photograph("cat")[:, :200]
    assert find_within(view(np.hstack([half, half[:, ::-1]]))) == []


def test_a_pattern_that_repeats_is_no_copy():
    stripes = np.repeat(np.tile(np.arange(0, 256, 8, np.uint8), 12)[None], 300, axis=0)
    assert find_within(view(np.repeat(stripes[..., None], 3, axis=2))) == []
