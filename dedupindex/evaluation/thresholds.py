"""Precision and recall over thresholds, and suggested thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dedupindex.records.evaluations import Suggestion, ThresholdPoint, rate, rate_or_none

FLOOR = 0.05  # lowest threshold of the curve
TARGETS = (0.99, 0.999)  # precision
GRID = (*(round(0.01 * step, 2) for step in range(5, 100)), 0.995, 0.998, 0.999)


def threshold_curve(
    scores: NDArray[np.floating], right: NDArray[np.bool_], direct: NDArray[np.floating], current: float
) -> tuple[ThresholdPoint, ...]:
    """Precision and recall over thresholds, rising.

    Parameters
    ----------
    scores : (P,) float
        Of pairs, 0..1.
    right : (P,) bool
        The two images show the same scene.
    direct : (C,) float
        For each copy the score of its pair with its own original; 0 where that pair was not verified. Not empty.
    current : float
        The threshold in force, which becomes one of the points.

    Returns
    -------
    tuple of ThresholdPoint
    """
    points = []
    for threshold in sorted({*GRID, current}):
        above = scores >= threshold
        precision = rate_or_none(int((above & right).sum()), int(above.sum()))
        points.append(ThresholdPoint(threshold, precision, rate(int((direct >= threshold).sum()), len(direct))))
    return tuple(points)


def suggest(curve: Sequence[ThresholdPoint]) -> tuple[Suggestion, ...]:
    """The lowest threshold that reaches each precision of `TARGETS`.

    Its confidence interval is above the target, and the share at no higher threshold is below it.

    Parameters
    ----------
    curve : sequence of ThresholdPoint
        Rising.

    Returns
    -------
    tuple of Suggestion
        One for each of `TARGETS`.
    """
    suggestions = []
    for target in TARGETS:
        best: ThresholdPoint | None = None
        reached = False
        for point in reversed(curve):
            if point.precision is None:
                continue
            if point.precision.share < target:
                break
            reached = True
            if point.precision.low >= target:
                best = point
        suggestions.append(Suggestion(target, best, reached))
    return tuple(suggestions)
