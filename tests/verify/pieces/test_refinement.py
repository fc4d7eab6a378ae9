"""Refined maps: a slight perspective that keypoints took for an affine map comes back from the pixels."""

import cv2
import numpy as np
import pytest

from dedupindex.records.pictures import PieceFeatures
from dedupindex.verify.pieces.agreement import region_of
from dedupindex.verify.pieces.matching import inverse, project
from dedupindex.verify.pieces.refinement import FARTHEST, refined
from tests.scenes import photograph
from tests.verify.pieces.test_confirmation import view

CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)


def in_perspective(name, bend):
    """A photograph, the same in perspective, and the true map of the first onto the second."""
    picture = photograph(name)
    rows, columns = picture.shape[:2]
    target = CORNERS * (0.5 * columns, 0.5 * rows) + (60, 50) + np.array([[0, 0], [bend, -bend], [0, 0], [-bend, 0]])
    half = np.array([[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    onto = cv2.getPerspectiveTransform(
        (CORNERS * (columns, rows)).astype(np.float32), target.astype(np.float32)
    )  # continuous
    small = cv2.GaussianBlur(picture, (0, 0), 0.8)
    shown = cv2.warpPerspective(small, inverse(half) @ onto @ half, (440, 440), flags=cv2.INTER_LINEAR)
    return picture, shown, onto


@pytest.mark.parametrize("name", ["astronaut", "cat"])
@pytest.mark.parametrize("turned_round", [False, True])
def test_a_slight_perspective_is_found(name, turned_round):
    picture, shown, onto = in_perspective(name, 9)
    a, b = view(shown), view(picture)
    true = inverse(a.to_full) @ onto @ b.to_full  # between the stored pictures
    rows, columns = b.pieces.mask.shape
    places = (CORNERS * 0.6 + 0.2) * (columns, rows)
    affine = np.vstack([cv2.estimateAffine2D(places, project(true, places))[0], [0, 0, 1]])
    one, other, given, wanted = a.pieces, b.pieces, affine, true
    if turned_round:
        one, other, given, wanted = other, one, inverse(affine), inverse(true)
        places = project(true, places)
    region = region_of(one.picture, one.mask, other.picture, other.mask, given, project(given, places))
    assert region is not None
    better = refined(one, other, region)
    assert better is not None
    size = np.sqrt(abs(np.linalg.det(wanted[:2, :2])))
    before, after = (np.abs(project(m, places) - project(wanted, places)).max() / max(1, size) for m in (given, better))
    assert after < 0.35
    assert after < before / 2


@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket", "coins"])
def test_of_strangers_the_region_stays_about_where_it_is(name):
    picture = view(photograph("cat")).pieces
    rows, columns = picture.mask.shape
    grey = cv2.resize(view(photograph(name)).pieces.picture, (columns, rows))
    other = PieceFeatures(picture.keypoints, grey, picture.mask)
    region = region_of(
        picture.picture, picture.mask, picture.picture, picture.mask, np.eye(3), np.array([[200.0, 150.0]])
    )
    assert region is not None
    better = refined(picture, other, region)
    if better is not None:
        places = CORNERS * (columns, rows)
        assert np.abs(project(better, places) - places).max() < 2 * FARTHEST * columns


def test_a_map_that_is_right_stays():
    picture = view(photograph("astronaut")).pieces
    region = region_of(
        picture.picture, picture.mask, picture.picture, picture.mask, np.eye(3), np.array([[200.0, 150.0]])
    )
    assert region is not None
    better = refined(picture, picture, region)
    assert better is not None
    assert np.allclose(better, np.eye(3), atol=0.02)
