"""The vector index: a flat tail and sealed blocks behind one lock.

It holds each distinct vector once; images with equal descriptors are *twins* of the first of them. Many identical
vectors would push everything else out of the *k* nearest, and slow clustering down.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedupindex.features import unit
from dedupindex.records import CodeArray, FloatArray
from dedupindex.vectors.blocks import Block, among, first_equal
from dedupindex.vectors.cells import NPROBE, SPEC, Tail
from dedupindex.vectors.hits import SLACK, Hits, Ids
from dedupindex.vectors.segments import SealedFile, read_cells, write_cells

FLAT_LIMIT = 50_000  # vectors searched exhaustively; more are sealed into cells
_BATCH = 16_384  # probes at once: bounds memory, Q x k hits of 20 bytes each, several times that during the sort


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Images within the radius of one probe, nearest first, equal distances by id.

    Attributes
    ----------
    ids : (n,) int64
    distances : (n,) float32
        1 - cosine, 0..2, in steps of 1e-6.
    overflow : bool
        More images are within the radius than were asked for.
    """

    ids: Ids
    distances: FloatArray
    overflow: bool


class VectorIndex:
    """Nearest stored images by descriptor. Safe to use from several threads at once.

    Parameters
    ----------
    dimensions : int
        Length of the descriptors.
    flat_limit : int
        Distinct vectors the tail may hold before `needs_sealing`; more added at once become a block of their own.
    """

    def __init__(self, dimensions: int, *, flat_limit: int = FLAT_LIMIT) -> None:
        self.dimensions = dimensions
        self.flat_limit = flat_limit
        self._lock = threading.RLock()  # FAISS crashes when a search and an add overlap
        self._tail = Tail(dimensions)
        self._tail_keys: dict[bytes, int] = {}  # descriptor -> key, for twins
        self._tail_bytes: dict[int, bytes] = {}
        self._blocks: list[Block] = []
        self._twins: dict[int, set[int]] = {}  # key -> other ids with the same vector
        self._head: dict[int, int] = {}  # twin id -> key
        self._dead: set[int] = set()  # keys whose own image is gone while the vector stays
        self._hidden: dict[Block, Ids] = {}  # keys that searches leave out; made when needed
        self._count = 0
        self._removals = 0  # images removed since the start

    def __len__(self) -> int:
        return self._count

    def ids(self) -> Ids:
        """Ids of all images it answers for, rising."""
        with self._lock:
            here = np.fromiter([*self._tail_bytes, *self._head], np.int64)
            known = np.sort(np.concatenate([here, *(block.keys for block in self._blocks)]))
            dead = np.array(sorted(self._dead), np.int64)
            return known[~among(known, dead)]

    @property
    def needs_sealing(self) -> bool:
        """Whether the tail has outgrown exhaustive search."""
        return len(self._tail) > self.flat_limit

    # ------------------------------------------------------------------------------------------------- changing
    def add(self, ids: NDArray[np.int64], descriptors: CodeArray) -> None:
        """Add images.

        Parameters
        ----------
        ids : (N,) int64
            Not negative, not stored yet, no two alike.
        descriptors : (N, D) int8
            No row may be all zero: nothing can be found by it.

        Raises
        ------
        TypeError, ValueError
            Wrong dtype, shape, or content; nothing was added then.
        """
        ids = np.asarray(ids)
        self._check(ids, descriptors)
        with self._lock:
            if not self._dead.isdisjoint(ids.tolist()):
                raise ValueError(f"ids {sorted(self._dead.intersection(ids.tolist()))[:5]} were used before")
            if (stored := self._holds(ids)).any():
                raise ValueError(f"ids {np.sort(ids[stored])[:5].tolist()} are stored already")
            self._count += len(ids)
            if len(ids) > self.flat_limit:
                self._seal_at_once(ids.astype(np.int64), descriptors)
                return
            fresh: list[int] = []
            for row, image in enumerate(ids.tolist()):
                data = descriptors[row].tobytes()
                key = self._tail_keys.setdefault(data, image)
                if key == image:
                    self._tail_bytes[image] = data
                    fresh.append(row)
                else:
                    self._twins.setdefault(key, set()).add(image)
                    self._head[image] = key
            if fresh:
                self._tail.add(ids[fresh].astype(np.int64), unit(descriptors[fresh]))

    def _holds(self, ids: Ids) -> NDArray[np.bool_]:
        """Which *ids* are stored, alive."""
        held = np.zeros(len(ids), bool)
        if self._tail_bytes or self._head:
            held[:] = [image in self._tail_bytes or image in self._head for image in ids.tolist()]
        for block in self._blocks:
            held |= among(ids, block.keys)
        if self._dead:
            held[[image in self._dead for image in ids.tolist()]] = False
        return held

    def _seal_at_once(self, ids: Ids, descriptors: CodeArray) -> None:
        """Make a block of many images that were never in the tail."""
        if (np.diff(ids) < 0).any():
            order = np.argsort(ids, kind="stable")
            ids, descriptors = ids[order], descriptors[order]
        heads = first_equal(descriptors)
        own = heads == np.arange(len(ids))
        distinct = descriptors if own.all() else descriptors[own]
        twins: dict[int, set[int]] = {}
        for twin, key in zip(ids[~own].tolist(), ids[heads[~own]].tolist(), strict=True):
            twins.setdefault(key, set()).add(twin)
        self._take(Block.seal(ids[own], distinct, {key: frozenset(alike) for key, alike in twins.items()}))

    def _take(self, block: Block) -> None:
        self._blocks.append(block)
        for key, twins in block.twins.items():
            self._twins[key] = set(twins)
            self._head.update(dict.fromkeys(twins, key))

    def remove(self, ids: Iterable[int]) -> None:
        """Remove images; unknown ids are ignored."""
        with self._lock:
            gone: list[int] = []
            wanted = np.fromiter(set(ids), np.int64)
            leaving = wanted[self._holds(wanted)].tolist()
            self._count -= len(leaving)
            self._hidden.clear()
            self._removals += len(leaving)
            for image in leaving:
                key = self._head.pop(image, image)
                if key == image:
                    self._dead.add(key)
                else:
                    self._twins[key].discard(image)
                if not self._twins.get(key):
                    self._twins.pop(key, None)
                    if key in self._dead and key in self._tail_bytes:
                        del self._tail_keys[self._tail_bytes.pop(key)]
                        self._dead.discard(key)
                        gone.append(key)
            self._tail.remove(gone)

    def seal(self) -> None:
        """Turn the tail into cells: from here on it is searched approximately, and fast."""
        with self._lock:
            if not self._tail_bytes:
                return
            keys = sorted(self._tail_bytes)
            codes = np.frombuffer(b"".join(self._tail_bytes[key] for key in keys), np.int8)
            twins = {key: frozenset(self._twins[key]) for key in keys if key in self._twins}
            self._blocks.append(Block.seal(np.array(keys, np.int64), codes.reshape(len(keys), -1), twins))
            self._tail, self._tail_keys, self._tail_bytes = Tail(self.dimensions), {}, {}

    # ------------------------------------------------------------------------------------------------ searching
    def search(self, probes: FloatArray, radius: float, k: int, *, nprobe: int = NPROBE) -> list[Neighbours]:
        """Images near each probe.

        Parameters
        ----------
        probes : (Q, D) float32
            Unit length.
        radius : float
            Largest distance (1 - cosine).
        k : int
            Most distinct vectors of a probe; of the images with one vector at most *k* are returned.
        nprobe : int
            Cells of a sealed block that are visited; the tail is searched exhaustively.

        Returns
        -------
        list of Neighbours
            One for each probe.

        Raises
        ------
        ValueError
            Wrong shape, or numbers that are not finite.
        """
        probes = np.ascontiguousarray(probes, np.float32)
        if probes.ndim != 2 or probes.shape[1] != self.dimensions:
            raise ValueError(f"probes have shape {probes.shape}, must be (Q, {self.dimensions})")
        if not np.isfinite(probes).all():
            raise ValueError("probes hold numbers that are not finite")
        if k < 1 or nprobe < 1:
            raise ValueError(f"k is {k} and nprobe {nprobe}, both must be at least 1")
        neighbours: list[Neighbours] = []
        for start in range(0, len(probes), _BATCH):
            neighbours += self._search(probes[start : start + _BATCH], radius, k, nprobe)
        return neighbours

    def _search(self, probes: FloatArray, radius: float, k: int, nprobe: int) -> list[Neighbours]:
        least = 1 - radius - SLACK
        with self._lock:
            removals = self._removals
            parts = [self._tail.nearest(probes, least, k + 1)]
            blocks = [(block.cells, self._hidden_in(block)) for block in self._blocks]
        # Cells never change, and this may take long: other threads may search and add meanwhile.
        parts += [cells.nearest(probes, least, k + 1, hidden, nprobe=nprobe) for cells, hidden in blocks]
        row, keys, distance = _within(parts, radius)
        starts = np.searchsorted(row, np.arange(len(probes) + 1)).tolist()
        with self._lock:
            if self._removals != removals:  # perhaps of a hit; the lock is held, so once more is enough
                return self._search(probes, radius, k, nprobe)
            return [self._expand(keys[i:j], distance[i:j], k) for i, j in itertools.pairwise(starts)]

    def _hidden_in(self, block: Block) -> Ids:
        if block not in self._hidden:
            empty = np.array([key for key in self._dead if key not in self._twins], np.int64)
            self._hidden[block] = empty[among(empty, block.keys)]
        return self._hidden[block]

    def _expand(self, keys: Ids, distances: FloatArray, k: int) -> Neighbours:
        """Neighbours of one probe from keys in order, of which there may be more than *k*."""
        overflow = len(keys) > k
        keys, distances = keys[:k], distances[:k]
        if not len(keys) or not (self._dead or self._twins):
            return Neighbours(keys, distances, overflow)
        ids: list[int] = []
        away: list[float] = []
        for key, distance in zip(keys.tolist(), distances.tolist(), strict=True):
            alike = sorted(self._twins.get(key, ()))[:k]
            ids += alike if key in self._dead else [key, *alike]
            away += [distance] * (len(ids) - len(away))
        order = np.lexsort((ids, away))
        return Neighbours(np.array(ids, np.int64)[order], np.array(away, np.float32)[order], overflow)

    # --------------------------------------------------------------------------------------------------- files
    def unsaved(self) -> list[int]:
        """Indices of the sealed blocks that are in no file yet."""
        with self._lock:
            return [number for number, block in enumerate(self._blocks) if not block.saved]

    def save(self, number: int, directory: Path, *, generation: int, fingerprint: str) -> SealedFile:
        """Write a sealed block to its file; the caller writes the returned record to the database afterwards.

        Parameters
        ----------
        number : int
            One of `unsaved`.
        directory : Path
            Folder of the vector files.
        generation : int
            Of the database that the block reflects.
        fingerprint : str
            Of the settings and feature versions.

        Returns
        -------
        SealedFile

        Raises
        ------
        VectorIndexError
            The file cannot be written.
        """
        with self._lock:
            block = self._blocks[number]
            file, sha256 = write_cells(directory, block.cells)
            block.saved = True
            pairs = sorted((twin, key) for key, twins in block.twins.items() for twin in twins)
            return SealedFile(
                file=file,
                rows=len(block.all_ids()),
                generation=generation,
                fingerprint=fingerprint,
                row_digest=block.digest,
                sha256=sha256,
                spec=SPEC,
                twins=np.array(pairs, np.int64).tobytes(),
            )

    def load(self, directory: Path, sealed: SealedFile) -> None:
        """Add a sealed block from its file.

        Raises
        ------
        VectorIndexError
            It is missing or damaged; nothing was added then.
        ValueError
            It answers for images that are here already.
        """
        cells = read_cells(directory, sealed, self.dimensions)
        pairs = np.frombuffer(sealed.twins, np.int64).reshape(-1, 2).tolist()
        twins: dict[int, set[int]] = {}
        for twin, key in pairs:
            twins.setdefault(key, set()).add(twin)
        block = Block(cells, np.sort(cells.keys()), {key: frozenset(alike) for key, alike in twins.items()}, saved=True)
        with self._lock:
            ids = block.all_ids()
            if self._holds(ids).any():
                raise ValueError(f"{sealed.file} holds images that are indexed already")
            self._take(block)
            self._count += len(ids)

    def _check(self, ids: NDArray[np.int64], descriptors: CodeArray) -> None:
        if not np.issubdtype(ids.dtype, np.integer) or ids.ndim != 1:
            raise TypeError(f"ids are {ids.dtype} of shape {ids.shape}, must be integers (N,)")
        if descriptors.dtype != np.int8:
            raise TypeError(f"descriptors are {descriptors.dtype}, must be int8")
        if descriptors.shape != (len(ids), self.dimensions):
            raise ValueError(f"descriptors have shape {descriptors.shape}, must be {(len(ids), self.dimensions)}")
        if len(ids) and ids.min() < 0:
            raise ValueError(f"id {ids.min()} is negative")
        if len(np.unique(ids)) != len(ids):
            raise ValueError("the same id stands twice")
        if not descriptors.any(axis=1).all():
            raise ValueError("a descriptor is all zero")

    def sealed_vectors(self) -> Sequence[tuple[Ids, FloatArray]]:
        """Keys and decoded vectors of every sealed block, for checks."""
        with self._lock:
            return [block.cells.contents() for block in self._blocks]


def _within(parts: Sequence[Hits], radius: float) -> tuple[Ids, Ids, FloatArray]:
    """Number of the probe, key and distance of the hits within a radius: by probe, nearest first, equal ones by key."""
    row, similarity, keys = (np.concatenate(column) for column in zip(*parts, strict=True))
    # Rounded, because the same product may differ in the last bit with the size of the batch.
    distance = np.round(1.0 - similarity.astype(np.float64), 6).clip(0.0, 2.0).astype(np.float32)
    order = np.lexsort((keys, distance, row))
    order = order[distance[order] <= radius]
    return row[order], keys[order], distance[order]
