"""Keep the vector index in step with the database: load, catch up, seal, save. The database decides.

Order of writing: vector file in place first, its row second; row deleted first, file second. So a row never names an
incomplete file. Of two processes that seal or rebuild at once, the first to commit wins; the other drops
what it made and begins again from those files.

Of a database that several hosts share, each host has copies of the files. Their bytes are stored with their rows, in
the same transaction, and a host that lacks a file or has a damaged one fetches it.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np

from dedupindex import durable
from dedupindex.errors import SettingsMismatchError, StoreError, VectorIndexError
from dedupindex.features import DESCRIPTOR_DIMENSIONS
from dedupindex.store import catalog, catalog_images
from dedupindex.store.backend import Purpose, Transaction
from dedupindex.store.database import Database
from dedupindex.store.rows import SegmentRow
from dedupindex.vectors import FLAT_LIMIT, SealedFile, VectorIndex, among, receive_file, sweep

log = logging.getLogger(__name__)

MOST_BLOCKS = 8  # sealed blocks; more are merged into one, because each needs a search of its own
DEAD_SHARE = 0.2  # share of removed images among the sealed ones above which the index is rebuilt


class VectorCache:
    """The vector index of a database, kept in step with it.

    Parameters
    ----------
    database : Database
    fingerprint : str
        Of the settings that made the features; vector files with another fingerprint are not used.
    flat_limit : int
        Distinct vectors that are searched exhaustively before they are sealed.
    """

    def __init__(self, database: Database, fingerprint: str, *, flat_limit: int = FLAT_LIMIT) -> None:
        self.database = database
        self.directory = database.vectors
        self.fingerprint = fingerprint
        self.flat_limit = flat_limit
        self._lock = threading.RLock()  # two threads must not catch up at once
        self._index: VectorIndex | None = None
        self._generation = -1
        self._rows: set[int] = set()  # ids of the vector files' rows that the index reflects
        self._untrusted = False  # a vector file was missing, damaged, or of other settings
        if not database.read_only:
            self.tidy()

    def current(self) -> VectorIndex:
        """The index, brought up to date with the database.

        Raises
        ------
        StoreError
            The database cannot be read.
        SettingsMismatchError
            Another process has the pictures described with other settings.
        """
        with self._lock, self.database.read() as connection:
            generation = catalog.generation(connection)
            if self._index is not None and generation == self._generation:
                return self._index
            if catalog.get_meta(connection, "fingerprint") not in (None, self.fingerprint):
                words = "its pictures were described anew, with other settings, since it was opened; open it again"
                raise SettingsMismatchError(f"{self.database.name}: {words}")
            index = self._index if self._index is not None else self._load(connection)
            self._catch_up(connection, index)
            if index.needs_sealing and catalog.segment_ids(connection) != self._rows:
                index = self._load(connection)  # others have sealed meanwhile
                self._catch_up(connection, index)
            self._index, self._generation = index, generation
            if index.needs_sealing:
                index.seal()
            return index

    def tidy(self) -> None:
        """Remove files that interrupted writers left."""
        try:
            self._sweep()
        except (StoreError, OSError) as error:
            log.warning("leftovers stay: %s", error)

    def forget(self) -> None:
        """Drop what is in memory; the next `current` loads the files and the database again."""
        with self._lock:
            self._index, self._generation = None, -1

    def save(self) -> None:
        """Write sealed blocks that are in no file yet, merge when there are too many, sweep leftovers.

        A failure to write is only logged: the blocks are made again next time.
        """
        if self.database.read_only or self._index is None:
            return
        try:
            with self.database.alone(Purpose.SEAL):
                index = self.current()
                if self._should_merge(index):
                    self._rebuild()
                    return
                self._write_unsaved(index)
                self._sweep()
        except (VectorIndexError, StoreError, OSError) as error:
            log.warning("vector files were not saved: %s", error)

    def rebuild(self) -> VectorIndex:
        """Delete every vector file and make the index anew from the database.

        Raises
        ------
        StoreError, VectorIndexError
            The database or the folder of vector files cannot be written.
        """
        with self.database.alone(Purpose.SEAL):
            return self._rebuild()

    def _rebuild(self) -> VectorIndex:
        self._drop_segments()
        self.forget()
        self._untrusted = False
        index = self.current()
        self._write_unsaved(index)
        self._sweep()
        return self.current()

    def _catch_up(self, connection: Transaction, index: VectorIndex) -> None:
        """Add and remove images until the index holds those of the database; ids are compared as sets."""
        wanted, held = catalog_images.indexable_ids(connection), index.ids()
        if np.array_equal(wanted, held):
            return
        index.remove(held[~among(held, wanted)].tolist())
        ids, rows = catalog_images.descriptors(connection, wanted[~among(wanted, held)], DESCRIPTOR_DIMENSIONS)
        known = rows.any(axis=1)
        index.add(*((ids, rows) if known.all() else (ids[known], rows[known])))

    def _load(self, connection: Transaction) -> VectorIndex:
        index = VectorIndex(DESCRIPTOR_DIMENSIONS, flat_limit=self.flat_limit)
        segments = catalog.segments(connection)
        self._rows = {segment.id for segment in segments}
        for segment in segments:
            if segment.fingerprint != self.fingerprint:
                log.warning("%s reflects other settings and is not used", segment.file)
                self._untrusted = True
                continue
            try:
                load_segment(self.database, connection, index, segment)
            except (VectorIndexError, ValueError) as error:
                log.warning("vector file not used, made again from the database: %s", error)
                self._untrusted = True
        return index

    def _should_merge(self, index: VectorIndex) -> bool:
        if self._untrusted:
            return True
        with self.database.read() as connection:
            segments = catalog.segments(connection)
        sealed = sum(segment.rows for segment in segments)
        too_many = len(segments) + len(index.unsaved()) > MOST_BLOCKS
        return too_many or sealed - len(index) > DEAD_SHARE * sealed

    def _write_unsaved(self, index: VectorIndex) -> None:
        for number in index.unsaved():
            sealed = index.save(number, self.directory, generation=self._generation, fingerprint=self.fingerprint)
            with self.database.write() as connection:
                alone = {segment.id for segment in catalog.segments(connection)} == self._rows
                if alone:
                    row = catalog.put_segment(connection, SegmentRow(**asdict(sealed)))
                    self._rows.add(row)
                    if self.database.shared:
                        catalog.put_parts(connection, row, durable.pieces(self.directory / sealed.file))
            if not alone:
                log.info("another process has written vector files meanwhile; those are used")
                durable.remove(self.directory / sealed.file)
                self.forget()
                return

    def _drop_segments(self) -> None:
        with self.database.write() as connection:
            segments = catalog.segments(connection)
            catalog.delete_segments(connection, [segment.id for segment in segments])
        for segment in segments:
            if Path(segment.file).name == segment.file:
                durable.remove(self.directory / segment.file)

    def _sweep(self) -> None:
        with self.database.read() as connection:
            known = {segment.file for segment in catalog.segments(connection)}
        for path in sweep(self.directory, known):
            log.info("removed leftover %s", path)


def load_segment(database: Database, connection: Transaction, index: VectorIndex, segment: SegmentRow) -> None:
    """Load a sealed vector file into an index; of a shared database, fetch it first where this host lacks it.

    Parameters
    ----------
    database : Database
        Its folder of vector files is read and written.
    connection : Transaction
        From which the parts of the file are read.
    index : VectorIndex
        Takes the vectors in.
    segment : SegmentRow
        Name, digest and size of the file.

    Raises
    ------
    VectorIndexError
        It is missing or damaged.
    ValueError
        It holds images that are in the index already.
    """
    values = asdict(segment)
    del values["id"]
    sealed, directory = SealedFile(**values), database.vectors
    try:
        index.load(directory, sealed)
    except VectorIndexError as error:
        if not database.shared:
            raise
        log.info("%s; fetching it", error)
        receive_file(directory, segment.file, segment.sha256, catalog.parts(connection, segment.id))
        index.load(directory, sealed)
