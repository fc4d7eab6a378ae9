"""Keep the pieces index in step with the database. The database decides; the files are a cache.

As with the vector files: a sealed file is in place before its row is written, and a row is deleted before its file.
What is in no sealed file is the tail, which is made in memory when the index is opened. A host that lacks a file of a
shared database makes it again from the features.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedupindex import durable
from dedupindex.errors import StoreError, VectorIndexError
from dedupindex.features.piece_entries import Entries, unpack_entries
from dedupindex.store import catalog, catalog_pieces
from dedupindex.store.backend import Purpose
from dedupindex.store.catalog_pieces import PieceSegmentRow
from dedupindex.store.database import Connection, Database
from dedupindex.vectors import among, sweep
from dedupindex.vectors.piece_lists import PieceLists, file_entries
from dedupindex.vectors.piece_segments import SUFFIX, lists_digest, read_lists, write_lists

log = logging.getLogger(__name__)

TAIL_LIMIT = 20_000  # images in memory, 130 MB; more are sealed
BLOCK = 100_000  # most images in one sealed file, 640 MB
MOST_BLOCKS = 16  # sealed files; more are made anew as fewer
DEAD_SHARE = 0.2  # share of removed images among the sealed ones above which all are made anew
READ_AT_ONCE = 2_000  # images


@dataclass(frozen=True, slots=True)
class LiveLists:
    """Lists with the images in them that are gone from the database."""

    lists: PieceLists
    hidden: NDArray[np.bool_]


class PieceCache:
    """The pieces index of a database, kept in step with it.

    Parameters
    ----------
    database : Database
    fingerprint : str
        Of the settings that made the features; files with another fingerprint are not used.
    tail_limit : int
        Images that are held in memory before they are sealed.
    """

    def __init__(self, database: Database, fingerprint: str, *, tail_limit: int = TAIL_LIMIT) -> None:
        self.database, self.fingerprint, self.tail_limit = database, fingerprint, tail_limit
        self._lock = threading.RLock()
        self._sealed: dict[int, PieceLists] = {}  # by the id of the row
        self._tail: PieceLists | None = None
        self._generation = -1
        self._live: list[LiveLists] = []
        self._untrusted = False  # a file was missing, damaged, or of other settings

    def current(self) -> list[LiveLists]:
        """The lists, brought up to date with the database.

        Raises
        ------
        StoreError
            The database cannot be read.
        """
        with self._lock, self.database.read() as connection:
            generation = catalog.generation(connection)
            if generation != self._generation:
                self._catch_up(connection)
                self._generation = generation
            return list(self._live)

    def _catch_up(self, connection: Connection) -> None:
        wanted = catalog_pieces.entry_ids(connection)
        self._load(connection)
        sealed = list(self._sealed.values())
        held = np.concatenate([np.empty(0, np.int64), *(lists.images for lists in sealed)])
        fresh = wanted[~among(wanted, np.sort(held))]
        if self._tail is None or not np.array_equal(self._tail.images, fresh):
            self._tail = self._made(connection, fresh)
        self._live = [
            LiveLists(lists, ~among(lists.images, wanted)) for lists in (*sealed, self._tail) if len(lists.owner)
        ]

    def _load(self, connection: Connection) -> None:
        rows = catalog_pieces.piece_segments(connection)
        self._sealed = {row.id: self._sealed[row.id] for row in rows if row.id in self._sealed}
        for row in rows:
            if row.id in self._sealed:
                continue
            if row.fingerprint != self.fingerprint:
                log.warning("%s reflects other settings and is not used", row.file)
                self._untrusted = True
                continue
            try:
                lists = read_lists(self.database.vectors, row.file, row.sha256)
            except VectorIndexError as error:
                log.warning("file of the pieces index not used, made again from the database: %s", error)
                self._untrusted = True
                continue
            held = [other.images for other in self._sealed.values()]
            if held and among(lists.images, np.sort(np.concatenate(held))).any():
                log.warning("%s holds images that are in another file already, and is not used", row.file)
                self._untrusted = True
                continue
            self._sealed[row.id] = lists

    def _made(self, connection: Connection, ids: NDArray[np.int64]) -> PieceLists:
        """Lists of some images, from their features."""
        numbers: list[int] = []
        entries: list[Entries] = []
        for start in range(0, len(ids), READ_AT_ONCE):
            blobs = catalog_pieces.entry_blobs(connection, ids[start : start + READ_AT_ONCE].tolist())
            for image in sorted(blobs):
                try:
                    entries.append(unpack_entries(blobs[image]))
                except ValueError as error:
                    log.warning("image %d is not in the pieces index: %s", image, error)
                    continue
                numbers.append(image)
        return file_entries(numbers, entries)

    def save(self) -> None:
        """Seal what has outgrown memory, make everything anew where that is due, sweep leftovers.

        A failure to write is only logged: the lists are made again next time.
        """
        if self.database.read_only:
            return
        try:
            with self.database.alone(Purpose.SEAL), self._lock:
                self.current()
                if self._should_rebuild():
                    self._drop()
                    self.current()
                if self._tail is not None and len(self._tail.images) > self.tail_limit:
                    self._seal()
                self._sweep()
        except (VectorIndexError, StoreError, OSError) as error:
            log.warning("files of the pieces index were not saved: %s", error)

    def rebuild(self) -> None:
        """Delete every file and make the index anew from the database.

        Raises
        ------
        StoreError, VectorIndexError
            The database or the folder of vector files cannot be written.
        """
        with self.database.alone(Purpose.SEAL), self._lock:
            self._drop()
            self.current()
            if self._tail is not None and len(self._tail.images) > self.tail_limit:
                self._seal()
            self._sweep()

    def _should_rebuild(self) -> bool:
        sealed = sum(len(lists.images) for lists in self._sealed.values())
        gone = sum(int(one.hidden.sum()) for one in self._live if one.lists is not self._tail)
        return self._untrusted or gone > DEAD_SHARE * sealed or len(self._sealed) > MOST_BLOCKS

    def _seal(self) -> None:
        """Write the tail to files and their rows to the database."""
        tail = self._tail
        if tail is None:
            return
        for start in range(0, len(tail.images), BLOCK):
            with self.database.read() as connection:
                lists = self._made(connection, tail.images[start : start + BLOCK])
            file, sha256 = write_lists(self.database.vectors, lists)
            row = PieceSegmentRow(
                file=file,
                images=len(lists.images),
                entries=len(lists.owner),
                generation=self._generation,
                fingerprint=self.fingerprint,
                row_digest=lists_digest(lists),
                sha256=sha256,
            )
            with self.database.write() as connection:
                rows = {one.id for one in catalog_pieces.piece_segments(connection)}
                alone = rows == set(self._sealed)
                if alone:
                    self._sealed[catalog_pieces.put_piece_segment(connection, row)] = lists
            if not alone:
                log.info("another process has written files of the pieces index meanwhile; those are used")
                durable.remove(self.database.vectors / file)
                break
        self._generation = -1
        self.current()

    def _drop(self) -> None:
        with self.database.write() as connection:
            rows = catalog_pieces.piece_segments(connection)
            catalog_pieces.delete_piece_segments(connection, [row.id for row in rows])
        self._sealed, self._tail, self._generation, self._untrusted = {}, None, -1, False

    def _sweep(self) -> None:
        with self.database.read() as connection:
            known = {row.file for row in catalog_pieces.piece_segments(connection)}
        for path in sweep(self.database.vectors, known, SUFFIX):
            log.info("removed leftover %s", path)


def merged(parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]]) -> list[tuple[int, float]]:
    """Ids and scores of several lists as one, best first, equal scores by id."""
    best: dict[int, float] = {}
    for ids, scores in parts:
        for image, score in zip(ids.tolist(), scores.tolist(), strict=True):
            best[image] = max(score, best.get(image, 0.0))
    return sorted(best.items(), key=lambda item: (-item[1], item[0]))
