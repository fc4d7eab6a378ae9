"""Rotation and scale from log-polar spectra."""

import cv2
import numpy as np
import pytest

from dedupindex.verify.log_polar import ANGLES, LIKE, polar_of, turns
from tests.scenes import features, photograph

NAMES = ("cat", "coffee", "coins", "astronaut")


def turned(picture, degrees, scale):
    """A picture turned and enlarged about its middle, with its mask."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    inside = cv2.warpAffine(np.ones((height, width), np.uint8), matrix, (width, height)) > 0
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_AREA), inside


@pytest.mark.parametrize("name", NAMES)
def test_the_spectrum_of_a_mirrored_picture_runs_backwards(name):
    plain, mirrored = (features(np.ascontiguousarray(p)) for p in (photograph(name), photograph(name)[:, ::-1]))
    one, other = polar_of(plain).spectrum, polar_of(mirrored).spectrum
    backwards = one[-np.arange(ANGLES) % ANGLES]
    assert np.corrcoef(other.ravel(), backwards.ravel())[0, 1] > 0.998
    assert np.corrcoef(other.ravel(), one.ravel())[0, 1] < 0.97


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_picture_is_like_the_other_one_and_unrelated_ones_are_not(name, mirrored):
    picture = photograph(name)
    copy, inside = (np.ascontiguousarray(p[:, :: -1 if mirrored else 1]) for p in turned(picture, 15, 1.0))
    one, other = polar_of(features(picture)), polar_of(features(copy, inside))
    best = max(turns(one, other, mirrored), key=lambda turn: turn.like)
    assert best.like > 2 * LIKE
    assert min(best.radians, np.pi - best.radians) == pytest.approx(np.deg2rad(15), abs=0.05)
    assert best.scale == pytest.approx(1, abs=0.08)
    strangers = [polar_of(features(photograph(stranger))) for stranger in NAMES if stranger != name]
    assert np.median([turn.like for each in strangers for turn in turns(one, each, mirrored)]) < LIKE
