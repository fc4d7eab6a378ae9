"""dedupindex and its peers on the same pictures and cores: what each costs, and what it finds.

``python -m tests.benchmarks.peers FOLDER TRUTH.csv [--work DIR] [--only NAME ...] [--score SCRIPT] [--json FILE]``.
FOLDER holds pictures; TRUTH.csv says with columns file, group, attack which show the same scene (attack ``original``
once a group). Every peer is installed from PyPI into an environment of its own below ``--work`` (kept, so that it is
there the next time) and runs at its own defaults; what does not install or run is named with the reason and left out.
``--score`` is a program ``SCRIPT TRUTH.csv PAIRS.csv --json OUT`` that adds the recall at a precision of .99.

``python -m tests.benchmarks.peers --hash-only [--megapixels 12] [--count 160] [--grain 9]`` measures describing alone,
without any search, on JPEGs that it makes itself (or on those in FOLDER). A grain of 9 levels makes them 3.2 MB each,
as cameras' are, 6 gives 2.4 MB, 0 gives .8: most of decoding them at a smaller scale is reading the compressed stream,
so that the ratio depends on the files' size.

Medians of ``--rounds`` runs. Rates are marginal: the cost of all pictures less that of the first 24, over the
pictures between; so the seconds that it takes to import and to start processes, shown as ``start``, are in nobody's
rate. CPU counts all processes. Memory is that of the largest process. In the table ``a wall s`` and ``a CPU s`` are
images, and ``ours/its`` is the images a CPU second of the first dedupindex over those of the row. Linux.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks.measuring import GRAIN, middle, show, write

ROOT = Path(__file__).parents[2]
DRIVERS = Path(__file__).with_name("peers_drivers.py")
OURS = {"dedupindex": "default", "dedupindex fast": "fast"}
# What pip is asked for, step by step. imagededup names PyTorch and torchvision (gigabytes of CUDA), which its hashes
# do not use: see its driver.
PEERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "imagededup": (
        ("--no-deps", "imagededup"),
        ("numpy", "Pillow", "PyWavelets", "scipy", "tqdm", "scikit-learn", "matplotlib"),
    ),
    "czkawka": (("czkawka",),),
    "perception": (("perception",),),
    "difpy": (("difPy",),),
    "fastdup": (("fastdup",),),
}
HASHERS = ("imagededup", "czkawka", "perception")
STARTERS = 24  # pictures whose cost stands for starting: as many as get all of our workers started
LIMIT = 1800.0  # seconds of a run


class NotRunError(Exception):
    """A peer could not be installed or run; says why."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: seconds by the clock, seconds of CPU in all processes, bytes of the largest process."""

    wall: float
    cpu: float
    peak: int


@dataclass(slots=True)
class Figures:
    """What is known of one contender."""

    name: str
    images: int
    version: str = ""
    wall: float = 0.0
    cpu: float = 0.0
    start: float = 0.0
    peak_mb: float = 0.0
    wall_rate: float = 0.0
    cpu_rate: float = 0.0
    ratio: float | None = None
    found: dict[str, float] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("truth", type=Path, nargs="?")
    parser.add_argument("--hash-only", action="store_true")
    parser.add_argument("--megapixels", type=float, default=12.0)
    parser.add_argument("--count", type=int, default=160)
    parser.add_argument("--grain", type=int, default=GRAIN)
    parser.add_argument("--work", type=Path, help="keeps environments and pairs")
    parser.add_argument("--only", nargs="+", choices=[*OURS, *PEERS], metavar="NAME", help=", ".join([*OURS, *PEERS]))
    parser.add_argument("--score", type=Path, metavar="SCRIPT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    if not given.hash_only and (given.folder is None or given.truth is None):
        parser.error("FOLDER and TRUTH.csv are needed, or --hash-only")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])  # and of all that is started from here
    if given.work is not None:
        given.work.mkdir(parents=True, exist_ok=True)
        return _in(given.work.resolve(), given)
    with tempfile.TemporaryDirectory() as name:
        return _in(Path(name), given)


