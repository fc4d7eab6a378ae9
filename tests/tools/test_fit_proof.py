"""The pairs that the limits of the proof are fitted to."""

import numpy as np
import pytest

from dedupindex.verify.proof.comparison import prove
from tests.tools.fit_proof import COPIES, EDITS, OTHERS, figures, fit, load, make

PHOTOGRAPHS, _ = load(None, 12, 1)


@pytest.mark.parametrize("kind", [*COPIES, *EDITS, *OTHERS])
def test_every_kind_makes_two_pictures_that_differ(kind):
    rng = np.random.default_rng(4)
    pair = next(made for _ in range(9) if (made := make(kind, PHOTOGRAPHS, rng)) is not None)
    first, second, matrix = pair
    assert matrix.shape == (2, 3)
    assert (second.palette is not None) == (kind == "palette")
    assert first.luminance.shape != second.luminance.shape or (first.luminance != second.luminance).any()


def test_limits_lie_between_what_copies_and_edits_reach():
    rng = np.random.default_rng(2)
    found = {kind: [prove(*make(kind, PHOTOGRAPHS, rng))] for kind in ("jpeg", "patch")}
    fitted = fit(found)
    weights = [found[kind][0].measures.weight for kind in ("jpeg", "patch")]
    assert weights[0] <= fitted.high < weights[1]
    report = figures(found, fitted)
    assert (report["jpeg"]["same"], report["patch"]["same"]) == (1, 0)
