"""A frame of any depth becomes one small luminance picture in 0..1 with its mask.

The stages are public functions of arrays, usable alone: scaling, masks, mask-aware filters, contours, borders.
"""

from dedupindex.prepare.borders import find_box, refine_box
from dedupindex.prepare.contours import (
    Contour,
    boundary_contours,
    contour_curvature,
    contour_normals,
    resample_contour,
    smooth_contour,
    smooth_mask,
)
from dedupindex.prepare.corners import TiltedRectangle, find_corners
from dedupindex.prepare.filter_names import apply_filters, parse_filters
from dedupindex.prepare.filters import (
    Filtered,
    Gradient,
    enhanced_lee_filter,
    gaussian_filter,
    lee_filter,
    masked_median,
    mean_filter,
    normalised_convolution,
    normalised_differential_convolution,
)
from dedupindex.prepare.masks import (
    combine,
    confidence_from_alpha,
    confidence_from_distance,
    erode,
    valid_from_alpha,
    valid_from_finite,
    valid_from_masked_array,
    valid_from_objects,
    valid_from_range,
    valid_from_saturation,
    valid_from_sentinels,
)
from dedupindex.prepare.pipeline import pixel_digest, prepare, prepare_stack
from dedupindex.prepare.reduction import reduce_area, to_luminance
from dedupindex.prepare.scaling import (
    Normalised,
    contrast_normalise,
    data_normalise,
    standardise,
    to_uint8,
    to_uint16,
)

__all__ = [
    "Contour",
    "Filtered",
    "Gradient",
    "Normalised",
    "TiltedRectangle",
    "apply_filters",
    "boundary_contours",
    "combine",
    "confidence_from_alpha",
    "confidence_from_distance",
    "contour_curvature",
    "contour_normals",
    "contrast_normalise",
    "data_normalise",
    "enhanced_lee_filter",
    "erode",
    "find_box",
    "find_corners",
    "gaussian_filter",
    "lee_filter",
    "masked_median",
    "mean_filter",
    "normalised_convolution",
    "normalised_differential_convolution",
    "parse_filters",
    "pixel_digest",
    "prepare",
    "prepare_stack",
    "reduce_area",
    "refine_box",
    "resample_contour",
    "smooth_contour",
    "smooth_mask",
    "standardise",
    "to_luminance",
    "to_uint8",
    "to_uint16",
    "valid_from_alpha",
    "valid_from_finite",
    "valid_from_masked_array",
    "valid_from_objects",
    "valid_from_range",
    "valid_from_saturation",
    "valid_from_sentinels",
]