def _in(work: Path, given: argparse.Namespace) -> int:
    what = "hash" if given.hash_only else "scan"
    folder = given.folder.resolve() if given.folder else made(work, given.megapixels, given.count, given.grain)
    names = given.only or [*OURS, *(HASHERS if given.hash_only else PEERS)]
    few = starters(work, folder)
    runs: dict[str, list[tuple[Cost, Cost]]] = {name: [] for name in names}
    left_out: dict[str, str] = {}
    for turn in range(given.rounds):  # in turn, so that what else the machine does meets all of them
        for name in names:
            if name not in left_out:
                Console(stderr=True).print(f"round {turn + 1}: {name}")
                try:
                    start = ran(name, what, few, work, work / "few.csv")
                    runs[name].append((start, ran(name, what, folder, work, pairs_file(work, name))))
                except NotRunError as error:
                    left_out[name] = str(error)
    images = sum(1 for path in folder.iterdir() if path.is_file())
    results = [summed(name, images, runs[name], work) for name in names if name not in left_out]
    for figures in results:
        if what == "scan":
            figures.found = found(given.truth, pairs_file(work, figures.name), given.score, work)
    reference = next((figures.cpu_rate for figures in results if figures.name in OURS), None)
    for figures in results:
        figures.ratio = reference / figures.cpu_rate if reference and figures.cpu_rate > 0 else None
    table(what, results)
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}")
    write(given.json, {"mode": what, "results": {one.name: _plain(one) for one in results}, "left out": left_out})
    return 0


def summed(name: str, images: int, runs: Sequence[tuple[Cost, Cost]], work: Path) -> Figures:
    """Take medians over the runs, each on a few pictures and on all."""
    figures = Figures(name, images, _version(name, work))
    figures.wall, figures.cpu = middle([run.wall for _, run in runs]), middle([run.cpu for _, run in runs])
    figures.start = middle([start.cpu for start, _ in runs])
    figures.peak_mb = middle([run.peak / 1e6 for _, run in runs])
    wall = middle([run.wall - start.wall for start, run in runs])
    cpu = middle([run.cpu - start.cpu for start, run in runs])
    figures.wall_rate = (images - STARTERS) / wall if wall > 0 else 0.0
    figures.cpu_rate = (images - STARTERS) / cpu if cpu > 0 else 0.0
    return figures


def ran(name: str, what: str, folder: Path, work: Path, pairs: Path) -> Cost:
    """Run one contender once, in a home and a working folder that are empty before: nothing is cached."""
    home = work / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "DEDUPINDEX_"))}
    environment["HOME"] = str(home)
    environment.pop("PYTHONPATH", None)
    if name in OURS:
        environment["PYTHONPATH"] = str(ROOT)
        base = [sys.executable, "-m", "dedupindex", "-q", "-d", str(home / "index.db")]
        task = ["scan", str(folder), "--pairs", str(pairs)] if what == "scan" else ["ingest", str(folder)]
        command = [*base, *task, "--profile", OURS[name]]
    else:
        command = [str(environment_of(name, work)), str(DRIVERS), name, what, str(folder), str(pairs)]
    return cost(command, environment, home)


