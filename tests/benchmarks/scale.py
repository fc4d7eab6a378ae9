"""How query, report and memory grow with the collection, on made-up images (`python -m tests.tools.fill_synthetic`).

``python -m tests.benchmarks.scale [--sizes 10000 100000 1000000] [--like PICTURES] [--effort NAME] [--work FOLDER]``.
A million images take 27 GB and some hours. Of each size: opening, memory of the vectors, retrieval of one and of a
thousand, a query end to end, the first report over everything, then a thousand more images and the report on those.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dedupindex import Index
from dedupindex.cli.sample_pictures import landscape
from dedupindex.features import DESCRIPTOR_DIMENSIONS, unit
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from dedupindex.vectors import set_threads
from tests.benchmarks.measuring import middle, resident, show, write
from tests.tools.fill_synthetic import fill_database

ROUNDS = 9
MORE = 1_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--like", type=Path, help="pictures to vary (default: made-up scenes)")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--work", type=Path, help="where the databases are kept, and taken up again")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        work = given.work or Path(name)
        work.mkdir(exist_ok=True)
        found = {n: measure(work / f"{n}-{given.effort}.db", n, given.like, given.effort) for n in given.sizes}
    figures = list(found[given.sizes[0]])
    rows = [(figure, *(found[n][figure] for n in given.sizes)) for figure in figures]
    show(f"Effort {given.effort}", ("", *(f"{n:,}" for n in given.sizes)), rows)
    if len(given.sizes) > 1:
        seconds = [found[n]["first report, s"] for n in given.sizes]
        exponent = float(np.polyfit(np.log(given.sizes), np.log(seconds), 1)[0])
        print(f"first report: seconds ~ n^{exponent:.2f}")
    write(given.json, {"effort": given.effort, "sizes": {str(n): figures for n, figures in found.items()}})
    return 0


def measure(path: Path, images: int, like: Path | None, effort: str) -> dict[str, float]:
    """All figures of one size."""
    if not path.exists():
        fill_database(path, images, like=like)
    figures: dict[str, float] = {"database, bytes an image": path.stat().st_size / images}
    with Index.open(path, effort=effort) as index:
        began = time.monotonic()
        first = index.find_duplicates()
        figures["first report, s"] = time.monotonic() - began
        figures["candidates an image"] = first.candidates / max(first.searched, 1)
        figures["compared an image"] = first.verified / max(first.searched, 1)
        figures["cosine of the radius"] = 1 - first.radius
        figures["share of planted pairs found"] = _found(path)
    figures |= looking(path, effort)
    fill_database(path, MORE, like=like, show=False)
    with Index.open(path, effort=effort) as index:
        began = time.monotonic()
        more = index.find_duplicates()
        figures[f"{MORE:,} more images, s"] = time.monotonic() - began
        figures[f"{MORE:,} more images: compared"] = float(more.verified)
    return figures


def looking(path: Path, effort: str) -> dict[str, float]:
    """What a reader pays: opening, memory, retrieval, a query end to end."""
    with tempfile.TemporaryDirectory() as name, Index.open(Path(name) / "small.db", create=True) as small:
        small.query(landscape(12_345))  # loads the model and the libraries
    before = resident()
    began = time.monotonic()
    with Index.open(path, read_only=True, effort=effort) as index:
        size = len(index._vectors.current())
        opened = time.monotonic() - began
        with_vectors = resident()
        index.query(landscape(12_345))
        queries = []
        for number in range(ROUNDS):
            scene = landscape(777 + number)
            began = time.monotonic()
            index.query(scene)
            queries.append((time.monotonic() - began) * 1e3)
        vectors = index._vectors.current()
        rows = _some(path)
        radius = index.settings.radius
        one = [_ms(lambda row=row: vectors.search(row[None], radius, 10)) for row in rows[: 5 * ROUNDS]]
        many = [_ms(lambda: vectors.search(rows, radius, 10)) / len(rows) for _ in range(3)]
        set_threads(1)
        alone = _ms(lambda: vectors.search(rows, radius, 10)) / len(rows)
        set_threads(os.cpu_count() or 1)
    return {
        "open, s": opened,
        "resident for vectors, bytes an image": (with_vectors - before) / size,
        "query end to end, ms": middle(queries),
        "retrieval of 10 for one, ms": middle(one),
        "retrieval of 10, each of 1,000, ms": middle(many),
        "same with one thread, ms": alone,
    }


def _ms(work: object) -> float:
    began = time.monotonic()
    work()  # type: ignore[operator]
    return (time.monotonic() - began) * 1e3


def _some(path: Path) -> np.ndarray:
    database = Database(path, read_only=True)
    try:
        with database.read() as connection:
            ids = catalog_images.indexable_ids(connection)
            chosen = np.random.default_rng(0).choice(ids, 1_000, replace=False)
            _, rows = catalog_images.descriptors(connection, chosen, DESCRIPTOR_DIMENSIONS)
    finally:
        database.close()
    return unit(rows)


def _found(path: Path) -> float:
    """Share of the planted copies that stand in a confirmed pair with another of their group."""
    from dedupindex.evaluation.synthetic import group_of

    with Index.open(path, read_only=True) as index:
        members: dict[int, set[int]] = {}
        for image in index.images():
            members.setdefault(group_of(image.locations[0].path), set()).add(image.id)
        planted = {image for group in members.values() if len(group) > 1 for image in group}
        paired = {image for pair in index.pairs() for image in (pair.a.id, pair.b.id)}
    return len(planted & paired) / max(len(planted), 1)


if __name__ == "__main__":
    sys.exit(main())
