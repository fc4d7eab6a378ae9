"""The installed console script, run as a user would; and a quicker way to the same `main` for the many small cases."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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
def warm_server(remembered_folder):
    """A process of `tests/cli/warm.py`."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cli.warm", remembered_folder],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        yield server
        server.stdin.close()


@pytest.fixture(scope="session")
def run(warm_server, environment, tmp_path_factory):
    """Do as `script`, without the second that each start takes."""
    folder = tmp_path_factory.mktemp("warm")

    def start(arguments, cwd, env):
        order = {"argv": [str(SCRIPT), *arguments], "cwd": os.fspath(cwd), "env": env}
        order |= {name: str(folder / name) for name in ("out", "err")}
        warm_server.stdin.write(json.dumps(order) + "\n")
        warm_server.stdin.flush()
        code = int(warm_server.stdout.readline())
        said = [(folder / name).read_text("utf-8", "surrogateescape") for name in ("out", "err")]
        return subprocess.CompletedProcess(order["argv"], code, *said)

    return runner(start, environment)


def runner(start, environment):
    def run(*arguments, cwd, env=None, code=None):
        done = start(list(map(os.fspath, arguments)), cwd, environment | {"DEDUPINDEX_WORKERS": "1"} | (env or {}))
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return done

    return run
