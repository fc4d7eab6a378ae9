"""Roles of processes that use one database at the same time: ``python -m tests.reliability.at_once ROLE ...``.

Each prints one JSON object: how often it did its work, and what went wrong.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from dedupindex import Index
from dedupindex.execution import contained
from dedupindex.store import catalog, catalog_images
from tests.pictures import picture, save

contained.is_worker = lambda: True  # decode in this process: there are many of them


def writer(database: Path, pictures: Path, number: int, until: float) -> dict:
    """Add pictures of its own, move and forget some, search; counts what it was told is stored."""
    mine, rounds, folder = [], 0, pictures / f"writer{number}"
    while time.time() < until:
        path = save(folder / f"{rounds}.png", picture(10_000 * (number + 1) + rounds, 48, 64))
        with Index.open(database, workers=1, batch=2) as index:
            added = index.ingest([path]).added
            assert added == 1, f"{path} was added {added} times"
            mine.append(path)
            if rounds % 3 == 2:
                moved = mine[0].with_name(f"moved{rounds}.png")
                mine[0].rename(moved)
                index.ingest([folder])
                mine[0] = moved
            if rounds % 5 == 4:
                index.forget([mine.pop()])
            if rounds % 4 == 1:
                index.find_duplicates()
            if rounds % 6 == 5:
                index._vectors.flat_limit = 0
                index.rebuild()
        rounds += 1
    return {"rounds": rounds, "places": [str(path) for path in mine]}


def reader(database: Path, pictures: Path, number: int, until: float) -> dict:
    """Query, and compare the vector index with the database at the very same generation."""
    rounds = 0
    with Index.open(database, read_only=True, workers=1) as index:
        while time.time() < until:
            with index._database.read() as connection:  # one state of the database for all that follows
                generation = catalog.generation(connection)
                wanted = catalog_images.indexable_ids(connection)
            found = index._vectors.current()
            ids = found.ids()
            if index._vectors._generation == generation:
                assert np.array_equal(ids, wanted), f"{len(ids)} vectors for {len(wanted)} images"
            matches = index.query(pictures / "p0.png")
            assert matches
            assert matches[0].relation.startswith("same_bytes"), matches[0].relation
            rounds += 1
    return {"rounds": rounds}


def report(database: Path, pictures: Path, number: int, until: float) -> dict:
    """Report again and again; what stood in it stands in it."""
    rounds = 0
    while time.time() < until:
        with Index.open(database, workers=1) as index:
            found = index.report()
            assert len(found.groups) >= 3
            index.check()
        rounds += 1
    return {"rounds": rounds}


def increment(database: Path, pictures: Path, number: int, until: float) -> dict:
    """Read, add one, write, 200 times."""
    with Index.open(database, workers=1) as index:
        for _ in range(200):
            with index._database.write() as connection:
                value = int(catalog.get_meta(connection, "counter") or 0)
                catalog.set_meta(connection, counter=str(value + 1))
    return {"rounds": 200}


if __name__ == "__main__":
    role, database, pictures, number = sys.argv[1:]
    print("ready", flush=True)
    until = time.time() + float(sys.stdin.readline())
    work = {"writer": writer, "reader": reader, "report": report, "increment": increment}[role]
    try:
        said = work(Path(database), Path(pictures), int(number), until)
    except Exception as error:
        import traceback

        said = {"rounds": 0, "error": repr(error), "trace": traceback.format_exc()}
    print(json.dumps({"role": role, **said}))
