import numpy as np
import pytest
from scipy.special import expit

from tests.tools.logistic import fit_logistic


def drawn(bias, weights, count=20_000, seed=0):
    random = np.random.default_rng(seed)
    terms = random.normal([2.0, 0.0, -1.0], [1.0, 5.0, 0.1], (count, 3))
    return terms, random.random(count) < expit(bias + terms @ weights)


def test_it_finds_what_the_rows_were_drawn_with():
    terms, positive = drawn(-1.0, np.array([0.8, -0.3, 4.0]))
    bias, weights = fit_logistic(terms, positive, np.ones(len(terms)), (0, 0, 0), 0.0)
    np.testing.assert_allclose(weights, [0.8, -0.3, 4.0], rtol=0.25)
    assert bias == pytest.approx(-1.0, abs=1.0)  # the third term hardly varies: its weight and the bias go together


def test_signs_hold_and_a_forbidden_weight_becomes_nothing():
    terms, positive = drawn(-1.0, np.array([0.8, -0.3, 4.0]))
    _, weights = fit_logistic(terms, positive, np.ones(len(terms)), (1, 1, -1), 0.0)
    assert weights[0] > 0.5
    assert weights[1] == pytest.approx(0, abs=1e-9)
    assert weights[2] == pytest.approx(0, abs=1e-9)


def test_a_weight_of_two_is_two_rows():
    terms, positive = drawn(0.3, np.array([0.5, 0.2, 1.0]), count=400)
    weight = np.where(np.arange(400) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(400), weight.astype(int))
    one = fit_logistic(terms, positive, weight, (0, 0, 0), 1e-3)
    other = fit_logistic(terms[twice], positive[twice], np.ones(len(twice)), (0, 0, 0), 1e-3)
    np.testing.assert_allclose(one[1], other[1], rtol=1e-3)


def test_a_term_that_never_changes_does_no_harm():
    terms, positive = drawn(0.0, np.array([1.0, 0.1, 1.0]), count=500)
    terms[:, 2] = 3.0
    bias, weights = fit_logistic(terms, positive, np.ones(500), (0, 0, 0), 1e-4)
    assert np.isfinite([bias, *weights]).all()


def test_rows_of_one_kind():
    with pytest.raises(ValueError, match="both kinds"):
        fit_logistic(np.ones((4, 1)), np.ones(4, bool), np.ones(4), (0,), 0.1)
