"""The installed console script, run as a user would; and a quicker way to the same `main` for the many small cases."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pictures import make_tree

SCRIPT = Path(sys.executable).parent / "dedupindex"
PATIENCE = 120  # seconds for one command


@pytest.fixture(scope="session")
def environment():
    """No DEDUPINDEX_* settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DEDUPINDEX_")}


@pytest.fixture(scope="session")
def script(environment):
    """Run the installed script: script("scan", path, cwd=..., env={...}) -> CompletedProcess, decoded as UTF-8."""

    def start(arguments, cwd, env):
        return subprocess.run(
            [SCRIPT, *arguments],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=PATIENCE,
            check=False,
        )

    return runner(start, environment)


@pytest.fixture(scope="session")
def run(environment, tmp_path_factory):
    """Do as `script`, without the second that each start takes."""
    folder = tmp_path_factory.mktemp("warm")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cli.warm"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:

        def start(arguments, cwd, env):
            order = {"argv": [str(SCRIPT), *arguments], "cwd": os.fspath(cwd), "env": env}
            order |= {name: str(folder / name) for name in ("out", "err")}
            server.stdin.write(json.dumps(order) + "\n")
            server.stdin.flush()
            code = int(server.stdout.readline())
            said = [(folder / name).read_text("utf-8", "surrogateescape") for name in ("out", "err")]
            return subprocess.CompletedProcess(order["argv"], code, *said)

        yield runner(start, environment)
        server.stdin.close()


def runner(start, environment):
    def run(*arguments, cwd, env=None, code=None):
        done = start(list(map(os.fspath, arguments)), cwd, environment | {"DEDUPINDEX_WORKERS": "1"} | (env or {}))
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("cli") / "pictures")


@pytest.fixture(scope="session")
def scanned(script, tree):
    """A folder with a database `p.db`, made by a scan; tests only read it."""
    done = script("-d", "p.db", "scan", tree, "--pairs", "p.csv", "--html", "p.html", cwd=tree.parent, code=1)
    return tree.parent, done
