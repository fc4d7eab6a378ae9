"""What differs between operating systems, in one place: flags of open files, locks, limits, cores.

Where a system lacks one of these, the function does without: no limit is set, a lock is not there. Nothing else in this
package imports `fcntl` or `resource`.
"""

from __future__ import annotations

import errno
import os
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
