"""What collections of look-alikes cost, against photographs.

``python -m tests.benchmarks.look_alikes [PHOTOGRAPHS] [--outlines 500] [--cells 870] [--rounds 3] [--json FILE]``.
The look-alikes are made: objects of nearly one outline on black, each with a surface of its own; and cells, one a
picture, as a microscope shows them. None is a copy of another. PHOTOGRAPHS is a folder; without it landscapes are made.
Measured is CPU time in this process, a picture: describing; and a first report without proofs, which is searching,
vetting by keypoints and verifying, here of every picture of a sample against the whole collection.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tests.benchmarks.measuring import ONE_THREAD, middle, show, write

os.environ.update(ONE_THREAD)  # before NumPy and OpenCV are loaded

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from dedupindex.cli.sample_pictures import landscape
from dedupindex.execution.tasks import FileTask, PairResult, PairTask
from dedupindex.index import Index
from dedupindex.ingest.describing import describe_files, take_task
from dedupindex.records import ByteArray, FoundFile
from dedupindex.search.candidates import stored_candidates
from dedupindex.search.pair_stages import verify_pairs
from dedupindex.search.vector_cache import VectorCache
from dedupindex.search.verifying import verify_stored
from dedupindex.settings import PROFILES, Settings
from dedupindex.sources import walk
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState
from dedupindex.upkeep.opening import location_of
from dedupindex.versions import versions
from tests.tools import cutouts

SIZE = (333, 500)  # rows, columns of outlines and landscapes
CELL = 256  # pixels of a side
PICTURES = (".jpg", ".jpeg", ".png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.look_alikes", description=__doc__)
    parser.add_argument("photographs", type=Path, nargs="?")
    parser.add_argument("--outlines", type=int, default=500)
    parser.add_argument("--cells", type=int, default=870)
    parser.add_argument("--landscapes", type=int, default=500, help="if no photographs are given")
    parser.add_argument("--sample", type=int, default=60, help="pictures that are described and compared")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", choices=PROFILES, default="default")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        sets = {
            "photographs": given.photographs or landscapes(work / "photographs", given.landscapes),
            "outlines on black": outlines(work / "outlines", given.outlines),
            "cells": cells(work / "cells", given.cells),
        }
        figures = {name: cost(work / f"{name}.db", folder, given) for name, folder in sets.items()}
    whole = {name: one["describing"] + one["first report"] for name, one in figures.items()}
    rows = [(name, *one.values(), whole[name], whole[name] / whole["photographs"]) for name, one in figures.items()]
    columns = (
        "",
        "pictures",
        "pairs",
        "verified",
        "accepted",
        "describing, ms",
        "first report, ms",
        "both",
        "x photographs",
    )
    show(f"CPU a picture, profile {given.profile}", columns, rows)
    write(given.json, figures)
    return 0


class Here:
    """Stands for a pool of workers: does the work in this process."""

    started = True

    def map(self, tasks: Iterable[Sequence[PairTask]]) -> Iterator[Sequence[PairResult]]:
        """Results of the tasks."""
        return (verify_pairs(task) for task in tasks)


def cost(database: Path, folder: Path, given: argparse.Namespace) -> dict[str, float]:
    """Milliseconds of CPU a picture that describing a folder and its first report take, and what was found."""
    settings = Settings(profile=given.profile)
    with Index.open(database, create=True, profile=given.profile) as index:
        index.ingest([folder])
    files = [file for file in walk([folder]) if isinstance(file, FoundFile)]
    some = files[:: max(1, len(files) // given.sample)][: given.sample]
    waiting = deque(FileTask(FileState(file.path, file.size, 0, 0), settings, found=file) for file in some)
    tasks = [take_task(waiting) for _ in some if waiting]
    describe_files(tasks[0])  # loads what is loaded when it is first used
    described = median_ms(given.rounds, lambda: [describe_files(task) for task in tasks])
    store = Database(location_of(database))
    vectors = VectorCache(store, settings.fingerprint(versions(settings)))
    with store.read() as connection:
        ids = sorted(catalog_images.described(connection, range(1, 2 * len(files) + 2)))
    chosen = ids[:: max(1, len(ids) // given.sample)][: given.sample]
    counts: list[int] = []

    def report() -> None:
        near = stored_candidates(store, vectors.current(), settings, chosen)
        pairs = sorted({(min(one, c.image_id), max(one, c.image_id)) for one, (c_s, _) in near.items() for c in c_s})
        pairs = [pair for pair in pairs if pair[0] != pair[1]]
        results = list(verify_stored(store, Here(), settings, pairs))
        counts[:] = len(pairs), sum(len(result.plausible) for result in results), sum(len(r.accepted) for r in results)

    report()
    # a pair is the candidate of both its pictures, so a first report over all compares about half of these
    reported = median_ms(given.rounds, report) / 2
    store.close()
    names = ("pairs", "verified", "accepted")
    return {
        "pictures": len(files),
        **dict(zip(names, (count / len(chosen) / 2 for count in counts), strict=True)),
        "describing": described / len(some),
        "first report": reported / len(chosen),
    }


def median_ms(rounds: int, work: Callable[[], object]) -> float:
    """Median milliseconds of this process's CPU over some rounds."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append((time.process_time() - began) * 1e3)
    return middle(taken)


