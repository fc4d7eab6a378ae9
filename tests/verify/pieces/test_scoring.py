import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex.fitted import numbers
from dedupindex.records.pieces import PieceMeasures
from dedupindex.verify.pieces.scoring import EVIDENCE, FITTED, accepts, evidence, score_of

GOOD = PieceMeasures(
    places=25.0, weight=24.0, area=9_000.0, agreeing=8_500.0, agreement=0.99, textured=0.97, mean=0.97, ncc=0.98,
    thickness=70.0, drawn=0.02, matched=0.995, rest=0.997, changed=0.0,
)  # fmt: skip


def test_a_clear_piece_and_what_is_none():
    assert score_of(GOOD) > 0.9
    assert score_of(dataclasses.replace(GOOD, weight=5.0, mean=0.65, agreement=0.65, ncc=0.6)) < 0.5
    assert score_of(PieceMeasures()) == 0


def test_another_shot_of_the_scene_scores_less():
    """What the proof finds of two shots: most windows agree, and none of them as well as in a copy."""
    shot = dataclasses.replace(GOOD, matched=0.86, rest=0.9, changed=0.1)
    assert score_of(shot) < score_of(GOOD)
    assert score_of(dataclasses.replace(GOOD, matched=None, rest=None)) < score_of(shot)


@pytest.mark.parametrize("change", [{"drawn": 0.95}, {"weight": 2.0}, {"thickness": 12.0}, {"agreeing": 500.0}])
def test_hard_limits(change):
    broken = dataclasses.replace(GOOD, **change)
    assert not accepts(broken)
    assert score_of(broken) == 0


def test_the_model_weighs_what_there_is():
    assert len(numbers(FITTED)["weights"]) == len(EVIDENCE) == len(evidence(GOOD))


@given(st.floats(0.5, 1), st.floats(0.5, 1), st.floats(0, 0.9), st.floats(0, 0.9))
def test_more_agreement_never_lowers_and_more_drawing_never_raises_a_score(one, other, drawn, more):
    low, high = sorted((one, other))
    few, many = sorted((drawn, more))
    if high < 1:  # exactly 1 says that no window shows anything: the correlation of the region stands for it then
        better = dataclasses.replace(GOOD, rest=high)
        assert score_of(better) >= score_of(dataclasses.replace(GOOD, rest=low))
    alike = dataclasses.replace(GOOD, mean=high, drawn=few)
    assert score_of(alike) >= score_of(dataclasses.replace(GOOD, mean=low, drawn=few))
    assert score_of(alike) >= score_of(dataclasses.replace(GOOD, mean=high, drawn=many))
