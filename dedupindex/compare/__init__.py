"""Two pictures against each other: correlation, registration, differences, histograms, and the verdict."""

from dedupindex.compare.arrays import features_of_array, register, verify_arrays
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
from dedupindex.compare.measures import Measure, compare_all
from dedupindex.compare.motion import (
    Descent,
    MotionField,
    ShiftMatch,
    descend_shift,
    motion_vectors,
    pearson_after,
    sad_shift,
    ssd_shift,
)
from dedupindex.compare.picture import draw_alignment
from dedupindex.compare.scales import search_scales
from dedupindex.compare.verification import verify

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
    "features_of_array",
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
    "register",
    "rgb_histogram",
    "sad_shift",
    "search_scales",
    "spectrum_cosine",
    "spectrum_l1",
    "ssd_shift",
    "verify",
    "verify_arrays",
    "weighted_jaccard",
]
