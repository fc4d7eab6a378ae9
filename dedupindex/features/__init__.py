"""Named, versioned descriptions of a prepared frame, and the one vector that goes into the index."""

from dedupindex.features.describe import describe, describe_stack, versions
from dedupindex.features.descriptor import DESCRIPTOR_DIMENSIONS, Aim, aim, probes, reach, unit
from dedupindex.features.packing import pack, packed_aim, rounded, unpack

__all__ = [
    "DESCRIPTOR_DIMENSIONS",
    "Aim",
    "aim",
    "describe",
    "describe_stack",
    "pack",
    "packed_aim",
    "probes",
    "reach",
    "rounded",
    "unit",
    "unpack",
    "versions",
]
