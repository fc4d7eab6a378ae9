"""One writer at a time, with a name: an advisory lock on a small file beside the database.

SQLite alone would keep writers apart too. But it cannot name the process that one waits for, it lets waiting writers
starve, and up to 3.51.2 it may damage a database when one connection writes back the log while another restarts it;
under this lock those two never meet. The system releases the lock when its holder ends for any reason, so none is left
behind: a name in a file that nobody holds is that of a writer that died. Readers do not use it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from dedupindex.errors import IndexBusyError, StoreError
from dedupindex.system import HELD, READ, WRITE_NO_LINK, lock, write_at

log = logging.getLogger(__name__)

SAY_AFTER = 1.0  # seconds of waiting after which a writer logs for whom it waits
_SAY_AGAIN = 60.0  # seconds
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds the lock, or held it when it died."""

    pid: int
    host: str
    started: str  # the process, ISO 8601, UTC
    since: str  # the lock
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} (`{self.command}` of {self.started}, writing since {self.since})"


class WriterLock:
    """The lock of a database.

    Parameters
    ----------
    database : Path
        The lock file is ``NAME.db-lock`` beside it.
    timeout : float
        Seconds to wait for another writer.
    """

    def __init__(self, database: Path, timeout: float) -> None:
        self.path = lock_path(database)
        self.timeout = timeout

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only writer while the block runs, threads of this process included.

        Raises
        ------
        IndexBusyError
            Another writer kept the lock for longer than the timeout; the message names it.
        StoreError
            The lock file cannot be made.
        """
        until = time.monotonic() + self.timeout
        while True:
            handle = self._open()
            try:
                named = self._wait(handle, until)
            except BaseException:
                os.close(handle)
                raise
            if not named or _is_at(handle, self.path):
                break
            os.close(handle)  # the holder before us removed the file: others see a new one
        try:
            if named:
                _write_owner(handle)
            try:
                yield
            finally:
                if named:
                    _clear(handle)
        finally:
            os.close(handle)

    def tidy(self) -> None:
        """Remove the lock file unless a process holds it, or died while it held it."""
        if not self.path.is_file():
            return
        with contextlib.suppress(OSError):
            handle = os.open(self.path, WRITE_NO_LINK)
            try:
                lock(handle)
                if _is_at(handle, self.path) and not os.fstat(handle).st_size:
                    self.path.unlink()
            finally:
                os.close(handle)

    def _open(self) -> int:
        try:
            # O_NOFOLLOW: a link in the folder must not make us truncate another file
            return os.open(self.path, WRITE_NO_LINK | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}; writers need this file") from error

    def _wait(self, handle: int, until: float) -> bool:
        """Wait for the lock; False where the file system or the system has none: SQLite's own locks remain."""
        say = time.monotonic() + SAY_AFTER
        while True:
            try:
                lock(handle)
            except OSError as error:
                if error.errno in _NO_LOCKS:
                    return False
                if error.errno not in HELD:
                    raise StoreError(f"{self.path}: {error.strerror}") from error
            else:
                return True
            now = time.monotonic()
            if now > until:
                who = owner(self.path) or "it left no name"
                raise IndexBusyError(f"{self.path}: another process is writing ({who}); try again when it has finished")
            if now > say:
                log.warning("waiting for %s", owner(self.path) or "another writer")
                say = now + _SAY_AGAIN
            time.sleep(random.uniform(0.001, 0.02))  # random: with a fixed interval one of several could starve


def lock_path(database: Path) -> Path:
    """The lock file of a database."""
    return database.with_name(database.name + "-lock")


def owner(path: Path) -> Owner | None:
    """The process whose name is in a lock file; None where there is no name."""
    try:
        return Owner(**json.loads(path.read_bytes()[:4096]))
    except (OSError, ValueError, TypeError):
        return None


def is_held(path: Path) -> bool:
    """Whether a process holds a lock file at this moment."""
    if not path.is_file():
        return False
    try:
        handle = os.open(path, READ)
    except OSError:
        return False
    try:
        lock(handle, shared=True)
    except OSError as error:
        return error.errno in HELD
    finally:
        os.close(handle)
    return False


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))  # noqa: PTH116
    except OSError:
        return False


def _write_owner(handle: int) -> None:
    text = json.dumps(asdict(myself()))
    try:
        os.ftruncate(handle, 0)
        write_at(handle, text.encode(), 0)
    except OSError as error:  # a full disk: the lock works without a name
        log.debug("the lock file says nothing: %s", error)


def _clear(handle: int) -> None:
    try:
        os.ftruncate(handle, 0)
    except OSError as error:
        log.debug("the lock file keeps a name: %s", error)


def myself() -> Owner:
    """The owner that stands for this process, from now on."""
    program, *words = sys.argv or ["python"]
    verb = [word for word in words if word.isidentifier()][:1]  # no options: there may be a password in a URL
    command = " ".join([Path(program).name or "python", *verb])
    return Owner(os.getpid(), socket.gethostname(), _process_start(os.getpid()), _iso(time.time()), command[:200])


@cache
def _process_start(pid: int) -> str:
    """When this process began: tells processes apart that had the same number."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return _iso(boot + ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, AttributeError, IndexError):
        return _iso(time.time())


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
