"""Killed processes and concurrent ones: what is in the database afterwards is whole, and the next run completes it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from dedupindex import Index
from tests.ingest.test_ingest import content
from tests.pictures import make_tree

ROOT = Path(__file__).parent.parent.parent
SCRIPT = """
import sys
from dedupindex import Index
with Index.open(sys.argv[1], create=True, workers=1, batch=2) as index:
    print("open", flush=True)
    index.ingest([sys.argv[2]])
    index.find_duplicates()
"""


def start(database: Path | str, pictures: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, str(database), str(pictures)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("tree") / "pictures", 7)


@pytest.fixture(scope="module")
def undisturbed(tree, tmp_path_factory):
    with Index.open(tmp_path_factory.mktemp("whole") / "a.db", create=True, workers=1) as index:
        index.ingest([tree])
        index.find_duplicates()
        return content(index, tree)


@pytest.mark.parametrize("delay", [0.05, pytest.param(0.2, marks=pytest.mark.slow), 0.35])
def test_killed_and_resumed(catalogue, tree, tmp_path, undisturbed, delay):
    place = catalogue(tmp_path / "a.db")
    process = start(place, tree)
    assert process.stdout.readline() == "open\n"
    time.sleep(delay)
    process.kill()
    process.communicate()
    with Index.open(place, workers=1) as index:
        assert index.check(deep=True) == []
        index.ingest([tree])
        index.find_duplicates()
        assert index.check(deep=True) == []
        assert content(index, tree) == undisturbed


def test_two_processes_at_once(catalogue, tree, tmp_path, undisturbed):
    place = catalogue(tmp_path / "a.db")
    processes = [start(place, tree) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        # on a slow machine one of the two says that it waits for the other
        told = [line for line in errors.splitlines() if not line.startswith("waiting for ")]
        assert (process.returncode, told) == (0, [])
    with Index.open(place, workers=1) as index:
        assert index.check(deep=True) == []
        assert content(index, tree) == undisturbed
