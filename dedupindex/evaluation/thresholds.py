"""Shares with their confidence, and what other thresholds would have given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NORMAL_QUANTILE = 1.959963984540054  # two-sided 95 %
FLOOR = 0.05  # lowest threshold that is looked at
TARGETS = (0.99, 0.999)  # precision
GRID = (*(round(0.01 * step, 2) for step in range(5, 100)), 0.995, 0.998, 0.999)


@dataclass(frozen=True, slots=True)
class Rate:
    """So many out of so many, at least one.

    Attributes
    ----------
    low, high : float
        Wilson's 95 % confidence interval, 0..1.
    """

    hits: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Hits over total, 0..1."""
        return self.hits / self.total


@dataclass(frozen=True, slots=True)
class ThresholdPoint:
    """What a threshold gives.

    Attributes
    ----------
    precision : Rate or None
        Of the pairs at least this high; None where there is none.
    recall : Rate
        Copies whose pair with their own original is at least this high.
    """

    threshold: float
    precision: Rate | None
    recall: Rate

    @property
    def wrong(self) -> int:
        """Pairs that do not belong together."""
        return 0 if self.precision is None else self.precision.total - self.precision.hits


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The lowest threshold that surely reaches a precision.

    Attributes
    ----------
    point : ThresholdPoint or None
        None where there is none.
    reached : bool
        Some threshold reaches it in what was counted; without a `point` there is just too little to be sure.
    """

    target: float
    point: ThresholdPoint | None
    reached: bool


def rate(hits: int, total: int) -> Rate:
    """Share with Wilson's 95 % interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Raises
    ------
    ValueError
        Nothing was counted, or more hits than there are.
    """
    if not 0 <= hits <= total or total < 1:
        raise ValueError(f"{hits} of {total} is no share")
    square = NORMAL_QUANTILE**2
    centre = (hits + square / 2) / (total + square)
    spread = NORMAL_QUANTILE * math.sqrt(hits * (total - hits) / total + square / 4) / (total + square)
    low = 0.0 if hits == 0 else centre - spread
    high = 1.0 if hits == total else centre + spread
    return Rate(hits, total, low, high)


def rate_or_none(hits: int, total: int) -> Rate | None:
    """`rate`, or None where nothing was counted."""
    return rate(hits, total) if total else None


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
