"""A pool of worker processes that survives the death of one, and ends one that hangs.

A worker gets the items of a task together. If it does not answer, the items are sent again one by one, to find the one
that kills the worker. That one gets a second chance alone, in a fresh process (the machine may have been out of memory
or suspended); then it is given up, and the others go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from queue import SimpleQueue
from typing import Generic, TypeVar

from dedupindex.errors import DedupIndexError, Reason
from dedupindex.execution import contained
from dedupindex.execution.kept import KeptWorker, results_of
from dedupindex.execution.worker import Limits
from dedupindex.system import usable_cores

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

IN_FLIGHT = 3  # tasks for each worker: one running, the others queued, so that no worker waits


class Single(Enum):
    """What the worker of a pool of one is."""

    SHARED = "shared"  # one of those that all of this process share, `contained.ask`
    OWN = "own"  # a process of the pool alone, which ends with it
    HERE = "here"  # this process, without limits: for functions that decode no file


class Pool(Generic[_Item, _Result]):
    """Maps a picklable function over tasks (sequences of items), in this process or in workers.

    Parameters
    ----------
    function : callable
        Takes a sequence of items, returns a sequence of results, one for each item.
    died : callable
        Makes the result of an item whose worker died or took too long, from the item and the reason.
    workers : int
        Processes; 0 = as many as cores.
    limits : Limits
        Of each worker process.
    single : Single
        What a single worker is.
    """

    def __init__(
        self,
        function: Callable[[Sequence[_Item]], Sequence[_Result]],
        *,
        died: Callable[[_Item, Reason], _Result],
        workers: int = 0,
        limits: Limits | None = None,
        single: Single = Single.SHARED,
    ) -> None:
        self._function = function
        self._died = died
        self._single = single if workers == 1 else Single.OWN
        self._limits = limits or Limits()
        self.workers = workers or usable_cores()
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
        if self._single is Single.HERE:
            while (task := next(source, None)) is not None:
                yield self._function(task)
            return
        if self._single is Single.SHARED:
            while (task := next(source, None)) is not None:
                yield results_of(task, self._ask_shared, self._died)
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

    def _ask_shared(self, items: Sequence[_Item]) -> Sequence[_Result]:
        return contained.ask(self._function, items, self._limits)

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
    """A thread that owns a worker process, and gives it tasks."""

    def __init__(
        self,
        ready: SimpleQueue[_Order[_Item, _Result] | None],
        function: Callable[[Sequence[_Item]], Sequence[_Result]],
        died: Callable[[_Item, Reason], _Result],
        limits: Limits,
    ) -> None:
        super().__init__(name="worker-keeper", daemon=True)
        self._ready, self._died = ready, died
        self._worker = KeptWorker(function, limits)

    def run(self) -> None:
        """Work on tasks until the pool is closed."""
        try:
            while not self._worker.stopped and (order := self._ready.get()) is not None:
                task, done = order
                try:
                    results = results_of(task, self._worker.ask, self._died, lambda: self._worker.stopped)
                except BaseException as error:
                    done.put(_Raised(error))
                else:
                    done.put(results)
        finally:
            self._worker.drop()

    def stop(self) -> None:
        """End the worker at once."""
        self._worker.stop()
