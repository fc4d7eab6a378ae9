"""Sealed blocks: cells with the ids they answer for; images with equal descriptors share one key."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import CodeArray
from dedupindex.vectors.cells import Cells
from dedupindex.vectors.hits import Ids
from dedupindex.vectors.segments import row_digest

Twins = Mapping[int, frozenset[int]]  # key -> other ids with the same descriptor


class Block:
    """A sealed block, as it was when it was sealed.

    Attributes
    ----------
    cells : Cells
    keys : (N,) int64
        Rising: ids of the images whose descriptors the cells hold.
    twins : Twins
    digest : str
        `row_digest` of all ids and descriptors; empty for a block from a file.
    saved : bool
        Whether a file holds it.
    """

    __slots__ = ("cells", "digest", "keys", "saved", "twins")

    def __init__(self, cells: Cells, keys: Ids, twins: Twins, *, digest: str = "", saved: bool = False) -> None:
        self.cells, self.keys, self.twins, self.digest, self.saved = cells, keys, twins, digest, saved

    @classmethod
    def seal(cls, keys: Ids, codes: CodeArray, twins: Twins) -> Block:
        """Build cells over descriptors.

        Parameters
        ----------
        keys : (N,) int64
            Rising.
        codes : (N, D) int8
            Descriptors, no two alike.
        twins : Twins
            Other ids with the same descriptor as a key.

        Returns
        -------
        Block
            Not saved.
        """
        extra = np.array([(twin, key) for key, alike in twins.items() for twin in alike], np.int64).reshape(-1, 2)
        rows = np.concatenate([np.arange(len(keys)), np.searchsorted(keys, extra[:, 1])])
        digest = row_digest(np.concatenate([keys, extra[:, 0]]), codes, rows)
        return cls(Cells.build(keys, codes), keys, twins, digest=digest)

    def all_ids(self) -> Ids:
        """Keys and their twins, rising."""
        others = [twin for alike in self.twins.values() for twin in alike]
        return np.sort(np.concatenate([self.keys, np.array(others, np.int64)])) if others else self.keys


def among(ids: Ids, rising: Ids) -> NDArray[np.bool_]:
    """Which *ids* are in a rising array.

    Parameters
    ----------
    ids : (N,) int64
    rising : (M,) int64

    Returns
    -------
    (N,) bool
    """
    if not len(rising):
        return np.zeros(len(ids), bool)
    place = np.searchsorted(rising, ids).clip(max=len(rising) - 1)
    equal: NDArray[np.bool_] = rising[place] == ids
    return equal


def first_equal(codes: CodeArray) -> NDArray[np.int64]:
    """For each row the number of the first row with the same content.

    Rows are told apart by a 64-bit sum of products and then compared. Of two rows that differ and have the same sum,
    the later one counts as distinct.

    Parameters
    ----------
    codes : (N, D) int8

    Returns
    -------
    (N,) int64
    """
    count, width = codes.shape
    words = np.pad(codes, ((0, 0), (0, -width % 8))) if width % 8 else np.ascontiguousarray(codes)
    columns = words.view(np.uint64)
    factors = np.random.default_rng(0).integers(0, 2**63, columns.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    sums = np.zeros(count, np.uint64)
    for number, factor in enumerate(factors):
        column = columns[:, number] * factor
        sums += column ^ (column >> np.uint64(29))
    _, first, group = np.unique(sums, return_index=True, return_inverse=True)
    heads = first[group].astype(np.int64)
    rows = np.flatnonzero(heads != np.arange(count))
    differ = (codes[rows] != codes[heads[rows]]).any(axis=1)
    heads[rows[differ]] = rows[differ]
    return heads
