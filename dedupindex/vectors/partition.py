"""Centres of coarse cells, which divide a collection into groups of neighbours; each group is joined on its own."""

from __future__ import annotations

import numpy as np

from dedupindex.features import unit
from dedupindex.records import CodeArray, FloatArray
from dedupindex.vectors.cells import TRAINING_ROWS_A_CELL, TRAINING_TURNS
from dedupindex.vectors.library import faiss


def train_centres(sample: CodeArray, cells: int) -> FloatArray:
    """Spherical k-means; the same sample gives the same centres.

    Parameters
    ----------
    sample : (N, D) int8
        Descriptors of a sample; `TRAINING_ROWS_A_CELL` for each cell are enough.
    cells : int
        At most N.

    Returns
    -------
    (cells, D) float32
        Unit length.
    """
    means = faiss.Kmeans(
        sample.shape[1],
        cells,
        niter=TRAINING_TURNS,
        spherical=True,
        seed=0,
        max_points_per_centroid=TRAINING_ROWS_A_CELL,
        min_points_per_centroid=1,
    )
    means.train(unit(sample))
    return np.array(means.centroids, np.float32)


def sample_of(count: int, cells: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which of *count* rows are a sample for training that many cells: rising indices, always the same."""
    chosen = np.random.default_rng(0).permutation(count)[: cells * TRAINING_ROWS_A_CELL]
    return np.sort(chosen).astype(np.int64)


def cluster(sample: FloatArray, count: int, *, seed: int, turns: int = 12) -> FloatArray:
    """Plain k-means; the same sample and seed give the same centres.

    Parameters
    ----------
    sample : (N, D) float32
    count : int
        Clusters, at most N.
    seed : int
    turns : int
        Iterations.

    Returns
    -------
    (count, D) float32
    """
    means = faiss.Kmeans(
        sample.shape[1], count, niter=turns, seed=seed, max_points_per_centroid=64, min_points_per_centroid=1
    )
    means.train(np.ascontiguousarray(sample, np.float32))
    return np.array(means.centroids, np.float32)
