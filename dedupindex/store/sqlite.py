"""A database in a SQLite file: opening it, its transactions, its errors.

Every write transaction begins with ``BEGIN IMMEDIATE``: a deferred one that reads first and then writes fails at once
under WAL when somebody else wrote in between, whatever the busy timeout.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from dedupindex import durable
from dedupindex.errors import IndexBusyError, IndexNotFoundError, StoreError
from dedupindex.store.backend import Purpose
from dedupindex.store.claims import Claims, NoClaims
from dedupindex.store.filesystem import is_network, kind_of
from dedupindex.store.writer_lock import WriterLock

log = logging.getLogger(__name__)

BUSY_TIMEOUT = 30.0  # seconds to wait for another writer
# UnicodeDecodeError: of a damaged schema, SQLite's message quotes bytes that are not text
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
_IMMEDIATE = "dedupindex_immediate"  # execution option of a write transaction


class SqliteFile:
    """A database in a file of its own.

    Parameters
    ----------
    path : Path
    create : bool
        Make the file when there is none.
    read_only : bool
        Never write.
    busy_timeout : float
        Seconds to wait for another writer.

    Raises
    ------
    IndexNotFoundError
        There is no such file and *create* is false.
    StoreError
        It is not a file, or cannot be opened.
    """

    shared = False
    errors = (SQLAlchemyError, *SQLITE_ERRORS)
    longest_path = sys.maxsize

    def __init__(self, path: Path, *, create: bool, read_only: bool, busy_timeout: float) -> None:
        self.path = path
        self.name = str(path)
        self._read_only = read_only
        if not self.path.is_file():
            if self.path.exists():
                raise StoreError(f"{self.path} is not a file")
            if not create:
                raise IndexNotFoundError(f"there is no database {self.path}; `dedupindex ingest` or `scan` makes one")
            if not self.path.parent.is_dir():
                raise StoreError(f"{self.path.parent} is not a folder; make it first")
            if not read_only:
                _make(self.path)
        # Opened read-write even by readers where the file allows it: under WAL readers keep the shared-memory file.
        writable = os.access(self.path, os.W_OK) if self.path.exists() else True
        mode = "rwc" if create and not read_only else "rw" if writable else "ro"
        if mode == "ro" and not os.access(self.path.parent, os.W_OK) and not _log_of(self.path).exists():
            mode = "ro&immutable=1"  # on read-only media it cannot change, and no lock file can be made
        uri = f"file:{quote(os.fsencode(self.path))}?mode={mode}"
        on_network = is_network(kind_of(self.path.parent))
        if on_network and not read_only:
            log.warning("%s lies on a network file system: slower, and safe only if it locks properly", self.path)
        self._engine = _engine(uri, busy_timeout, read_only or not writable, wal=not on_network)
        if read_only and not _has_room(self._engine):  # on a full disk, or one that fails
            self._engine.dispose()
            folded = _fold_log(self.path)
            uri = f"{uri.partition('?')[0]}?mode=ro&immutable=1" if folded else uri  # an empty log needs no lock file
            self._engine = _engine(uri, busy_timeout, query_only=True, wal=not on_network, alone=not folded)
        self._lock = WriterLock(self.path, busy_timeout)
        self._identity: tuple[int, int] | None = None
        if not on_network:  # where a network file system makes up numbers of files, they may change
            event.listen(self._engine, "connect", self._note_place)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        self._check_place()
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The only transaction that writes, all or nothing."""
        self._check_place()
        with self._lock.held(), self._engine.connect() as connection:
            connection = connection.execution_options(**{_IMMEDIATE: True})
            with connection.begin():
                yield connection
                durable.point("commit", self.path)
            durable.point("committed", self.path)

    def _note_place(self, _connection: object, _record: object) -> None:
        """Remember which file was opened; not before, because layered file systems copy one that is opened to write."""
        if self._identity is None:
            self._identity = _identity_of(self.path)

    def _check_place(self) -> None:
        """Refuse to go on where another file lies in place of the one that was opened: half of all would be of each.

        Raises
        ------
        StoreError
        """
        if self._identity is not None and (now := _identity_of(self.path)) != self._identity:
            what = "is not there any more" if now is None else "was replaced by another file"
            raise StoreError(f"{self.path} {what} while it was open; nothing more is written, open it again")

    def alone(self, purpose: Purpose) -> AbstractContextManager[None]:
        """No lock: processes that do the same at once cost time, and the writers' lock keeps them apart."""
        return nullcontext()

    def claims(self) -> AbstractContextManager[Claims]:
        """No claims: see `alone`."""
        return nullcontext(NoClaims())

    @property
    def vectors(self) -> Path:
        """The folder of its vector files."""
        return vector_directory(self.path)

    @property
    def own_files(self) -> list[Path]:
        """Files and folders that belong to it and are no pictures."""
        return [*own_files(self.path), self.vectors]

    def beside(self, tail: str) -> Path:
        """A name for a file that belongs to it."""
        return self.path.with_name(f"{self.path.name}{tail}")

    def size(self) -> int:
        """Bytes of the file and its log."""
        return sum(file.stat().st_size for file in (self.path, _log_of(self.path)) if file.is_file())

    def backup(self, target: Path) -> None:
        """Copy the database into *target* through SQLite's online backup (consistent while others write)."""
        raw = self._engine.raw_connection()
        try:
            source = raw.driver_connection
            if not isinstance(source, sqlite3.Connection):
                raise TypeError(f"{type(source).__name__} is not a connection to SQLite")
            copy = sqlite3.connect(target)
            try:
                source.backup(copy)
            finally:
                copy.close()
        finally:
            raw.close()

    def integrity(self) -> list[str]:
        """Complaints of SQLite's own integrity and foreign-key checks; empty when all is well."""
        with self.reading() as connection:
            rows = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check"))]
            orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
        return [row for row in rows if row != "ok"] + [f"row {row[1]} of {row[0]} has no {row[2]}" for row in orphans]

    def translate(self, error: Exception) -> StoreError:
        """Our error for one of SQLite."""
        return translate(error, self.path)

    def close(self) -> None:
        """Close every connection; the last one writes the log back into the file."""
        self._engine.dispose()
        if not self._read_only:
            self._lock.tidy()


