"""One worker process: how it is started, limited, asked, and ended when it does not answer.

A worker is never forked from a process that computes: after FAISS or OpenMP were used such a child may hang. On Linux
it is forked from a process that does nothing else (`template`), elsewhere it is started anew. Each computes with one
thread, because there are as many processes as cores.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar

from dedupindex.errors import DedupIndexError, Reason
from dedupindex.execution.template import (
    AVAILABLE,
    REAP_SECONDS,
    START_SECONDS,
    THREAD_VARIABLES,
    fork_from_here,
    fork_worker,
)
from dedupindex.system import limit_computing, limit_memory

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

WALL_FACTOR = 3.0  # elapsed time allowed over computing time: slow disks, busy machines
_READY = "ready"
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

    Parameters
    ----------
    function : callable
        Picklable; takes a sequence of items, returns a sequence of results.
    limits : Limits
    idle : float
        Seconds after which it ends where it is not asked; 0 = it does not.

    Raises
    ------
    WorkerGoneError
        It ended while it started.
    """

    def __init__(
        self, function: Callable[[Sequence[_Item]], Sequence[_Result]], limits: Limits, *, idle: float = 0.0
    ) -> None:
        self._limits = limits
        self._told = surroundings()
        self._busy = True
        self._connection, self._process = _started()
        try:
            self._connection.send(self._told)
            self._connection.send((function, limits, idle))
        except OSError as error:
            self.close()
            raise WorkerGoneError(Reason.WORKER_DIED) from error

    @property
    def fit(self) -> bool:
        """Whether it waits for a request: it has not ended, and no answer is open."""
        try:
            return not self._busy and not self._connection.poll(0)
        except OSError:
            return False

    def ask(self, items: Sequence[_Item]) -> Sequence[_Result]:
        """Results of the items, one each. They share the time that the limits allow.

        Raises
        ------
        WorkerGoneError
            It died, or took too long and was killed; any of the items may be the cause.
        Exception
            What the function raised; the worker is `fit` then.
        """
        around = surroundings()
        self._busy = True
        try:
            self._connection.send((None if around == self._told else around, items))
        except OSError as error:
            raise WorkerGoneError(self._fate()) from error
        self._told = around
        done, value = self._receive(WALL_FACTOR * self._limits.seconds)
        self._busy = False
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
        self._busy = False

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> None:
        """End it and close the connection."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def _receive(self, seconds: float) -> Any:
        try:
            if not self._connection.poll(seconds or None):
                raise WorkerGoneError(Reason.TIMED_OUT)
            return receive(self._connection)
        except (OSError, EOFError) as error:
            raise WorkerGoneError(self._fate()) from error

    def _fate(self) -> Reason:
        too_long = self._process.wait() == -getattr(signal, "SIGXCPU", 0) != 0
        return Reason.TIMED_OUT if too_long else Reason.WORKER_DIED


class Process(Protocol):
    """A started worker process."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int | None:
        """Wait for its end, not for ever; its exit code, negative = a signal, None = it is not known."""


class _Spawned:
    """A worker process that was started anew."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    def kill(self) -> None:
        with contextlib.suppress(ValueError):  # closed by another thread
            self._process.kill()

    def wait(self) -> int | None:
        self._process.join(REAP_SECONDS)
        return self._process.exitcode


def _started() -> tuple[Connection, Process]:
    """Start a process that runs `serve`."""
    if AVAILABLE:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = fork_worker(theirs, __name__)
            except OSError as error:
                ours.close()
                raise WorkerGoneError(Reason.WORKER_DIED) from error
        return Connection(ours.detach()), process
    context = multiprocessing.get_context("spawn")
    connection, other = context.Pipe()
    spawned = context.Process(target=serve, args=(other,), daemon=True)
    with _starting, _lean_children():
        spawned.start()
    other.close()
    return connection, _Spawned(spawned)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process has from its parent, and a function may depend on."""

    environment: Mapping[str, str]
    folder: str
    modules: tuple[str, ...]  # where they are looked for

    def take_over(self) -> None:
        """Make it those of this process."""
        os.environ.clear()
        os.environ.update(self.environment)
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
        with contextlib.suppress(OSError):
            os.chdir(self.folder)
        sys.path[:] = self.modules


