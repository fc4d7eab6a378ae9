"""Pairs of stored images to verifications: tasks with the features they need, here or in workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dedupindex.settings import Settings
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from dedupindex.workflows.pool import Pool
from dedupindex.workflows.stages import PairResult, PairTask, verify_pairs

PAIRS_A_TASK = 128  # some 0.2 s of work for some 3 MB of features
FEW_PAIRS = 256  # fewer are verified here: starting workers costs a second


def verify_stored(
    database: Database, pool: Pool[PairTask, PairResult], settings: Settings, pairs: Sequence[tuple[int, int]]
) -> Iterator[PairResult]:
    """Verify pairs (id of a, id of b), a being the smaller content key.

    Yields
    ------
    PairResult
        One a task of some pairs, in any order.
    """
    tasks = _tasks(database, pairs, settings.threshold)
    for results in (verify_pairs(task) for task in tasks) if len(pairs) < FEW_PAIRS else pool.map(tasks):
        yield from results


def _tasks(database: Database, pairs: Sequence[tuple[int, int]], threshold: float) -> Iterator[list[PairTask]]:
    """Tasks with their features, loaded when a worker is ready for them."""
    for start in range(0, len(pairs), PAIRS_A_TASK):
        some = tuple(pairs[start : start + PAIRS_A_TASK])
        with database.read() as connection:
            parts = catalog_images.features(connection, {image for pair in some for image in pair})
        yield [PairTask(parts, some, threshold)]
