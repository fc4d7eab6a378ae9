"""In processes of their own: the tests themselves run with one thread for every library."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import json, sys, threading
import cv2, scipy.linalg
from threadpoolctl import threadpool_info
from dedupindex.threads import on_one_thread, one_thread

def now():
    blas = {one["num_threads"] for one in threadpool_info() if one.get("threading_layer", "openmp") != "openmp"}
    return [*sorted(blas), cv2.getNumThreads()]

cv2.setNumThreads(3)
seen = [now()]
"""
NESTED = """
with one_thread():
    seen.append(now())
    with one_thread():
        seen.append(now())
    seen.append(now())
seen.append(now())
"""
FAULT = """
@on_one_thread
def fail():
    seen.append(now())
    raise KeyError

try:
    fail()
except KeyError:
    seen.append(now())
"""
OVERLAPPING = """
inside, leave = threading.Event(), threading.Event()

def first():
    with one_thread():
        inside.set()
        leave.wait(60)

thread = threading.Thread(target=first)
thread.start()
inside.wait(60)
with one_thread():
    leave.set()
    thread.join()
    seen.append(now())
seen.append(now())
"""
LIBRARY = """
from pathlib import Path
from dedupindex import Index, compare_files
from dedupindex.index import files
from dedupindex.search import candidates
from dedupindex.settings import Settings
from tests.pictures import picture, save

def watched(function):
    def call(*args, **kwargs):
        seen.append(now())
        return function(*args, **kwargs)

    return call

if __name__ == "__main__":
    candidates.query = watched(candidates.query)
    files.compare_all = watched(files.compare_all)
    folder = Path(sys.argv[1])
    for number in range(2):
        save(folder / f"{number}.png", picture(number))
    with Index.open(folder / "a.db", create=True, workers=1) as index:
        index.ingest([folder])
        index.query(folder / "0.png")
    compare_files(str(folder / "0.png"), str(folder / "1.png"), Settings())
    seen.append(now())
"""
OWN, ONE = [2, 3], [1, 1]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (NESTED, [OWN, ONE, ONE, ONE, OWN]),
        (FAULT, [OWN, ONE, OWN]),
        (OVERLAPPING, [OWN, ONE, OWN]),
        (LIBRARY, [OWN, ONE, ONE, OWN]),
    ],
    ids=["nested", "fault", "overlapping", "library"],
)
def test_the_numbers_of_a_program_come_back(tmp_path, body, expected):
    script = tmp_path / "script.py"
    tail = '\nif __name__ == "__main__":\n    print(json.dumps(seen))\n'
    script.write_text(HEAD + body + tail)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "PYTHONPATH": str(Path.cwd())}
    folder = tmp_path / "pictures"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, script, folder], env=environment, capture_output=True, text=True, timeout=240, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == expected
