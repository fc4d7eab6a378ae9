"""What `doctor` reports about SQLite and the place of a database: file system, space, permissions, lock; or server."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy.engine import URL

from dedupindex.errors import DedupIndexError
from dedupindex.store.backup import contents
from dedupindex.store.database import parsed
from dedupindex.store.filesystem import is_network, kind_of
from dedupindex.store.migrate import HEAD
from dedupindex.store.sqlite import BUSY_TIMEOUT, own_files
from dedupindex.store.writer_lock import is_held, lock_path, owner

LARGE_LOG = 256 << 20  # bytes: a write-ahead log of that size is not being written back
LEAST_FREE = 200 << 20  # bytes
SLOW_TRIP = 0.01  # seconds to the server and back


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `doctor` looked at."""

    topic: str  # "sqlite", "file system", ...
    state: str  # for people
    level: Level = Level.OK
    advice: str = ""  # what to do; empty = nothing


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether this SQLite may damage a database when a checkpoint meets a log that is being restarted.

    See https://sqlite.org/wal.html#walresetbug.
    """
    return (3, 7, 0) <= version < (3, 51, 3)


def sqlite_findings() -> Iterator[Finding]:
    """The version of SQLite, and its known faults."""
    version = sqlite3.sqlite_version
    if has_wal_reset_bug(sqlite3.sqlite_version_info):
        yield Finding(
            "sqlite",
            f"{version}: has the WAL-reset bug (3.7.0 to 3.51.2)",
            Level.WARNING,
            "dedupindex keeps its writers apart, which avoids it; do not write with other programs at the same time",
        )
    else:
        yield Finding("sqlite", version)


def place_findings(location: Path | str) -> Iterator[Finding]:
    """The state of a database: a file or a server."""
    place = parsed(location)
    yield from database_findings(place) if isinstance(place, Path) else server_findings(place)


def server_findings(url: URL) -> Iterator[Finding]:
    """The state of a server and of the database on it. A server that does not answer is a finding too."""
    from dedupindex.store.postgres import PostgresServer

    try:
        server = PostgresServer(url, busy_timeout=BUSY_TIMEOUT)
    except DedupIndexError as error:
        yield Finding("database", str(error), Level.PROBLEM, "nothing works without it")
        return
    try:
        state = server.state()
    except DedupIndexError as error:
        yield Finding("database", str(error), Level.PROBLEM)
        return
    finally:
        server.close()
    yield Finding("server", f"PostgreSQL {state.version}, text in {state.encoding}")
    milliseconds = state.round_trip * 1000
    if state.round_trip > SLOW_TRIP:
        advice = "run dedupindex nearer to the server: a batch takes some dozens of round trips"
        yield Finding("round trip", f"{milliseconds:.1f} ms", Level.WARNING, advice)
    else:
        yield Finding("round trip", f"{milliseconds:.1f} ms")
    words = f"{state.connections} of {state.most_connections} in use"
    if state.connections > 0.8 * state.most_connections:
        yield Finding("connections", words, Level.WARNING, "raise max_connections, or end some programs")
    else:
        yield Finding("connections", words)
    if state.revision is None:
        yield Finding("database", f"{server.name}: has no tables of dedupindex yet")
        return
    words = f"{server.name}: {state.images:,} images, {state.bytes:,} bytes, schema {state.revision}"
    if state.revision != HEAD:
        yield Finding("database", words, Level.WARNING, f"this dedupindex has schema {HEAD}; `dedupindex upgrade`")
    else:
        yield Finding("database", words)
    for purpose, what in (("write", "writer"), ("search", "search"), ("seal", "vector files")):
        yield Finding(what, state.holders.get(purpose, "none"))
    for holder, files in sorted(state.claims.items()):
        yield Finding("claims", f"{files:,} files: {holder}")


def database_findings(path: Path) -> Iterator[Finding]:
    """The state of a database file and its surroundings. Damaged and missing files are findings too."""
    folder = path.parent
    if not folder.is_dir():
        yield Finding("database", f"{folder} is not a folder", Level.PROBLEM, "make it, or name another database")
        return
    kind = kind_of(folder)
    if is_network(kind):
        advice = "keep the database on a local disk (-d FILE); pictures may lie anywhere"
        yield Finding("file system", f"{kind}: a network file system", Level.WARNING, advice)
    else:
        yield Finding("file system", kind or "unknown")
    yield _space(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("permissions", f"{folder} cannot be written", Level.WARNING, "only reading works")
    if not path.exists():
        yield Finding("database", f"{path}: there is none yet")
        return
    yield from _file(path)
    yield _lock(path)
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size > LARGE_LOG:
        size = f"{log.stat().st_size:,} bytes"
        yield Finding("log", f"{log.name} has {size}", Level.WARNING, "end the readers that keep it open")


def _file(path: Path) -> Iterator[Finding]:
    if not path.is_file() or not os.access(path, os.R_OK):
        yield Finding("database", f"{path} cannot be read", Level.PROBLEM, "see its permissions")
        return
    if not os.access(path, os.W_OK):
        yield Finding("permissions", f"{path} cannot be written", Level.WARNING, "only reading works")
    status = path.stat()
    if status.st_nlink > 1:
        advice = "keep one name; SQLite finds its log by name and two names lead to damage"
        yield Finding("database", f"{path} has {status.st_nlink} names (hard links)", Level.PROBLEM, advice)
    try:
        stored = contents(path)
    except DedupIndexError as error:
        yield Finding("database", str(error), Level.PROBLEM, "`dedupindex restore FILE` puts a backup in its place")
        return
    size = sum(file.stat().st_size for file in own_files(path) if file.exists())
    words = f"{path}: {stored.images:,} images, {size:,} bytes, schema {stored.revision}"
    if stored.revision != HEAD:
        yield Finding("database", words, Level.WARNING, f"this dedupindex has schema {HEAD}; `dedupindex upgrade`")
    else:
        yield Finding("database", words)


def _space(path: Path) -> Finding:
    free = shutil.disk_usage(path.parent).free
    wanted = max(LEAST_FREE, path.stat().st_size // 4 if path.exists() else 0)
    words = f"{free:,} bytes free"
    if free < wanted:
        return Finding(
            "space", words, Level.WARNING, f"free some: {wanted:,} bytes are wanted for growth and rebuilding"
        )
    return Finding("space", words)


def _lock(path: Path) -> Finding:
    lock = lock_path(path)
    who = owner(lock)
    if is_held(lock):
        return Finding("writer", str(who) if who else "another process is writing")
    if who is not None:
        return Finding("writer", f"none; {who} died while it wrote, and what it had committed is whole")
    return Finding("writer", "none")