def landscapes(folder: Path, count: int) -> Path:
    """Write made-up landscapes."""
    scenes = (cv2.resize(landscape(seed), SIZE[::-1], interpolation=cv2.INTER_AREA) for seed in range(count))
    return written(folder, scenes)


def outlines(folder: Path, count: int) -> Path:
    """Write objects of nearly one outline on black, each with a surface of its own."""
    random = np.random.default_rng(25)
    shape = cutouts.outline(random)
    masks = (cutouts.inside(cutouts.like(shape, random, 0.1), SIZE) for _ in range(count))
    return written(folder, (cutouts.cut_out(cutouts.skin(SIZE, random), mask, 0) for mask in masks))


def cells(folder: Path, count: int) -> Path:
    """Write cells in the middle of a field, as a microscope shows them."""
    random = np.random.default_rng(26)
    return written(folder, (cell(random) for _ in range(count)))


def cell(random: np.random.Generator) -> ByteArray:
    """(CELL, CELL, 3) uint8: a round body with a nucleus of another colour, granules, and parts of its neighbours."""
    ground = gaussian_filter(random.normal(size=(CELL, CELL)), 20)
    picture = np.array([225.0, 205.0, 215.0]) + (ground / ground.std() * 3)[..., None]
    turns = random.uniform(0, 2 * np.pi) + np.arange(4) * np.pi / 2 + random.normal(0, 0.3, 4)
    for turn in turns:  # red cells around
        away = random.uniform(0.85, 1.15) * CELL / 2
        middle_of = CELL / 2 + away * np.array([np.cos(turn), np.sin(turn)])
        picture = blended(picture, (200, 150, 155), disc(middle_of, CELL * random.uniform(0.16, 0.2), random))
    body = disc(np.full(2, CELL / 2), CELL * random.uniform(0.27, 0.31), random)
    picture = blended(picture, random.normal((190, 170, 205), 4), body)
    granules = gaussian_filter(random.normal(size=(CELL, CELL)), 2.5)
    picture -= (body * granules / granules.std() * random.uniform(4, 9))[..., None]
    for _ in range(int(random.integers(1, 4))):
        at = CELL / 2 + random.normal(0, CELL * 0.06, 2)
        picture = blended(picture, random.normal((110, 70, 150), 8), disc(at, CELL * random.uniform(0.1, 0.16), random))
    noisy = picture + random.normal(0, 2, picture.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def disc(middle_of: np.ndarray, radius: float, random: np.random.Generator) -> np.ndarray:
    """(CELL, CELL) 0..1: a roundish disc with a soft edge; the middle is (x, y)."""
    y, x = np.mgrid[0:CELL, 0:CELL]
    dx, dy = x - middle_of[0], y - middle_of[1]
    angle = np.arctan2(dy, dx)
    limit = radius * (
        1 + sum(random.normal(0, 0.04) * np.cos(wave * angle + random.uniform(0, 6.3)) for wave in (2, 3))
    )
    soft: np.ndarray = 1 / (1 + np.exp(np.clip((np.hypot(dx, dy) - limit) / 1.5, -30, 30)))
    return soft


def blended(picture: np.ndarray, colour: Sequence[float] | np.ndarray, share: np.ndarray) -> np.ndarray:
    """A picture with a colour laid over it."""
    mixed: np.ndarray = picture * (1 - share[..., None]) + np.asarray(colour) * share[..., None]
    return mixed


def written(folder: Path, pictures: object) -> Path:
    """Write pictures as JPEGs of quality 90."""
    folder.mkdir()
    for number, picture in enumerate(pictures):  # type: ignore[arg-type, var-annotated]
        Image.fromarray(picture).save(folder / f"{number:04}.jpg", quality=90)
    return folder


if __name__ == "__main__":
    sys.exit(main())
