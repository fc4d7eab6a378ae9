"""Killed at every step that changes the disk, and at random moments: nothing that was acknowledged is lost."""

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from dedupindex import Index
from dedupindex.store.sqlite import own_files, vector_directory
from tests.reliability.harness import Tally, look_after, whole

EVERY = int(os.environ.get("RELIABILITY_EVERY", "1"))  # of the enumerated points, in the slow programme
SCENARIOS = ("ingest", "rebuild", "describe", "forget", "backup", "restore")


class Stage:
    """A folder in which a scenario is played: the database is copied in, the scenario broken, the rest inspected."""

    def __init__(self, machine, made, pictures, tmp_path, scenario) -> None:
        self.machine, self.made, self.pictures, self.scenario = machine, made, pictures, scenario
        self.source, self.wanted = made
        self.folder = tmp_path / scenario
        self.database = self.folder / "a.db"
        self.other = self.folder / "other.db"

    def prepare(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if self.scenario != "ingest":
            copy_database(self.source, self.database)
        if self.scenario in ("backup", "restore"):  # an older one is in its place
            copy_database(self.source, self.other)

    def play(self, fault=None, **more):
        self.prepare()
        return self.machine.run(
            self.scenario, self.database, self.pictures, self.other, fault=fault, acknowledge=True, **more
        )

    def inspect(self, outcome) -> None:
        assert outcome.traceback is None, outcome.traceback
        acknowledged = outcome.last("has") or []
        if self.scenario == "forget":
            acknowledged = []
        if self.scenario in ("backup", "restore"):
            assert whole(self.other, self.pictures) == self.wanted
        if self.scenario == "backup":
            with Index.open(self.database, workers=1) as index:
                index.backup(self.other)
            assert not [name for name in os.listdir(self.folder) if "copy-" in name]  # noqa: PTH208
        if self.scenario == "describe":
            with Index.open(self.database, workers=1, scaling="minmax", allow_mismatch=True) as index:
                index.rebuild(describe=True)
                index.find_duplicates()
                assert index.check(deep=True) == []
                index.ingest([self.pictures])
                assert index.info()["images"] == len(self.wanted[0])
            return
        look_after(self.database, self.pictures, self.wanted, acknowledged)

    def broken(self, fault=None, **more) -> None:
        outcome = self.play(fault, **more)
        assert outcome.exit in (0, 2, -9), outcome
        self.inspect(outcome)


def copy_database(source: Path, target: Path) -> None:
    for old, new in zip(own_files(source), own_files(target), strict=True):
        if old.exists():
            shutil.copyfile(old, new)
    if vector_directory(source).exists():
        shutil.copytree(vector_directory(source), vector_directory(target))


@pytest.fixture
def stage(machine, made, pictures, tmp_path):
    return lambda scenario: Stage(machine, made, pictures, tmp_path, scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_some_points(stage, scenario):
    played = stage(scenario)
    points = played.play().last("points")
    assert points > 1
    step = 11 if scenario != "describe" else points // 2  # describing takes longest
    for number in range(2, points + 1, step):
        played.broken(["seam", f"kill:{number}"])


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_point(stage, scenario):
    played = stage(scenario)
    points = played.play().last("points")
    tally = Tally(f"killed at each of {points} steps of {scenario}")
    for number in range(1, points + 1, EVERY):
        tally.attempt(number, played.broken, ["seam", f"kill:{number}"])
    tally.finish()


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_system_call(stage, scenario):
    played = stage(scenario)
    if not played.machine.has_calls:
        pytest.skip("needs a C compiler")
    calls = played.play(["call", -1, 0, 0]).last("calls")
    step = max(EVERY, calls // 150)
    first = random.Random().randrange(1, step + 1)
    tally = Tally(
        f"killed at system calls {first}, {first + step} ... of the {calls} that change the disk in {scenario}"
    )
    for number in range(first, calls + 1, step):
        tally.attempt(number, played.broken, ["call", 0, number, 0])
    tally.finish()


@pytest.mark.slow
def test_random_moments(stage):
    seed = random.SystemRandom().randrange(10**6)
    rng = random.Random(seed)
    tally = Tally(f"killed at random moments, seed {seed}")
    weights = {"ingest": 0.5, "rebuild": 0.17, "backup": 0.13, "describe": 0.1, "restore": 0.07, "forget": 0.03}
    times = int(os.environ.get("RELIABILITY_RANDOM", "300"))
    for scenario, share in weights.items():
        played = stage(scenario)
        began = time.monotonic()
        played.play()
        duration = time.monotonic() - began
        for _ in range(round(share * times)):
            after = rng.uniform(0, duration)
            tally.attempt(f"{scenario} {after:.3f}", lambda played=played, after=after: played.broken(kill_after=after))
    tally.finish()
