"""A pool of spawned worker processes that survives the death of one.

Processes are spawned, never forked: a child forked after FAISS or OpenMP was used may hang. Each computes with one
thread, because there are as many processes as cores.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

IN_FLIGHT = 3  # tasks a worker: one running, the others waiting, so that no worker ever does
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool(Generic[_Item, _Result]):
    """Maps a picklable function over tasks (sequences of items), in this process or in workers.

    Parameters
    ----------
    function : callable
        Takes a sequence of items, returns a sequence of results, one an item.
    died : callable
        Makes the result of an item whose worker died.
    workers : int
        Processes; 0 = as many as cores, 1 = this process.
    """

    def __init__(
        self,
        function: Callable[[Sequence[_Item]], Sequence[_Result]],
        *,
        died: Callable[[_Item], _Result],
        workers: int = 0,
    ) -> None:
        self._function = function
        self._died = died
        self.workers = workers or cores()
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Pool[_Item, _Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; tasks that have not begun are dropped."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def map(self, tasks: Iterable[Sequence[_Item]]) -> Iterator[Sequence[_Result]]:
        """Results of the tasks, as they get ready (not in order). *tasks* is drawn from only as workers get free.

        The iterator behind *tasks* is asked again after every result, even when it had nothing the last time, so that
        results may lead to further tasks.
        """
        source = iter(tasks)
        if self.workers == 1:
            while (task := next(source, None)) is not None:
                yield self._function(task)
            return
        running: dict[Future[Sequence[_Result]], Sequence[_Item]] = {}
        while True:
            self._fill(source, running)
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            broken: list[Sequence[_Item]] = []
            for future in done:
                task = running.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    broken.append(task)
                else:
                    yield result
            if broken:  # whoever died took the whole pool along: everything in flight is suspect
                suspects = broken + list(running.values())
                running.clear()
                yield from self._one_by_one(suspects)

    def _fill(
        self, source: Iterator[Sequence[_Item]], running: dict[Future[Sequence[_Result]], Sequence[_Item]]
    ) -> None:
        """Submit until enough is in flight, or the source has nothing at the moment."""
        while len(running) < IN_FLIGHT * self.workers:
            task = next(source, None)
            if task is None:
                break
            try:
                running[self._submit(task)] = task
            except BrokenProcessPool:  # it broke while idle or just now: the futures in flight will say so
                self._restart()
                running[self._submit(task)] = task

    def _one_by_one(self, suspects: list[Sequence[_Item]]) -> Iterator[Sequence[_Result]]:
        """Run suspects alone in the pool, halving tasks, until only the guilty items are left."""
        self._restart()
        queue = deque(suspects)
        while queue:
            task = queue.popleft()
            try:
                result = self._submit(task).result()
            except BrokenProcessPool:
                self._restart()
                if len(task) == 1:
                    yield [self._died(task[0])]
                else:
                    half = len(task) // 2
                    queue.extendleft((task[half:], task[:half]))
            else:
                yield result

    def _submit(self, task: Sequence[_Item]) -> Future[Sequence[_Result]]:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=begin_worker
            )
        with _lean_children():  # a submit may spawn a worker
            return self._executor.submit(self._function, task)

    def _restart(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None


@contextmanager
def _lean_children() -> Iterator[None]:
    """What processes spawned inside inherit: one thread a library, no Ctrl-C, and not the caller's main module.

    A spawned child imports ``__main__`` again. Our functions do not live there, and a user's script without
    ``if __name__ == "__main__"`` would run a second time in every worker.
    """
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    main = sys.modules["__main__"]
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))  # libraries read these when a child starts
    stand_in = types.ModuleType("__main__")
    sys.modules["__main__"] = stand_in
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main_thread else None
    try:
        yield
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, handler if handler is not None else signal.SIG_DFL)
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def begin_worker() -> None:
    """Prepare a worker process: one thread a library, Ctrl-C is the parent's business, and so is living on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, name="follow-parent", daemon=True).start()
    import cv2

    cv2.setNumThreads(1)


def _follow_parent() -> None:
    """End this worker when its parent is gone: a killed parent cannot tell its workers to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
