"""The vector index: a cache that proposes candidates, and that can always be rebuilt from the database."""

from dedupindex.vectors.blocks import among, first_equal
from dedupindex.vectors.cells import set_threads
from dedupindex.vectors.hits import SLACK, Ids, nearest, ranks
from dedupindex.vectors.partition import cluster, sample_of, train_centres
from dedupindex.vectors.segments import SealedFile, copy_file, receive_file, row_digest, strays, strays_after, sweep
from dedupindex.vectors.signs import pairs_by_sign
from dedupindex.vectors.vector_index import FLAT_LIMIT, Neighbours, VectorIndex

__all__ = [
    "FLAT_LIMIT",
    "SLACK",
    "Ids",
    "Neighbours",
    "SealedFile",
    "VectorIndex",
    "among",
    "cluster",
    "copy_file",
    "first_equal",
    "nearest",
    "pairs_by_sign",
    "ranks",
    "receive_file",
    "row_digest",
    "sample_of",
    "set_threads",
    "strays",
    "strays_after",
    "sweep",
    "train_centres",
]
