import numpy as np
import pytest

from dedupindex.compare import compare_all, features_of_array, register, verify, verify_arrays, weighted_jaccard
from dedupindex.records import Relation
from tests.scenes import holes, photograph


def test_two_windows_of_one_picture_in_sixteen_bits():
    scene = photograph("astronaut")[..., 1].astype(np.uint16) * 37 + 500
    a, b = scene[50:400, 60:420], scene[70:420, 35:395]
    found = verify_arrays(a, b)
    assert found.accepted
    assert Relation.SHIFTED_OVERLAP in found.relations
    np.testing.assert_allclose(register(a, b).shift, (20, -25), atol=1)
    assert found.score == pytest.approx(verify(features_of_array(a), features_of_array(b)).score)


def test_masks_reach_the_verdict():
    scene = photograph("coffee")[..., 0].astype(np.float32)
    mask_a, mask_b = holes(1, scene.shape, 0.2), holes(2, scene.shape, 0.2)
    dirty = np.where(mask_a, scene, np.nan), np.where(mask_b, scene, -9999)
    assert verify_arrays(dirty[0], dirty[1], None, mask_b).accepted
    assert not verify_arrays(scene, photograph("cat")[..., 0].astype(np.float32)).accepted


def test_the_same_pixels_and_other_byte_orders():
    picture = photograph("camera")[..., 0].astype(np.uint16) * 256
    assert verify_arrays(picture, picture.astype(">u2")).relations == (Relation.SAME_PIXELS,)
    assert features_of_array(picture > 30000).thumbnail.max() == 255


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 7)), np.zeros(5), np.full((9, 9), np.nan)])
def test_what_is_no_picture(bad):
    with pytest.raises(ValueError, match=r"\w"):
        features_of_array(bad)


def test_public_names_are_there():
    import dedupindex.compare as room

    assert all(getattr(room, name) is not None for name in room.__all__)
    assert room.__all__ == sorted(room.__all__, key=lambda name: (name[0].islower(), name))
    assert callable(weighted_jaccard)
    assert callable(compare_all)
