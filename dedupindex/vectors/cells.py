"""The two kinds of vector block, wrapped so that only safe calls reach FAISS.

A `Tail` is flat, exact and mutable; `Cells` are inverted lists of 8-bit codes (IVF-SQ8), built once and never changed.
Similarity is the inner product of unit-length vectors (cosine). HNSW is not used because it misses neighbours and
cannot delete; product quantisation is not used because range search with it may return nothing.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dedupindex.errors import VectorIndexError
from dedupindex.features import unit
from dedupindex.records import CodeArray, FloatArray
from dedupindex.vectors.batch_search import Lists, inverted_lists, is_worth_it, search_cells
from dedupindex.vectors.hits import NO_HITS, Hits, Ids
from dedupindex.vectors.library import faiss

TRAINING_ROWS_A_CELL, TRAINING_TURNS = 20, 6  # of k-means: most rows for each cell, iterations
NPROBE = 256  # cells visited for a probe, by default
_ROWS = 1 << 16  # added at once
_BYTES = 1 << 20  # read at once
SPEC = "IVF,SQ8,IP,spherical"


def set_threads(number: int) -> None:
    """Threads that FAISS may use in this process."""
    faiss.omp_set_num_threads(max(1, number))


class Tail:
    """Flat, exact and mutable: vectors that no sealed block holds yet."""

    def __init__(self, dimensions: int) -> None:
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimensions))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, keys: Ids, vectors: FloatArray) -> None:
        """Add unit-length vectors (N, D) float32 under *keys* (N,); the caller has checked that these are new."""
        self._index.add_with_ids(np.ascontiguousarray(vectors), keys)

    def remove(self, keys: Sequence[int]) -> None:
        """Take vectors out."""
        if keys:
            self._index.remove_ids(np.asarray(keys, np.int64))

    def nearest(self, probes: FloatArray, least: float, k: int) -> Hits:
        """The *k* nearest vectors of each probe; which ones of equal similarity is not defined.

        Parameters
        ----------
        probes : (Q, D) float32
            Unit length.
        least : float
            Smallest similarity.
        k : int
            Most hits of a probe.

        Returns
        -------
        Hits
            In no particular order.
        """
        k = min(k, len(self))
        return _hits(self._index.search(probes, k), least) if k else NO_HITS


class Cells:
    """Inverted lists of 8-bit codes: built once, then only read. A search may miss a neighbour."""

    def __init__(self, index: Any) -> None:
        self._index = index

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""
        return int(self._index.d)

    @classmethod
    def build(cls, keys: Ids, codes: CodeArray) -> Cells:
        """Train on a sample of the descriptors *codes* (N, D) int8, and hold all under *keys* (N,). Deterministic."""
        order = np.argsort(keys, kind="stable")  # the order of adding must not change the outcome
        count, dimensions = codes.shape
        cells = _number_of_cells(count)
        quantizer = faiss.IndexFlatIP(dimensions)
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, dimensions, cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
        )
        index.cp.spherical = True
        index.cp.max_points_per_centroid = TRAINING_ROWS_A_CELL
        index.cp.min_points_per_centroid = 1
        index.cp.niter = TRAINING_TURNS
        chosen = np.random.default_rng(0).permutation(count)[: cells * TRAINING_ROWS_A_CELL]
        index.train(unit(codes[order[np.sort(chosen)]]))
        _span(index.sq, codes)
        for start in range(0, count, _ROWS):  # as floats they take four times the memory
            rows = order[start : start + _ROWS]
            index.add_with_ids(unit(codes[rows]), keys[rows])
        return cls(index)

    @classmethod
    def parse(cls, data: bytes) -> Cells:
        """Cells from the bytes of `serialise`, whose digest the caller has verified.

        Raises
        ------
        VectorIndexError
            The bytes are something else.
        """
        try:  # `deserialize_index` would copy all of it first
            index = faiss.read_index(faiss.PyCallbackIOReader(io.BytesIO(data).read, _BYTES))
        except RuntimeError as error:
            raise VectorIndexError(f"unreadable vector file: {error}") from error
        if not isinstance(index, faiss.IndexIVFScalarQuantizer):
            raise VectorIndexError(f"a vector file holds a {type(index).__name__}")
        return cls(index)

    def serialise(self) -> bytes:
        """Everything as bytes; `parse` reads them."""
        data: bytes = faiss.serialize_index(self._index).tobytes()
        return data

    @cached_property
    def _lists(self) -> Lists:
        return inverted_lists(self._index)

    def keys(self) -> Ids:
        """Keys, cell by cell."""
        return np.concatenate([np.empty(0, np.int64), *(keys for keys, _ in self._lists)])

    def contents(self) -> tuple[Ids, FloatArray]:
        """Keys and decoded vectors (8 bits a number), cell by cell."""
        vectors = [self._index.sq.decode(codes) for _, codes in self._lists if len(codes)]
        return self.keys(), np.concatenate([np.empty((0, self.dimensions), np.float32), *vectors])

    def nearest(self, probes: FloatArray, least: float, k: int, excluded: Ids, *, nprobe: int = NPROBE) -> Hits:
        """The *k* nearest vectors of each probe; which ones of equal similarity is not defined.

        Parameters
        ----------
        probes : (Q, D) float32
            Unit length.
        least : float
            Smallest similarity.
        k : int
            Most hits of a probe.
        excluded : (n,) int64
            Keys that are left out.
        nprobe : int
            Cells visited for a probe.

        Returns
        -------
        Hits
            In no particular order.
        """
        k, nprobe = min(k, len(self)), min(nprobe, int(self._index.nlist))
        if not k:
            return NO_HITS
        if is_worth_it(len(probes), nprobe, int(self._index.nlist), len(self)):
            return search_cells(self._index, self._lists, probes, least, k, nprobe, excluded)
        parameters = faiss.SearchParametersIVF(nprobe=nprobe)
        if len(excluded):
            dead = faiss.IDSelectorBatch(excluded)
            alive = faiss.IDSelectorNot(dead)
            parameters = faiss.SearchParametersIVF(sel=alive, nprobe=nprobe)
        return _hits(self._index.search(probes, k, params=parameters), least)


def _hits(result: tuple[FloatArray, Ids], least: float) -> Hits:
    """Hits from the similarities and keys (Q, k) that FAISS found; key -1 where there is none."""
    similarity, keys = result
    row, column = np.nonzero((keys >= 0) & (similarity >= np.float32(least)))
    return row, similarity[row, column], keys[row, column]


def _span(quantizer: Any, codes: CodeArray) -> None:
    """Let a quantizer's 8 bits span all descriptors, not only those it was trained on, so that none is clipped."""
    low, high = np.full(codes.shape[1], np.inf, np.float32), np.full(codes.shape[1], -np.inf, np.float32)
    for start in range(0, len(codes), _ROWS):
        vectors = unit(codes[start : start + _ROWS])
        low, high = np.minimum(low, vectors.min(axis=0)), np.maximum(high, vectors.max(axis=0))
    faiss.copy_array_to_vector(np.concatenate([low, high - low]), quantizer.trained)


def _number_of_cells(count: int) -> int:
    """A power of two near 8 sqrt(n), but with enough rows each to train on.

    Copies that are far from their original are spread over many cells. Visiting the same share of all rows finds more
    of them in many small cells than in few large ones.
    """
    wanted = 2 ** round(float(np.log2(max(1.0, 8 * np.sqrt(count)))))
    return int(max(1, min(wanted, count // 16)))
