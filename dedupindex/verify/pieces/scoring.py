"""From what was measured of a piece to one score: a logistic model, fitted by `tests.tools.fit_pieces`."""

from __future__ import annotations

import math

from dedupindex.fitted import numbers
from dedupindex.records.pieces import PieceMeasures

FITTED = "pieces"
EVIDENCE_VERSION = "2"
EVIDENCE = (
    "places", "undrawn", "agreement", "mean", "ncc", "drawn", "thickness", "thin", "matched", "rest", "changed",
    "unlike",
)  # fmt: skip
MOST_DRAWN = 0.9  # share of a region's texture that may look written or drawn
# Below the first percentile of the composites that the model was fitted to; of small regions correlation says little.
LEAST_UNDRAWN = 700.0  # pixels with texture that agree and do not look drawn
LEAST_WEIGHT = 3.5  # of the places that hold the map
LEAST_THICKNESS = 20.0  # pixels
MOST_CHANGED = 0.5


def evidence(measures: PieceMeasures) -> tuple[float, ...]:
    """The numbers that the model weighs, in the order of `EVIDENCE`; each is limited to where it tells something."""
    undrawn = (measures.agreeing or 0.0) * (1 - (measures.drawn or 0.0))
    return (
        math.log2(min(max(measures.weight or 0.0, 1.0), 40.0)),
        math.log2(min(max(undrawn, 64.0), 8_192.0)),
        min(max(measures.agreement or 0.0, 0.5), 1.0),
        min(max(measures.mean or 0.0, 0.5), 1.0),
        min(max(measures.ncc or 0.0, 0.5), 1.0),
        measures.drawn or 0.0,
        math.log2(min(max(measures.thickness or 0.0, 8.0), 64.0)),
        math.log2(min(max(_thinness(measures), 2.0), 16.0)),
        _likeness(measures.matched, measures),
        _likeness(measures.rest, measures),
        min(measures.changed or 0.0, MOST_CHANGED),
        measures.unlike or 0.0,
    )


def _likeness(correlation: float | None, measures: PieceMeasures) -> float:
    """How near a correlation is to 1, on a scale of doublings: copies and other shots lie close together there.

    The proof says exactly 1 where none of its windows shows anything; where those of the region do, and do not agree
    as well, the correlation of the region stands for it.
    """
    if correlation is not None and correlation >= 1:
        correlation = measures.mean
    return -math.log2(min(max(1 - (correlation or 0.0), 1 / 512), 1 / 4))


def _thinness(measures: PieceMeasures) -> float:
    """Area of the region in squares of its width: about 1 for a compact one, more for a line or a lattice."""
    return (measures.area or 0.0) / max(1.0, (measures.thickness or 0.0) ** 2)


def accepts(measures: PieceMeasures) -> bool:
    """Whether a piece keeps the hard limits."""
    undrawn = (measures.agreeing or 0.0) * (1 - (measures.drawn or 0.0))
    held, thick = measures.weight or 0.0, measures.thickness or 0.0
    return (
        (measures.drawn or 0.0) <= MOST_DRAWN
        and undrawn >= LEAST_UNDRAWN
        and held >= LEAST_WEIGHT
        and thick >= LEAST_THICKNESS
    )


def score_of(measures: PieceMeasures) -> float:
    """Score of a piece, 0..1; 0 where a hard limit is broken: text and line art alone prove nothing.

    Parameters
    ----------
    measures : PieceMeasures
        With those of the proof: without them its region counts as one that hardly agrees.

    Returns
    -------
    float
    """
    if not accepts(measures):
        return 0.0
    values = evidence(measures)
    model = numbers(FITTED)
    logit = model["constant"] + sum(weight * value for weight, value in zip(model["weights"], values, strict=True))
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))
