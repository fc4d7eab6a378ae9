"""One index used from many threads at once: raw FAISS dies of that within three seconds."""

import subprocess
import sys
import threading
import time

import pytest

from dedupindex import Index
from tests.pictures import picture, save
from tests.reliability.harness import ROOT
from tests.reliability.test_killed import copy_database

VECTORS = """
import sys, threading, time
import numpy as np
from dedupindex.features import unit
from dedupindex.vectors import VectorIndex
seconds = float(sys.argv[1])
rng = np.random.default_rng(0)
index = VectorIndex(64, flat_limit=20_000)
index.add(np.arange(500), rng.integers(-127, 128, (500, 64), np.int8))
until, searched, wrong = time.monotonic() + seconds, [0], []
def search():
    probes = unit(rng.integers(-127, 128, (400, 64), np.int8))  # so many that an add falls into a search
    while time.monotonic() < until:
        try:
            for near in index.search(probes, 2.0, 5):
                if len(near.ids) < 5 or not np.isfinite(near.distances).all():
                    wrong.append(near)
            searched[0] += 1
        except Exception as error:
            wrong.append(error)
            return
threads = [threading.Thread(target=search) for _ in range(3)]
for thread in threads: thread.start()
added = 500
while time.monotonic() < until:
    index.add(np.arange(added, added + 50), rng.integers(-127, 128, (50, 64), np.int8))
    added += 50
    index.remove(rng.integers(0, added, 10).tolist())
    if added == 1500 or index.needs_sealing: index.seal()
for thread in threads: thread.join()
assert not wrong, wrong[:2]
print(searched[0], added)
"""


def run_threads(seconds):
    done = subprocess.run(
        [sys.executable, "-c", VECTORS, str(seconds)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    searched, added = map(int, done.stdout.split())
    assert searched > 3
    print(f"\nthreads on one vector index: {searched} searches while {added} vectors were added, in {seconds} s")


def test_searching_while_adding():
    run_threads(1.5)


@pytest.mark.slow
def test_searching_while_adding_for_long():
    run_threads(10)


def hammer(made, pictures, folder, seconds):
    path = folder / "a.db"
    copy_database(made[0], path)
    errors, counts = [], {"queries": 0, "reads": 0, "ingested": 0}
    until = time.monotonic() + seconds

    def guarded(work):
        def loop():
            while time.monotonic() < until and not errors:
                try:
                    work()
                except Exception as error:
                    errors.append(error)

        return threading.Thread(target=loop)

    with Index.open(path, workers=1) as index:

        def query():
            found = index.query(pictures / "p0.png")
            assert found
            assert found[0].score > 0.9
            counts["queries"] += 1

        def ask():
            index.info()
            assert index.report(find=False).images >= 19
            counts["reads"] += 1

        def add():
            number = counts["ingested"]
            save(folder / "new" / f"{number}.png", picture(1000 + number, 60, 80))
            index.ingest([folder / "new" / f"{number}.png"])
            index.find_duplicates()
            counts["ingested"] += 1

        threads = [guarded(work) for work in (query, query, ask, add)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert index.check(deep=True) == []
        assert len(index._vectors.current()) == index.info()["images"] - index.info()["low_information"]
        assert all(index.image_at(folder / "new" / f"{n}.png") for n in range(counts["ingested"]))
    print(f"\nthreads on one index: {counts} in {seconds} s")
    assert min(counts.values()) > 0


def test_one_index_in_several_threads(made, pictures, tmp_path):
    hammer(made, pictures, tmp_path, 2.0)


@pytest.mark.slow
def test_one_index_in_several_threads_for_long(made, pictures, tmp_path):
    hammer(made, pictures, tmp_path, 10.0)


def test_arrays_in_threads(made):
    with Index.open(made[0], read_only=True) as index:
        found = []
        threads = [
            threading.Thread(target=lambda n=n: found.append(index.query(picture(n, 72, 96))[0].path.name))
            for n in range(3, 9)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == [f"p{n}.png" for n in range(3, 9)]
