"""Whole copies of a database: SQLite's online backup, verified; and restoring one.

A live database file is never copied, renamed over or unlinked: other processes may have it open, and SQLite finds its
log by name. See https://sqlite.org/howtocorrupt.html and https://sqlite.org/backup.html.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dedupindex import durable
from dedupindex.errors import StoreError
from dedupindex.store.sqlite import BUSY_TIMEOUT, SQLITE_ERRORS, own_files, translate
from dedupindex.store.writer_lock import WriterLock


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database file says of itself.

    Attributes
    ----------
    revision : str
        Of the schema; empty = no tables.
    generation : int
    images : int
        How many there are.
    segments : tuple of (str, str)
        Names of the vector files, each with its SHA-256.
    """

    revision: str
    generation: int
    images: int
    segments: tuple[tuple[str, str], ...]


def snapshot(source: Path, target: Path) -> None:
    """Copy a database into the new file *target* (no log beside it), consistently while others write; synced.

    The copy has the rights of the source.

    Raises
    ------
    StoreError
        *source* cannot be read, or *target* cannot be written.
    """
    durable.point("write", target)
    with _translated(target), closing(_connect(source, "ro")) as old:
        durable.make_private_file(target)
        target.chmod(source.stat().st_mode & 0o777)
        with closing(_connect(target, "rwc")) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")
    durable.sync_file(target)


def contents(path: Path) -> Contents:
    """What a database file holds. An empty file has no revision.

    Raises
    ------
    StoreError
        It is no database of dedupindex, or cannot be read.
    """
    with _translated(path), closing(_connect(path, "ro")) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return Contents("", 0, 0, ())
        if not {"alembic_version", "image", "segment", "meta"} <= tables:
            raise StoreError(f"{path} is not a database of dedupindex")
        [revision] = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
        [images] = connection.execute("SELECT count(*) FROM image").fetchone()
        segments = connection.execute("SELECT file, sha256 FROM segment ORDER BY id").fetchall()
        return Contents(str(revision), _generation(connection), int(images), tuple(segments))


def verify(path: Path) -> None:
    """Let SQLite check every page and every reference.

    Raises
    ------
    StoreError
        Something is wrong with it.
    """
    with _translated(path), closing(_connect(path, "ro")) as connection:
        words = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
        words += [f"a row of {row[0]} has no {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")]
    wrong = [word for word in words if word != "ok"]
    if wrong:
        raise StoreError(f"{path} is damaged: {wrong[0]}" + (f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""))


def drop_segments(path: Path, files: Sequence[str]) -> None:
    """Delete the rows of vector files that could not be copied along."""
    with _translated(path), closing(_connect(path, "rw")) as connection:
        connection.executemany("DELETE FROM segment WHERE file = ?", [(file,) for file in files])
    durable.sync_file(path)


def is_open_elsewhere(path: Path) -> bool:
    """Whether a log beside a database file says that a process has it open, or died with it open."""
    return any(
        log.exists() and log.stat().st_size for log in own_files(path) if log.name.endswith(("-wal", "-journal"))
    )


def put_back(copy: Path, path: Path) -> None:
    """Replace the content of the database at *path* with that of *copy*, which is used up.

    An existing database is overwritten through SQLite, in one transaction that readers see whole or not at all. Its
    generation and its ids continue from the larger of the two, so that what other processes hold in memory is not taken
    for current. A file that SQLite cannot open is moved aside with its log.

    Raises
    ------
    StoreError
        The database cannot be written; nothing was changed then.
    """
    lock = WriterLock(path, BUSY_TIMEOUT)
    with lock.held():
        if not path.exists():
            durable.replace(copy, path)
            return
        try:
            with closing(_connect(path, "rw")) as live:
                _go_on_from(copy, live)
                with _translated(copy), closing(_connect(copy, "ro")) as source:
                    durable.point("commit", path)
                    source.backup(live)
                    durable.point("committed", path)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if isinstance(error, sqlite3.OperationalError):  # busy, full, not writable: not the file's fault
                raise translate(error, path) from error
            _move_aside(path)
            durable.replace(copy, path)
        else:
            durable.remove(copy)
    lock.tidy()


def free_name(path: Path, tail: str) -> Path:
    """A name beside *path* that is not taken: ``NAME.db.tail``, ``NAME.db.tail.1`` ..."""
    name, number = path.with_name(f"{path.name}.{tail}"), 0
    while any(file.exists() for file in own_files(name)):
        number += 1
        name = path.with_name(f"{path.name}.{tail}.{number}")
    return name


def _go_on_from(copy: Path, live: sqlite3.Connection) -> None:
    """Raise the copy's generation and sequences above those of the database that it replaces."""
    if not live.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return
    generation = _generation(live)
    sequences = live.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    with _translated(copy), closing(_connect(copy, "rw")) as connection:
        newest = max(generation, _generation(connection)) + 1
        connection.execute("UPDATE meta SET value = ? WHERE key = 'generation'", (str(newest),))
        for name, number in sequences:
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (name,)).fetchone()
            if row is None:
                connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))
            elif row[0] < number:
                connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (number, name))


def _generation(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
    return int(row[0]) if row else 0


def _move_aside(path: Path) -> None:
    aside = free_name(path, "damaged")
    for old, new in zip(own_files(path), own_files(aside), strict=True):
        if old.exists() and not old.name.endswith("-lock"):
            durable.point("rename", new)
            old.rename(new)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if mode == "ro" and not os.access(path.parent, os.W_OK) and not is_open_elsewhere(path):
        mode = "ro&immutable=1"  # on read-only media
    uri = f"file:{quote(os.fsencode(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except SQLITE_ERRORS as error:
        raise translate(error, path) from error
