"""Changes of smooth places that no single pixel shows."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dedupindex.records import Outcome
from dedupindex.verify.proof import faint
from dedupindex.verify.proof.comparison import prove
from dedupindex.verify.proof.faint import faint_excess, local_median
from dedupindex.verify.proof.residual import Side, residual
from tests.tools.fit_proof import as_decoded
from tests.verify.pictures import IDENTITY

SHAPE = 60, 80
VALID = np.ones(SHAPE, bool)
FLAT = np.full(SHAPE, 2.0, np.float32)
NOTHING = np.zeros(SHAPE, np.float32)


def noise(seed=0, spread=0.2):
    return np.random.default_rng(seed).normal(0, spread, SHAPE).astype(np.float32)


def weighed(means, variance=NOTHING, contrast=FLAT, explained=0, valid=VALID):
    return np.maximum(*faint_excess((means, variance), contrast, (NOTHING + explained, NOTHING), valid))


def test_a_place_whose_means_differ_weighs_and_the_rest_does_not():
    means = noise()
    means[20:30, 40:52] += 3
    excess = weighed(means)
    inside = np.zeros(SHAPE, bool)
    inside[20:30, 40:52] = True
    assert excess[inside].min() > 0.5 * faint.GAIN * 3
    assert excess[~inside].max() < 0.5 * faint.GAIN


def test_a_place_whose_texture_differs_weighs_where_it_is_fine():
    variance = NOTHING + 0.1
    variance[20:30, 40:52] = 9
    excess = weighed(NOTHING, variance)
    assert excess[20:30, 40:52].min() > 0.8 * faint.GAIN * 3
    assert excess.sum() == pytest.approx(excess[20:30, 40:52].sum())
    assert weighed(NOTHING, variance, contrast=FLAT + faint.FINE).max() == 0


def test_what_is_explained_is_subtracted():
    means = noise(1)
    means[20:30, 40:52] += 3
    explained = weighed(means, explained=16)
    assert explained.max() == 0


@pytest.mark.parametrize(
    "wide",
    [
        np.full(SHAPE, 6.0),
        np.linspace(-8, 8, SHAPE[1]) + np.zeros((SHAPE[0], 1)),
        6 * np.hypot(*np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]) ** 2,
    ],
    ids=["tone", "gradient", "vignetting"],
)
def test_wide_differences_are_the_tone(wide):
    excess = weighed(wide.astype(np.float32))
    assert np.quantile(excess[8:-8, 8:-8], 0.99) <= faint.GAIN


def test_no_place_with_contrast_no_line_no_edge():
    means = NOTHING.copy()
    means[20:30, 40:52] = 5
    assert weighed(means, contrast=FLAT + 2 * faint.SMOOTH).max() == 0
    line = NOTHING.copy()
    line[20] = 5
    assert weighed(line).max() == 0
    valid = VALID.copy()
    valid[:, 44:] = False
    edge = NOTHING.copy()
    edge[:, 43] = 5
    assert weighed(edge, valid=valid).max() == 0
    assert weighed(means, valid=~VALID).max() == 0


def test_a_curve_that_is_off_at_a_rare_level_is_no_change():
    ground = np.random.default_rng(4).integers(60, 64, (240, 320)).astype(np.uint8)
    own, predicted = ground.copy(), ground.copy()
    own[80:140, 100:180], predicted[80:140, 100:180] = 64, 69
    mask = np.ones(own.shape, bool)
    side = Side(own=own, predicted=predicted, low=predicted, high=predicted)
    assert residual((side,), mask).excess.max() > 11
    assert residual((replace(side, untoned=own),), mask).excess.max() <= 5  # the difference of single pixels
    assert residual((replace(side, untoned=predicted),), mask).excess.max() > 11


def test_what_a_mean_may_be_off_grows_with_the_contrast():
    means = NOTHING.copy()
    means[20:30, 40:52] = 20
    for above, told in ((0, True), (6, True), (9, True), (10, False), (30, False)):
        assert weighed(means, contrast=NOTHING + faint.SMOOTH + above).any() == told, above


@pytest.mark.parametrize("change", [-22, 25])
def test_a_place_of_grass_that_was_made_darker_or_lighter_is_an_edit(change):
    """No pixel leaves the range of its neighbours."""
    random = np.random.default_rng(8)
    grass = 110 + 20 * random.normal(0, 1, (480, 640)) + np.linspace(-20, 20, 640)
    original = decoded(grass, 92)
    assert prove(original, decoded(grass, 75), IDENTITY).outcome is Outcome.SAME
    changed = grass.copy()
    changed[200:260, 300:380] += change
    proof = prove(original, decoded(changed, 85), IDENTITY)
    assert proof.outcome is Outcome.EDITED
    top, left, height, width = proof.regions[0].box
    assert 180 <= top <= top + height <= 280
    assert 280 <= left <= left + width <= 400


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (5, 5)])
def test_small_grids(shape):
    values = np.ones(shape, np.float32)
    assert local_median(values, np.ones(shape, bool)).shape == shape
    for plane in faint_excess((values, values), values, (0 * values, 0 * values), np.ones(shape, bool)):
        assert plane.shape == shape


def haze(seed, fineness):
    """A slope with faint texture, as haze or skin has, and the noise of a camera."""
    random = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(random.normal(0, 1, (480, 640)), (0, 0), fineness)
    slope = np.linspace(90, 170, 640) + np.linspace(0, 20, 480)[:, None]
    return slope + 2 * texture / texture.std(), random.normal(0, 1.2, (480, 640))


def decoded(plane, quality):
    grey = np.repeat(plane.clip(0, 255).astype(np.uint8)[..., None], 3, 2)
    return as_decoded(cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1))


@pytest.mark.parametrize("fineness", [6, 2.5])
@pytest.mark.parametrize("quality", [92, 75])
def test_faint_texture_that_was_erased_is_an_edit_and_a_jpeg_is_none(quality, fineness):
    scene, grain = haze(3, fineness)
    erased = scene + grain
    part = scene[200:290, 300:420]
    erased[200:290, 300:420] = np.linspace(part[:, 0].mean(), part[:, -1].mean(), 120)
    original = decoded(scene + grain, 95)
    assert prove(original, decoded(scene + grain, quality), IDENTITY).outcome is Outcome.SAME
    proof = prove(original, decoded(erased, quality), IDENTITY)
    assert proof.outcome is Outcome.EDITED
    for region in proof.regions:
        top, left, height, width = region.box
        assert 180 <= top <= top + height <= 310
        assert 280 <= left <= left + width <= 440