def translate(error: Exception, path: Path) -> StoreError:
    """Our error for one of SQLite: busy, or a StoreError with the file's name and the driver's own message."""
    if isinstance(error, UnicodeDecodeError):
        error = sqlite3.DatabaseError("database disk image is malformed: there are names in it that are not text")
    words = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    if "locked" in words or "busy" in words:
        return IndexBusyError(f"{path}: another process is writing ({words}); try again when it has finished")
    if "disk is full" in words:
        return StoreError(f"{path}: {words}; what was committed before is safe, free some space and run again")
    if "not a database" in words or "malformed" in words:
        return StoreError(f"{path}: {words}; restore a backup, or ingest the pictures into a new database")
    return StoreError(f"{path}: {words}")


def own_files(path: Path) -> list[Path]:
    """The files of a database: itself, what SQLite keeps beside it, and the writers' lock."""
    return [path, *(path.with_name(path.name + tail) for tail in ("-wal", "-shm", "-journal", "-lock"))]


def vector_directory(path: Path) -> Path:
    """The folder of a database's vector files: ``NAME.db.vectors`` beside it."""
    return path.with_name(path.name + ".vectors")


def _use_journal(cursor: sqlite3.Cursor, mode: str, busy_timeout: float) -> None:
    """Switch to a kind of journal. SQLite does not wait for others here, so this function does."""
    until = time.monotonic() + busy_timeout
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != mode:
        try:
            cursor.execute(f"PRAGMA journal_mode = {mode}").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _has_room(engine: Engine) -> bool:
    """Whether the files that readers share (32 kB) can be made beside a database; the pool keeps them open."""
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except OperationalError as error:
        return not any(words in str(error.orig) for words in ("disk I/O", "disk is full", "unable to open"))
    except (SQLAlchemyError, *SQLITE_ERRORS):
        return True  # damaged: not a question of room
    return True


def _fold_log(path: Path) -> bool:
    """Write the log back into a database that nobody else uses, without shared files; whether it is empty now.

    See https://sqlite.org/wal.html#noshm.
    """
    log_file = _log_of(path)
    try:
        if log_file.exists() and log_file.stat().st_size:
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not log_file.exists() or not log_file.stat().st_size
    except (*SQLITE_ERRORS, OSError) as error:
        log.debug("the log stays: %s", error)
        return False


def _identity_of(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one that is put in its place; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _make(path: Path) -> None:
    """Make the file of a new database, for its owner alone."""
    try:
        durable.make_private_file(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error


def _engine(uri: str, busy_timeout: float, query_only: bool, *, wal: bool, alone: bool = False) -> Engine:
    """Connections to a database; with *alone* a single one, which needs no shared files and locks all others out."""
    engine = create_engine(
        URL.create("sqlite", database=uri, query={"uri": "true"}),
        connect_args={"timeout": busy_timeout, "check_same_thread": False},
        **({"pool_size": 1, "max_overflow": 0} if alone else {}),
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # no implicit BEGIN by the driver: we choose its kind
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout * 1000)}")
        if alone:
            cursor.execute("PRAGMA locking_mode = EXCLUSIVE")
        cursor.execute("PRAGMA foreign_keys = ON")
        # Under WAL, NORMAL cannot corrupt; a power cut may lose the last commits. A rollback journal needs FULL.
        cursor.execute(f"PRAGMA synchronous = {'NORMAL' if wal else 'FULL'}")
        cursor.execute("PRAGMA mmap_size = 0")  # an I/O error on mapped memory kills the process
        if query_only:
            cursor.execute("PRAGMA query_only = ON")
        else:
            _use_journal(cursor, "wal" if wal else "delete", busy_timeout)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get(_IMMEDIATE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine
