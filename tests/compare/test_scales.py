import cv2
import numpy as np
import pytest

from dedupindex.compare.scales import search_scales
from tests.scenes import holes, photograph


@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee"])
@pytest.mark.parametrize("factor", [0.5, 0.7, 1.0, 1.6])
def test_a_resized_copy_is_found(name, factor):
    picture = photograph(name)[..., 1].astype(np.float32)
    copy = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    peak, scale = search_scales(picture, copy)
    assert peak.score > 0.99
    assert scale == pytest.approx(1 / factor, rel=0.01)
    assert np.abs(peak.shift).max() < 0.01 * max(picture.shape)
    assert peak.overlap > 0.97


@pytest.mark.parametrize(("top", "left", "share"), [(0, 0, 0.707), (90, 60, 0.707), (120, 120, 0.5)])
def test_a_cropped_copy_is_found(top, left, share):
    picture = photograph("astronaut")[..., 1].astype(np.float32)
    height, width = (round(side * share) for side in picture.shape)
    peak, scale = search_scales(picture, picture[top : top + height, left : left + width])
    assert peak.score > 0.9
    assert scale == pytest.approx(1, rel=0.02)
    np.testing.assert_allclose(peak.shift, (top, left), atol=0.02 * picture.shape[0])


def test_different_pictures_do_not_correlate_at_any_scale():
    names = ("astronaut", "cat", "coffee", "rocket")
    pictures = [photograph(name)[..., 1].astype(np.float32) for name in names]
    scores = [search_scales(a, b)[0].score for i, a in enumerate(pictures) for b in pictures[:i]]
    assert max(scores) < 0.7


def test_a_resized_crop_under_another_mask_is_found():
    picture = photograph("coffee")[..., 1].astype(np.float32)
    copy = cv2.resize(picture[60:360, 100:550], None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    mask, mask_copy = holes(1, picture.shape), holes(2, copy.shape)
    dirty, dirty_copy = np.where(mask, picture, np.nan), np.where(mask_copy, copy, 1e9).astype(np.float32)
    peak, scale = search_scales(dirty, dirty_copy, mask, mask_copy)
    assert peak.score > 0.95
    assert scale == pytest.approx(1 / 0.6, rel=0.02)
    np.testing.assert_allclose(peak.shift, (60, 100), atol=6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (7, 7), (64, 64)])
def test_pictures_of_nothing_and_tiny_ones(shape):
    flat = np.full(shape, 0.3, np.float32)
    for b in (flat, photograph("cat")[..., 1].astype(np.float32)):
        for first, second in ((flat, b), (b, flat)):
            peak, scale = search_scales(first, second)
            assert peak.score == 0
            assert np.isfinite([*peak.shift, peak.overlap, scale]).all()


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="2-D"):
        search_scales(np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.float32))
