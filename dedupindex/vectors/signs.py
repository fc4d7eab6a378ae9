"""Pre-selection of pairs by the signs of their components, which costs much less than their products.

Of two vectors at an angle t, a share of t / pi of the signs differs (Charikar 2002, doi:10.1145/509907.509965), with a
standard deviation of 0.5 / sqrt(number of signs). The first `FIRST` signs are compared in bulk, all signs for the pairs
that pass. Pairs well above the cosine limit nearly always pass; a few unrelated ones do, and their cosine is computed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray
from dedupindex.vectors.library import faiss

FIRST = 256  # signs: 32 bytes, for which FAISS has a loop of its own
FIRST_SLACK, SLACK = 0.25, 0.4  # standard deviations above the expected share that the limits allow
Numbers = NDArray[np.int64]


def pairs_by_sign(probes: FloatArray, targets: FloatArray, cosine: float) -> tuple[Numbers, Numbers]:
    """Pairs that may have at least that cosine. A few that have it are missed.

    Parameters
    ----------
    probes : (Q, D) float32
    targets : (N, D) float32
    cosine : float
        -1..1.

    Returns
    -------
    row, column : (n,) int64
        Number of the probe and of the target of each pair.
    """
    ours, theirs = _signs(probes), _signs(targets)
    bits = probes.shape[1]
    first = min(FIRST, 8 * (bits // 8)) // 8
    index = faiss.IndexBinaryFlat(8 * first)
    index.add(np.ascontiguousarray(theirs[:, :first]))
    limits, differing, column = index.range_search(
        np.ascontiguousarray(ours[:, :first]), _limit(8 * first, cosine, FIRST_SLACK) + 1
    )
    row = np.repeat(np.arange(len(probes)), np.diff(limits.astype(np.int64)))
    rest = np.bitwise_count(_words(ours[:, first:])[row] ^ _words(theirs[:, first:])[column]).sum(
        axis=1, dtype=np.int64
    )
    passed = differing + rest <= _limit(bits, cosine, SLACK)
    return row[passed], column[passed].astype(np.int64)


def _limit(bits: int, cosine: float, slack: float) -> int:
    """Most signs that may differ."""
    return round(bits * math.acos(max(-1.0, min(1.0, cosine))) / math.pi + slack * 0.5 * math.sqrt(bits))


def _signs(vectors: FloatArray) -> NDArray[np.uint8]:
    return np.packbits(vectors > 0, axis=1)


def _words(signs: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(np.pad(signs, ((0, 0), (0, -signs.shape[1] % 8)))).view(np.uint64)
