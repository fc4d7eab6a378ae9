"""The bytes of a file, once, wherever it lies: on a disk, in an object store, in an archive."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path

from dedupindex.errors import LimitExceededError, ReadError, Reason, UnsupportedImageError
from dedupindex.places import is_local, scheme_of, shards_above, volume_of
from dedupindex.records import FileStatus, FoundFile
from dedupindex.sources import remote
from dedupindex.sources.archives import opening
from dedupindex.sources.archives.limits import ArchiveLimits
from dedupindex.sources.sniff import diagnose
from dedupindex.system import READ

_CHUNK = 1 << 26  # bytes a read
WHOLE, BEGINNING = 1 << 26, 1 << 16  # bytes: files up to the first are read whole, of larger videos the second


def read_bytes(
    path: Path, max_bytes: int, file: FoundFile | None = None, limits: ArchiveLimits = opening.DEFAULT
) -> tuple[bytes, FileStatus]:
    """Read a file that does not change meanwhile, with the state it was in.

    Opening does not wait for a pipe's other end. A file that changes while it is read is read once more.

    Parameters
    ----------
    path : Path
    max_bytes : int
        Larger files are refused before they are read.
    file : FoundFile, optional
        What a walk knows of the file: spares requests to object stores, and the search through an archive.
    limits : ArchiveLimits
        For members of archives.

    Returns
    -------
    data : bytes
    status : FileStatus
        The state that belongs to the bytes.

    Raises
    ------
    ReadError
        Missing, unreadable, no regular file, empty, too large, or changed twice.
    """
    if file is not None and file.offset is not None:
        return _checked(path, max_bytes, opening.read_found(path, file, max_bytes, limits))
    if not is_local(path):
        return _checked(path, max_bytes, _read_elsewhere(path, max_bytes, file, limits))
    for _ in range(2):
        try:
            read = _read_once(path, max_bytes)
        except NotADirectoryError as error:
            if shards_above(path):
                return _checked(path, max_bytes, opening.read_member(path, max_bytes, limits))
            raise ReadError(path, Reason.MISSING, error.strerror or str(error)) from error
        except FileNotFoundError as error:
            raise ReadError(path, Reason.MISSING, error.strerror or str(error)) from error
        except (OSError, ValueError) as error:
            detail = getattr(error, "strerror", None) or str(error)
            raise ReadError(path, Reason.UNREADABLE, detail) from error
        if read is not None:
            return read
    raise ReadError(path, Reason.CHANGED_WHILE_READ, "the file changed while it was read, twice")


def read_beginning(path: Path, max_bytes: int) -> tuple[bytes, bytes, FileStatus] | None:
    """The first bytes of a large file with the digest of all of them, without holding it in memory.

    Parameters
    ----------
    path : Path
        Of this machine.
    max_bytes : int

    Returns
    -------
    (bytes, bytes, FileStatus) or None
        `BEGINNING` bytes, SHA-256, state. None where it is smaller than `WHOLE`, or no regular file is there.

    Raises
    ------
    ReadError
        Too large, or it changed meanwhile.
    """
    try:
        before = path.stat()
        if not stat.S_ISREG(before.st_mode) or before.st_size <= WHOLE:
            return None
        if before.st_size > max_bytes:
            detail = f"{before.st_size:,} bytes; max_bytes is {max_bytes:,}"
            raise LimitExceededError(path, Reason.TOO_LARGE, detail)
        if wait := racy_seconds(before.st_mtime_ns):
            time.sleep(wait)
        with path.open("rb") as file:
            beginning = file.read(BEGINNING)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").digest()
        after = path.stat()
    except OSError:
        return None  # `read_bytes` says what is wrong
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ReadError(path, Reason.CHANGED_WHILE_READ, "the file changed while it was read")
    return beginning, digest, FileStatus(before.st_size, before.st_mtime_ns, before.st_ino)


def status_of(path: Path) -> FileStatus:
    """The state of a file, wherever it lies, without reading it.

    Raises
    ------
    ReadError
        Missing, or not to be reached.
    """
    if is_local(path):
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            if isinstance(error, NotADirectoryError) and shards_above(path):
                return opening.member_status(path)
            missing = isinstance(error, FileNotFoundError | NotADirectoryError)
            detail = getattr(error, "strerror", None) or str(error)
            raise ReadError(path, Reason.MISSING if missing else Reason.UNREADABLE, detail) from error
        return FileStatus(status.st_size, status.st_mtime_ns, status.st_ino)
    _refuse_volume(path)
    try:
        return remote.status(path)
    except ReadError as error:
        if error.reason is Reason.MISSING and shards_above(path):
            return opening.member_status(path)
        raise


def exists(path: Path) -> bool:
    """Whether a regular file lies there, as far as one can tell."""
    if is_local(path) and not shards_above(path):
        return os.path.isfile(path)  # noqa: PTH113  (a string call: this runs for every file)
    try:
        status_of(path)
    except ReadError:
        return False
    return not is_local(path) or not path.is_dir()


def _read_elsewhere(
    path: Path, max_bytes: int, file: FoundFile | None, limits: ArchiveLimits
) -> tuple[bytes, FileStatus]:
    _refuse_volume(path)
    try:
        return remote.read(path, max_bytes, file)
    except ReadError as error:
        if error.reason is Reason.MISSING and file is None and shards_above(path):
            return opening.read_member(path, max_bytes, limits)
        raise


def _refuse_volume(path: Path) -> None:
    if not scheme_of(path):
        where = volume_of(path)
        raise ReadError(path, Reason.MISSING, f"lies on {where}, which is not here" if where else "no such place")


def _checked(path: Path, max_bytes: int, read: tuple[bytes, FileStatus]) -> tuple[bytes, FileStatus]:
    if len(read[0]) > max_bytes:  # an object that grew since it was listed
        raise LimitExceededError(path, Reason.TOO_LARGE, f"more than {max_bytes:,} bytes; that is max_bytes")
    if not read[0]:
        raise UnsupportedImageError(path, *diagnose(b""))
    return read


def _read_once(path: Path, max_bytes: int) -> tuple[bytes, FileStatus] | None:
    descriptor = os.open(path, READ)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ReadError(path, Reason.UNREADABLE, "not a regular file")
        if before.st_size > max_bytes:
            detail = f"{before.st_size:,} bytes; max_bytes is {max_bytes:,}"
            raise LimitExceededError(path, Reason.TOO_LARGE, detail)
        if wait := racy_seconds(before.st_mtime_ns):
            time.sleep(wait)
            before = os.fstat(descriptor)
        if not before.st_size:
            raise UnsupportedImageError(path, *diagnose(b""))
        data = os.read(descriptor, before.st_size)
        if len(data) < before.st_size:  # one read gives at most 2 GiB, and less on some network file systems
            parts = [data]
            while chunk := os.read(descriptor, _CHUNK):
                parts.append(chunk)
                if sum(map(len, parts)) > before.st_size:
                    return None
            data = b"".join(parts)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) and len(data) == before.st_size
    return (data, FileStatus(before.st_size, before.st_mtime_ns, before.st_ino)) if same else None


def racy_seconds(mtime_ns: int) -> float:
    """Time to wait until a change of the file would surely show as another modification time.

    File systems count it in steps: kernels in ticks of up to 10 ms, FAT in two seconds. A file that was written within
    this step could be written again with the same time, and would not be read again.
    """
    step = 2_000_000_000 if mtime_ns % 1_000_000_000 == 0 else 20_000_000
    age = time.time_ns() - mtime_ns
    return (step - age) / 1e9 if 0 <= age < step else 0.0
