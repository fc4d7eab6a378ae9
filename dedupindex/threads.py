"""One thread for each numeric library while the package computes.

The matrices of one picture are small. Threads of a linear algebra library that wait for one another cost several times
the work itself, most of all on a busy machine; work is shared out among processes instead. Outside these calls a
program keeps the numbers of threads that it chose.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class _Limit:
    """Lowers the numbers when the first one comes in, and restores them when the last one has left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._restore = ExitStack()
        self._libraries: Any = None
        self._modules = 0

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            import cv2  # only here: who reads a report needs neither
            from threadpoolctl import ThreadpoolController

            if self._modules != len(sys.modules):  # looks through all loaded libraries: some 3 ms
                self._modules, self._libraries = len(sys.modules), ThreadpoolController()
            # those built with OpenMP share its number with FAISS, which has its own (`vectors.cells.set_threads`)
            layers = {library["threading_layer"] for library in self._libraries.select(user_api="blas").info()}
            chosen = self._libraries.select(threading_layer=sorted(layers - {"openmp"}))
            self._restore.enter_context(chosen.limit(limits=1))
            self._restore.callback(cv2.setNumThreads, cv2.getNumThreads())
            cv2.setNumThreads(1)

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._restore.close()


_limit = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let linear algebra libraries and OpenCV use one thread each within the block, in the whole process.

    Blocks may lie in one another and run in several threads of the program at once; the former numbers come back with
    the end of the last one.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


def on_one_thread(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Decorate a function so that it runs within `one_thread`."""

    @functools.wraps(function)
    def limited(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with one_thread():
            return function(*args, **kwargs)

    return limited
