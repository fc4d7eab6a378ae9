"""The installed console script, run as a user would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.pictures import make_tree

SCRIPT = Path(sys.executable).parent / "dedupindex"


@pytest.fixture(scope="session")
def environment():
    """No DEDUPINDEX_* settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DEDUPINDEX_")}


@pytest.fixture(scope="session")
def run(environment):
    """Run `dedupindex`: run("scan", path, cwd=..., env={...}) -> CompletedProcess with bytes decoded as UTF-8."""

    def start(*arguments, cwd, env=None, code=None):
        done = subprocess.run(
            [SCRIPT, *map(os.fspath, arguments)],
            cwd=cwd,
            env=environment | {"DEDUPINDEX_WORKERS": "1"} | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return done

    return start


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("cli") / "pictures")


@pytest.fixture(scope="session")
def scanned(run, tree):
    """A folder with a database `p.db`, made by a scan; tests only read it."""
    done = run("-d", "p.db", "scan", tree, "--pairs", "p.csv", "--html", "p.html", cwd=tree.parent, code=1)
    return tree.parent, done
