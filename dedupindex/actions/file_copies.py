"""New files of an operation: copies, files that share their blocks, and written ones, each with the old attributes.

Each is written whole and synced under a name that nobody else uses, and removed again where that fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from dedupindex import durable
from dedupindex.actions.file_access import CHUNK, Surprise, digest_of, identity, opened, remove
from dedupindex.actions.journal import FileOperation
from dedupindex.system import clone_content, open_flags

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | open_flags("O_CLOEXEC", "O_BINARY")
_NEW_TO_READ = os.O_RDWR | os.O_CREAT | os.O_EXCL | open_flags("O_CLOEXEC", "O_BINARY")


def copy_as(source: Path, operation: FileOperation, target: Path) -> None:
    """Copy a file whole and synced, with the mode, times, owner and attributes that the operation's file had.

    Parameters
    ----------
    source : Path
        The file that is copied.
    operation : FileOperation
        Says which content and attributes the copy must have.
    target : Path
        The copy; there must be no such file. It is removed again when the copy fails.

    Raises
    ------
    Surprise
        The content of *source* is not that of the operation's file.
    OSError
    """
    durable.point("write", target)
    try:
        _copy(source, operation, target)
    except (Surprise, OSError):
        remove(target)
        raise


def _copy(source: Path, operation: FileOperation, target: Path) -> None:
    digest = hashlib.sha256()
    with opened(source) as (old, _):
        new = os.open(target, NEW, 0o600)
        try:
            while data := os.read(old, CHUNK):
                digest.update(data)
                while data:
                    data = data[os.write(new, data) :]
            if digest.hexdigest() != operation.sha256:
                raise Surprise(f"{source}: its content is not that of {operation.file} any more")
            _dress(new, operation)
            durable.point("fsync", target)
            os.fsync(new)
        finally:
            os.close(new)


def write_as(content: bytes, operation: FileOperation, target: Path, *, old: bool) -> None:
    """Write a file whole and synced, with the mode, owner and attributes that the operation's file had.

    Parameters
    ----------
    content : bytes
    operation : FileOperation
    target : Path
        There must be no such file. It is removed again when writing fails.
    old : bool
        With the times of the operation's file too.

    Raises
    ------
    OSError
    """
    durable.point("write", target)
    try:
        new = os.open(target, NEW, 0o600)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(new, rest) :]
            _dress(new, operation, times=old)
            durable.point("fsync", target)
            os.fsync(new)
        finally:
            os.close(new)
    except OSError:
        remove(target)
        raise


def _dress(descriptor: int, operation: FileOperation, *, times: bool = True) -> None:
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (operation.uid, operation.gid):
        with contextlib.suppress(PermissionError):  # only root may change the owner
            os.fchown(descriptor, operation.uid, operation.gid)
    for name, value in operation.xattrs:
        with contextlib.suppress(OSError):  # some are the system's own, some file systems have none
            os.setxattr(descriptor, name, bytes.fromhex(value))
    os.fchmod(descriptor, operation.mode)
    if times:
        os.utime(descriptor, ns=(operation.atime_ns, operation.mtime_ns))


def clone(operation: FileOperation) -> None:
    """Make a file that shares the keeper's blocks, with the attributes of the operation's file."""
    durable.point("write", operation.temporary)
    try:
        with opened(operation.keeper) as (kept, status):
            if identity(status) != operation.keeper_identity:
                raise Surprise(f"{operation.keeper}: became another file")
            new = os.open(operation.temporary, _NEW_TO_READ, 0o600)
            try:
                clone_content(kept, new)
                if digest_of(new) != operation.sha256:
                    raise Surprise(f"{operation.keeper}: its content is not that of {operation.file} any more")
                _dress(new, operation)
                durable.point("fsync", operation.temporary)
                os.fsync(new)
            finally:
                os.close(new)
    except (Surprise, OSError):
        remove(operation.temporary)
        raise
