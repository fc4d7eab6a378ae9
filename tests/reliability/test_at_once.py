"""Many processes on one database: nobody is told that it is locked, no update is lost, vectors agree with rows."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dedupindex import Index
from tests.reliability.harness import ENVIRONMENT, ROOT
from tests.reliability.test_killed import copy_database


def start(role, database, pictures, number):
    command = [sys.executable, "-m", "tests.reliability.at_once", role, database, pictures, str(number)]
    environment, pipe = ENVIRONMENT | {"OMP_NUM_THREADS": "1"}, subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


def finish(processes, seconds):
    """Let them begin when all of them are ready; what they said at the end."""
    found = []
    for process in processes:
        assert process.stdout.readline() == b"ready\n", process.stderr.read().decode()
    for process in processes:
        process.stdin.write(f"{seconds}\n".encode())
        process.stdin.flush()
    for process in processes:
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
        assert b"locked" not in errors, errors.decode()
        assert b"Traceback" not in errors, errors.decode()
        found.append(json.loads(out))
    return found


def at_once(made, pictures, folder, seconds, writers, readers):
    shutil.copytree(pictures, folder / "pictures", copy_function=shutil.copy2)
    database = folder / "a.db"
    copy_database(made[0], database)
    roles = [("writer", n) for n in range(writers)] + [("reader", n) for n in range(readers)] + [("report", 0)]
    found = finish([start(role, database, folder / "pictures", number) for role, number in roles], seconds)
    wrong = [one for one in found if "error" in one]
    assert wrong == [], "\n".join(one["trace"] for one in wrong)
    places = [Path(place) for one in found for place in one.get("places", ())]
    with Index.open(database, workers=1) as index:
        assert index.check(deep=True) == [] or {p.code for p in index.check(deep=True)} == {"file_missing"}
        lost = [place for place in places if index.image_at(place) is None]
        assert lost == []
        index.find_duplicates()
        before = [(pair.a.key, pair.b.key, pair.verification.score) for pair in index.pairs()]
        assert len(index._vectors.current()) == index.info()["images"] - index.info()["low_information"]
        index.rebuild()
        assert [(pair.a.key, pair.b.key, pair.verification.score) for pair in index.pairs()] == before
    counts = [(one["role"], one["rounds"]) for one in found]
    print(f"\nat once for {seconds} s: rounds {counts}, {len(places)} places, 0 lost, 0 locked")
    assert min(rounds for _, rounds in counts) > 0


def test_writers_readers_and_a_report(made, pictures, tmp_path):
    at_once(made, pictures, tmp_path, 3, 2, 2)


@pytest.mark.slow
def test_four_writers_four_readers_and_a_report(made, pictures, tmp_path):
    at_once(made, pictures, tmp_path, 20, 4, 4)


@pytest.mark.slow
def test_no_update_is_lost(made, pictures, tmp_path):
    copy_database(made[0], tmp_path / "a.db")
    began = time.monotonic()
    found = finish([start("increment", tmp_path / "a.db", pictures, n) for n in range(8)], 0)
    assert all("error" not in one for one in found), found
    from dedupindex.store import catalog

    with Index.open(tmp_path / "a.db") as index, index._database.read() as connection:
        assert catalog.get_meta(connection, "counter") == "1600"
    print(f"\n8 processes x 200 read-modify-writes: 0 lost, 0 refused, {time.monotonic() - began:.1f} s")
