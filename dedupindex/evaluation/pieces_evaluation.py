"""Measures which parts of a user's own pictures can be found in other pictures.

Parts of them are put into collages, pages, screens, figures and the like (`piece_attacks`), the other pictures in these
being the user's too; all is searched in a database of its own in a temporary folder, which is always removed. A part is
found when its original is reported with the picture that shows it, as a piece or as a copy.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from dedupindex.engines.embedded import Embedded
from dedupindex.errors import ReadError, Reason, SettingsError
from dedupindex.evaluation.attacked_copies import SIDE, as_rgb, draw, find_files, reduced
from dedupindex.evaluation.piece_attacks import PIECE_ATTACKS, piece_attack
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.execution.worker import WORKER_GONE
from dedupindex.groups import report as reporting
from dedupindex.ingest import ingest as ingesting
from dedupindex.places import at_home
from dedupindex.records import ByteArray, Failure
from dedupindex.records.evaluations import PieceRecall, PiecesEvaluation
from dedupindex.search import duplicates
from dedupindex.search.piece_cache import PieceCache
from dedupindex.search.pieces import PROFILE, find_new_pieces
from dedupindex.search.vector_cache import VectorCache
from dedupindex.settings import ProofMode, Settings
from dedupindex.sources import decode_file
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema
from dedupindex.versions import versions

SMALLEST = 64  # pixels; of smaller pictures no parts are taken
QUALITY = 88  # of the JPEG files
COPIES = 4  # of a picture


@dataclass(frozen=True, slots=True)
class PieceCopyTask:
    """A picture of which parts are put into others, and the pictures that fill these."""

    slot: int
    path: Path
    others: tuple[Path, ...]
    attacks: tuple[str, ...]
    folder: Path
    seed: int
    settings: Settings


@dataclass(frozen=True, slots=True)
class PieceCopies:
    """What became of a task.

    Attributes
    ----------
    original : Path
    copies : tuple of (str, Path, tuple of Path)
        Attack, the file that was made, and the other pictures that it shows.
    failure : Failure or None
        Why the picture could not be used; with neither copies nor a failure it is too small.
    """

    original: Path
    copies: tuple[tuple[str, Path, tuple[Path, ...]], ...] = ()
    failure: Failure | None = None


def make_piece_copies(tasks: Sequence[PieceCopyTask]) -> list[PieceCopies]:
    """Decode pictures and write files that show parts of them."""
    return [_made(task) for task in tasks]


def piece_copies_died(task: PieceCopyTask, reason: Reason) -> PieceCopies:
    """The result for a picture whose worker died or took too long, twice."""
    return PieceCopies(task.path, failure=Failure(task.path, reason, WORKER_GONE[reason]))


def _made(task: PieceCopyTask) -> PieceCopies:
    try:
        picture = _picture(task.path, task.settings)
    except ReadError as error:
        return PieceCopies(task.path, failure=Failure(task.path, error.reason, error.detail))
    if picture is None:
        return PieceCopies(task.path)
    usable = []
    for path in task.others:
        try:
            other = _picture(path, task.settings)
        except ReadError:
            continue
        if other is not None:
            usable.append((path, other))
    if not usable:
        return PieceCopies(task.path)
    copies = []
    supply = cycle(usable)
    for number, name in enumerate(task.attacks):
        shown: list[Path] = []
        random = np.random.default_rng([task.seed, task.slot, number])
        copy = piece_attack(name, picture, _noted(supply, shown), random)
        path = task.folder / f"piece{task.slot:06d}-{number:02d}.jpg"
        _, data = cv2.imencode(".jpg", cv2.cvtColor(copy, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        path.write_bytes(data.tobytes())
        copies.append((name, path, tuple(shown)))
    return PieceCopies(task.path, tuple(copies))


def _noted(supply: Iterator[tuple[Path, ByteArray]], shown: list[Path]) -> Iterator[ByteArray]:
    for path, picture in supply:
        shown.append(path)
        yield picture


def _picture(path: Path, settings: Settings) -> ByteArray | None:
    """The first frame of a file in RGB; None where it is too small."""
    frame = decode_file(path, settings, min_side=SIDE).frames[0]
    return None if min(frame.mask.shape) < SMALLEST else reduced(as_rgb(frame), SIDE)


def evaluate_pieces(
    paths: Sequence[str | os.PathLike[str]],
    *,
    per_picture: int | None = None,
    limit: int = 100,
    seed: int = 0,
    settings: Settings | None = None,
    recursive: bool = True,
    progress: Progress = SILENT,
) -> PiecesEvaluation:
    """Put parts of a user's own pictures into others and measure how many are found.

    Parameters
    ----------
    paths : sequence of path
        Files and folders; only read.
    per_picture : int, optional
        Pictures that show a part of each; None = 4. All attacks come equally often.
    limit : int
        Most pictures; of more, a random sample.
    seed : int
        Of sample and attacks.
    settings : Settings, optional
        The profile is ``pieces`` whatever they say.
    recursive : bool
        Look into folders of folders too.
    progress : Progress

    Returns
    -------
    PiecesEvaluation

    Raises
    ------
    SettingsError
        Less than two pictures can be used.
    StoreError, OSError
        No space for the temporary files.
    """
    chosen = replace(settings or Settings(), profile=PROFILE, proof=ProofMode.OFF)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dedupindex-evaluate-") as name:
        folder = Path(name).resolve()
        roots = [at_home(Path(path)) for path in paths]
        files, skipped, failures = find_files(roots, chosen, recursive=recursive, exclude=[folder])
        drawn = list(islice(draw(files, seed, skipped), limit))
        made = _copies(drawn, folder, per_picture or COPIES, seed, chosen, progress)
        failures += [one.failure for one in made if one.failure is not None]
        usable = [one for one in made if one.copies]
        if not usable:
            raise SettingsError(f"two pictures of {SMALLEST} pixels a side or more are needed to make parts of")
        reported = _searched(folder, usable, chosen, progress)
    return _counted(usable, reported, failures, seed, time.monotonic() - began)


def _copies(
    drawn: Sequence[Path], folder: Path, per_picture: int, seed: int, settings: Settings, progress: Progress
) -> list[PieceCopies]:
    names = cycle(PIECE_ATTACKS)
    tasks = [
        PieceCopyTask(
            slot,
            path,
            tuple(drawn[(slot + step) % len(drawn)] for step in range(1, min(len(drawn), 17))),
            tuple(islice(names, per_picture)),
            folder,
            seed,
            settings,
        )
        for slot, path in enumerate(drawn)
    ]
    made: list[PieceCopies] = []
    progress.start(len(tasks), "parts")
    try:
        limits = limits_of(settings)
        with Pool(make_piece_copies, died=piece_copies_died, workers=settings.workers, limits=limits) as pool:
            for results in pool.map([task] for task in tasks):
                made += results
                progress.advance(len(results))
    finally:
        progress.finish()
    return sorted(made, key=lambda one: os.fsencode(one.original))


def _searched(
    folder: Path, made: Sequence[PieceCopies], settings: Settings, progress: Progress
) -> set[tuple[Path, Path]]:
    """Pairs of files that are reported, in both orders."""
    database = Database(folder / "evaluate.db", create=True)
    try:
        prepare_schema(database, create=True)
        fingerprint, engine = settings.fingerprint(versions(settings)), Embedded()
        wanted = [one.original for one in made] + [path for one in made for _, path, _ in one.copies]
        ingesting.ingest(database, settings, wanted, progress=progress, engine=engine)
        vectors = VectorCache(database, fingerprint)
        duplicates.find_duplicates(database, vectors, settings, progress=progress, engine=engine)
        find_new_pieces(database, PieceCache(database, fingerprint), settings, progress=progress, engine=engine)
        with database.read() as connection:
            report = reporting.report(connection, settings=settings)
    finally:
        database.close()
    both = [(pair.a, pair.b) for pair in report.pairs] + [(one.container, one.part) for one in report.pieces]
    reported = {(a.path, b.path) for one, other in both for a in one.locations for b in other.locations}
    return reported | {(b, a) for a, b in reported}


def _counted(
    made: Sequence[PieceCopies],
    reported: set[tuple[Path, Path]],
    failures: Sequence[Failure],
    seed: int,
    seconds: float,
) -> PiecesEvaluation:
    number, hits = Counter[str](), Counter[str]()
    shows: dict[Path, set[Path]] = {one.original: {one.original} for one in made}
    for one in made:
        for attack, path, others in one.copies:
            number[attack] += 1
            hits[attack] += (path, one.original) in reported
            shows[path] = {one.original, *others}
    originals = {one.original for one in made}
    pairs = {(a, b) for a, b in reported if os.fsencode(a) < os.fsencode(b) and not {a, b} <= originals}
    wrong = sorted((a, b) for a, b in pairs if shows[a].isdisjoint(shows[b]))
    return PiecesEvaluation(
        pictures=len(made),
        recalls=tuple(PieceRecall(name, number[name], hits[name]) for name in PIECE_ATTACKS if number[name]),
        pairs=len(pairs),
        wrong=tuple(wrong),
        failures=tuple(failures),
        seed=seed,
        seconds=round(seconds, 2),
    )
