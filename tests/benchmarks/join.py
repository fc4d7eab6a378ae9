"""The self-join by cells of a parted engine, against the vector index and against comparing everything.

``python -m tests.benchmarks.join [--images 100000 300000 1000000] [--workers 2] [--work FOLDER]``. Made-up descriptors
with planted copies, no database. A million take some 9 GB of work folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dedupindex.engines.executor import Executor
from dedupindex.engines.folder import WorkFolder
from dedupindex.engines.jobs import put_part
from dedupindex.engines.joining import HITS, centres_table
from dedupindex.engines.local import LocalBackend
from dedupindex.engines.proposing import IMAGES_A_PART, Plan, images_table, join, layout_for
from dedupindex.evaluation.synthetic import BLOCK, descriptors, make_pool
from dedupindex.execution.template import close_template
from dedupindex.features import DESCRIPTOR_DIMENSIONS, unit
from dedupindex.features.descriptor import orientations
from dedupindex.search.candidates import radius_for
from dedupindex.settings import Settings
from dedupindex.vectors import VectorIndex, sample_of, set_threads, train_centres
from tests.benchmarks.measuring import show, write
from tests.tools.fill_synthetic import pool_features

SAMPLE = 1_000  # images that are compared with everything, and asked of the vector index
BINS = (0.45, 0.5, 0.6, 0.7, 0.95)


@dataclass(frozen=True, slots=True)
class Truth:
    """Planted pairs, with the cosine of each, and the descriptors of a sample of images."""

    copy: np.ndarray
    original: np.ndarray
    cosine: np.ndarray


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.join", description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[100_000, 300_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help="where the parts lie while it runs")
    parser.add_argument("--cells", type=int, help="instead of the plan's")
    parser.add_argument("--no-index", action="store_true", help="leave the vector index out")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    if given.work:
        given.work.mkdir(parents=True, exist_ok=True)
    found: dict[int, dict[str, float]] = {}
    for images in given.images:
        with tempfile.TemporaryDirectory(dir=given.work) as name:
            plan = layout_for(images)
            if given.cells:
                plan = Plan(given.cells, plan.copies, plan.homes)
            _alone(prepare, images, Path(name))
            found[images] = _alone(measure, Path(name), plan, Settings(workers=given.workers), index=not given.no_index)
        show(f"{images:,}", ("", f"{images:,}"), list(found[images].items()))
        sys.stdout.flush()
    if len(found) > 1:
        seconds = [figures["join, CPU s"] for figures in found.values()]
        exponent = float(np.polyfit(np.log(list(found)), np.log(seconds), 1)[0])
        print(f"join: CPU seconds ~ n^{exponent:.2f}")
    write(given.json, {str(images): figures for images, figures in found.items()})
    return 0


def _alone(function: Callable[..., Any], *arguments: object, **named: object) -> Any:
    """Call in a process of its own, whose memory is nobody else's."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(function, *arguments, **named).result()


def prepare(images: int, work: Path) -> None:
    """Make the descriptors, and what is known of them."""
    codes = np.lib.format.open_memmap(work / "codes.npy", "w+", np.int8, (images, DESCRIPTOR_DIMENSIONS))
    original = np.full(images, -1, np.int64)
    pool = make_pool(pool_features(None, Settings()))
    for number, (some, copied) in enumerate(descriptors(pool, images)):
        rows = slice(number * BLOCK, number * BLOCK + len(some))
        codes[rows], original[rows] = some, copied
    codes.flush()
    np.save(work / "original.npy", original)


def measure(work: Path, plan: Plan, settings: Settings, *, index: bool) -> dict[str, float]:
    """All figures of one size."""
    images = len(_codes(work))
    radius = radius_for(settings, images)
    before, began = _cpu(), time.monotonic()
    executor = Executor(WorkFolder(str(work / "parts")), LocalBackend(settings))
    parts = []
    for start in range(0, images, IMAGES_A_PART):
        some = np.array(_codes(work)[start : start + IMAGES_A_PART])  # mapped anew: what was read is not kept
        ids, negative = np.arange(start, start + len(some)), np.full(len(some), -1.0)
        parts.append(put_part(executor.folder, images_table(ids, some, np.full(len(some), 2, np.int8), negative)))
    centres = ""
    if plan.cells > 1:
        sample = np.array(_codes(work)[sample_of(images, plan.cells)])
        centres = put_part(executor.folder, centres_table(train_centres(sample, plan.cells)))
    prepared = _cpu() - before
    blocks = join(executor, parts, images, plan, centres, radius, settings.candidates)
    executor.backend.close()
    figures = {
        "cells": float(plan.cells),
        "cosine of the radius": 1 - radius,
        "join, CPU s": _cpu() - before,
        "of it parts and centres": prepared,
        "join, wall s": time.monotonic() - began,
        "driver at most, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "a worker at most, MB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "work folder, GB": sum(file.stat().st_size for file in (work / "parts").iterdir()) / 1e9,
    }
    codes, truth = _codes(work), _truth(work)
    figures |= _judged(executor.folder, blocks, truth, codes, radius, settings.candidates)
    executor.folder.clear()
    if index:
        figures |= _index(codes, truth, radius, settings)
    return figures


