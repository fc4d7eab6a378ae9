import numpy as np
import pytest
from PIL import Image

from dedupindex.prepare import find_corners, prepare
from dedupindex.settings import Settings
from tests.amounts import crossed

from .pictures import frame, jpeg, photo


def turned(picture, degrees, fill, expand):
    image = Image.fromarray(picture)
    colour = (fill,) * 3 if picture.ndim == 3 else fill
    result = image.rotate(degrees, Image.Resampling.BICUBIC, expand=expand, fillcolor=colour)
    whole = Image.new("L", image.size, 255).rotate(degrees, Image.Resampling.BICUBIC, expand=expand)
    return np.asarray(result), np.asarray(whole) > 127


@crossed("degrees, fill, expand", [-2.5, 3.5, 5, -12, 20, 38], [(f, e) for f in (0, 255) for e in (True, False)])
def test_the_corners_of_a_turned_picture_are_not_valid(degrees, fill, expand):
    picture, truth = turned(photo(360, 500), degrees, fill, expand)
    prepared = prepare(frame(jpeg(picture)), Settings())
    assert prepared.box == (0, 0, *truth.shape)
    height, width = truth.shape
    found = np.asarray(Image.fromarray(prepared.mask).resize((width, height), Image.Resampling.NEAREST))
    assert (found & ~truth).sum() <= 0.04 * (~truth).sum()
    assert (truth & ~found).sum() <= 0.04 * truth.sum()
    assert not prepared.luminance[~prepared.mask].any()


def test_deep_frames_too_and_their_scaling_ignores_the_fill():
    picture, _ = turned(photo(300, 400, colour=False), 10, 0, True)
    prepared = prepare(frame(picture.astype(np.uint16) * 100 + 500, bits=16), Settings(scaling="minmax"))
    assert 0.1 < 1 - prepared.mask.mean() < 0.35
    assert float(prepared.scaling.split()[1].split("..")[0]) > 600


def test_pictures_without_corners_have_none():
    for seed in range(10):
        assert find_corners(photo(seed=seed)) is None
    y, x = np.mgrid[:180, :240]
    dark = photo() * (np.hypot((y - 90) / 90, (x - 120) / 120) < 1)[..., None]  # an ellipse on black
    assert find_corners(dark) is None
    assert find_corners(np.pad(photo(160, 220), ((10, 10), (10, 10), (0, 0)))) is None
    assert find_corners(np.zeros((100, 100), np.uint8)) is None


def test_a_dark_sky_is_no_empty_corner():
    y, x = np.mgrid[:180, :240]
    for slope in (0.1, 0.4, 1.0):
        night = np.where((y > 60 + slope * x)[..., None], photo(), 2).astype(np.uint8)
        assert find_corners(jpeg(night)) is None


def test_masked_corners_are_no_fill():
    picture, truth = turned(photo(), 15, 0, True)
    assert find_corners(picture) is not None
    assert find_corners(picture, truth) is None


def test_the_angle_is_found():
    picture, _ = turned(photo(), 12.3, 0, True)
    tilted = find_corners(picture)
    assert tilted is not None
    assert np.degrees(tilted.angle) == pytest.approx(12.3, abs=0.3)