def surroundings() -> Surroundings:
    """The surroundings of this process."""
    try:
        folder = os.getcwd()  # noqa: PTH109
    except OSError:  # it was removed
        folder = os.sep
    return Surroundings(dict(os.environ), folder, tuple(sys.path))


def fork_workers_here() -> bool:
    """Let the workers of this process be forked from it as it is now; see `fork_from_here`."""
    return AVAILABLE and fork_from_here(serve)


def is_worker() -> bool:
    """Whether this process is a worker."""
    return _serving


def begin_worker(limits: Limits, life: int | None = None) -> None:
    """Prepare a worker process: limits, one thread for each library, Ctrl-C ignored, end with the parent.

    Parameters
    ----------
    limits : Limits
    life : int, optional
        Descriptor of a pipe that ends with the parent.
    """
    global _serving
    _serving = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, args=(life,), name="follow-parent", daemon=True).start()
    import cv2

    cv2.setNumThreads(1)
    limit_memory(limits.memory)


def serve(connection: Connection, life: int | None = None) -> None:
    """The main loop of a worker process, until its connection is closed, or it has waited long enough."""
    try:
        connection.recv().take_over()
        function, limits, idle = connection.recv()
        begin_worker(limits, life)
        send(connection, _READY)
        while connection.poll(idle or None):
            around, items = connection.recv()
            if around is not None:
                around.take_over()
            allow(limits.seconds)
            send(connection, _answer(function, items))
            del items
    except (EOFError, KeyboardInterrupt, ConnectionError):
        return
    except BaseException:  # e.g. no memory to receive a task: the parent notices that this process is gone
        os._exit(1)


def send(connection: Connection, value: Any) -> None:
    """Send a value; arrays as they lie in memory, without a copy of them."""
    arrays: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
    connection.send_bytes(struct.pack("<Q", len(arrays)) + data)
    for array in arrays:
        with array.raw() as raw:
            connection.send_bytes(struct.pack("<Q", raw.nbytes))
            if raw.nbytes:
                connection.send_bytes(raw)


def receive(connection: Connection) -> Any:
    """Receive what `send` sent."""
    head = connection.recv_bytes()
    arrays = []
    for _ in range(struct.unpack_from("<Q", head)[0]):
        array = bytearray(struct.unpack("<Q", connection.recv_bytes())[0])
        if array:
            connection.recv_bytes_into(array)
        arrays.append(array)
    return pickle.loads(memoryview(head)[8:], buffers=arrays)


def _answer(function: Callable[[Sequence[Any]], Sequence[Any]], items: Sequence[Any]) -> tuple[bool, Any]:
    try:
        return True, function(items)
    except Exception as error:
        return False, _portable(error)


def _portable(error: Exception) -> Exception:
    """The error, or one with the same message where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return DedupIndexError(f"in a worker process: {error!r}")
    return error


def allow(seconds: float) -> None:
    """Let a worker compute for so many more seconds before the system ends it; 0 = the limit stays."""
    if seconds and _serving:
        limit_computing(math.ceil(time.process_time() + seconds))


def _follow_parent(life: int | None) -> None:
    """End this worker when its parent is gone: a killed parent cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if life is not None:
        os.read(life, 1)
    elif parent is not None:
        parent.join()
    else:
        return
    os._exit(1)


@contextmanager
def _lean_children() -> Iterator[None]:
    """Set what processes spawned inside inherit: one thread for each library, no Ctrl-C, an empty main module.

    A spawned child imports ``__main__`` again. Our functions do not live there, and a user's script without
    ``if __name__ == "__main__"`` would run a second time in every worker.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    main = sys.modules["__main__"]
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # libraries read these when a child starts
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
