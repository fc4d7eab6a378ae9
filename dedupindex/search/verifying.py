"""Pairs of stored images to verifications: tasks with the features they need, here or in workers.

Most candidates are no duplicates, and nearly all of those are recognised by their keypoints alone. So many pairs are
vetted at a time first, with few features; the rest is loaded completely and verified. The verdicts are the same. Where
the database keeps no thumbnails, they are made from the files again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

from dedupindex.execution.engine import Mapper
from dedupindex.execution.tasks import PairResult, PairTask
from dedupindex.search.file_features import complete, lacking
from dedupindex.search.pair_order import beside_each_other
from dedupindex.search.pair_stages import verify_pairs
from dedupindex.settings import Settings
from dedupindex.store import catalog_images
from dedupindex.store.database import Database

PAIRS_A_TASK = 256  # pairs verified at once; the features of look-alikes are used for several each, and take 20 MB
VETTED_A_TASK = 1_024  # pairs vetted at once; vetting is faster and needs fewer features
READERS = 3  # threads that load what workers will need
FEW_PAIRS = 256  # fewer are verified in this process while no workers run: starting them takes a second
FEW_VETTED = 4_096  # the same limit for vetting

Pairs = Sequence[tuple[int, int]]


def verify_stored(
    database: Database, pool: Mapper[PairTask, PairResult], settings: Settings, pairs: Pairs
) -> Generator[PairResult, None, None]:
    """Verify pairs of stored images.

    Parameters
    ----------
    database : Database
    pool : Mapper
        Does the work; small amounts are done in this process.
    settings : Settings
    pairs : sequence of (int, int)
        Image ids; the first has the smaller content key.

    Yields
    ------
    PairResult
        One for each task, in any order; only `accepted` pairs are copies. A last one has as `lost` the pairs of which a
        file had to be read and could not. Close the generator when it is left early, because threads read ahead of it.

    Raises
    ------
    StoreError
    """
    passed: list[tuple[int, int]] = []
    few = VETTED_A_TASK if pool.started else FEW_VETTED
    unreached: list[tuple[int, int]] = []
    with closing(_tasks(database, pairs, settings, unreached, vet=True)) as vetting:
        for result in _run(pool, vetting, here=len(pairs) < few):
            passed += result.plausible
            yield result
    place = {pair: number for number, pair in enumerate(pairs)}
    passed.sort(key=lambda pair: place[pair])  # they come in any order
    passed = beside_each_other(passed, PAIRS_A_TASK)
    few = PAIRS_A_TASK if pool.started else FEW_PAIRS
    with closing(_tasks(database, passed, settings, unreached, vet=False)) as verifying:
        yield from _run(pool, verifying, here=len(passed) < few)
    if unreached:
        yield PairResult(0, lost=tuple(unreached), unreached=len(unreached))


def _run(pool: Mapper[PairTask, PairResult], tasks: Iterator[list[PairTask]], *, here: bool) -> Iterator[PairResult]:
    for results in (verify_pairs(task) for task in tasks) if here else pool.map(tasks):
        yield from results


def _tasks(
    database: Database, pairs: Pairs, settings: Settings, unreached: list[tuple[int, int]], *, vet: bool
) -> Generator[list[PairTask], None, None]:
    """Tasks with their features, a few of them loaded ahead of the workers.

    The database may be larger than memory, and candidates lie anywhere in it, so several threads read at once. Pairs
    of images that another process has removed meanwhile, or is describing again, are left out. Those of which a file
    had to be read and could not are added to *unreached*.
    """

    def loaded(chunk: Pairs) -> PairTask:
        ids = {image for pair in chunk for image in pair}
        with database.read() as connection:
            load = catalog_images.sketches if vet else catalog_images.features
            parts: Mapping[int, Mapping[str, bytes]] = load(connection, ids)
            without = {} if vet else lacking(connection, parts)
        present = tuple((a, b) for a, b in chunk if a in parts and b in parts)
        if without:
            parts = complete(parts, without, settings)
            gone = {image for image, one in without.items() if all(place.missing for place in one.locations)}
            unreached.extend(
                (a, b) for a, b in present if (a not in parts or b not in parts) and not gone & {a, b}
            )  # what is gone is searched again when it comes back
            present = tuple((a, b) for a, b in present if a in parts and b in parts)
        return PairTask(parts, present, settings.threshold, vet)

    size = VETTED_A_TASK if vet else PAIRS_A_TASK
    waiting = (pairs[start : start + size] for start in range(0, len(pairs), size))
    if len(pairs) <= size:
        yield from ([loaded(chunk)] for chunk in waiting)
        return
    with ThreadPoolExecutor(READERS, "features") as readers:
        coming = deque(readers.submit(loaded, chunk) for chunk in islice(waiting, READERS))
        try:
            while coming:
                task = coming.popleft().result()
                coming.extend(readers.submit(loaded, chunk) for chunk in islice(waiting, 1))
                yield [task]
        finally:
            for future in coming:
                future.cancel()
