"""Tasks of one record each, worked on in parts: what a `Pool` does with tasks, an executor does with files of them.

Where a part ends depends on its tasks alone, not on how many came before: a run that continues after an interrupt makes
the same parts again, and finds those that were done. A part whose worker is lost twice is halved until the task that
causes it is alone; that one is given up, and the others go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pyarrow as pa

from dedupindex.engines.arrow_codec import records_of, table_of
from dedupindex.engines.executor import Executor
from dedupindex.engines.folder import WorkFolder
from dedupindex.engines.jobs import name_of, put_part
from dedupindex.errors import Reason
from dedupindex.execution.worker import allow
from dedupindex.settings import Settings

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Each:
    """A stage that applies a function of records to the rows of a part.

    Attributes
    ----------
    function : callable
        Takes a sequence of items, returns one result for each.
    item, result : type
        Dataclasses of the items and the results.
    settings : Settings
        Those that the items hold.
    version : str
        Of everything that the results depend on besides.
    """

    function: Callable[[Sequence[Any]], Sequence[Any]]
    item: type
    result: type
    settings: Settings
    version: str

    def __repr__(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__} {self.version} {self.settings!r}"

    def __call__(self, table: pa.Table, folder: WorkFolder) -> pa.Table:
        """A table of results, one for each row."""
        results: list[Any] = []
        items: list[Any] = records_of(self.item, table, self.settings)
        for item in items:
            allow(self.settings.max_seconds)
            results += self.function([item])
        return table_of(self.result, results)


class PartMapper(Generic[_Item, _Result]):
    """Maps a stage over tasks, as `dedupindex.execution.pool.Pool` does.

    Parameters
    ----------
    died : callable
        Makes the result of an item whose worker was lost twice, from the item and the reason.
    ends : callable
        Whether a part ends with this item.
    most : int
        Most items in a part.
    """

    def __init__(
        self,
        executor: Executor,
        stage: Each,
        *,
        died: Callable[[_Item, Reason], _Result],
        ends: Callable[[_Item], bool],
        most: int,
    ) -> None:
        self._executor, self._stage = executor, stage
        self._died, self._ends, self._most = died, ends, most

    @property
    def started(self) -> bool:
        """Whether workers are running already."""
        return self._executor.backend.started

    def map(self, tasks: Iterable[Sequence[_Item]]) -> Iterator[Sequence[_Result]]:
        """Results of the tasks, as they get ready (not in order); see `Pool.map`.

        A part is removed once its results were used.
        """
        parts = _Parts(self._executor.folder, self._stage, iter(tasks), self._ends, self._most)
        for output in self._executor.map_partitions(self._stage, parts, lost=parts.lost):
            yield records_of(self._stage.result, self._executor.folder.read(output), self._stage.settings)
            parts.done(output)
            yield from self._given_up(parts)
        yield from self._given_up(parts)

    def _given_up(self, parts: _Parts[_Item]) -> Iterator[Sequence[_Result]]:
        while parts.guilty:
            item, reason = parts.guilty.pop()
            yield [self._died(item, reason)]


class _Parts(Generic[_Item]):
    """Parts of tasks, written as they are asked for."""

    def __init__(
        self,
        folder: WorkFolder,
        stage: Each,
        tasks: Iterator[Sequence[_Item]],
        ends: Callable[[_Item], bool],
        most: int,
    ) -> None:
        self._folder, self._stage, self._tasks, self._ends, self._most = folder, stage, tasks, ends, most
        self._waiting: deque[_Item] = deque()
        self._again: deque[list[_Item]] = deque()
        self._open: dict[str, tuple[str, list[_Item]]] = {}  # output -> part, its items
        self.guilty: list[tuple[_Item, Reason]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        items = self._again.popleft() if self._again else self._next_items()
        if not items:
            raise StopIteration
        part = put_part(self._folder, table_of(self._stage.item, items))
        self._open[name_of(self._stage, part)] = (part, items)
        return part

    def _next_items(self) -> list[_Item]:
        items: list[_Item] = []
        while len(items) < self._most:
            if not self._waiting:
                self._waiting.extend(next(self._tasks, ()))
            if not self._waiting:
                break
            items.append(self._waiting.popleft())
            if self._ends(items[-1]):
                break
        return items

    def done(self, output: str) -> None:
        """Remove an output whose results were used, and its input."""
        part, _ = self._open.pop(output)
        self._folder.remove(part)
        self._folder.remove(output)

    def lost(self, part: str, reason: Reason) -> None:
        """Halve a part whose worker was lost; give up an item that was alone in its part."""
        _, items = self._open.pop(name_of(self._stage, part))
        self._folder.remove(part)
        if len(items) == 1:
            self.guilty.append((items[0], reason))
            return
        middle = len(items) // 2
        self._again += [items[:middle], items[middle:]]