def cost(command: Sequence[str], environment: dict[str, str], folder: Path) -> Cost:
    """Run a command and say what it took, with all processes that it started and waited for.

    Raises
    ------
    NotRunError
        It failed, or took longer than half an hour.
    """
    log = folder / "log.txt"
    with log.open("wb") as file:
        began = time.monotonic()
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        alarm = threading.Timer(LIMIT, os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # interrupted: it is in a session of its own and would go on
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            alarm.cancel()
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1) or (process.returncode and "dedupindex" not in command):
        lines = log.read_text(errors="replace").strip().splitlines()
        raise NotRunError(f"ended with {process.returncode}: {lines[-1] if lines else 'no word'}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def environment_of(name: str, work: Path) -> Path:
    """Return the Python of a peer's environment, making it where it is not there.

    Raises
    ------
    NotRunError
        Pip could not install it.
    """
    place = work / "venvs" / name
    python, mark = place / "bin" / "python", place / "installed"
    if mark.exists():
        return python
    shutil.rmtree(place, ignore_errors=True)
    steps = [[sys.executable, "-m", "venv", str(place)]]
    steps += [[str(python), "-m", "pip", "install", "-q", *wanted] for wanted in PEERS[name]]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
            raise NotRunError(f"does not install: {errors[-1]}")
    mark.touch()
    return python


def _version(name: str, work: Path) -> str:
    if name in OURS:
        return ""
    ask = f"import importlib.metadata as m; print(m.version({name!r}))"
    done = subprocess.run([str(environment_of(name, work)), "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def made(work: Path, megapixels: float, count: int, grain: int) -> Path:
    """Make textured JPEGs, 4:3, quality 90, in a process of its own, as NumPy would count as a peer's memory."""
    folder = work / f"{count}x{megapixels:g}mp-{grain}"
    if not folder.exists():
        rows = round(math.sqrt(megapixels * 1e6 * 3 / 4))
        begun = folder.with_suffix(".part")
        shutil.rmtree(begun, ignore_errors=True)
        program = "import sys; from pathlib import Path; from tests.benchmarks.ingest import make; "
        program += f"make(Path(sys.argv[1]), ({rows}, {round(rows * 4 / 3)}), {count}, {grain})"
        subprocess.run([sys.executable, "-c", program, str(begun)], cwd=ROOT, check=True)
        begun.rename(folder)
    return folder


def starters(work: Path, folder: Path) -> Path:
    """Return a folder with copies of the first few pictures."""
    few = work / "few"
    shutil.rmtree(few, ignore_errors=True)
    few.mkdir()
    for path in sorted(path for path in folder.iterdir() if path.is_file())[:STARTERS]:
        shutil.copy(path, few)
    return few


def pairs_file(work: Path, name: str) -> Path:
    """Return where a contender's pairs are kept."""
    return work / f"{name.replace(' ', '-')}.csv"


def found(truth: Path, pairs: Path, score: Path | None, work: Path) -> dict[str, float]:
    """Judge the pairs: how many, the share that is right, and the mean over attacks of the copies found.

    A copy counts as found when it is paired with its own original or with a byte-identical copy of that.
    """
    group, attack, same = {}, {}, set()
    for row in _rows(truth):
        group[row["file"]], attack[row["file"]] = row["group"], row["attack"]
        if row["attack"] in ("original", "exact_copy"):
            same.add(row["file"])
    originals = {group[name] for name, kind in attack.items() if kind == "original"}
    copies: dict[str, set[str]] = defaultdict(set)
    for name, kind in attack.items():
        if kind != "original" and group[name] in originals:
            copies[kind].add(name)
    told = {tuple(sorted((Path(row["a"]).name, Path(row["b"]).name))) for row in _rows(pairs)}
    known = [(a, b) for a, b in told if a != b and a in group and b in group]
    right = [(a, b) for a, b in known if group[a] == group[b]]
    hit = {b for a, b in right if a in same} | {a for a, b in right if b in same}
    figures = {"pairs": float(len(known))}
    if known:
        figures["precision"] = len(right) / len(known)
        figures["recall"] = sum(len(names & hit) / len(names) for names in copies.values()) / max(1, len(copies))
    if score is not None and known:
        judged = work / "judged.json"
        command = [sys.executable, str(score), str(truth), str(pairs), "--json", str(judged)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        best = json.loads(judged.read_text())["at"].get("0.99")
        if best is not None:
            figures["R@P.99"] = best["mean_direct"]
    return figures


def table(what: str, results: Sequence[Figures]) -> None:
    """Print what came out."""
    columns = ["", "images", "wall s", "CPU s", "start", "a wall s", "a CPU s", "MB"]
    if what == "scan":
        columns += ["pairs", "precision", "recall", "R@P.99"]
    columns.append("ours/its")
    rows = []
    for one in results:
        row: list[object] = [f"{one.name} {one.version}".strip(), one.images, one.wall, one.cpu, one.start]
        row += [one.wall_rate, one.cpu_rate, round(one.peak_mb)]
        if what == "scan":
            row.append(int(one.found["pairs"]))
            row += [one.found.get(key, "-") for key in ("precision", "recall", "R@P.99")]
        rows.append([*row, "-" if one.ratio is None else one.ratio])
    show("Describing alone" if what == "hash" else "Finding duplicates", columns, rows)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _plain(figures: Figures) -> dict[str, Any]:
    return {name: getattr(figures, name) for name in Figures.__slots__}


if __name__ == "__main__":
    sys.exit(main())
