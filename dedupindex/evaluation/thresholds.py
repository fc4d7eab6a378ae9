"""Shares with their confidence, and what other thresholds would have given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dedupindex.records.evaluations import Suggestion, ThresholdPoint, rate, rate_or_none

FLOOR = 0.05  # lowest threshold that is looked at
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
        The two show the same.
    direct : (C,) float
        For each copy the score of its pair with its own original; 0 where that was never looked at. Not empty.
    current : float
        The threshold in force, which is one of the points.
    """
    points = []
    for threshold in sorted({*GRID, current}):
        above = scores >= threshold
        precision = rate_or_none(int((above & right).sum()), int(above.sum()))
        points.append(ThresholdPoint(threshold, precision, rate(int((direct >= threshold).sum()), len(direct))))
    return tuple(points)


def suggest(curve: Sequence[ThresholdPoint]) -> tuple[Suggestion, ...]:
    """For each target the lowest threshold whose interval lies above it, and from which on no share falls below it.

    Parameters
    ----------
    curve : sequence of ThresholdPoint
        Rising.
    """
    found = []
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
        found.append(Suggestion(target, best, reached))
    return tuple(found)
