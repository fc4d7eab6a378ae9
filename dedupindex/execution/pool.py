"""A pool of worker processes that survives the death of one, and ends one that hangs.

A worker gets the items of a task together. If it does not answer, the items are sent again one by one, to find the one
that kills the worker. That one gets a second chance alone, in a fresh process (the machine may have been out of memory
or suspended); then it is given up, and the others go on.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, TypeVar

from dedupindex.errors import DedupIndexError, Reason
from dedupindex.execution.worker import Limits, Worker, WorkerGoneError
from dedupindex.settings import Settings

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

IN_FLIGHT = 3  # tasks for each worker: one running, the others queued, so that no worker waits
CHANCES = 2  # times that a worker may die of one item alone before the item is given up
STARTS = 3  # times that a worker may end before it has begun
LEAST_MEMORY, MOST_MEMORY = 2_000_000_000, 8_000_000_000  # default address space of a worker, bytes


def cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limits_of(settings: Settings) -> Limits:
    """Limits of each worker by the settings; by default the workers share the machine's memory."""
    memory = settings.worker_memory
    if not memory:
        share = machine_memory() // (settings.workers or cores())
        memory = min(max(share, LEAST_MEMORY), MOST_MEMORY)
    return Limits(memory, settings.max_seconds)


def machine_memory() -> int:
    """Bytes of memory that this process may use; 0 where that is not known."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0
    try:
        return min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no control group, or "max"
        return memory


class Pool(Generic[_Item, _Result]):
    """Maps a picklable function over tasks (sequences of items), in this process or in workers.

    Parameters
    ----------
    function : callable
        Takes a sequence of items, returns a sequence of results, one for each item.
    died : callable
        Makes the result of an item whose worker died or took too long, from the item and the reason.
    workers : int
        Processes; 0 = as many as cores, 1 = this process, without limits.
    limits : Limits
        Of each worker process.
    contained : bool
        Never run in this process: a single worker is a process with limits too.
    """

    def __init__(
        self,
        function: Callable[[Sequence[_Item]], Sequence[_Result]],
        *,
        died: Callable[[_Item, Reason], _Result],
        workers: int = 0,
        limits: Limits | None = None,
        contained: bool = False,
    ) -> None:
        self._function = function
        self._died = died
        self._here = workers == 1 and not contained
        self._limits = limits or Limits()
        self.workers = workers or cores()
        self._keepers: list[_Keeper[_Item, _Result]] = []
        self._ready: SimpleQueue[_Order[_Item, _Result] | None] = SimpleQueue()
        self._running = 0  # tasks of all callers, in whatever threads, that are not done
        self._hiring = threading.Lock()

    def __enter__(self) -> Pool[_Item, _Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def started(self) -> bool:
        """Whether workers are running already; starting them takes time."""
        return bool(self._keepers)

    def close(self) -> None:
        """End the workers; tasks that are not done are dropped."""
        with self._hiring:
            keepers, ready = self._keepers, self._ready
            self._keepers, self._ready = [], SimpleQueue()
        for keeper in keepers:
            keeper.stop()
        for _ in keepers:
            ready.put(None)
        for keeper in keepers:
            keeper.join()
        while not ready.empty():  # another thread that waits for these would wait for ever
            order = ready.get()
            if order is not None:
                order[1].put(_Raised(DedupIndexError("the worker processes were ended meanwhile")))

    def map(self, tasks: Iterable[Sequence[_Item]]) -> Iterator[Sequence[_Result]]:
        """Results of the tasks, as they get ready (not in order). *tasks* is drawn from only as workers get free.

        It may be called in several threads at once; they share the workers.

        The iterator behind *tasks* is asked again after every result, even when it was empty the last time, so that
        results may lead to further tasks.

        Raises
        ------
        DedupIndexError
            Workers cannot be started.
        Exception
            What the function raised.
        """
        source = iter(tasks)
        if self._here:
            while (task := next(source, None)) is not None:
                yield self._function(task)
            return
        done: SimpleQueue[Sequence[_Result] | _Raised] = SimpleQueue()
        running = 0
        try:
            while True:
                while running < IN_FLIGHT * self.workers and (task := next(source, None)) is not None:
                    self._order(task, done)
                    running += 1
                if not running:
                    return
                outcome = done.get()
                running -= 1
                self._count(-1)
                if isinstance(outcome, _Raised):
                    raise outcome.error
                yield outcome
        finally:
            self._count(-running)

    def _order(self, task: Sequence[_Item], done: SimpleQueue[Sequence[_Result] | _Raised]) -> None:
        """Queue a task, and start a worker for it unless there are enough."""
        with self._hiring:  # `close` replaces the queue and the keepers together
            self._ready.put((task, done))
            self._running += 1
            if len(self._keepers) < min(self._running, self.workers):
                keeper = _Keeper(self._ready, self._function, self._died, self._limits)
                self._keepers.append(keeper)
                keeper.start()

    def _count(self, tasks: int) -> None:
        with self._hiring:
            self._running += tasks


class _Raised:
    """The error of a task, in place of results."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


_Order = tuple[Sequence[_Item], "SimpleQueue[Sequence[_Result] | _Raised]"]  # a task, and where its results go


class _Keeper(threading.Thread, Generic[_Item, _Result]):
    """A thread that owns a worker process, gives it tasks, and replaces it when it is gone."""

    def __init__(
        self,
        ready: SimpleQueue[_Order[_Item, _Result] | None],
        function: Callable[[Sequence[_Item]], Sequence[_Result]],
        died: Callable[[_Item, Reason], _Result],
        limits: Limits,
    ) -> None:
        super().__init__(name="worker-keeper", daemon=True)
        self._ready, self._function, self._died, self._limits = ready, function, died, limits
        self._worker: Worker[_Item, _Result] | None = None
        self._stopped = False
        self._guard = threading.Lock()  # between `stop` and the start of a worker

    def run(self) -> None:
        """Work on tasks until the pool is closed."""
        try:
            while not self._stopped and (order := self._ready.get()) is not None:
                task, done = order
                try:
                    results = self._work(task)
                except BaseException as error:
                    done.put(_Raised(error))
                else:
                    done.put(results)
        finally:
            self._drop()

    def stop(self) -> None:
        """End the worker at once."""
        with self._guard:
            self._stopped = True
            if self._worker is not None:
                self._worker.kill()

    def _work(self, task: Sequence[_Item]) -> list[_Result]:
        if len(task) > 1:
            with contextlib.suppress(WorkerGoneError):
                return self._ask(task)
        results: list[_Result] = []
        chances = CHANCES
        while len(results) < len(task) and not self._stopped:
            item = task[len(results)]
            try:
                results += self._ask([item])
                chances = CHANCES
            except WorkerGoneError as gone:
                chances -= 1
                if not chances:
                    results.append(self._died(item, gone.reason))
                    chances = CHANCES
        return results

    def _ask(self, items: Sequence[_Item]) -> list[_Result]:
        worker = self._worker or self._start()
        try:
            results = list(worker.ask(items))
        except BaseException:
            self._drop()  # it is gone, or still busy with these items
            raise
        if len(results) != len(items):
            raise DedupIndexError(f"{len(results)} results of {len(items)} items")
        return results

    def _start(self) -> Worker[_Item, _Result]:
        for _ in range(STARTS):
            with self._guard:
                if self._stopped:
                    break
                self._worker = worker = Worker(self._function, self._limits)
            try:
                worker.wait_until_ready()
            except WorkerGoneError:
                self._drop()
            else:
                return worker
        raise DedupIndexError("worker processes cannot be started: they end at once, three times in a row")

    def _drop(self) -> None:
        with self._guard:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
