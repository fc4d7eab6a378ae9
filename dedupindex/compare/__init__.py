"""Two arrays in, numbers out: correlation, motion, differences, histograms.

`features_of_array`, `register`, `verify` and `verify_arrays` can be imported from here too; they live in
`dedupindex.verify`, which is loaded when one of them is first used.
"""

from importlib import import_module
from typing import Any

from dedupindex.compare.blocks import BlockScores, block_ncc
from dedupindex.compare.correlation import CorrelationPeak, cross_correlate, masked_ncc_map, pearson
from dedupindex.compare.direct import direct_scores, full_search
from dedupindex.compare.histograms import (
    chi_square,
    fft_magnitude,
    hamming_distance,
    histogram_intersection,
    histogram_l1,
    histogram_l2,
    rgb_histogram,
    spectrum_cosine,
    spectrum_l1,
    weighted_jaccard,
)
from dedupindex.compare.measures import compare_all
from dedupindex.compare.motion import (
    Descent,
    MotionField,
    ShiftMatch,
    descend_shift,
    motion_vectors,
    sad_shift,
    ssd_shift,
)
from dedupindex.compare.overlap import pearson_after
from dedupindex.compare.picture import draw_alignment
from dedupindex.compare.scales import search_scales
from dedupindex.records.measures import Measure

__all__ = [
    "BlockScores",
    "CorrelationPeak",
    "Descent",
    "Measure",
    "MotionField",
    "ShiftMatch",
    "block_ncc",
    "chi_square",
    "compare_all",
    "cross_correlate",
    "descend_shift",
    "direct_scores",
    "draw_alignment",
    "fft_magnitude",
    "full_search",
    "hamming_distance",
    "histogram_intersection",
    "histogram_l1",
    "histogram_l2",
    "masked_ncc_map",
    "motion_vectors",
    "pearson",
    "pearson_after",
    "rgb_histogram",
    "sad_shift",
    "search_scales",
    "spectrum_cosine",
    "spectrum_l1",
    "ssd_shift",
    "weighted_jaccard",
]

_OF_VERIFY = frozenset({"features_of_array", "register", "verify", "verify_arrays"})


def __getattr__(name: str) -> Any:
    if name in _OF_VERIFY:
        return getattr(import_module("dedupindex.verify"), name)
    raise AttributeError(f"module 'dedupindex.compare' has no attribute {name!r}")
