"""Neighbours of many probes as flat arrays: one row for each neighbour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray

Ids = NDArray[np.int64]
Hits = tuple[Ids, FloatArray, Ids]  # number of the probe, similarity, key
NO_HITS: Hits = (np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
SLACK = 2e-6  # of a similarity: distances are rounded to 1e-6 before they are compared with a radius


def nearest(probe: Ids, away: FloatArray, key: Ids, most: int) -> NDArray[np.intp]:
    """Indices of the nearest hits of each probe: by probe, nearest first, equal ones by key.

    Parameters
    ----------
    probe : (n,) int64
        Number of the probe.
    away : (n,) float32
        Any number that rises with the distance.
    key : (n,) int64
    most : int
        Most hits of a probe.

    Returns
    -------
    (m,) intp
    """
    order = np.lexsort((key, away, probe))
    return order[ranks(probe[order]) < most]


def ranks(groups: Ids) -> Ids:
    """Position of each entry within its run of equal entries, from 0."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.arange(len(groups)) - np.repeat(starts, np.diff(starts, append=len(groups)))
