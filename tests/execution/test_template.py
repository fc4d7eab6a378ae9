"""Workers that are forked from a program which has one thread, and those of programs that have more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dedupindex.execution import template

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, os, sys, threading
from pathlib import Path
sys.modules["only_here"] = sys  # a mark that forks have, and fresh processes have not
from tests.execution.test_template import facts
from dedupindex.execution.contained import within_limits
from dedupindex.execution.worker import fork_workers_here
from dedupindex.settings import Settings
if sys.argv[1] == "threads":
    threading.Thread(target=threading.Event().wait, daemon=True).start()
secret = open(sys.argv[2])
print("not flushed yet")
forked = fork_workers_here()
again = fork_workers_here()
found = within_limits(Settings(), Path("x"), facts, os.fstat(secret.fileno()).st_ino)
print(json.dumps({"forked": forked, "again": again, **found}))
"""


def facts(inode: int) -> dict[str, bool]:
    print("from the worker")
    opened = {path.stat().st_ino for path in Path("/proc/self/fd").iterdir() if path.exists()}
    return {"mark": "only_here" in sys.modules, "open": inode in opened}


@pytest.mark.skipif(not template.AVAILABLE, reason="workers are not forked here")
@pytest.mark.parametrize("kind", ["alone", "threads"])
def test_workers_are_forked_from_programs_of_one_thread(tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").write_text("x")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, tmp_path / "secret"],
        capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()  # what a worker prints is no result
    assert first == "not flushed yet"
    alone = kind == "alone"
    assert json.loads(last) == {"forked": alone, "again": False, "mark": alone, "open": False}
    assert done.stderr in ("", "from the worker\n")
