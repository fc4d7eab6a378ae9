"""What the benchmarks share: CPU medians, watching a command's memory, tables, JSON."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

GRAIN = 9  # levels of noise, up and down, in made JPEGs; with it 12 megapixels have 3.2 MB
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command cost: seconds of the clock and of the CPU (with its children), bytes of the process itself."""

    wall: float
    cpu: float
    peak: int
    output: str


def cpu_ms(work: Callable[..., Any], *arguments: object) -> tuple[float, Any]:
    """Milliseconds of this thread's CPU that some work takes, and its result."""
    began = time.thread_time()
    result = work(*arguments)
    return (time.thread_time() - began) * 1e3, result


def run(*arguments: object, check: bool = True) -> Ran:
    """Run ``dedupindex`` with these arguments in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    command = [sys.executable, "-m", "dedupindex", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _high_water(process.pid))
        time.sleep(0.05)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = process.stdout.read() if process.stdout else ""
    if check and process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(wall, cpu, peak, output)


def _high_water(pid: int) -> int:
    """Most resident bytes of a process so far; Linux only, else 0."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def resident() -> int:
    """Resident bytes of this process that no file backs, after what was freed has gone back; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def middle(values: Sequence[float]) -> float:
    """The median."""
    return float(median(values))


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*(f"{value:,.3g}" if isinstance(value, float) else str(value) for value in row))
    Console(width=140).print(table)


def write(path: Path | None, figures: dict[str, Any]) -> None:
    """Write figures as JSON, if somebody wants them."""
    if path is not None:
        machine = {"cores": len(os.sched_getaffinity(0)), "python": sys.version.split()[0]}
        path.write_text(json.dumps({"machine": machine, **figures}, indent=1) + "\n")
