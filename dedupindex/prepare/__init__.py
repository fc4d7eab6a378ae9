"""A frame of any depth becomes one small luminance picture in 0..1 with its mask."""

from dedupindex.prepare.pipeline import prepare, prepare_stack
from dedupindex.prepare.scaling import (
    Normalised,
    contrast_normalise,
    data_normalise,
    standardise,
    to_uint8,
    to_uint16,
)

__all__ = [
    "Normalised",
    "contrast_normalise",
    "data_normalise",
    "prepare",
    "prepare_stack",
    "standardise",
    "to_uint8",
    "to_uint16",
]
