"""What describing a picture costs, against a plain Pillow decode of the same files, stage by stage.

``python -m tests.benchmarks.ingest [PICTURES] [--json FILE]``. Without PICTURES, landscapes of 500 x 333 pixels are
made; JPEGs of 12 megapixels are always made, with three amounts of grain and so of three sizes: what a smaller scale
spares of decoding is everything but the compressed stream, and the larger that is, the less describing weighs. Medians
over all files of CPU time of one thread, in one process, stage by stage for single files, and all stages together for
files as an ingest hands them to a worker; the reference decodes at the scale at which the default profile does, which
for small pictures is the full one. Then the real command with one worker and with two, and its memory with many and
with ten times as many tiny files.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import GRAIN, ONE_THREAD, cpu_ms, middle, run, show, write

os.environ.update(ONE_THREAD)  # before NumPy and OpenCV are loaded

import cv2
import numpy as np
from PIL import Image

from dedupindex.cli.sample_pictures import landscape
from dedupindex.features import describe_stack, pack
from dedupindex.ingest.describing import FileTask, describe_files, take_task
from dedupindex.prepare.pipeline import prepare
from dedupindex.records import FoundFile
from dedupindex.settings import PROFILES, Settings
from dedupindex.sources import decode_file, walk
from dedupindex.store.rows import FileState

PLAIN = "Pillow: decode at draft scale and resize"
SMALL, LARGE = (333, 500), (3000, 4000)  # rows, columns
GRAINS = {"large, 0.8 MB": 0, "large, 2.4 MB": 6, "large, 3.2 MB": GRAIN}
SIDE = 256  # what a plain decode resizes to, pixels: as much as features need


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ingest", description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=60, help="small pictures (default 60); large: a quarter of it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", type=int, default=10_000, help="tiny files for the memory, and ten times as many")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        small = _taken(given.pictures, given.count) or make(folder / "small", SMALL, given.count)
        figures: dict[str, dict[str, float]] = {"small": stages(small, given.rounds)}
        for name, grain in GRAINS.items():
            large = make(folder / name, LARGE, max(5, given.count // 4), grain)
            figures[name] = stages(large, given.rounds)
        figures["workers"] = workers(folder, make(folder / "many", SMALL, 12), given.rounds)
        figures["memory"] = memory(folder, given.tiny)
    for what in ("small", *GRAINS):
        reference = figures[what][PLAIN]
        rows = [(stage, value, value / reference) for stage, value in figures[what].items()]
        show(f"CPU an image, {what}", ("stage", "ms", "x Pillow"), rows)
    show("Throughput and memory", ("", "figure"), [*figures["workers"].items(), *figures["memory"].items()])
    write(given.json, figures)
    return 0


def make(folder: Path, shape: tuple[int, int], count: int, grain: int = GRAIN) -> list[Path]:
    """Write landscapes with some grain as JPEGs of quality 90."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        scene = cv2.resize(landscape(number), shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.int16)
        noise = rng.integers(-grain, grain + 1, (*shape, 1), np.int16)
        path = folder / f"{number:04}.jpg"
        Image.fromarray(np.clip(scene + noise, 0, 255).astype(np.uint8)).save(path, quality=90)
        made.append(path)
    return made


def stages(files: Sequence[Path], rounds: int) -> dict[str, float]:
    """CPU milliseconds an image of every stage, and of Pillow's own decoding."""
    taken: dict[str, list[float]] = {}

    def clock(stage: str, work: Callable[..., Any], *arguments: object) -> Any:
        spent, result = cpu_ms(work, *arguments)
        taken.setdefault(stage, []).append(spent)
        return result

    found = {file.path: file for file in walk(sorted({path.parent for path in files})) if isinstance(file, FoundFile)}
    shapes = [decode_file(path, Settings()).frames[0].pixels.shape for path in files]
    for turn in range(rounds + 1):
        for path, shape in zip(files, shapes, strict=True):
            clock(PLAIN, plain, path, shape)
        for profile in PROFILES:  # one after the other: each finds in the caches what it left there itself
            settings = Settings(profile=profile)
            for path in files:
                frame = clock(f"{profile}: read, hash, decode", decode_file, path, settings).frames[0]
                ready = clock(f"{profile}: prepare", prepare, frame, settings)
                [described] = clock(f"{profile}: describe", describe_stack, [ready], settings)
                clock(f"{profile}: pack", pack, described)
            waiting = deque(
                FileTask(FileState(path, found[path].size, 0, 0), settings, found=found[path]) for path in files
            )
            while waiting:  # as an ingest hands them out: small files by eights
                task = take_task(waiting)
                spent, results = cpu_ms(describe_files, task)
                assert [len(result.images) for result in results] == [1] * len(task)
                taken.setdefault(f"{profile}: all that a worker does", []).append(spent / len(task))
        if not turn:
            taken.clear()  # the first round warms up
    return {stage: middle(values) for stage, values in taken.items()}


def plain(path: Path, shape: Sequence[int]) -> None:
    """Decode with Pillow at the draft scale that the default profile takes, and resize."""
    with Image.open(path) as image:
        image.draft("RGB", (shape[1], shape[0]))
        image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)


def workers(folder: Path, files: Sequence[Path], rounds: int) -> dict[str, float]:
    """Throughput of `ingest` with two workers over that with one; start-up taken off by a run with nothing to do."""
    source = folder / "lots"
    source.mkdir()
    for number in range(100):
        for path in files:
            (source / f"{number}-{path.name}").write_bytes(path.read_bytes() + number.to_bytes(2, "big"))
    walls: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(rounds):
        for count in walls:
            database = folder / f"w{count}-{turn}.db"
            first = run("-d", database, "ingest", source, "--workers", count)
            again = run("-d", database, "ingest", source, "--workers", count)
            walls[count].append(first.wall - again.wall)
    one, two = middle(walls[1]), middle(walls[2])
    images = 100 * len(files)
    return {
        "1 worker, images a second": images / one,
        "2 workers, images a second": images / two,
        "2 workers over 1": one / two,
    }


def memory(folder: Path, count: int) -> dict[str, float]:
    """Peak memory of the parent of an ingest of tiny files, and of ten times as many."""
    found = {}
    rng = np.random.default_rng(1)
    source = folder / "tiny"
    made = 0
    for total in (count, 10 * count):
        while made < total:
            below = source / f"{made // 1000:04}"
            below.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (12, 12), np.uint8)).save(below / f"{made}.png")
            made += 1
        ran = run("-d", folder / f"tiny{total}.db", "ingest", source)
        found[f"parent's peak, {total:,} files, MB"] = ran.peak / 1e6
        found[f"images a second, {total:,} tiny files"] = total / ran.wall
    return found


def _taken(folder: Path | None, count: int) -> list[Path]:
    if folder is None:
        return []
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    return files[:: max(1, len(files) // count)][:count]


if __name__ == "__main__":
    sys.exit(main())
