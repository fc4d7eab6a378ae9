"""Look at files and open them, as every step of a plan does: never through a link, never waiting for a pipe."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dedupindex import durable
from dedupindex.system import READ_NO_LINK

CHUNK = 1 << 20


class Surprise(Exception):  # noqa: N818  (what was found, not what went wrong)
    """A file is not as the plan or the journal says."""


@contextmanager
def opened(path: Path, words: str = "") -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file for reading, never through a link of that name.

    Raises
    ------
    Surprise
        It is gone, or no regular file.
    """
    try:
        descriptor = os.open(path, READ_NO_LINK)
    except OSError as error:
        what = "is a symbolic link now" if error.errno == errno.ELOOP else (error.strerror or "cannot be opened")
        raise Surprise(f"{words}{path}: {what}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Surprise(f"{words}{path}: is no regular file any more")
        yield descriptor, status
    finally:
        os.close(descriptor)


def digest_of(descriptor: int) -> str:
    """SHA-256 of an open file, from its beginning."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    digest = hashlib.sha256()
    while data := os.read(descriptor, CHUNK):
        digest.update(data)
    return digest.hexdigest()


def sha256_of(data: bytes) -> str:
    """SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def identity(status: os.stat_result) -> tuple[int, int]:
    """Return what tells one file from another: device and inode."""
    return status.st_dev, status.st_ino


def state(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes whenever a file's content does."""
    return (*identity(status), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def look(path: Path) -> os.stat_result | None:
    """Stat a name without following links; None = it does not exist."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def remove(path: Path) -> None:
    """Remove a name of ours if it is there."""
    if look(path) is not None:
        durable.remove(path)
