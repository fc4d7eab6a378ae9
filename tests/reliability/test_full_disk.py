"""A full disk, and one that fails: the first error is the one shown, what was there is readable, and one can go on."""

import errno
import os
import shutil
import subprocess
import sys

import pytest

from tests.reliability.harness import ENVIRONMENT, ROOT, Tally, readable
from tests.reliability.test_killed import Stage

CODES = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO}
WORDS = {"ENOSPC": ("no space left", "disk is full", "disk i/o error", "unable to open"), "EIO": ()}


@pytest.fixture
def stage(machine, made, pictures, tmp_path):
    return lambda scenario: Stage(machine, made, pictures, tmp_path, scenario)


def refused(stage, fault, kind) -> None:
    """One fault: a message that tells what is wrong, the old state readable while it lasts, and then the same end."""
    outcome = stage.play(fault, then="look")
    assert outcome.traceback is None, outcome.traceback
    assert outcome.exit in (0, 2), outcome
    if outcome.exit == 2:
        words = outcome.last("error")
        assert not WORDS[kind] or any(word in words.lower() for word in WORDS[kind]), words
        assert "no transaction" not in words
    readable(outcome, {"leftover_file"})
    stage.inspect(outcome)


@pytest.mark.parametrize(("scenario", "kind"), [("ingest", "ENOSPC"), ("rebuild", "EIO"), ("restore", "ENOSPC")])
def test_some_steps(stage, scenario, kind):
    played = stage(scenario)
    points = played.play().last("points")
    for number in range(1, points + 1, 13):
        refused(played, ["seam", f"{kind}:{number}+"], kind)


@pytest.mark.parametrize("kind", CODES)
def test_some_system_calls(stage, kind):
    played = stage("rebuild")
    if not played.machine.has_calls:
        pytest.skip("needs a C compiler")
    calls = played.play(["call", -1, 0, 0]).last("calls")
    for number in range(2, calls + 1, 16):
        refused(played, ["call", CODES[kind], number, 1], kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("scenario", ["ingest", "rebuild", "backup", "restore"])
def test_every_step(stage, scenario, kind):
    played = stage(scenario)
    points = played.play().last("points")
    tally = Tally(f"{kind} at each of {points} steps of {scenario}")
    for number in range(1, points + 1):
        tally.attempt(number, refused, played, ["seam", f"{kind}:{number}+"], kind)
    tally.finish()


@pytest.mark.slow
@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("scenario", ["ingest", "rebuild", "backup", "restore"])
def test_system_calls(stage, scenario, kind):
    played = stage(scenario)
    if not played.machine.has_calls:
        pytest.skip("needs a C compiler")
    calls = played.play(["call", -1, 0, 0]).last("calls")
    step = max(1, calls // 40)
    tally = Tally(f"{kind} from every {step}. of {calls} system calls on, in {scenario}")
    for number in range(1, calls + 1, step):
        tally.attempt(number, refused, played, ["call", CODES[kind], number, 1], kind)
    tally.finish()


@pytest.mark.slow
def test_small_disks(tmp_path, made, pictures):
    """A tmpfs of 200 sizes, in a mount namespace of its own; where that is not allowed the other tests must do."""
    unshare = shutil.which("unshare")
    command = [unshare or "unshare", "-m", sys.executable, "-m", "tests.reliability.small_disk", pictures, tmp_path]
    if os.getuid():
        command[2:2] = ["-Ur"]
    if not unshare or subprocess.run([*command[:-5], "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
