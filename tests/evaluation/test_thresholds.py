import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.evaluation.thresholds import GRID, suggest, threshold_curve
from dedupindex.records.evaluations import Suggestion, rate, rate_or_none


def test_wilson_known_values():
    assert (rate(81, 263).low, rate(81, 263).high) == pytest.approx((0.2553, 0.3662), abs=5e-5)  # Newcombe 1998
    assert (rate(0, 20).low, rate(0, 20).high) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert (rate(20, 20).low, rate(20, 20).high) == pytest.approx((0.8389, 1.0), abs=5e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.floats(0, 1))
def test_wilson_agrees_with_scipy(total, share):
    hits = round(total * share)
    found = rate(hits, total)
    from scipy.stats import binomtest  # two seconds, which every process of the suite would pay at its start

    expected = binomtest(hits, total).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= found.low <= found.share <= found.high <= 1


@pytest.mark.parametrize(("hits", "total"), [(0, 0), (2, 1), (-1, 3)])
def test_no_share(hits, total):
    with pytest.raises(ValueError, match="is no share"):
        rate(hits, total)


def test_nothing_counted():
    assert rate_or_none(0, 0) is None
    assert rate_or_none(1, 2) == rate(1, 2)


def curve(scores, right, direct, current=0.5):
    return threshold_curve(np.array(scores, float), np.array(right, bool), np.array(direct, float), current)


def test_curve_counts_what_is_at_least_as_high():
    points = {p.threshold: p for p in curve([0.9, 0.5, 0.3, 0.1], [True, True, False, True], [0.9, 0.3, 0.0], 0.333)}
    assert sorted(points) == sorted({*GRID, 0.333})
    assert (points[0.3].precision, points[0.3].wrong, points[0.3].recall) == (rate(2, 3), 1, rate(2, 3))
    assert (points[0.31].precision, points[0.31].wrong) == (rate(2, 2), 0)
    assert (points[0.1].precision, points[0.5].precision) == (rate(3, 4), rate(2, 2))
    assert points[0.9].recall == rate(1, 3)
    assert (points[0.91].precision, points[0.91].wrong, points[0.91].recall) == (None, 0, rate(0, 3))


def test_curve_without_any_pair():
    assert all(p.precision is None and p.recall == rate(0, 2) for p in curve([], [], [0.0, 0.0]))
    assert suggest(curve([], [], [0.0])) == (Suggestion(0.99, None, False), Suggestion(0.999, None, False))


def test_suggestion_is_the_lowest_threshold_that_is_sure():
    scores = [0.95] * 1000 + [0.2] * 15
    right = [True] * 1000 + [False] * 15
    first, second = suggest(curve(scores, right, [0.95]))
    assert first.point is not None
    assert first.point.threshold == 0.21  # at 0.2 it is 98.5 %
    assert second == Suggestion(0.999, None, True)  # 1000 of 1000 are not enough to be sure of 99.9 %


def test_suggestion_does_not_lie_below_a_fall():
    scores = [0.9] * 10 + [0.99] * 5 + [0.3] * 100_000
    right = [True] * 10 + [False] * 5 + [True] * 100_000
    assert suggest(curve(scores, right, [0.9])) == (Suggestion(0.99, None, False), Suggestion(0.999, None, False))
