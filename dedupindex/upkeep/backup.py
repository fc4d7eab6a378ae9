"""Backup and restore: a database with its vector files, written aside, verified, then put in place.

Order of writing: vector files first, then the database that names them; files that only the old database named are
removed last. A process that is killed leaves a backup that is the earlier one or the new one, and a restored database
that is the old one or the new one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

from dedupindex import durable
from dedupindex.errors import SchemaVersionError, StoreError, VectorIndexError
from dedupindex.places import at_home
from dedupindex.records.upkeep import BackupSummary
from dedupindex.store import backup as copies
from dedupindex.store.migrate import is_known
from dedupindex.store.sqlite import vector_directory

log = logging.getLogger(__name__)

_ATTEMPTS = 3  # a writer may replace vector files after the database was copied


def backup(database: Path, target: Path) -> BackupSummary:
    """Copy a database with its vector files while others may be writing.

    Parameters
    ----------
    target : Path
        The copy, a database of its own; its vector files are in ``TARGET.vectors``. An earlier backup there is replaced
        once the new one is whole and verified.

    Returns
    -------
    BackupSummary

    Raises
    ------
    StoreError
        *target* is something else than a backup, is in use, or cannot be written; what was there stays.
    """
    target = Path(os.path.realpath(at_home(target)))
    _refuse(database, target)
    temporary = _aside(target)
    try:
        for attempt in range(_ATTEMPTS):
            temporary.unlink(missing_ok=True)
            copies.snapshot(database, temporary)
            contents = copies.contents(temporary)
            lost = _copy_vectors(contents.segments, database, target)
            if not lost or attempt == _ATTEMPTS - 1:
                break
        if lost:
            copies.drop_segments(temporary, lost)
        copies.verify(temporary)
        durable.replace(temporary, target)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror or error}; no backup was made") from error
    finally:
        _remove_copy(temporary)
    kept = [file for file, _ in contents.segments if file not in lost]
    _sweep(target, kept)
    return BackupSummary(target, contents.images, contents.generation, len(kept), tuple(lost))


def restore(source: Path, database: Path) -> BackupSummary:
    """Replace the content of *database* with that of a backup. The old content is kept as a backup beside it.

    Raises
    ------
    StoreError
        The backup is damaged or of a newer dedupindex, or the disk is full; the database stays as it was then.
    """
    source = Path(os.path.realpath(at_home(source)))
    database = Path(os.path.realpath(database))
    if not source.is_file():
        raise StoreError(f"there is no backup {source}")
    if database.exists() and (not database.is_file() or source.samefile(database)):
        raise StoreError(f"{database} cannot be restored from {source}")
    if not database.parent.is_dir():
        raise StoreError(f"{database.parent} is not a folder; make it first")
    temporary = _aside(database)
    try:
        temporary.unlink(missing_ok=True)
        copies.snapshot(source, temporary)
        copies.verify(temporary)
        contents = copies.contents(temporary)
        if not contents.revision:
            raise StoreError(f"{source} is empty")
        if not is_known(contents.revision):
            raise SchemaVersionError(
                f"{source} was made by a newer dedupindex (schema {contents.revision}); update dedupindex",
                current=contents.revision,
                head="",
            )
        before = _keep(database)
        lost = _copy_vectors(contents.segments, source, database)
        if lost:
            copies.drop_segments(temporary, lost)
        copies.put_back(temporary, database)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{database}: {error.strerror or error}; nothing was restored") from error
    finally:
        _remove_copy(temporary)
    kept = len(contents.segments) - len(lost)
    return BackupSummary(database, contents.images, contents.generation, kept, tuple(lost), before)


def _refuse(database: Path, target: Path) -> None:
    if target.is_dir():
        raise StoreError(f"{target} is a folder; name a file")
    if not target.parent.is_dir():
        raise StoreError(f"{target.parent} is not a folder; make it first")
    if not target.exists():
        return
    if database.samefile(target):
        raise StoreError(f"{target} is the database itself")
    copies.contents(target)  # raises where it is anything else than a database of ours
    if copies.is_open_elsewhere(target):
        raise StoreError(f"{target} is in use as a database; choose another name for the backup")


def _keep(database: Path) -> Path | None:
    """Copy the database that is about to be replaced; None where there is none that can be read."""
    if not database.exists():
        return None
    try:
        copies.contents(database)
    except StoreError as error:
        if "not a database of dedupindex" in str(error):
            raise
        log.warning("%s", error)
        return None
    before = copies.free_name(database, "before-restore")
    temporary = _aside(before)
    try:
        copies.snapshot(database, temporary)
        durable.replace(temporary, before)
    finally:
        _remove_copy(temporary)
    return before


def _copy_vectors(segments: Collection[tuple[str, str]], source: Path, target: Path) -> list[str]:
    """Copy the vector files of a database that the target lacks; the names of those that could not be copied."""
    from dedupindex.vectors import copy_file

    lost = []
    for name, sha256 in segments:
        try:
            copy_file(vector_directory(source), vector_directory(target), name, sha256)
        except VectorIndexError as error:
            log.warning("vector file left out, it is made again when needed: %s", error)
            lost.append(name)
    return lost


def _sweep(target: Path, kept: Collection[str]) -> None:
    from dedupindex.vectors import strays_after

    for path in strays_after(vector_directory(target), kept):
        durable.remove(path)


def remove_leftovers(path: Path) -> None:
    """Remove unfinished copies of a database, or of its old content, whose processes died."""
    for left in path.parent.glob(f".{_escaped(path.name)}*.copy-*"):
        pid = left.name.rpartition(".copy-")[2].partition("-")[0]
        if pid.isdecimal() and not _is_running(int(pid)):
            try:
                left.unlink(missing_ok=True)
            except OSError as error:
                log.warning("leftovers stay: %s", error)


def _aside(path: Path) -> Path:
    """Path of the unfinished copy."""
    remove_leftovers(path)
    return path.with_name(f".{path.name}.copy-{os.getpid()}")


def _remove_copy(path: Path) -> None:
    for file in (path, *(path.with_name(path.name + tail) for tail in ("-journal", "-wal", "-shm"))):
        file.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "[]*?" else letter for letter in name)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
