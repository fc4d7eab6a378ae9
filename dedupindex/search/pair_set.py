"""Which pairs a run has compared already: a set of id pairs, 8 bytes each, with cheap insertion."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dedupindex.vectors import among

Codes = NDArray[np.int64]
SHIFT, LOW = 32, 0xFFFFFFFF


class PairSet:
    """Unordered pairs of image ids below 2^31.

    Sorted arrays, each at least twice as long as the one after it: every pair is moved a logarithmic number of times.
    """

    def __init__(self) -> None:
        self._runs: list[Codes] = []

    def __len__(self) -> int:
        return sum(len(run) for run in self._runs)

    def add(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Remember pairs that are not among these yet."""
        codes = np.unique(_codes(pairs))
        while self._runs and len(self._runs[-1]) < 2 * len(codes):
            codes = np.union1d(self._runs.pop(), codes)
        if len(codes):
            self._runs.append(codes)

    def new(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those *pairs* that are not here, in their order."""
        codes = _codes(pairs)
        known = np.zeros(len(codes), bool)
        for run in self._runs:
            place = np.searchsorted(run, codes).clip(max=len(run) - 1)
            known |= run[place] == codes
        return [pair for pair, old in zip(pairs, known.tolist(), strict=True) if not old]

    def keep_open(self, waiting: Collection[int]) -> None:
        """Forget pairs of which no image is *waiting* to be searched: they are not needed any more."""
        alive = np.sort(np.fromiter(waiting, np.int64, len(waiting)))
        kept = [run[among(run >> SHIFT, alive) | among(run & LOW, alive)] for run in self._runs]
        self._runs = [run for run in kept if len(run)]


def _codes(pairs: Iterable[tuple[int, int]]) -> Codes:
    rows = np.array(list(pairs), np.int64).reshape(-1, 2)
    codes: Codes = (rows.min(axis=1) << SHIFT) | rows.max(axis=1)
    return codes