def _codes(work: Path) -> np.ndarray:
    return np.asarray(np.load(work / "codes.npy", mmap_mode="r"))


def _truth(work: Path) -> Truth:
    codes, original = _codes(work), np.load(work / "original.npy")
    copy = np.flatnonzero(original >= 0)
    cosine = np.concatenate(
        [
            (unit(codes[some]) * unit(codes[original[some]])).sum(axis=1)
            for some in np.array_split(copy, max(1, len(copy) // 4096))
        ]
    )
    return Truth(copy, original[copy], cosine)


def _judged(
    folder: WorkFolder, blocks: dict[int, str], truth: Truth, codes: np.ndarray, radius: float, most: int
) -> dict[str, float]:
    """What the join found of the planted pairs, and of all pairs of a sample of images."""
    images = len(codes)
    wanted = np.sort(np.minimum(truth.copy, truth.original) * images + np.maximum(truth.copy, truth.original))
    seen = np.zeros(len(wanted), bool)
    sample = np.sort(np.random.default_rng(1).choice(images, min(SAMPLE, images), replace=False))
    hits = largest = 0
    near: set[tuple[int, int]] = set()
    for _, part in sorted(blocks.items()):
        table = folder.read(part)
        image, other = (table[name].to_numpy() for name in HITS.names[:2])
        hits += len(image)
        largest = max(largest, int(np.bincount(image - image.min()).max())) if len(image) else largest
        pairs = np.unique(np.minimum(image, other) * images + np.maximum(image, other))
        place = np.searchsorted(wanted, pairs).clip(max=len(wanted) - 1)
        seen[place[wanted[place] == pairs]] = True
        mine = np.isin(image, sample)
        near.update(zip(image[mine].tolist(), other[mine].tolist(), strict=True))
    order = np.argsort(np.minimum(truth.copy, truth.original) * images + np.maximum(truth.copy, truth.original))
    cosine = truth.cosine[order]
    figures = {
        "hits an image": hits / images,
        "most of one image": float(largest),
        "recall of planted pairs": seen.mean(),
    }
    for low, high in pairwise(BINS):
        chosen = (cosine >= low) & (cosine < high)
        figures[f"recall at cosine {low} to {high}"] = float(seen[chosen].mean())
    within = found = 0
    probes = orientations(codes[sample], 2)
    for start in range(0, images, 1 << 15):
        targets = unit(np.array(codes[start : start + (1 << 15)]))
        both = np.maximum(probes[0] @ targets.T, probes[1] @ targets.T)
        rows, columns = np.nonzero(both >= 1 - radius)
        pairs = {(int(sample[row]), start + int(column)) for row, column in zip(rows, columns, strict=True)}
        pairs = {pair for pair in pairs if pair[0] != pair[1]}
        within += len(pairs)
        found += len(pairs & near)
    figures["of all pairs within the radius, found"] = found / max(within, 1)
    return figures


def _index(codes: np.ndarray, truth: Truth, radius: float, settings: Settings) -> dict[str, float]:
    """The same from the vector index (IVF-SQ8): building it, and searching for a sample from both sides."""
    set_threads(1)
    before = _cpu()
    index = VectorIndex(DESCRIPTOR_DIMENSIONS)
    index.add(np.arange(len(codes)), np.array(codes))
    if index.needs_sealing:
        index.seal()
    built = _cpu() - before
    chosen = np.random.default_rng(2).choice(len(truth.copy), min(SAMPLE, len(truth.copy)), replace=False)
    before = _cpu()
    found = 0
    sides = [(truth.copy[chosen], truth.original[chosen]), (truth.original[chosen], truth.copy[chosen])]
    hit = np.zeros(len(chosen), bool)
    for image, other in sides:
        near = index.search(np.concatenate(orientations(np.array(codes[image]), 2)), radius, settings.candidates)
        for row, some in enumerate(near):
            hit[row % len(chosen)] |= bool((some.ids == other[row % len(chosen)]).any())
    found = float(hit.mean())
    each = (_cpu() - before) / (2 * len(chosen))
    return {
        "vector index: build, CPU s": built,
        "vector index: search of all, CPU s": each * len(codes),
        "vector index: recall of planted pairs": found,
    }


def _cpu() -> float:
    close_template()  # what workers used counts when it has ended
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    sys.exit(main())
