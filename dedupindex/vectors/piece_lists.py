"""Inverted lists of local features: for each word the keypoints filed under it, as arrays that may be memory-mapped.

A search compares the signature of each probe with all entries of its word at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.piece_entries import ENTRY, Entries
from dedupindex.features.piece_words import WORDS
from dedupindex.records import ByteArray

MOST_BITS = 20  # signatures of a match differ in at most so many of 64 bits


@dataclass(frozen=True, slots=True)
class PieceLists:
    """The entries of many pictures, ordered by word.

    Attributes
    ----------
    images : (N,) int64
        Ids of the pictures, rising; pictures without entries are among them.
    starts : (WORDS + 1,) int64
        Where the list of each word begins.
    owner : (E,) uint32
        Row in *images* of each entry.
    signature : (E,) uint64
    angle, scale : (E,) uint8
    place : (E, 2) uint16
        (y, x).
    """

    images: NDArray[np.int64]
    starts: NDArray[np.int64]
    owner: NDArray[np.uint32]
    signature: NDArray[np.uint64]
    angle: ByteArray
    scale: ByteArray
    place: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Hits:
    """Probes and entries whose signatures agree, ordered by probe.

    Attributes
    ----------
    probe, entry : (M,) int64
    bits : (M,) uint8
        Bits in which they differ.
    """

    probe: NDArray[np.int64]
    entry: NDArray[np.int64]
    bits: ByteArray


def file_entries(images: Sequence[int], entries: Sequence[Entries]) -> PieceLists:
    """Inverted lists of pictures.

    Parameters
    ----------
    images : sequence of N int
        Ids, rising.
    entries : sequence of N arrays of `ENTRY`
        Those of each picture.

    Returns
    -------
    PieceLists
        Within a word by picture, then in the given order: the same for the same input, byte by byte.
    """
    ids = np.asarray(images, np.int64)
    if len(ids) != len(entries) or (np.diff(ids) <= 0).any():
        raise ValueError("ids must rise, one for each array of entries")
    table = np.concatenate([np.empty(0, ENTRY), *entries])
    owner = np.repeat(np.arange(len(ids), dtype=np.uint32), [len(one) for one in entries])
    order = np.argsort(table["word"], kind="stable")
    table, owner = table[order], owner[order]
    starts = np.searchsorted(table["word"], np.arange(WORDS + 1)).astype(np.int64)
    place = np.stack([table["y"], table["x"]], axis=1)
    signature, angle, scale = (np.ascontiguousarray(table[name]) for name in ("signature", "angle", "scale"))
    return PieceLists(ids, starts, owner, signature, angle, scale, place)


def match(
    lists: PieceLists,
    words: NDArray[np.uint16],
    signatures: NDArray[np.uint64],
    *,
    most_bits: int = MOST_BITS,
) -> Hits:
    """Entries whose signature is near that of a probe of the same word.

    Parameters
    ----------
    lists : PieceLists
    words : (Q,) uint16
    signatures : (Q,) uint64
    most_bits : int
        Largest number of bits that differ.

    Returns
    -------
    Hits
    """
    order = np.argsort(words, kind="stable")
    bounds = np.searchsorted(words[order], np.arange(WORDS + 1))
    used = np.flatnonzero((np.diff(bounds) > 0) & (np.diff(lists.starts) > 0))
    asked = signatures[order]
    places: list[int] = []
    counts: list[int] = []
    entries: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    bits: list[ByteArray] = [np.empty(0, np.uint8)]
    limits = (bounds[used], bounds[used + 1], lists.starts[used], lists.starts[used + 1])
    for first, last, begin, end in zip(*(limit.tolist() for limit in limits), strict=True):
        stored = lists.signature[begin:end]
        for place in range(first, last):  # one after the other: the list of a word stays in the cache
            away = np.bitwise_count(stored ^ asked[place])
            near = (away <= most_bits).nonzero()[0]
            places.append(place)
            counts.append(len(near))
            entries.append(near + begin)
            bits.append(away[near])
    probe = np.repeat(order[np.array(places, np.intp)], np.array(counts, np.intp))
    short = probe.astype(np.uint16) if len(words) <= 1 << 16 else probe  # 16 bits are sorted by radix
    by_probe = np.argsort(short, kind="stable")
    return Hits(probe[by_probe], np.concatenate(entries)[by_probe], np.concatenate(bits)[by_probe])
