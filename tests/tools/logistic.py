"""Weighted logistic regression with a ridge and, where wanted, weights that may not change sign."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Values = NDArray[np.float64]


def fit_logistic(
    terms: Values, positive: NDArray[np.bool_], weight: Values, signs: Sequence[int], ridge: float
) -> tuple[float, Values]:
    """Fit the bias and weights of a logistic rule.

    Parameters
    ----------
    terms : (N, M) float64
    positive : (N,) bool
    weight : (N,) float64
        Of each row; they are brought to a sum of 1.
    signs : (M,) of int
        1: the weight is at least 0; -1: at most 0; 0: free.
    ridge : float
        Penalty on the squares of the weights of terms brought to unit spread. Not on the bias.

    Returns
    -------
    bias : float
    weights : (M,) float64

    Raises
    ------
    ValueError
        All rows of one kind, or the optimiser does not converge.
    """
    if positive.all() or not positive.any():
        raise ValueError("rows of both kinds are needed")
    share = weight / weight.sum()
    mean = share @ terms
    spread = np.sqrt(share @ (terms - mean) ** 2)
    spread[spread < 1e-9] = 1.0
    scaled = (terms - mean) / spread
    target = positive.astype(np.float64)

    def loss(parameters: Values) -> tuple[float, Values]:
        logit = parameters[0] + scaled @ parameters[1:]
        value = share @ (np.logaddexp(0, logit) - target * logit) + 0.5 * ridge * (parameters[1:] ** 2).sum()
        off = share * (expit(logit) - target)
        return float(value), np.r_[off.sum(), scaled.T @ off + ridge * parameters[1:]]

    limits = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}
    bounds = [(None, None), *(limits[sign] for sign in signs)]
    start = np.zeros(terms.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 5000, "ftol": 1e-12})
    if not found.success:
        raise ValueError(f"no fit: {found.message}")
    weights = found.x[1:] / spread
    return float(found.x[0] - mean @ weights), weights
