"""Search thousands of probes in the cells of a block at once.

FAISS scans the inverted lists probe by probe, and decodes every code each time. Where many probes visit each list, it
is decoded once here and multiplied with all of them: the same cosines in much less time.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray
from dedupindex.vectors.hits import NO_HITS, Hits, Ids, nearest
from dedupindex.vectors.library import faiss

Lists = Sequence[tuple[Ids, NDArray[np.uint8]]]
WORTH_IT = 1_500  # products a cell; with fewer FAISS is as fast
PROBES, VECTORS = 512, 1_024  # in one product: probes, vectors and 2 MB of cosines stay in the processor's cache
HELD = 1 << 20  # hits, 20 bytes each, that a thread holds before all but the nearest of each probe are dropped
ROUNDING = np.float32(1e-6)  # of a similarity: hits equal to the worst one kept stay in, ordered by key
SHARES = 8  # of the work for each thread, so that none waits long for another


def is_worth_it(probes: int, nprobe: int, cells: int, vectors: int) -> bool:
    """Whether `search_cells` is faster than FAISS.

    Parameters
    ----------
    probes : int
        How many there are.
    nprobe : int
        Cells visited for a probe.
    cells, vectors : int
        How many the block has.

    Returns
    -------
    bool
    """
    return probes * nprobe * vectors >= WORTH_IT * cells * cells


def search_cells(
    index: Any, lists: Lists, probes: FloatArray, least: float, k: int, nprobe: int, excluded: Ids
) -> Hits:
    """The *k* nearest of each probe among the vectors of its *nprobe* nearest cells, in as many threads as FAISS has.

    Parameters
    ----------
    index : faiss.IndexIVFScalarQuantizer
        8 bits a number, inner product, codes of the vectors themselves (not of what is left beside a centre).
    lists : sequence of (keys, codes)
        Its `inverted_lists`.
    probes : (Q, D) float32
    least : float
        Smallest similarity.
    k : int
        Most neighbours of a probe.
    nprobe : int
        Cells visited for a probe.
    excluded : (n,) int64
        Keys that are left out.

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
    # a code c means low + (c + .5) / 255 span: the part that is the same for all codes is computed once
    low, span = faiss.vector_to_array(index.sq.trained).reshape(2, -1)
    level: FloatArray = np.matmul(probes, low + span * np.float32(0.5 / 255), dtype=np.float32)
    floor: FloatArray = np.subtract(np.float32(least), level, dtype=np.float32)
    scaled: FloatArray = np.multiply(probes, span / np.float32(255), dtype=np.float32)
    sweep = _Sweep(lists, scaled, level, floor, k, excluded, visitors, ends)
    # shares of equal work, not of equally many cells
    marks = np.searchsorted(ends, np.linspace(0, len(visitors), SHARES * threads + 1)[1:-1])
    bounds = [0, *marks.tolist(), index.nlist]
    with ThreadPoolExecutor(threads) as pool:  # products of matrices release the interpreter's lock
        parts = list(pool.map(sweep.through, bounds[:-1], bounds[1:]))
    return _kept(parts, k)


def inverted_lists(index: Any) -> Lists:
    """Keys (N,) int64 and codes (N, D) uint8 of every cell.

    They are views of the memory of FAISS: valid as long as the index is there and unchanged.
    """
    parts = []
    lists = index.invlists
    for cell in range(index.nlist):
        if size := lists.list_size(cell):
            codes = faiss.rev_swig_ptr(lists.get_codes(cell), size * lists.code_size)
            parts.append((faiss.rev_swig_ptr(lists.get_ids(cell), size), codes.reshape(size, -1)))
        else:
            parts.append((np.empty(0, np.int64), np.empty((0, index.d), np.uint8)))
    return parts


def _kept(parts: list[Hits], k: int) -> Hits:
    """The *k* nearest hits of each probe, by probe, nearest first, equal ones by key."""
    probe, similarity, key = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = nearest(probe, -similarity, key, k)
    return probe[order], similarity[order], key[order]


@dataclass(frozen=True, slots=True)
class _Sweep:
    """One pass through the cells.

    Attributes
    ----------
    lists : sequence of (keys, codes)
    probes : (Q, D) float32
        In units of the codes.
    level : (Q,) float32
        Added to the product of a probe and a code to give the similarity.
    floor : (Q,) float32
        Smallest product that still counts for a probe; it rises once *k* neighbours are known.
    k : int
    excluded : (n,) int64
    visitors : (V,) int64
        Numbers of the probes that visit each cell, cell by cell.
    ends : (nlist,) int64
        Where the visitors of each cell end.
    """

    lists: Lists
    probes: FloatArray
    level: FloatArray
    floor: FloatArray
    k: int
    excluded: Ids
    visitors: Ids
    ends: Ids

    def through(self, first: int, end: int) -> Hits:
        """Hits in the cells from *first* to before *end*."""
        held = [NO_HITS]
        count, limit = 0, HELD
        for cell in range(first, end):
            visitors = self.visitors[self.ends[cell - 1] if cell else 0 : self.ends[cell]]
            keys, codes = self.lists[cell]
            for start in range(0, len(keys) if len(visitors) else 0, VECTORS):
                rows = slice(start, start + VECTORS)
                vectors = codes[rows].astype(np.float32)
                for begin in range(0, len(visitors), PROBES):
                    hits = self._multiply(visitors[begin : begin + PROBES], vectors, keys[rows])
                    if hits is NO_HITS:
                        continue
                    held.append(hits)
                    count += len(hits[0])
                    if count > limit:
                        held = [self._pruned(held)]
                        count = len(held[0][0])
                        limit = max(HELD, 2 * count)  # else, with many near hits, each product would end in a sort
        return self._pruned(held)

    def _multiply(self, visitors: Ids, vectors: FloatArray, keys: Ids) -> Hits:
        products = self.probes[visitors] @ vectors.T
        place = np.flatnonzero(products >= self.floor[visitors, None])
        if not len(place):
            return NO_HITS
        row, column = np.divmod(place, len(keys))
        probe = visitors[row]
        hits = probe, products.ravel()[place] + self.level[probe], keys[column]
        if not len(self.excluded):
            return hits
        alive = ~np.isin(hits[2], self.excluded)
        return hits[0][alive], hits[1][alive], hits[2][alive]

    def _pruned(self, held: list[Hits]) -> Hits:
        row, similarity, key = _kept(held, self.k)
        last = np.flatnonzero(np.diff(row, append=-1))
        full = last[np.diff(last, prepend=-1) == self.k]
        least = similarity[full] - self.level[row[full]] - ROUNDING
        self.floor[row[full]] = np.maximum(self.floor[row[full]], least)
        return row, similarity, key
