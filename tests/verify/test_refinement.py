from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from dedupindex.compare import register, verify_arrays
from dedupindex.records import Registration, Verification
from dedupindex.verify.refinement import REACH, refined
from tests.amounts import crossed
from tests.scenes import holes, photograph

SCENE = photograph("astronaut")


def shifted(dy, dx, **fields):
    registration = Registration((dy, dx), matrix=((1.0, 0.0, dx), (0.0, 1.0, dy)))
    return Verification(True, 1.0, (), registration, "", **fields)


@crossed("shift, deep", [((5, 5),), ((-37, 19),), ((1, -64),), ((0, 0),)], [False, True])
def test_the_shift_of_two_windows_is_exact(shift, deep):
    dy, dx = shift
    a, b = SCENE[100:420, 100:460], SCENE[100 + dy : 420 + dy, 100 + dx : 460 + dx]
    if deep:
        a, b = (p[..., 1].astype(np.uint16) * 200 + 300 for p in (a, b))
    found = register(a, b)
    assert found.shift == pytest.approx(shift, abs=0.05)
    assert found.matrix[1][2] == pytest.approx(dy, abs=0.05)


def test_holes_do_not_move_it():
    a, b = SCENE[100:420, 100:460, 1].copy(), SCENE[107:427, 88:448, 1].copy()
    mask_a, mask_b = (holes(seed, a.shape) for seed in (1, 2))
    a[~mask_a], b[~mask_b] = 255, 0
    assert verify_arrays(a, b, mask_a, mask_b).registration.shift == pytest.approx((7, -12), abs=0.1)


@pytest.mark.parametrize("off", [(1.2, -0.7), (-2, 2), (0.3, 0.3)])
def test_a_wrong_shift_within_reach_is_mended(off):
    a, b = SCENE[100:300, 100:340], SCENE[120:320, 90:330]
    wrong = shifted(20 + off[0], -10 + off[1], crop_of="a", crop_box=(22, 3, 50, 60))
    right = refined(wrong, a, b)
    assert right.registration.shift == pytest.approx((20, -10), abs=0.05)
    assert right.crop_box is not None
    assert right.crop_box[0] == pytest.approx(22 - off[0], abs=0.6)


def test_half_a_pixel_is_seen():
    plane = SCENE[..., 1].astype(np.float32)
    moved = ndimage.shift(plane, (0.5, -0.5), order=3)[100:300, 100:300]
    found = refined(shifted(0.0, 0.0), plane[100:300, 100:300], moved).registration.shift
    assert found == pytest.approx((-0.5, 0.5), abs=0.15)


def test_anything_but_an_accepted_plain_shift_stays_as_it_is():
    a, b = SCENE[100:300, 100:340], SCENE[120:320, 90:330]
    for other in (
        replace(shifted(20.0, -10.0), accepted=False),
        shifted(20.0 + 3 * REACH, -10.0),
        replace(shifted(0.0, 0.0), registration=Registration((0.0, 0.0), matrix=((1.1, 0.0, 0.0), (0.0, 1.1, 0.0)))),
    ):
        assert refined(other, a, b) == other
