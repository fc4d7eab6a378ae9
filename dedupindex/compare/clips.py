"""Two clips laid on each other: which share of one is in the other, and from where.

Frames are compared by small grey pictures at even steps of time. Two clips that share a part show the same pictures in
the same order at one distance of time, so each pair of frames that look alike votes for its distance. The distances
with most votes give the parts, the largest first; a frame belongs to one part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedupindex.records.measures import ClipPart, ClipShares

ALIKE = 0.93  # correlation of two frames that show the same
FLAT = 0.02  # standard deviation, 0..1, below which a frame shows nothing (black, white)
LEAST_FRAMES = 2  # of a part
LEAST_SHARE = 0.5  # of the frames of a part, within its ends, that look alike
MOST_PARTS = 20

Looks = NDArray[np.float32]
Times = NDArray[np.float64]


def shared_parts(looks_a: Looks, times_a: Times, looks_b: Looks, times_b: Times) -> ClipShares:
    """Parts that two clips have in common.

    Parameters
    ----------
    looks_a, looks_b : (N, h, w) and (M, h, w) float32
        Small grey pictures, 0..1.
    times_a, times_b : (N,) and (M,) float64
        When they are shown, seconds, rising.

    Returns
    -------
    ClipShares
        Shares of the frames that show something, and the parts in the order of their times in a.
    """
    one, other = _unit(looks_a), _unit(looks_b)
    informative = [np.asarray(side.any(axis=1), np.bool_) for side in (one, other)]
    if not (informative[0].any() and informative[1].any()):
        return ClipShares(0.0, 0.0, ())
    step = max(_step(times_a), _step(times_b))
    alike = one @ other.T >= ALIKE
    parts: list[ClipPart] = []
    used_a, used_b = np.zeros(len(one), np.bool_), np.zeros(len(other), np.bool_)
    distances = times_b[None, :] - times_a[:, None]
    while len(parts) < MOST_PARTS and alike.any():
        rows, columns = np.nonzero(alike)
        distance = _most_voted(distances[rows, columns], rows, step)
        near = np.abs(distances[rows, columns] - distance) <= 0.75 * step
        rows, columns = _run(rows[near], columns[near], informative[0])
        if len(np.unique(rows)) < LEAST_FRAMES:
            alike[rows, columns] = False
            if not len(rows):
                break
            continue
        used_a[rows], used_b[columns] = True, True
        middle = len(rows) // 2
        parts.append(
            ClipPart(
                (float(times_a[rows.min()]), float(times_a[rows.max()])),
                (float(times_b[columns.min()]), float(times_b[columns.max()])),
                (float(times_a[rows[middle]]), float(times_b[columns[middle]])),
            )
        )
        alike[rows.min() : rows.max() + 1] = False
        alike[:, columns.min() : columns.max() + 1] = False
    shares = [float(u.sum() / i.sum()) for u, i in zip((used_a, used_b), informative, strict=True)]
    return ClipShares(shares[0], shares[1], tuple(sorted(parts, key=lambda part: part.a)))


def _unit(looks: Looks) -> NDArray[np.float32]:
    """Vectors of mean 0 and length 1; zeros for frames that show nothing."""
    flat = looks.reshape(len(looks), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    shows = length / np.sqrt(flat.shape[1]) > FLAT
    return np.where(shows, flat / np.maximum(length, 1e-9), np.float32(0))


def _step(times: Times) -> float:
    """The usual time between two frames, seconds."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.5


def _most_voted(distances: Times, rows: NDArray[np.intp], step: float) -> float:
    """The distance of time at which most frames of a look like one of b; of equals the smallest."""
    bins = np.round(distances / (step / 2)).astype(np.int64)
    low = int(bins.min())
    votes = np.zeros(int(bins.max()) - low + 3)
    pairs = np.unique(np.stack([bins - low + 1, rows]), axis=1)  # a frame has one vote a distance
    np.add.at(votes, pairs[0], 1)
    smooth = votes[:-2] + 2 * votes[1:-1] + votes[2:]
    best = np.flatnonzero(smooth == smooth.max())
    return float((best[np.argmin(np.abs(best + low))] + low) * step / 2)


def _run(
    rows: NDArray[np.intp], columns: NDArray[np.intp], informative: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The longest run of frames of a that are in b, with gaps only where most frames around them are."""
    order = np.argsort(rows, kind="stable")
    rows, columns = rows[order], columns[order]
    present = np.unique(rows)
    counted = np.cumsum(informative)
    best = (0, 0, 0)  # frames, first, last
    start = 0
    for end in range(len(present)):
        while start < end:
            inside = counted[present[end]] - counted[present[start]] + 1
            if end - start + 1 >= LEAST_SHARE * inside:
                break
            start += 1
        if end - start + 1 > best[0]:
            best = (end - start + 1, int(present[start]), int(present[end]))
    kept = (rows >= best[1]) & (rows <= best[2])
    return rows[kept], columns[kept]
