"""At half size, alignments of copies pass and those of look-alikes do not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dedupindex.records import RegistrationMethod
from dedupindex.verify.coarse import FAR, NEAR, Details, beyond_echo, detail_of, may_agree, may_agree_shifted
from dedupindex.verify.keypoint_registration import Alignment
from tests.scenes import PHOTOGRAPHS, features, photograph
from tests.tools import cutouts

SIZE = (240, 300)
AS_IT_IS = Alignment(np.eye(2, 3), RegistrationMethod.KEYPOINTS, matches=20, inliers=10)


def objects(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    shape = cutouts.outline(random)
    masks = [cutouts.inside(cutouts.like(shape, random, 0.1), SIZE) for _ in range(count)]
    return [cutouts.cut_out(cutouts.skin(SIZE, random), mask, 0) for mask in masks]


def turned(picture: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture turned about its middle, and the map of a thumbnail of the result onto that of the picture."""
    height, width = picture.shape[:2]
    forth = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1.0)
    result = cv2.warpAffine(picture, forth, (width, height), borderMode=cv2.BORDER_REFLECT)
    back = np.linalg.inv(forth[:, :2])
    middle = np.array([width, height]) / 2 * 128 / max(width, height)
    return result, np.column_stack([back, middle - back @ middle])


def test_details_are_made_once():
    details = Details()
    one = features(photograph(PHOTOGRAPHS[0]))
    assert details.of(one) is details.of(one)
    assert details.polar(one) is details.polar(one)


def test_detail_has_half_the_size_of_the_thumbnail_and_is_0_where_the_picture_is_flat():
    one = features(photograph(PHOTOGRAPHS[0]))
    height, width = one.thumbnail.shape
    thumbnail = one.thumbnail.copy()
    thumbnail[: height // 2] = 90
    detail = detail_of(replace(one, thumbnail=thumbnail))
    assert detail.still.shape == detail.texture.shape == (height // 2, width // 2)
    assert not detail.still[: height // 4 - 6].any()
    assert detail.still[height // 4 + 6 :].any()
    assert detail.pixels == pytest.approx(4 * detail.texture.sum())


@pytest.mark.parametrize("degrees", [0, 30, 90, 163])
def test_the_right_alignment_of_a_copy_passes_and_a_wrong_one_does_not(degrees):
    a = photograph(PHOTOGRAPHS[1])
    copy, matrix = turned(a, degrees)
    one, other, details = features(a), features(copy), Details()
    right = Alignment(matrix, RegistrationMethod.KEYPOINTS, matches=60, inliers=40)
    off = Alignment(np.add(matrix, [[0, 0, 20.0], [0, 0, 13.0]]), RegistrationMethod.KEYPOINTS, matches=60, inliers=40)
    assert may_agree(one, other, right, details, 0.5)
    assert not may_agree(one, other, off, details, 0.5)


def test_look_alikes_do_not_pass_and_their_copies_do():
    pictures = objects(4)
    details = Details()
    described = [features(picture) for picture in pictures]
    passed = [
        may_agree_shifted(a, b, details, 0.5)
        for number, a in enumerate(described)
        for b in described[:number]
        if min(len(a.keypoints), len(b.keypoints)) >= 25
    ]
    assert passed
    assert not any(passed)
    for picture, one in zip(pictures, described, strict=True):
        copy = features(np.roll(cv2.GaussianBlur(picture, (0, 0), 1.0), (6, -9), (0, 1)))
        assert may_agree_shifted(one, copy, details, 0.5)
        assert may_agree(one, one, AS_IT_IS, details, 0.5)


def test_few_lines_of_text_pass_that_lie_a_little_off():
    """Little texture correlates by chance and badly by a small shift: asked is half as much."""
    random, picture = np.random.default_rng(3), np.full((600, 800), 255, np.uint8)
    for line in range(3):
        text = " ".join("".join(chr(97 + letter) for letter in random.integers(0, 26, 5)) for _ in range(5))
        cv2.putText(picture, text, (40, 80 + 60 * line), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 0, 2)
    page, details = features(picture), Details()
    passed = []
    for off in (0.0, 1.4, 4.0):
        moved = Alignment(np.array([[1.0, 0, off], [0, 1, 0]]), RegistrationMethod.KEYPOINTS, matches=20, inliers=10)
        passed.append(may_agree(page, page, moved, details, 0.5))
    assert passed == [True, True, False]


def test_what_cannot_be_told_passes():
    smooth = features(cutouts.field((180, 240), np.random.default_rng(1)))
    other = features(cutouts.field((180, 240), np.random.default_rng(2)))
    assert may_agree_shifted(smooth, other, Details(), 0.5)
    wide = features(photograph(PHOTOGRAPHS[0])[:60])
    tall = features(photograph(PHOTOGRAPHS[1])[:, :60])
    assert may_agree_shifted(wide, tall, Details(), 0.5)


def test_an_echo_is_the_highest_number_near_the_peak_but_not_beside_it():
    surface = np.zeros((96, 96), np.float32)
    surface[1, 95], surface[1 + NEAR, 95], surface[1 + NEAR + 1, 95], surface[1, 94 - FAR] = 0.9, 0.8, 0.3, 0.7
    assert beyond_echo(surface) == pytest.approx((0.9 - 0.3) / (1 - 0.3))
    surface[1 + NEAR + 1, 95] = -0.3
    assert beyond_echo(surface) == pytest.approx(0.9)  # an echo is never below 0
