"""Single requests within limits: files are decoded in a worker process, never in the process that asks.

Whatever needs one file, or two, goes through `within_limits`, and a pool of one worker through `ask`. They share a few
workers, which start with the first request, stay for the next one, and end when nobody has asked for a while.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from dedupindex.errors import ReadError
from dedupindex.execution.kept import CHANCES, KeptWorker
from dedupindex.execution.limits import limits_of
from dedupindex.execution.worker import WORKER_GONE, Limits, WorkerGoneError, is_worker
from dedupindex.settings import Settings
from dedupindex.system import usable_cores

_P = ParamSpec("_P")
_R = TypeVar("_R")

IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A function with its arguments."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]


def within_limits(
    settings: Settings, path: Path, function: Callable[_P, _R], *arguments: _P.args, **options: _P.kwargs
) -> _R:
    """What a function gives that decodes files, called in a worker process with the limits of the settings.

    Parameters
    ----------
    settings : Settings
        `max_seconds`, `worker_memory`, `workers`.
    path : Path
        The file that an error names.
    function : callable
        Of a module, so that it can be pickled; the arguments and the result as well.
    *arguments, **options
        Of the function.

    Raises
    ------
    ReadError
        The worker died, or took too long, twice.
    Exception
        What the function raises.
    """
    call = _Call(function, arguments, options)
    if is_worker():
        return function(*arguments, **options)
    chances = CHANCES
    while True:
        try:
            result: _R = _asked([call], limits_of(settings))[0]
        except WorkerGoneError as gone:
            chances -= 1
            if not chances:
                raise ReadError(path, gone.reason, WORKER_GONE[gone.reason]) from gone
        else:
            return result


def ask(function: Callable[[Sequence[Any]], Sequence[_R]], items: Sequence[Any], limits: Limits) -> Sequence[_R]:
    """Results of items, from one of the shared workers.

    Parameters
    ----------
    function : callable
        Takes a sequence of items, returns a sequence of results, one for each item.
    items : sequence
    limits : Limits

    Returns
    -------
    sequence

    Raises
    ------
    WorkerGoneError
        It died, or took too long; any of the items may be the cause.
    Exception
        What the function raised.
    """
    if is_worker():
        return function(items)
    results: Sequence[_R] = _asked([_Call(function, (items,), {})], limits)[0]
    return results


def end_workers() -> None:
    """End the shared workers that wait; the next request starts others."""
    for worker in _shelf.emptied():
        worker.drop()


class _Shelf:
    """Workers that wait, the one that was asked last on top."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Limits, KeptWorker[_Call, Any]]] = []
        self._guard = threading.Lock()
        self._places = threading.BoundedSemaphore(usable_cores())  # workers that compute at a time

    def taken(self, limits: Limits) -> KeptWorker[_Call, Any]:
        """A worker with these limits, once there is a place for it."""
        self._places.acquire()
        with self._guard:
            for place in range(len(self._waiting) - 1, -1, -1):
                if self._waiting[place][0] == limits:
                    return self._waiting.pop(place)[1]
        return KeptWorker(_done, limits, idle=IDLE_SECONDS)

    def returned(self, limits: Limits, worker: KeptWorker[_Call, Any]) -> None:
        """Put a worker back; those that have waited longest go where there are too many."""
        with self._guard:
            self._waiting.append((limits, worker))
            dropped = [self._waiting.pop(0) for _ in range(len(self._waiting) - usable_cores())]
        self._places.release()
        for _, one in dropped:
            one.drop()

    def emptied(self) -> list[KeptWorker[_Call, Any]]:
        """All that wait."""
        with self._guard:
            waiting, self._waiting = self._waiting, []
        return [worker for _, worker in waiting]


def _asked(calls: Sequence[_Call], limits: Limits) -> list[Any]:
    worker = _shelf.taken(limits)
    try:
        return worker.ask(calls)
    finally:
        _shelf.returned(limits, worker)


def _done(calls: Sequence[_Call]) -> list[Any]:
    return [call.function(*call.arguments, **call.options) for call in calls]


def _forget() -> None:
    """In a fork of this process: its workers belong to the parent."""
    global _shelf
    _shelf = _Shelf()


_shelf = _Shelf()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
