"""Search every image that is new for duplicates, once; store the pairs that are confirmed, and prove them.

Accepted pairs and the note "searched" are committed together, batch by batch, so an interrupt loses nothing. A pair of
an old and a new image is found when the new one is searched. Verification runs on (a, b) in the order of their content
keys, so what is stored does not depend on which of them came first.
"""

from __future__ import annotations

import time
from collections.abc import Container, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from dedupindex.execution.engine import Engine, Mapper, Proposer
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.execution.tasks import PairResult, PairTask
from dedupindex.groups import snapshots
from dedupindex.groups.roots import reference_images
from dedupindex.records import Candidate, DuplicatesSummary, Verification
from dedupindex.search.candidates import SAME_FIRST_FRAME, SAME_PIXELS
from dedupindex.search.closure import close_groups
from dedupindex.search.due import EMBEDDING
from dedupindex.search.embedding.proposing import WithEmbedding
from dedupindex.search.embedding.spec import Embedding, read_embedding
from dedupindex.search.embedding.stored import bring_up_to_date, embedded
from dedupindex.search.pair_set import PairSet
from dedupindex.search.proving import counts_of, prove_due
from dedupindex.search.vector_cache import VectorCache
from dedupindex.search.verifying import verify_stored
from dedupindex.settings import ProofMode, Settings
from dedupindex.store import catalog, catalog_images, catalog_pairs
from dedupindex.store.backend import Purpose
from dedupindex.store.database import Database
from dedupindex.store.rows import ContentKey

T = TypeVar("T")
Pairs = list[tuple[int, int]]
Near = tuple[list[Candidate], bool]
SEARCHED_AT_ONCE = 4_096  # images: larger batches of probes make the matrix products more efficient
FOUND_AT_ONCE = 1 << 18  # upper limit of candidates of one probe of each image, 30 MB; an image has 2 or 8 probes
FORGOTTEN_EVERY = 16  # batches after which pairs that are no longer needed are dropped
BATCHES_AT_ONCE = 4  # of `Settings.batch` images: fewer pauses, as workers wait between batches
VETTINGS_A_COMPARISON = 100  # vettings that take as long as one comparison
RANKING_SHARE = 0.3  # largest share of a time budget that is spent on ranking the images


def find_duplicates(
    database: Database,
    vectors: VectorCache,
    settings: Settings,
    *,
    progress: Progress = SILENT,
    engine: Engine,
) -> DuplicatesSummary:
    """Search all images that were not searched yet.

    Of a database on a server there is one search at a time; a second one waits, and then finds what is left.

    With `settings.budget`, no further batch is begun after so many seconds. The images with the nearest neighbours come
    first then; what is left is searched, and proven, by the next run.

    Parameters
    ----------
    database : Database
    vectors : VectorCache
    settings : Settings
    progress : Progress
    engine : Engine
        Does the heavy work.

    Returns
    -------
    DuplicatesSummary
        `candidates` counts pairs within the radius, once a batch; `verified` those that were compared, most of them
        by their keypoints alone.

    Raises
    ------
    StoreError
        The database cannot be written; what was committed stays, the next run goes on from there.
    """
    with database.alone(Purpose.SEARCH):
        summary = _find(database, vectors, settings, progress, engine)
    snapshots.remember(database, summary.run_id)
    return summary


def _find(
    database: Database, vectors: VectorCache, settings: Settings, progress: Progress, engine: Engine
) -> DuplicatesSummary:
    began = time.monotonic()
    vectors_too = None
    if settings.embedding:
        embedding = read_embedding(Path(settings.embedding))
        bring_up_to_date(database, settings, embedding, progress)
        _search_anew_for(database, embedding)
        vectors_too = embedded(database, embedding)
    with database.read() as connection:
        todo = catalog_images.unsearched(connection)
        references = reference_images(connection)
    with database.write() as connection:
        run = catalog.start_run(connection, catalog.RunKind.DUPLICATES)
    tally = _Tally(references=references)
    progress.start(len(todo), "duplicates")
    try:
        with engine.verifying(settings) as pool:
            if todo:
                proposer = engine.proposer(database, vectors, settings, todo)
                if vectors_too is not None:
                    proposer = WithEmbedding(proposer, vectors_too)
                _search_all(database, proposer, settings, pool, run, todo, tally, progress, began)
            verified, accepted = close_groups(database, pool, settings, run, apart=references)
        tally.verified += verified
        tally.accepted += accepted
    finally:
        progress.finish()
    proof = None
    if settings.proof is ProofMode.FULL:
        deadline = began + settings.budget if settings.budget else None
        proof = prove_due(database, settings, run, progress=progress, engine=engine, deadline=deadline)
    summary = DuplicatesSummary(
        run_id=run,
        searched=tally.searched,
        candidates=tally.candidates,
        verified=tally.verified,
        accepted=tally.accepted,
        overflowed=tally.overflowed,
        unreached=tally.unreached,
        left=len(todo) - tally.taken,
        radius=tally.radius,
        seconds=time.monotonic() - began,
        proof=proof,
    )
    with database.write() as connection:
        names = ("searched", "candidates", "verified", "accepted", "overflowed", "left", "radius", "seconds")
        counts = {name: getattr(summary, name) for name in names}
        if proof is not None:
            counts |= {f"proof_{name}": number for name, number in counts_of(proof).items()}
        catalog.finish_run(connection, run, counts)
    return summary


