"""A worker process that is replaced when it is gone, and the search for the item that ends it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from dedupindex.errors import DedupIndexError, Reason
from dedupindex.execution.worker import Limits, Worker, WorkerGoneError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

CHANCES = 2  # times that a worker may die of one item alone before the item is given up
STARTS = 3  # times that a worker may end before it has begun


class KeptWorker(Generic[_Item, _Result]):
    """A worker that starts when it is asked, and again when it is gone. One thread asks, any may stop it.

    Parameters
    ----------
    function : callable
    limits : Limits
    idle : float
        As `Worker` takes them.
    """

    def __init__(
        self, function: Callable[[Sequence[_Item]], Sequence[_Result]], limits: Limits, *, idle: float = 0.0
    ) -> None:
        self._function, self._limits, self._idle = function, limits, idle
        self._worker: Worker[_Item, _Result] | None = None
        self._guard = threading.Lock()  # between `stop` and the start of a worker
        self.stopped = False

    def ask(self, items: Sequence[_Item]) -> list[_Result]:
        """Results of the items, one each.

        Raises
        ------
        WorkerGoneError
            It died, or took too long; any of the items may be the cause.
        DedupIndexError
            Workers cannot be started.
        Exception
            What the function raised.
        """
        if self._worker is not None and not self._worker.fit:
            self.drop()  # it has ended for want of work
        worker = self._worker or self._start()
        try:
            results = list(worker.ask(items))
        except BaseException:
            if not worker.fit:  # gone, or still busy with these items
                self.drop()
            raise
        if len(results) != len(items):
            raise DedupIndexError(f"{len(results)} results of {len(items)} items")
        return results

    def stop(self) -> None:
        """End the worker at once, and start no other."""
        with self._guard:
            self.stopped = True
            if self._worker is not None:
                self._worker.kill()

    def drop(self) -> None:
        """End the worker; the next request starts another."""
        with self._guard:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _start(self) -> Worker[_Item, _Result]:
        for _ in range(STARTS):
            try:
                with self._guard:
                    if self.stopped:
                        break
                    self._worker = worker = Worker(self._function, self._limits, idle=self._idle)
                worker.wait_until_ready()
            except WorkerGoneError:
                self.drop()
            else:
                return worker
        raise DedupIndexError("worker processes cannot be started: they end at once, three times in a row")


def results_of(
    task: Sequence[_Item],
    ask: Callable[[Sequence[_Item]], Sequence[_Result]],
    died: Callable[[_Item, Reason], _Result],
    stopped: Callable[[], bool] = lambda: False,
) -> list[_Result]:
    """Results of the items of a task, asked for together, and one by one where a worker ends meanwhile.

    Parameters
    ----------
    task : sequence
    ask : callable
        Asks a worker; raises `WorkerGoneError`.
    died : callable
        Makes the result of an item that ended its worker each time.
    stopped : callable
        Whether to leave it.

    Returns
    -------
    list
    """
    if len(task) > 1:
        with contextlib.suppress(WorkerGoneError):
            return list(ask(task))
    results: list[_Result] = []
    chances = CHANCES
    while len(results) < len(task) and not stopped():
        item = task[len(results)]
        try:
            results += ask([item])
            chances = CHANCES
        except WorkerGoneError as gone:
            chances -= 1
            if not chances:
                results.append(died(item, gone.reason))
                chances = CHANCES
    return results
