"""Named, versioned descriptions of a prepared frame, and the one vector that goes into the index.

The names are loaded when they are first used: to open a database no picture need be described.
"""

from typing import TYPE_CHECKING

from dedupindex.lazy import loader

if TYPE_CHECKING:
    from dedupindex.features.describe import describe_stack as describe_stack
    from dedupindex.features.descriptor import DESCRIPTOR_DIMENSIONS as DESCRIPTOR_DIMENSIONS
    from dedupindex.features.descriptor import Aim as Aim
    from dedupindex.features.descriptor import aim as aim
    from dedupindex.features.descriptor import probes as probes
    from dedupindex.features.descriptor import reach as reach
    from dedupindex.features.descriptor import unit as unit
    from dedupindex.features.packing import pack as pack
    from dedupindex.features.packing import packed_aim as packed_aim
    from dedupindex.features.packing import rounded as rounded
    from dedupindex.features.packing import unpack as unpack

__all__ = [
    "DESCRIPTOR_DIMENSIONS",
    "Aim",
    "aim",
    "describe_stack",
    "pack",
    "packed_aim",
    "probes",
    "reach",
    "rounded",
    "unit",
    "unpack",
]
__getattr__ = loader(
    __name__,
    {
        "describe_stack": "dedupindex.features.describe",
        "DESCRIPTOR_DIMENSIONS": "dedupindex.features.descriptor",
        "Aim": "dedupindex.features.descriptor",
        "aim": "dedupindex.features.descriptor",
        "probes": "dedupindex.features.descriptor",
        "reach": "dedupindex.features.descriptor",
        "unit": "dedupindex.features.descriptor",
        "pack": "dedupindex.features.packing",
        "packed_aim": "dedupindex.features.packing",
        "rounded": "dedupindex.features.packing",
        "unpack": "dedupindex.features.packing",
    },
)
