"""One worker process: how it is started, limited, asked, and ended when it does not answer.

Processes are spawned, never forked: a child forked after FAISS or OpenMP was used may hang. Each computes with one
thread, because there are as many processes as cores.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from dedupindex.errors import DedupIndexError, Reason

if sys.platform != "win32":
    import resource

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

WALL_FACTOR = 3.0  # elapsed time allowed over computing time: slow disks, busy machines
START_SECONDS = 300.0  # a worker that is not ready by then is given up
_READY = "ready"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
WORKER_GONE = {
    Reason.WORKER_DIED: "the process that read it was killed, twice",
    Reason.TIMED_OUT: "it took longer than max_seconds allows, twice",
}
_serving = False  # whether this process is a worker: only those are limited
_starting = threading.Lock()  # what a child inherits is set for the whole process: one start at a time


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may use; 0 = no limit.

    Attributes
    ----------
    memory : int
        Address space, bytes. Mapped libraries alone take about half a gigabyte.
    seconds : float
        Computing time for one request; elapsed time may be `WALL_FACTOR` times as much.
    """

    memory: int = 0
    seconds: float = 0.0


class WorkerGoneError(Exception):
    """The process ended, or was ended, before it had answered; `reason` says which."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Worker(Generic[_Item, _Result]):
    """A process that applies a function to items.

    Raises
    ------
    WorkerGoneError
        It ended while it started.
    """

    def __init__(self, function: Callable[[Sequence[_Item]], Sequence[_Result]], limits: Limits) -> None:
        self._limits = limits
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function, limits), daemon=True)
        with _starting, _lean_children():
            self._process.start()
        theirs.close()

    def ask(self, items: Sequence[_Item]) -> Sequence[_Result]:
        """Results of the items, one each. They share the time that the limits allow.

        Raises
        ------
        WorkerGoneError
            It died, or took too long and was killed; any of the items may be the cause.
        Exception
            What the function raised.
        """
        try:
            self._connection.send(items)
        except OSError as error:
            raise WorkerGoneError(self._fate()) from error
        done, value = self._receive(WALL_FACTOR * self._limits.seconds)
        if not done:
            raise value
        results: Sequence[_Result] = value
        return results

    def wait_until_ready(self) -> None:
        """Return when it is ready for requests.

        Raises
        ------
        WorkerGoneError
            It ended while it started, or took too long.
        """
        self._receive(START_SECONDS)

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ValueError):  # closed by another thread
            self._process.kill()

    def close(self) -> None:
        """End it and close the connection."""
        self.kill()
        self._process.join(5)  # a process that waits for a dead network drive cannot be ended: it is left alone
        self._connection.close()

    def _receive(self, seconds: float) -> Any:
        try:
            if not self._connection.poll(seconds or None):
                raise WorkerGoneError(Reason.TIMED_OUT)
            return self._connection.recv()
        except (OSError, EOFError) as error:
            raise WorkerGoneError(self._fate()) from error

    def _fate(self) -> Reason:
        self._process.join(5)
        too_long = sys.platform != "win32" and self._process.exitcode == -signal.SIGXCPU
        return Reason.TIMED_OUT if too_long else Reason.WORKER_DIED


def begin_worker(limits: Limits) -> None:
    """Prepare a worker process: limits, one thread for each library, Ctrl-C ignored, end with the parent."""
    global _serving
    _serving = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, name="follow-parent", daemon=True).start()
    import cv2

    cv2.setNumThreads(1)
    if sys.platform == "win32":
        return
    _lower(resource.RLIMIT_CORE, 0)  # no core dumps: they would have gigabytes
    if limits.memory:
        _lower(resource.RLIMIT_AS, limits.memory)


def _serve(connection: Connection, function: Callable[[Sequence[Any]], Sequence[Any]], limits: Limits) -> None:
    """The main loop of a worker process, until its connection is closed."""
    try:
        begin_worker(limits)
        connection.send(_READY)
        while True:
            items = connection.recv()
            allow(limits.seconds)
            connection.send(_answer(function, items))
    except (EOFError, KeyboardInterrupt):
        return
    except BaseException:  # e.g. no memory to receive a task: the parent notices that this process is gone
        os._exit(1)


def _answer(function: Callable[[Sequence[Any]], Sequence[Any]], items: Sequence[Any]) -> tuple[bool, Any]:
    try:
        return True, function(items)
    except Exception as error:
        return False, _portable(error)


def _portable(error: Exception) -> Exception:
    """The error, or one with the same message where it cannot be pickled."""
    import pickle

    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return DedupIndexError(f"in a worker process: {error!r}")
    return error


def allow(seconds: float) -> None:
    """Let a worker compute for so many more seconds before the system ends it; 0 = the limit stays."""
    if seconds and _serving and sys.platform != "win32":
        _lower(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))


def _lower(kind: int, value: int) -> None:
    """Set a soft limit where the system allows it."""
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _follow_parent() -> None:
    """End this worker when its parent is gone: a killed parent cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _lean_children() -> Iterator[None]:
    """Set what processes spawned inside inherit: one thread for each library, no Ctrl-C, an empty main module.

    A spawned child imports ``__main__`` again. Our functions do not live there, and a user's script without
    ``if __name__ == "__main__"`` would run a second time in every worker.
    """
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    main = sys.modules["__main__"]
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))  # libraries read these when a child starts
    sys.modules["__main__"] = types.ModuleType("__main__")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
