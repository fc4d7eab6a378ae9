"""Orders in a pool of processes on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dedupindex.engines.jobs import Order, run_orders
from dedupindex.errors import Reason
from dedupindex.execution.pool import Pool, limits_of
from dedupindex.execution.worker import Limits
from dedupindex.settings import Settings

LONGEST_ORDER = 3_600.0  # seconds of computing for an order, where files have a limit: it is many files


@dataclass(frozen=True, slots=True)
class Outcome:
    """An order, and why its worker was lost; None = it is done."""

    order: Order
    reason: Reason | None = None


class LocalBackend:
    """Worker processes; with one worker, this process."""

    def __init__(self, settings: Settings) -> None:
        limits = limits_of(settings)
        patient = Limits(limits.memory, max(LONGEST_ORDER, limits.seconds) if limits.seconds else 0.0)
        self._pool = Pool(_outcomes, died=_died, workers=settings.workers, limits=patient)

    @property
    def started(self) -> bool:
        """Whether workers are there already."""
        return self._pool.started

    def run(self, orders: Iterable[Order]) -> Iterator[tuple[Order, Reason | None]]:
        """Each order as it gets done, or with the reason why it was not."""
        for outcomes in self._pool.map(_Single(orders)):
            yield from ((outcome.order, outcome.reason) for outcome in outcomes)

    def close(self) -> None:
        """End the workers."""
        self._pool.close()


class _Single:
    """Tasks of one order each; asks again when there was nothing the last time."""

    def __init__(self, orders: Iterable[Order]) -> None:
        self._orders = iter(orders)

    def __iter__(self) -> Iterator[list[Order]]:
        return self

    def __next__(self) -> list[Order]:
        return [next(self._orders)]


def _outcomes(orders: Sequence[Order]) -> list[Outcome]:
    run_orders(orders)
    return [Outcome(order) for order in orders]


def _died(order: Order, reason: Reason) -> Outcome:
    return Outcome(order, reason)
