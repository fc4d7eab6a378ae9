"""The rule that chooses among alignments while the score is fitted, so that a fit does not depend on what it replaces.

A pair is aligned in several ways, and the rows of the regressions are made of the best one. Which one that is has to be
told by a rule: by this one, an earlier first rule of the score, whatever ships. It also tells which photographs of a
folder may be copies of each other unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dedupindex.verify import score

BIAS = -12.889
WEIGHTS = {
    "log_inliers": -0.339,
    "fine_ncc": 2.42,
    "area_agreement": 1.483,
    "area_mean": 1.608,
    "significance": 0.882,
    "log_cover": 1.0,
    "log_overlap": 3.37,
    "cosine": -1.344,
    "textured": 2.342,
    "agreement_4": 1.62,
    "fine_agreement": 3.116,
    "held": -0.307,
    "bare_cover": 2.909,
    "bare_ncc": 3.335,
    "bare_pixels": 0.791,
    "bare_exact": -1.55,
    "log_zoom": -2.941,
    "shared_low": -0.467,
    "inlier_fine": -1.406,
    "inlier_shared": 1.793,
    "area_exact": -0.968,
    "inlier_exact": 3.007,
    "strange": -2.0,
}


@contextmanager
def start_rule() -> Iterator[None]:
    """Weigh measures by this rule within the block, in this process."""
    shipped = score.APPEARANCE
    score.APPEARANCE = score.Rule(BIAS, WEIGHTS)
    try:
        yield
    finally:
        score.APPEARANCE = shipped
