"""Pairs of stored images to verifications: tasks with the features they need, here or in workers.

Most candidates are nothing, and nearly all of those are told by their keypoints alone. So pairs are vetted many at a
time first, with little loaded, and only what passes is loaded whole and verified. The verdicts are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dedupindex.settings import Settings
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from dedupindex.workflows.engine import Mapper
from dedupindex.workflows.stages import PairResult, PairTask, verify_pairs

PAIRS_A_TASK = 64  # some 0.2 s of work for some 3 MB of features
VETTED_A_TASK = 1_024  # some 0.1 s of work for some 10 MB
FEW_PAIRS = 256  # fewer are verified here while there are no workers: starting them costs a second
FEW_VETTED = 4_096  # likewise

Pairs = Sequence[tuple[int, int]]


def verify_stored(
    database: Database, pool: Mapper[PairTask, PairResult], settings: Settings, pairs: Pairs
) -> Iterator[PairResult]:
    """Verify pairs (id of a, id of b), a being the smaller content key.

    Yields
    ------
    PairResult
        One a task of some pairs, in any order; none but `accepted` pairs are copies.
    """
    passed: list[tuple[int, int]] = []
    vetting = _tasks(database, pairs, settings.threshold, vet=True)
    few = VETTED_A_TASK if pool.started else FEW_VETTED
    for result in _run(pool, vetting, here=len(pairs) < few):
        passed += result.plausible
        yield result
    verifying = _tasks(database, sorted(passed), settings.threshold, vet=False)
    few = PAIRS_A_TASK if pool.started else FEW_PAIRS
    yield from _run(pool, verifying, here=len(passed) < few)


def _run(pool: Mapper[PairTask, PairResult], tasks: Iterator[list[PairTask]], *, here: bool) -> Iterator[PairResult]:
    for results in (verify_pairs(task) for task in tasks) if here else pool.map(tasks):
        yield from results


def _tasks(database: Database, pairs: Pairs, threshold: float, *, vet: bool) -> Iterator[list[PairTask]]:
    """Tasks with their features, loaded when a worker is ready for them.

    Pairs of images that another process has forgotten meanwhile, or is describing anew, are left out.
    """
    size = VETTED_A_TASK if vet else PAIRS_A_TASK
    for start in range(0, len(pairs), size):
        some = pairs[start : start + size]
        ids = {image for pair in some for image in pair}
        with database.read() as connection:
            load = catalog_images.sketches if vet else catalog_images.features
            parts = load(connection, ids)
        standing = tuple((a, b) for a, b in some if a in parts and b in parts)
        yield [PairTask(parts, standing, threshold, vet)]
