"""Thousands of probes through the cells of a block at once.

FAISS goes through the inverted lists probe by probe, and decodes every code each time. Where many probes look into
each list, it is decoded once here and multiplied with all of them: the same cosines for a fraction of the time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray
from dedupindex.vectors.hits import NO_HITS, Hits, Ids, nearest

WORTH_IT = 32  # probes a cell; FAISS is as fast with fewer
PROBES, VECTORS = 512, 1_024  # of a product: probes, vectors and 2 MB of cosines stay in the cache
HELD = 1 << 20  # hits, 20 bytes each, that a thread holds before all but the nearest of each probe are dropped
SHARES = 8  # a thread, so that none waits long for another


def search_cells(index: Any, probes: FloatArray, least: float, k: int, nprobe: int, excluded: Ids) -> Hits:
    """The *k* nearest of each probe among the vectors of its *nprobe* nearest cells, in as many threads as FAISS has.

    Parameters
    ----------
    index : faiss.IndexIVFScalarQuantizer
        8 bits a number, inner product, codes of the vectors themselves (not of what is left beside a centre).
    probes : (Q, D) float32
    least : float
        Smallest similarity.
    excluded : (n,) int64
        Keys that are passed over.

    Returns
    -------
    tuple
        Number of the probe, similarity and key of each neighbour, by probe, nearest first, equal ones by key.
    """
    threads = faiss.omp_get_max_threads()
    _, cells = index.quantizer.search(probes, nprobe)
    visits = cells.ravel().astype(np.uint16 if index.nlist < 1 << 16 else np.int64)  # the former are sorted by radix
    visitors = np.argsort(visits, kind="stable") // nprobe
    ends = np.cumsum(np.bincount(visits, minlength=index.nlist))
    sweep = _Sweep(index, probes, np.full(len(probes), least, np.float32), k, excluded, visitors, ends)
    # shares of equal work, not of equally many cells
    marks = np.searchsorted(ends, np.linspace(0, len(visitors), SHARES * threads + 1)[1:-1])
    bounds = [0, *marks.tolist(), index.nlist]
    with ThreadPoolExecutor(threads) as pool:  # products of matrices let go of the interpreter's lock
        parts = list(pool.map(sweep.through, bounds[:-1], bounds[1:]))
    return _kept(parts, k)


def list_of(index: Any, cell: int) -> tuple[Ids, NDArray[np.uint8]]:
    """Keys (N,) and codes (N, D) of an inverted list, as they lie in memory: not to be kept beyond the index."""
    lists = index.invlists
    size = lists.list_size(cell)
    if not size:
        return np.empty(0, np.int64), np.empty((0, index.d), np.uint8)
    codes = faiss.rev_swig_ptr(lists.get_codes(cell), size * lists.code_size)
    return faiss.rev_swig_ptr(lists.get_ids(cell), size), codes.reshape(size, -1)


def _kept(parts: list[Hits], k: int) -> Hits:
    """The *k* nearest hits of each probe, by probe, nearest first, equal ones by key."""
    probe, similarity, key = (np.concatenate(some) for some in zip(*parts, strict=True))
    order = nearest(probe, -similarity, key, k)
    return probe[order], similarity[order], key[order]


@dataclass(frozen=True, slots=True)
class _Sweep:
    """One way through the cells.

    Attributes
    ----------
    index : faiss.IndexIVFScalarQuantizer
    probes : (Q, D) float32
    floor : (Q,) float32
        Smallest similarity that a probe still asks for; it rises once *k* neighbours are known.
    k : int
    excluded : (n,) int64
    visitors : (V,) int64
        Numbers of the probes that look into each cell, cell by cell.
    ends : (nlist,) int64
        Where the visitors of each cell end.
    """

    index: Any
    probes: FloatArray
    floor: FloatArray
    k: int
    excluded: Ids
    visitors: Ids
    ends: Ids

    def through(self, first: int, end: int) -> Hits:
        """Hits in the cells from *first* to before *end*."""
        held = [NO_HITS]
        count, limit = 0, HELD
        low, span = faiss.vector_to_array(self.index.sq.trained).reshape(2, -1)
        step, offset = span / np.float32(255), low + span * np.float32(0.5 / 255)
        for cell in range(first, end):
            visitors = self.visitors[self.ends[cell - 1] if cell else 0 : self.ends[cell]]
            keys, codes = list_of(self.index, cell)
            for start in range(0, len(keys) if len(visitors) else 0, VECTORS):
                some = slice(start, start + VECTORS)
                vectors: FloatArray = np.multiply(codes[some], step, dtype=np.float32) + offset
                for begin in range(0, len(visitors), PROBES):
                    held.append(self._multiply(visitors[begin : begin + PROBES], vectors, keys[some]))
                    count += len(held[-1][0])
                    if count > limit:
                        held = [self._pruned(held)]
                        count = len(held[0][0])
                        limit = max(HELD, 2 * count)  # or in a crowd every product would be followed by a sort
        return self._pruned(held)

    def _multiply(self, visitors: Ids, vectors: FloatArray, keys: Ids) -> Hits:
        products = self.probes[visitors] @ vectors.T
        place = np.flatnonzero(products >= self.floor[visitors, None])
        row, column = np.divmod(place, len(keys))
        hits = visitors[row], products.ravel()[place], keys[column]
        if not len(self.excluded) or not len(place):
            return hits
        alive = ~np.isin(hits[2], self.excluded)
        return hits[0][alive], hits[1][alive], hits[2][alive]

    def _pruned(self, held: list[Hits]) -> Hits:
        row, similarity, key = _kept(held, self.k)
        last = np.flatnonzero(np.diff(row, append=-1))
        full = last[np.diff(last, prepend=-1) == self.k]
        self.floor[row[full]] = np.maximum(self.floor[row[full]], similarity[full])
        return row, similarity, key
