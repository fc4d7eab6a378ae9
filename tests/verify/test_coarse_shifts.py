"""Of many maps, those that lay a copy on its original are kept."""

import numpy as np
import pytest

from dedupindex.records import RegistrationMethod
from dedupindex.verify.coarse import Details
from dedupindex.verify.coarse_shifts import worth_aligning, worth_shifting
from dedupindex.verify.orientations import Proposal, eight_orientations, fitting
from tests.scenes import PHOTOGRAPHS, features, photograph


def proposals(a, b) -> list[Proposal]:
    return [
        Proposal(fitting(a, b, orientation), RegistrationMethod.TRANSLATION) for orientation in eight_orientations()
    ]


@pytest.mark.parametrize(("quarters", "mirrored"), [(1, False), (2, False), (3, True)])
def test_the_map_of_a_turned_copy_is_kept(quarters, mirrored):
    picture = photograph(PHOTOGRAPHS[2])
    copy = np.rot90(picture[:, ::-1] if mirrored else picture, quarters)
    a, b = features(picture), features(np.ascontiguousarray(copy))
    given = proposals(a, b)
    kept = worth_shifting(a, b, given, Details(), 0.5)
    # undone: turned back, and mirrored where it was mirrored
    back = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), quarters) @ np.eye(2)
    wanted = np.diag([-1.0, 1.0]) @ back if mirrored else back
    signs = [np.sign(np.rint(one.linear)).tolist() for one in kept]
    assert np.sign(np.rint(wanted)).tolist() in signs
    assert len(kept) < len(given)


def test_nothing_is_kept_of_pictures_that_have_nothing_in_common():
    a, b = (features(photograph(name)) for name in PHOTOGRAPHS[:2])
    assert worth_shifting(a, b, proposals(a, b), Details(), 0.5) == []
    assert worth_shifting(a, b, [], Details(), 0.5) == []
    assert not worth_aligning(a, b, Details(), 0.5)
    assert worth_aligning(a, features(photograph(PHOTOGRAPHS[0])[4:, 6:]), Details(), 0.5)
