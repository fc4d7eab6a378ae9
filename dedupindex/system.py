"""What differs between operating systems, in one place: flags of open files, locks, limits, cores.

Where a system lacks one of these, the function does without: no limit is set, a lock is not there. Nothing else in this
package imports `fcntl` or `resource`.
"""

from __future__ import annotations

import errno
import os
import platform
from typing import Any

fcntl: Any
resource: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    import resource
except ImportError:
    resource = None


def open_flags(*names: str) -> int:
    """Flags of `os.open` by their names; those that the system does not know count for nothing."""
    flags = 0
    for name in names:
        flags |= getattr(os, name, 0)
    return flags


READ = os.O_RDONLY | open_flags("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")  # never waits for a pipe
READ_NO_LINK = READ | open_flags("O_NOFOLLOW")  # nor goes through a link of that name
WRITE_NO_LINK = os.O_RDWR | open_flags("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY")
HELD = (errno.EWOULDBLOCK, errno.EACCES)  # errors of `lock` where another process has it


def lock(descriptor: int, *, shared: bool = False) -> None:
    """Lock an open file for this process, without waiting; closing it unlocks it.

    Parameters
    ----------
    descriptor : int
    shared : bool
        Others may lock it so too.

    Raises
    ------
    OSError
        Another process has it (`HELD`), or there are no locks here (``ENOSYS`` and others).
    """
    if fcntl is None:
        raise OSError(errno.ENOSYS, "this system has no such locks")
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Bytes of an open file from an offset; the file's own position may move.

    Parameters
    ----------
    descriptor : int
    length, offset : int
        Bytes.

    Raises
    ------
    OSError
    """
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write bytes into an open file at an offset; the file's own position may move.

    Parameters
    ----------
    descriptor : int
    data : bytes
    offset : int
        Bytes.

    Raises
    ------
    OSError
    """
    if hasattr(os, "pwrite"):
        os.pwrite(descriptor, data, offset)
    else:
        os.lseek(descriptor, offset, os.SEEK_SET)
        os.write(descriptor, data)


def can_clone() -> bool:
    """Whether this system can let two files share their blocks at all; only the file system knows whether it does."""
    return fcntl is not None and platform.system() == "Linux"


def clone_content(source: int, target: int) -> None:
    """Let an open, empty file have the content of another one without using space (a reflink, ``FICLONE``).

    Both are files of their own: writing to one does not change the other.

    Parameters
    ----------
    source, target : int
        Descriptors; the target is open for writing.

    Raises
    ------
    OSError
        The system or the file system cannot do it (``EOPNOTSUPP``), or the two lie on different ones.
    """
    if not can_clone():
        raise OSError(errno.EOPNOTSUPP, _NO_CLONES)
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NOT_CLONED:
            raise OSError(errno.EOPNOTSUPP, _NO_CLONES) from error
        raise


# _IOW(0x94, 9, int) of linux/fs.h; where that macro puts the direction differs between processors
_WRITES = 0x80000000 if platform.machine().startswith(("mips", "ppc", "powerpc", "sparc", "alpha")) else 0x40000000
_FICLONE = _WRITES | 0x00049409
_NOT_CLONED = (errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS)
_NO_CLONES = "this file system cannot let files share their blocks (reflink); Btrfs, XFS and bcachefs can"


def usable_cores() -> int:
    """Cores that this process may run on: a container or a pinned process has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_descriptors() -> int | None:
    """Files and connections that this process may have open; None = no limit, or not known."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else int(soft)


def limit_memory(size: int) -> None:
    """Limit the address space of this process, bytes, where the system allows it; and write no core dumps."""
    if resource is not None:
        _lower(resource.RLIMIT_CORE, 0)  # they would have gigabytes
        if size:
            _lower(resource.RLIMIT_AS, size)


def limit_computing(seconds: int) -> None:
    """Let the system end this process once it has computed for so many seconds in all."""
    if resource is not None:
        _lower(resource.RLIMIT_CPU, seconds)


def _lower(kind: int, value: int) -> None:
    try:
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
    except (ValueError, OSError):  # not allowed here
        pass
