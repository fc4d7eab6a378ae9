"""Measures how well the pipeline does on a user's own pictures: attack them, run the real pipeline, count.

Everything happens on a separate database in a temporary folder, which is always removed; the pictures are only read.
The pictures are ingested first, alone: what is confirmed among them is taken as given (their owner may well have
copies), and counts neither for nor against. Then the attacked copies are ingested, as new files would be.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dedupindex.engines.embedded import Embedded
from dedupindex.errors import SettingsError
from dedupindex.evaluation.attacked_copies import (
    Copies,
    CopyTask,
    died,
    draw,
    find_files,
    make_copies,
    parse_variants,
    plan,
)
from dedupindex.evaluation.counting import Attacked, Evidence, IdPair, count, ordered, related
from dedupindex.evaluation.thresholds import FLOOR
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool, Single
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.groups import report as reporting
from dedupindex.ingest import ingest as ingesting
from dedupindex.places import at_home
from dedupindex.records import Failure, ImageRecord, Pair
from dedupindex.records.evaluations import Evaluation
from dedupindex.search import duplicates
from dedupindex.search.candidates import stored_candidates
from dedupindex.search.pair_stages import pairs_died, verify_pairs
from dedupindex.search.vector_cache import VectorCache
from dedupindex.search.verifying import verify_stored
from dedupindex.settings import ProofMode, Settings
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema
from dedupindex.versions import versions

__all__ = ["Evaluation", "evaluate"]

PAIRS = 4_200  # of pictures and copies that belong together: all are verified, which takes most of the time
MOST_PER_PICTURE = 24  # unless *per_picture* says otherwise
_BATCH = 256  # copies searched at once
_LEFT_OUT = ("not_an_image", "low_information", "too_small")  # of files that were drawn


def evaluate(
    paths: Sequence[str | os.PathLike[str]],
    *,
    attacks: Sequence[str] | None = None,
    strengths: Sequence[float] = (1.0,),
    per_picture: int | None = None,
    limit: int = 200,
    seed: int = 0,
    settings: Settings | None = None,
    recursive: bool = True,
    progress: Progress = SILENT,
) -> Evaluation:
    """Attack a user's own pictures and measure how many copies are found again.

    Parameters
    ----------
    paths : sequence of path
        Files and folders; only read. Of a stack one frame is used, at 8 bits.
    attacks : sequence of str, optional
        ``NAME[+NAME...][:STRENGTH]``, names of `dedupindex.evaluation.attacks.ATTACKS`; None = all of them.
    strengths : sequence of float
        For attacks that name none: 0.5 mild, 1 common, 2 severe.
    per_picture : int, optional
        Attacked copies of a picture, each by another attack; None = 6 for 200 pictures, more for fewer. All attacks
        come equally often.
    limit : int
        Most pictures; of more, a random sample.
    seed : int
        Of sample and attacks; the same seed on the same pictures gives the same result.
    settings : Settings, optional
        For the whole pipeline.
    recursive : bool
        Look into folders of folders too.
    progress : Progress
        Told of every stage.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError
        *paths* is a single path.
    SettingsError
        An option has an impossible value, or there is no picture to attack.
    StoreError
        No space for the temporary database.
    OSError
        No space for the copies.
    """
    if isinstance(paths, str | os.PathLike):
        raise TypeError("paths is one path, must be a sequence of paths")
    if limit < 1 or seed < 0 or (per_picture is not None and per_picture < 1):
        raise SettingsError(f"limit {limit} and copies a picture {per_picture} must be at least 1, seed {seed} 0")
    settings = settings or Settings()
    variants = parse_variants(attacks, strengths)
    roots = [at_home(Path(path)) for path in paths]
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="dedupindex-evaluate-") as name:
        folder = Path(name).resolve()
        files, skipped, failures = find_files(roots, settings, recursive=recursive, exclude=[folder])
        drawn = _Drawn(skipped)
        number = per_picture or _per_picture(min(limit, len(files)))
        number = min(number, len(variants))
        task = CopyTask(0, folder, (), folder, seed, settings)
        slots = range(min(limit, len(files)))
        tasks = [replace(task, slot=slot, variants=plan(slot, variants, number)) for slot in slots]
        with clock.times("attack"):
            made = _make_all(tasks, draw(files, seed, skipped), drawn, progress)
        if not made:
            raise SettingsError(f"no picture to attack in {', '.join(map(str, roots))}" + _why(drawn, failures))
        rest = len(files) - len(made) - len(drawn.failures) - sum(skipped[why] for why in _LEFT_OUT)
        with _pipeline(folder, settings, progress) as pipeline:
            with clock.times("pictures"):
                pipeline.take([one.original for one in made], "pictures")
            own = {_ids(pair) for pair in pipeline.pairs()}
            with clock.times("copies"):
                pipeline.take([path for one in made for _, path in one.copies], "copies")
            with clock.times("audit"):
                result = count(_evidence(pipeline, made, own), variants)
    return replace(
        result,
        found=len(files),
        skipped={why: times for why, times in sorted({**skipped, "limit": rest}.items()) if times},
        failures=tuple(sorted([*failures, *drawn.failures], key=lambda failure: os.fsencode(failure.path))),
        per_picture=number,
        seed=seed,
        seconds=clock.seconds,
    )


def _per_picture(pictures: int) -> int:
    """Copies of a picture, such that *pictures* with that many copies each make about `PAIRS` pairs: 6 for 200."""
    copies = (math.isqrt(1 + 8 * PAIRS // max(1, pictures)) - 1) // 2
    return min(MOST_PER_PICTURE, max(2, copies))


def _why(drawn: _Drawn, failures: Sequence[Failure]) -> str:
    bad = [*failures, *drawn.failures]
    if bad:
        return f"; {len(bad)} failed, the first one: {bad[0].path}: {bad[0].reason}: {bad[0].detail}"
    if not drawn.skipped:
        return ": there is no file"
    return "".join(f"; {times} {why.replace('_', ' ')}" for why, times in drawn.skipped.items())


@dataclass(slots=True)
class _Drawn:
    """Pictures that were drawn and cannot be used."""

    skipped: Counter[str]
    failures: list[Failure] = field(default_factory=list)


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def times(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[stage] = round(time.monotonic() - began, 2)


class _Renamed:
    """A progress listener that prefixes stage names, and gives a total where the stage has none."""

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress, self._what, self._total = progress, what, total

    def start(self, total: int | None, what: str) -> None:
        self._progress.start(self._total if total is None else total, f"{self._what}: {what}")

    def advance(self, n: int) -> None:
        self._progress.advance(n)

    def fail(self, n: int) -> None:
        self._progress.fail(n)

    def finish(self) -> None:
        self._progress.finish()


def _make_all(tasks: Sequence[CopyTask], pictures: Iterator[Path], drawn: _Drawn, progress: Progress) -> list[Copies]:
    """Fill every slot; the slot of an unusable picture goes to the next picture, while there is one."""
    made: list[Copies] = []
    free = list(tasks)
    progress.start(len(tasks), "attack")
    try:
        settings = tasks[0].settings if tasks else Settings()
        with Pool(make_copies, died=died, workers=settings.workers, limits=limits_of(settings)) as pool:
            while batch := [replace(task, path=path) for task, path in zip(free, pictures, strict=False)]:
                slots = {task.slot: task for task in batch}
                again: list[CopyTask] = []
                for [one] in pool.map([task] for task in batch):
                    if one.copies:
                        made.append(one)
                        progress.advance(1)
                        continue
                    again.append(slots[one.slot])
                    if one.failure is None:
                        drawn.skipped[one.why] += 1
                    else:
                        drawn.failures.append(one.failure)
                        progress.fail(1)
                free = sorted(again, key=lambda task: task.slot)
    finally:
        progress.finish()
    return sorted(made, key=lambda one: one.slot)


class _Pipeline:
    """The pipeline of `Index`, on a temporary database."""

    def __init__(self, database: Database, settings: Settings, progress: Progress) -> None:
        # scores and thresholds are measured; proofs would only take time
        self.settings = replace(settings, proof=ProofMode.OFF)
        self.database, self.progress = database, progress
        self.engine = Embedded()
        self.vectors = VectorCache(database, settings.fingerprint(versions(settings)))

    def take(self, files: Sequence[Path], what: str) -> None:
        """Ingest files and search for their duplicates."""
        renamed = _Renamed(self.progress, what, len(files))
        ingesting.ingest(self.database, self.settings, files, progress=renamed, engine=self.engine)
        duplicates.find_duplicates(self.database, self.vectors, self.settings, progress=renamed, engine=self.engine)

    def pairs(self) -> list[Pair]:
        """Every confirmed pair, as in reports."""
        with self.database.read() as connection:
            return reporting.present_pairs(connection)

    def images(self) -> dict[Path, ImageRecord]:
        """First frames by the files that hold them."""
        with self.database.read() as connection:
            return {
                place.path: image
                for image in catalog_images.all_images(connection)
                for place in image.locations
                if place.frame == 0
            }

    def propose(self, ids: Sequence[int]) -> tuple[set[IdPair], int]:
        """Pairs of each image and its candidates; and how many images had more candidates than are kept."""
        proposed: set[IdPair] = set()
        overflowed = 0
        index = self.vectors.current()
        self.progress.start(len(ids), "audit: search")
        for start in range(0, len(ids), _BATCH):
            batch = list(ids[start : start + _BATCH])
            near = stored_candidates(self.database, index, self.settings, batch)
            for image, (around, overflow) in near.items():
                overflowed += overflow
                proposed.update(ordered(image, one.image_id) for one in around if one.image_id != image)
            self.progress.advance(len(batch))
        self.progress.finish()
        return proposed, overflowed

    def scores(self, pairs: Iterable[IdPair]) -> dict[IdPair, float]:
        """Scores of pairs; those below the lowest threshold of the curve are left out.

        A pair that is accepted at a low threshold may get a simpler registration with a higher score. So pairs that
        seem to pass the threshold in force are verified again at that threshold.
        """
        force = self.settings.threshold
        scores = self._verified(pairs, min(FLOOR, force))
        passing = [pair for pair, score in scores.items() if score >= force]
        passed = self._verified(passing, force)
        return scores | {pair: passed.get(pair, math.nextafter(force, 0.0)) for pair in passing}

    def _verified(self, pairs: Iterable[IdPair], threshold: float) -> dict[IdPair, float]:
        wanted = sorted(pairs)
        with self.database.read() as connection:
            contents = catalog_images.contents(connection, {image for pair in wanted for image in pair})
        tasks = [(a, b) if contents[a].key < contents[b].key else (b, a) for a, b in wanted]
        settings = replace(self.settings, threshold=threshold)
        scores: dict[IdPair, float] = {}
        self.progress.start(len(tasks), "audit: pairs")
        with (
            Pool(
                verify_pairs,
                died=pairs_died,
                workers=settings.workers,
                limits=limits_of(settings),
                single=Single.HERE,
            ) as pool,
            closing(verify_stored(self.database, pool, settings, tasks)) as results,
        ):
            for result in results:
                scores.update({ordered(a, b): verification.score for a, b, verification in result.accepted})
                self.progress.advance(result.verified)
        self.progress.finish()
        return scores


@contextmanager
def _pipeline(folder: Path, settings: Settings, progress: Progress) -> Iterator[_Pipeline]:
    database = Database(folder / "evaluate.db", create=True)
    try:
        prepare_schema(database, create=True)
        yield _Pipeline(database, settings, progress)
    finally:
        database.close()


def _evidence(pipeline: _Pipeline, made: Sequence[Copies], own: set[IdPair]) -> Evidence:
    """Gather everything to count, the audit of the search included."""
    images = pipeline.images()
    present = [one for one in made if one.original in images]  # a file may have changed or gone meanwhile
    if not present:
        raise SettingsError("the pictures changed while they were looked at")
    originals = {images[one.original].id: one.path for one in reversed(present)}
    findable = {path: image.id for path, image in images.items() if not image.low_information}
    copies = [
        Attacked(variant, images[one.original].id, findable.get(path, 0))
        for one in present
        for variant, path in one.copies
    ]
    pairs = pipeline.pairs()
    reported = {
        _ids(pair): (pair.verification.score, "+".join(pair.relations)) for pair in pairs if _ids(pair) not in own
    }
    known = {*originals, *(copy.image for copy in copies)}
    reported = {pair: verdict for pair, verdict in reported.items() if known.issuperset(pair)}
    usable = {copy.image for copy in copies if copy.image}
    proposed, overflowed = pipeline.propose(sorted(usable))
    proposed = {pair for pair in proposed - own if known.issuperset(pair)}
    return Evidence(
        originals=originals,
        duplicates=len(present) - len(originals),
        copies=copies,
        own=own,
        reported=reported,
        proposed=proposed,
        scores=pipeline.scores((proposed | related(copies)) - set(reported) - own),
        overflowed=overflowed,
        threshold=pipeline.settings.threshold,
    )


def _ids(pair: Pair) -> IdPair:
    return ordered(pair.a.id, pair.b.id)