def _search_anew_for(database: Database, embedding: Embedding) -> None:
    """Let every image be searched for again where it was not yet searched with this embedding."""
    with database.read() as connection:
        known = catalog.get_meta(connection, EMBEDDING)
    if known != embedding.fingerprint:
        with database.write() as connection:
            catalog_images.mark_unsearched(connection)
            catalog.set_meta(connection, **{EMBEDDING: embedding.fingerprint})


@dataclass(slots=True)
class _Tally:
    searched: int = 0
    candidates: int = 0
    verified: int = 0
    accepted: int = 0
    overflowed: int = 0
    unreached: int = 0
    taken: int = 0  # images in the batches handled so far
    radius: float = 0.0
    references: frozenset[int] = frozenset()  # images that are not compared among themselves


@dataclass(slots=True)
class _Batch:
    """One batch of images under search: what is still to be verified, and what was accepted."""

    ids: list[int]
    described: list[int] = field(default_factory=list)  # of them; the others are not described yet
    accepted: list[tuple[int, int, Verification]] = field(default_factory=list)
    copies: dict[tuple[int, int], Pairs] = field(default_factory=dict)  # verified pair -> pairs of equal pictures
    lost: set[int] = field(default_factory=set)


def _search_all(
    database: Database,
    proposer: Proposer,
    settings: Settings,
    pool: Mapper[PairTask, PairResult],
    run: int,
    todo: Sequence[int],
    tally: _Tally,
    progress: Progress,
    began: float,
) -> None:
    tally.radius = proposer.radius
    deadline, size = None, settings.batch * BATCHES_AT_ONCE
    if settings.budget:
        deadline, size = began + settings.budget, settings.batch
        todo = proposer.ranked(todo, began + settings.budget * RANKING_SHARE)
    most = min(SEARCHED_AT_ONCE, FOUND_AT_ONCE // settings.candidates)
    searched = size if settings.budget else max(size, most // size * size)
    with closing(_ahead(_proposals(database, proposer, settings, todo, size, searched, tally))) as proposals:
        for batch, pairs in proposals:
            if deadline is not None and tally.taken and time.monotonic() > deadline:
                return
            told = _verify(database, pool, settings, batch, pairs, tally, progress)
            _store(database, batch, run, tally)
            tally.taken += len(batch.ids)
            progress.advance(len(batch.ids) - told)


def _store(database: Database, batch: _Batch, run: int, tally: _Tally) -> None:
    """Commit what was accepted, without images that others have forgotten since, or are describing anew."""
    with database.write() as connection:
        paired = {image for a, b, _ in batch.accepted for image in (a, b)}
        present = catalog_images.described(connection, paired.union(batch.described))
        accepted = [(a, b, verification) for a, b, verification in batch.accepted if a in present and b in present]
        done = [image for image in batch.described if image in present and image not in batch.lost]
        tally.accepted += catalog_pairs.put_pairs(connection, accepted, run)
        catalog_images.mark_searched(connection, done, run)
    tally.searched += len(done)


def _proposals(
    database: Database,
    proposer: Proposer,
    settings: Settings,
    todo: Sequence[int],
    size: int,
    searched: int,
    tally: _Tally,
) -> Generator[tuple[_Batch, Pairs], None, None]:
    """The pairs to verify, in batches of *size* images, none twice. Neighbours are searched for *searched* at once."""
    waiting = set(todo)
    proposed = PairSet()  # pairs proposed in this run whose other image is still to be searched
    asked = (proposer.near(todo[start : start + searched]) for start in range(0, len(todo), searched))
    with closing(_ahead(asked)) as answers:
        neighbours: Mapping[int, Near] = {}
        for number, start in enumerate(range(0, len(todo), size)):
            if start % searched == 0:
                neighbours = next(answers)
            batch = _Batch(list(todo[start : start + size]))
            waiting.difference_update(batch.ids)
            yield batch, _propose(database, neighbours, settings, batch, proposed, waiting, tally)
            if number % FORGOTTEN_EVERY == FORGOTTEN_EVERY - 1:
                proposed.keep_open(waiting)


def _ahead(steps: Generator[T, None, None]) -> Generator[T, None, None]:
    """Take each step in another thread while the one before is used: searching overlaps with the work of the pool."""
    end = object()
    with closing(steps), ThreadPoolExecutor(1, "ahead") as thread:
        coming = thread.submit(next, steps, end)
        while (step := coming.result()) is not end:
            coming = thread.submit(next, steps, end)
            yield cast(T, step)


def _propose(
    database: Database,
    neighbours: Mapping[int, Near],
    settings: Settings,
    batch: _Batch,
    proposed: PairSet,
    waiting: Container[int],
    tally: _Tally,
) -> Pairs:
    """Pairs of a batch that have to be verified, as ids in the order of the content keys."""
    near = {image: neighbours[image] for image in batch.ids if image in neighbours}
    with database.read() as connection:
        batch.described = sorted(catalog_images.described(connection, near))
        twins = catalog_images.pixel_twins(connection, batch.described, settings.candidates)
        known = catalog_pairs.known_pairs(connection, batch.described)
        involved = set(batch.described).union(*(twins.values()))
        involved.update(candidate.image_id for proposals, _ in near.values() for candidate in proposals)
        contents = catalog_images.contents(connection, involved)
        animated = catalog_images.animations(
            connection, {image for twin_set in twins.items() for image in (twin_set[0], *twin_set[1])}
        )
    tally.overflowed += sum(near[image][1] for image in batch.described)

    def ordered(one: int, other: int) -> tuple[int, int]:
        return (one, other) if contents[one].key < contents[other].key else (other, one)

    same = {ordered(image, twin) for image, others in twins.items() for twin in others} - known
    near_pairs = {
        ordered(image, candidate.image_id)
        for image in batch.described
        for candidate in near[image][0]
        if candidate.image_id != image and candidate.image_id in contents
    }
    same = {pair for pair in same if not contents[pair[0]].within_one(contents[pair[1]])}
    near_pairs = {pair for pair in near_pairs if not contents[pair[0]].within_one(contents[pair[1]])}
    if tally.references:
        same = {pair for pair in same if not tally.references.issuperset(pair)}
        near_pairs = {pair for pair in near_pairs if not tally.references.issuperset(pair)}
    tally.candidates += len(near_pairs | same)
    fresh = sorted(pair for pair in near_pairs - same - known if contents[pair[0]].pixels != contents[pair[1]].pixels)
    fresh, equal = proposed.new(fresh), proposed.new(sorted(same))
    proposed.add(pair for pair in (*fresh, *equal) if pair[0] in waiting or pair[1] in waiting)
    batch.accepted += [(a, b, SAME_FIRST_FRAME if animated & {a, b} else SAME_PIXELS) for a, b in equal]
    # the pairs of an image follow each other, so that a task needs the features of fewer images
    return sorted(_collapse(batch, fresh, contents), key=lambda pair: pair if pair[0] in near else pair[::-1])


def _collapse(batch: _Batch, pairs: Pairs, contents: dict[int, ContentKey]) -> Pairs:
    """Keep one of the pairs that show the same two pictures; the others get its verdict."""
    first: dict[tuple[object, object], tuple[int, int]] = {}
    for a, b in pairs:
        kept = first.setdefault((contents[a].pixels, contents[b].pixels), (a, b))
        if kept != (a, b):
            batch.copies.setdefault(kept, []).append((a, b))
    return list(first.values())


def _verify(
    database: Database,
    pool: Mapper[PairTask, PairResult],
    settings: Settings,
    batch: _Batch,
    pairs: Pairs,
    tally: _Tally,
    progress: Progress,
) -> int:
    """Verify the pairs of a batch; return how many of its images count as done. The last one counts once stored."""
    vetted = passed = compared = told = 0
    with closing(verify_stored(database, pool, settings, pairs)) as results:
        for result in results:
            tally.verified += result.verified
            decided = result.verified + len(result.lost)
            tally.unreached += result.unreached
            if vetted < len(pairs):  # all pairs are vetted before any is compared
                vetted += decided + len(result.plausible)
                passed += len(result.plausible)
            else:
                compared += decided
            due = int((len(batch.ids) - 1) * _share_done(len(pairs), vetted, passed, compared))
            if due > told:
                progress.advance(due - told)
                told = due
            batch.lost.update(image for pair in result.lost for image in pair)
            for a, b, verification in result.accepted:
                alike = [(a, b), *batch.copies.get((a, b), [])]
                batch.accepted += [(one, other, verification) for one, other in alike]
    return told


def _share_done(pairs: int, vetted: int, passed: int, compared: int) -> float:
    """Estimated share of the work on pairs that is done, 0..1, from the share of vetted pairs that passed."""
    if not vetted:
        return 0.0
    work = pairs * (1 + VETTINGS_A_COMPARISON * passed / vetted)
    return min(1.0, (vetted + VETTINGS_A_COMPARISON * compared) / work)
