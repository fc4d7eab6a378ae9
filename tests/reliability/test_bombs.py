"""Files made to break decoders: each ends as an image or as a reason, within its time and memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.bombs import make_all

ROOT = Path(__file__).parents[2]
MOST_SECONDS, MOST_MEMORY, MOST_IN_PARENT = 5.0, 1000, 600  # for a file: computing time; resident, MB
SCRIPT = """
import json, resource, sys, time
from dedupindex import Index
from dedupindex.execution.template import close_template
with Index.open(sys.argv[1], create=True, workers=2) as index:
    began = time.monotonic()
    summary = index.ingest(sys.argv[2:])
close_template()  # what it used counts when it has ended
own, child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "added": summary.added, "reasons": [f.reason for f in summary.failures],
    "failed": {f.path.name: f.reason for f in summary.failures}, "wall": time.monotonic() - began,
    "seconds": child.ru_utime + child.ru_stime, "memory": child.ru_maxrss >> 10, "parent": own.ru_maxrss >> 10,
}))
"""
EXPECTED = {
    "rgba13000.png": (0, ["too_large"]),
    "deep9400.png": (0, ["too_large"]),
    "deep9400rgb.png": (0, ["too_large"]),
    "strip.png": (0, ["too_large"]),
    "just_allowed.png": (1, []),
    "frames.gif": (1, []),
    "pages.tif": (100, []),
}


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    return make_all(tmp_path_factory.mktemp("bombs"))


def ingest(database: Path, files: list[Path]) -> dict:
    # the largest resident size outlives exec: through a small shell it is not that of the process which runs the tests
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", SCRIPT, database, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="units of ru_maxrss")
def test_all_of_them_in_one_run(bombs, tmp_path):
    assert {path.name for path in bombs} == set(EXPECTED)
    assert all(path.stat().st_size < 1_000_000 for path in bombs)
    found = ingest(tmp_path / "a.db", [path for path in bombs if path.name != "pages.tif"])
    assert (found["added"], sorted(found["reasons"])) == (2, ["too_large"] * 4)
    assert found["memory"] <= MOST_MEMORY
    assert found["parent"] <= MOST_IN_PARENT


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="units of ru_maxrss")
def test_each_within_its_limits(bombs, tmp_path):
    failed = []
    for path in bombs:
        found = ingest(tmp_path / f"{path.name}.db", [path])
        words = f"{found['seconds']:.1f} s of computing, {found['wall']:.1f} s by the clock"
        print(
            f"{path.name} ({path.stat().st_size:,} bytes): {words}, {found['memory']} MB, parent {found['parent']} MB"
        )
        within = found["memory"] <= MOST_MEMORY and found["parent"] <= MOST_IN_PARENT
        quick = min(found["seconds"] - 2.0, found["wall"]) <= MOST_SECONDS  # two workers take 1 s each to start
        if (found["added"], found["reasons"]) != EXPECTED[path.name] or not within or not quick:
            failed.append(path.name)
    print(f"bombs: tried {len(bombs)}, failed {len(failed)}")
    assert failed == []
