"""The process that workers are forked from on Linux: it has imported what they need, and does nothing else.

Importing takes a second of computing, a fork some milliseconds. A process with threads must not be forked (a lock that
another thread holds stays locked for ever), so workers come from a process of one thread: a fresh one, or a fork of a
program that has one thread still and says so (`fork_from_here`).

The template reads requests from a socket: a worker, whose end of its own connection comes along; or how a worker has
ended. It ends when the socket is closed, and when nobody has asked for long and no worker is left. Workers end with it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import multiprocessing.spawn
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

AVAILABLE = sys.platform == "linux" and not getattr(sys, "frozen", False)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
START_SECONDS = 300.0  # a process that is not ready by then is given up
IDLE_SECONDS = 300.0  # a template without workers that nobody asks ends then
REAP_SECONDS = 5.0  # waited for the end of a worker: one that waits for a dead network drive cannot be ended
_MODULES = ("dedupindex.ingest.describing", "dedupindex.search.pair_stages", "dedupindex.search.proof_stages")
_FORK, _STATUS = b"fork", b"status "
_LONGEST = 64  # bytes of a message

Serve = Callable[[Connection, int], None]  # the main loop of a worker: its connection, a pipe that ends with the parent


class TemplateGoneError(OSError):
    """The template has ended."""


class Forked:
    """A worker process that was forked from a template."""

    def __init__(self, template: Template, pid: int) -> None:
        self._template = template
        self.pid = pid
        self._ended = False  # the number may belong to another process from then on
        self._status: int | None = None

    def kill(self) -> None:
        """End it at once."""
        with self._template.turn:
            if not self._ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int | None:
        """Wait for its end, not for ever; its exit code, negative = a signal, None = it is not known."""
        with self._template.turn:
            if not self._ended:
                self._status = self._template.status(self.pid)
                self._ended = True
            return self._status


class Template:
    """A template process.

    Parameters
    ----------
    channel : socket
        To the process.
    reap : callable
        Waits for its end.
    """

    def __init__(self, channel: socket.socket, reap: Callable[[], object]) -> None:
        self._channel, self._reap = channel, reap
        channel.settimeout(START_SECONDS)
        self.turn = threading.RLock()

    def fork(self, theirs: socket.socket) -> Forked:
        """Start a worker that serves a connection.

        Raises
        ------
        TemplateGoneError
        """
        with self.turn:
            return Forked(self, int(self._asked(_FORK, theirs.fileno())))

    def status(self, pid: int) -> int | None:
        """Exit code of a worker that ends."""
        try:
            answer = self._asked(_STATUS + str(pid).encode())
        except TemplateGoneError:
            return None
        return int(answer) if answer != b"none" else None

    def close(self) -> None:
        """End it, and the workers that are left with it."""
        with self.turn:
            self._channel.close()
            self._reap()

    def _asked(self, message: bytes, *descriptors: int) -> bytes:
        try:
            socket.send_fds(self._channel, [message], descriptors)
            answer = self._channel.recv(_LONGEST)
        except OSError as error:
            raise TemplateGoneError(*error.args) from error
        if not answer:
            raise TemplateGoneError("it has ended")
        return answer


_starting = threading.RLock()
_template: Template | None = None


def fork_from_here(serve: Serve) -> bool:
    """Let the workers of this process be forked from it as it is now; False where that is not possible.

    It must have one thread and no open database: files that are open here are closed in the workers. What workers need
    is loaded there when the first one is asked for.
    """
    global _template
    with _starting:
        if not AVAILABLE or _template is not None or len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
            return False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pid = os.fork()
            if pid == 0:
                _become_template(theirs, serve)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()
        _template = Template(ours, lambda: _waited(pid))
        return True


def fork_worker(theirs: socket.socket, module: str) -> Forked:
    """Fork a worker from the template, which is started where none runs.

    Parameters
    ----------
    theirs : socket
        The worker's end of its connection.
    module : str
        Where the function ``serve`` is that a fresh template needs.

    Raises
    ------
    OSError
        No process can be started.
    """
    global _template
    with _starting:
        if _template is not None:
            try:
                return _template.fork(theirs)
            except TemplateGoneError:
                close_template()
        _template = _started(module)
        return _template.fork(theirs)


def close_template() -> None:
    """End the template, and what workers there are; the next worker starts another one."""
    global _template
    with _starting:
        if _template is not None:
            _template.close()
            _template = None


def main(descriptor: int, module: str) -> None:
    """Be a template: what a fresh process runs."""
    serve: Serve = importlib.import_module(module).serve
    _become_template(socket.socket(fileno=descriptor), serve)


def _started(module: str) -> Template:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        descriptor = theirs.fileno()
        code = (
            f"import sys; sys.path[:] = {json.dumps(sys.path)}; "
            f"from {__name__} import main; main({descriptor}, {module!r})"
        )
        # Ctrl-C is for the parent alone, and what a child begins with is what its parent has
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process = subprocess.Popen(
                [os.fsdecode(multiprocessing.spawn.get_executable()), "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=2 if _is_open(2) else subprocess.DEVNULL,
                pass_fds=[descriptor],
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return Template(ours, process.wait)


def _become_template(channel: socket.socket, serve: Serve) -> None:
    """Serve requests, and never return."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        _leave_files(channel.fileno())
        gc.freeze()  # nothing of the parent is finalised here
        _serve_requests(channel, serve)
    except BaseException:
        os._exit(1)
    os._exit(0)


def _load_modules() -> None:
    """Load what workers need, once for all of them."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by libraries as they are loaded
    for name in _MODULES:
        with contextlib.suppress(ImportError):  # then whoever needs it says what is missing
            importlib.import_module(name)
    gc.freeze()  # so that collecting does not copy these pages in every worker


def _leave_files(kept: int) -> None:
    """Close all files of the parent but its stderr, which is stdout too: results are the parent's alone."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2 and int(name) != kept:
            with contextlib.suppress(OSError):
                os.close(int(name))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(2 if _is_open(2) else nowhere, 1)
    if nowhere > 2:
        os.close(nowhere)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _serve_requests(channel: socket.socket, serve: Serve) -> None:
    life, kept_open = os.pipe()  # it ends for the workers when this process does
    channel.settimeout(IDLE_SECONDS)
    workers: set[int] = set()
    loaded = False  # with the first worker: a program that forked this process may never need one
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(channel, _LONGEST, 1)
        except TimeoutError:
            if all(_has_ended(pid) for pid in workers):
                return
            continue
        if not message:
            return
        if message.startswith(_STATUS):
            pid = int(message.removeprefix(_STATUS))
            workers.discard(pid)
            status = _waited(pid)
            channel.send(b"none" if status is None else str(status).encode())
            continue
        if not loaded:
            _load_modules()
            loaded = True
        pid = os.fork()
        if pid == 0:
            channel.close()
            os.close(kept_open)
            serve(Connection(descriptors[0]), life)
            os._exit(0)
        workers.add(pid)
        os.close(descriptors[0])
        channel.send(str(pid).encode())


def _has_ended(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _waited(pid: int) -> int | None:
    """Exit code of a child; None where it has not ended after `REAP_SECONDS`."""
    pause, until = 0.0005, time.monotonic() + REAP_SECONDS
    while True:
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return None
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            return None
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _forget() -> None:
    """In a fork of this process: its template belongs to the parent."""
    global _template, _starting
    _template, _starting = None, threading.RLock()


atexit.register(close_template)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
