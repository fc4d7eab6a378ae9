"""Prove confirmed pairs from their files, as far as that was not done yet, and store the proofs.

Pairs are taken in connected sets, the best score first; within a set round after round, so that what follows from
proofs of other pairs is not computed (`proof_classes`). What is proven is committed batch by batch, so an interrupt
loses little and a run goes on where the one before ended. Which pairs are compared directly does not depend on the
number of workers.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

from dedupindex.execution.engine import Engine, Mapper
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.execution.tasks import ProofFile, ProofResult, ProofTask
from dedupindex.groups import snapshots
from dedupindex.records import ImageRecord, Outcome, Proof, ProofSummary
from dedupindex.search.candidates import SAME_PIXELS
from dedupindex.search.proof_classes import ProofPlan
from dedupindex.search.proof_stages import unreached
from dedupindex.settings import Settings
from dedupindex.store import catalog, catalog_images, catalog_pairs, catalog_proofs
from dedupindex.store.backend import Purpose
from dedupindex.store.catalog_proofs import DuePair, StoredProof
from dedupindex.store.database import Database
from dedupindex.verify.proof.thresholds import VERSION

PAIRS_A_TASK = 6  # about one second of work
PAIRS_AT_ONCE = 2_048  # in the sets that are open at the same time, unless one set is larger: a few MB
COMMIT_SECONDS = 10.0  # longest time between commits: what an interrupt may lose

Pair = tuple[int, int]


def prove(
    database: Database, settings: Settings, progress: Progress, engine: Engine, *, again: bool = False
) -> ProofSummary:
    """Prove every confirmed pair that was not proven yet, in a run of its own.

    Parameters
    ----------
    database : Database
    settings : Settings
        With `budget`, no further task is begun after so many seconds.
    progress : Progress
    engine : Engine
        Does the heavy work.
    again : bool
        Also pairs that had no outcome before, though nothing is known to have changed since.

    Returns
    -------
    ProofSummary

    Raises
    ------
    StoreError
        The database cannot be written; what was committed stays, the next run goes on from there.
    """
    deadline = time.monotonic() + settings.budget if settings.budget else None
    with database.alone(Purpose.SEARCH):
        with database.write() as connection:
            run = catalog.start_run(connection, catalog.RunKind.PROVE)
        summary = prove_due(database, settings, run, progress=progress, engine=engine, deadline=deadline, again=again)
        with database.write() as connection:
            catalog.finish_run(connection, run, counts_of(summary))
    snapshots.remember(database, run)
    return summary


def counts_of(summary: ProofSummary) -> dict[str, int | float | str]:
    """A summary as it is remembered of a run."""
    return {name: getattr(summary, name) for name in ProofSummary.__dataclass_fields__ if name != "run_id"}


def prove_due(
    database: Database,
    settings: Settings,
    run: int,
    *,
    progress: Progress = SILENT,
    engine: Engine,
    deadline: float | None = None,
    again: bool = False,
) -> ProofSummary:
    """Prove what is due, as a part of a run.

    Parameters
    ----------
    database : Database
    settings : Settings
    run : int
        The run that the proofs belong to.
    progress : Progress
    engine : Engine
        Does the heavy work.
    deadline : float, optional
        Time of `time.monotonic`, seconds: only the first task may begin after it.
    again : bool
        Also pairs that had no outcome before.

    Returns
    -------
    ProofSummary

    Raises
    ------
    StoreError
        The database cannot be written; what was committed stays.
    """
    began = time.monotonic()
    with database.read() as connection:
        due = catalog_proofs.due_pairs(connection, VERSION, again=again)
    work = _Work(database, settings, run, progress, deadline)
    if due:
        with database.write() as connection:
            catalog_proofs.set_begun(connection)
        progress.start(len(due), "prove")
        try:
            with engine.proving(settings) as mapper:
                work.run(mapper, _components(database, due))
        finally:
            progress.finish()
    left = len(due) - work.done
    if not left:
        with database.write() as connection:
            catalog_proofs.set_finished(connection, run, VERSION)
    counted = {str(outcome): work.outcomes[outcome] for outcome in Outcome if outcome is not Outcome.NONE}
    return ProofSummary(
        run_id=run,
        due=len(due),
        proven=sum(counted.values()),
        derived=work.derived,
        untold=work.outcomes[Outcome.NONE] - work.unreachable,
        unreachable=work.unreachable,
        left=left,
        seconds=time.monotonic() - began,
        **counted,
    )


def file_of(image: ImageRecord, *, whole: bool) -> ProofFile:
    """What a worker has to know of an image to read it."""
    places = list(
        dict.fromkeys(place.path for place in image.locations if not place.missing and place.frame == image.frame)
    )
    return ProofFile(
        image.id, image.sha256, image.frame, image.frame_count, whole, image.height, image.width, tuple(places)
    )


@dataclass(slots=True)
class _Component:
    """A connected set of pairs under way: its plan, its files, and the pairs that workers are comparing (`out`)."""

    plan: ProofPlan
    files: Mapping[int, ProofFile]
    pairs: int
    out: set[Pair] = field(default_factory=set)
    found: dict[Pair, Proof] = field(default_factory=dict)


class _Work:
    """One run under way."""

    def __init__(
        self, database: Database, settings: Settings, run: int, progress: Progress, deadline: float | None
    ) -> None:
        self._database, self._settings, self._run = database, settings, run
        self._progress, self._deadline = progress, deadline
        self._tasks: deque[ProofTask] = deque()
        self._component_of: dict[Pair, _Component] = {}
        self._open = 0  # pairs of components that are worked on
        self._begun = False
        self._waiting: list[StoredProof] = []
        self._equal: list[Pair] = []
        self._committed = time.monotonic()
        self.done = 0
        self.derived = 0
        self.unreachable = 0
        self.outcomes: Counter[Outcome] = Counter()

    def run(self, mapper: Mapper[ProofTask, ProofResult], components: Iterator[list[Pair]]) -> None:
        """Prove the pairs of every set, until the deadline."""
        with closing(mapper.map(_Feed(lambda: self._next(components)))) as results:  # type: ignore[type-var]
            for batch in results:
                for result in batch:
                    self._take(result)
        self._commit()

    def _next(self, components: Iterator[list[Pair]]) -> list[ProofTask] | None:
        """The next task; None where there is none at present, or none is to be begun any more."""
        if self._begun and self._deadline is not None and time.monotonic() > self._deadline:
            return None
        while not self._tasks and self._open < PAIRS_AT_ONCE and (pairs := next(components, None)) is not None:
            self._begin(pairs)
        if not self._tasks:
            return None
        self._begun = True
        return [self._tasks.popleft()]

    def _begin(self, pairs: Sequence[Pair]) -> None:
        ids = {image for pair in pairs for image in pair}
        with self._database.read() as connection:
            due = catalog_proofs.with_registrations(connection, pairs)
            images = catalog_images.by_id(connection, ids)
            animated = catalog_images.animations(connection, ids)
            known = catalog_proofs.direct_proofs(connection, ids, VERSION)
            equal = catalog_proofs.same_pixel_pairs(connection, ids)
        due = [pair for pair in due if pair.a in images and pair.b in images]
        self._count_done(len(pairs) - len(due))  # forgotten meanwhile
        plan = ProofPlan(
            due,
            {image: (record.height, record.width) for image, record in images.items()},
            {image: _short(record) for image, record in images.items()},
            known=known,
            equal=[pair for pair in equal if set(pair) <= images.keys()],
        )
        files = {image: file_of(record, whole=image in animated) for image, record in images.items()}
        component = _Component(plan, files, len(due))
        self._open += component.pairs
        self._go_on(component)

    def _go_on(self, component: _Component) -> None:
        """Store what follows from the known proofs, and make the tasks of the next round."""
        self._keep(component.plan.derive())
        chosen = component.plan.next_round()
        if not chosen:
            self._open -= component.pairs
            return
        component.out = {(pair.a, pair.b) for pair in chosen}
        component.found = {}
        self._component_of.update(dict.fromkeys(component.out, component))
        self._tasks += [self._task(component, bundle) for bundle in _bundles(chosen)]

    def _task(self, component: _Component, pairs: Sequence[DuePair]) -> ProofTask:
        ids = sorted({image for pair in pairs for image in (pair.a, pair.b)})
        return ProofTask(
            tuple(component.files[image] for image in ids),
            tuple((pair.a, pair.b, pair.matrix) for pair in pairs),
            self._settings,
            self._run,
        )

    def _take(self, result: ProofResult) -> None:
        proofs = list(result.proofs)
        if len(result.lost) == 1:
            [(a, b, matrix)] = result.lost
            proofs.append((a, b, unreached(result.reason, matrix)))
        elif result.lost:  # try each pair alone, to see which one caused it
            for a, b, matrix in result.lost:
                files = self._component_of[a, b].files
                self._tasks.append(ProofTask((files[a], files[b]), ((a, b, matrix),), self._settings, self._run))
        self._equal += result.equal
        self._keep([StoredProof(a, b, proof, derived=False) for a, b, proof in proofs])
        for a, b, proof in proofs:
            component = self._component_of.pop((a, b))
            component.out.discard((a, b))
            component.found[a, b] = proof
            if not component.out:
                component.plan.take({pair: component.found[pair] for pair in sorted(component.found)})
                self._go_on(component)

    def _keep(self, proofs: Iterable[StoredProof]) -> None:
        before = len(self._waiting)
        for one in proofs:
            self._waiting.append(one)
            self.outcomes[one.proof.outcome] += 1
            self.derived += one.derived
            self.unreachable += bool(one.proof.measures.unreachable)
        self._count_done(len(self._waiting) - before)
        late = time.monotonic() - self._committed > COMMIT_SECONDS
        if len(self._waiting) >= self._settings.batch or (self._waiting and late):
            self._commit()

    def _count_done(self, pairs: int) -> None:
        self.done += pairs
        if pairs:
            self._progress.advance(pairs)

    def _commit(self) -> None:
        if self._waiting:
            with self._database.write() as connection:
                catalog_proofs.put_proofs(connection, self._waiting, self._run)
                present = catalog_pairs.known_pairs(
                    connection, sorted({image for pair in self._equal for image in pair})
                )
                equal = [(a, b, SAME_PIXELS) for a, b in self._equal if (a, b) in present]
                catalog_pairs.put_pairs(connection, equal, self._run)
        self._waiting, self._equal = [], []
        self._committed = time.monotonic()


class _Feed:
    """An iterator of tasks that may continue after it was exhausted, as results lead to further tasks."""

    def __init__(self, draw: Callable[[], list[ProofTask] | None]) -> None:
        self._draw = draw

    def __iter__(self) -> Iterator[list[ProofTask]]:
        return self

    def __next__(self) -> list[ProofTask]:
        task = self._draw()
        if task is None:
            raise StopIteration
        return task


def _components(database: Database, due: Sequence[tuple[int, int, float]]) -> Iterator[list[Pair]]:
    """Connected sets of pairs, the one with the best score first; in each the best first, then by content."""
    parent: dict[int, int] = {}

    def root(image: int) -> int:
        while (above := parent.setdefault(image, image)) != image:
            parent[image] = parent[above]
            image = above
        return image

    for a, b, _ in due:
        one, other = root(a), root(b)
        parent[max(one, other)] = min(one, other)
    with database.read() as connection:
        contents = catalog_images.contents(connection, list(parent))
    ordered = sorted(
        ((a, b, score) for a, b, score in due if a in contents and b in contents),
        key=lambda pair: (-pair[2], contents[pair[0]].key, contents[pair[1]].key),
    )
    place: dict[int, int] = {}
    for a, _, _ in ordered:
        place.setdefault(root(a), len(place))
    ordered.sort(key=lambda pair: place[root(pair[0])])
    for _, pairs in groupby(ordered, key=lambda pair: place[root(pair[0])]):
        yield [(a, b) for a, b, _ in pairs]


def _bundles(pairs: Sequence[DuePair]) -> Iterator[list[DuePair]]:
    """Pairs that share a file together: each under the image that has more of them."""
    pairs_of = Counter(image for pair in pairs for image in (pair.a, pair.b))
    others: dict[int, list[DuePair]] = {}
    for pair in pairs:
        others.setdefault(max((pair.a, pair.b), key=lambda image: (pairs_of[image], -image)), []).append(pair)
    bundle: list[DuePair] = []
    for own_pairs in others.values():
        for pair in own_pairs:
            bundle.append(pair)
            if len(bundle) == PAIRS_A_TASK:
                yield bundle
                bundle = []
    if bundle:
        yield bundle


def _short(image: ImageRecord) -> str:
    """An image's content key, shortened for messages."""
    return image.sha256.hex()[:12] + (f"#{image.frame}" if image.frame else "")
