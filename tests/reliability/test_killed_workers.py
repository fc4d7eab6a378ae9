"""Killed at random moments with several workers and with engines: archives, proof and pieces included."""

import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest

from tests.pictures import half, picture, save
from tests.reliability.harness import ENVIRONMENT, ROOT, Tally
from tests.reliability.test_killed import copy_database
from tests.scenes import photograph

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

THREE = {"workers": 3}
# name -> what is done, how the index is opened, share of all kills
PROGRAMMES = {
    "scan": ("scan", THREE, 0.34),
    "scan by parts": ("scan", THREE | {"engine": "local"}, 0.3),
    "prove": ("prove", THREE, 0.1),
    "prove by parts": ("prove", THREE | {"engine": "local"}, 0.06),
    "pieces": ("scan", THREE | {"profile": "pieces"}, 0.1),
    "pieces by parts": ("scan", THREE | {"profile": "pieces", "engine": "local"}, 0.1),
}
WHOM = ("main", "worker", "all")


class Runner:
    """The warm process, and the folder in which it works."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.several_workers"],
            cwd=ROOT, env=ENVIRONMENT | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, work, database, pictures, options, kill=None):
        """What became of a run, and what its main process said."""
        said = self.folder / "said.jsonl"
        said.write_text("")
        order = {"work": work, "database": str(database), "pictures": str(pictures), "options": options, "kill": kill}
        self.process.stdin.write(json.dumps(order | {"said": str(said)}) + "\n")
        self.process.stdin.flush()
        outcome = json.loads(self.process.stdout.readline())
        lines = [line for line in said.read_text().split("\n") if line.endswith("]")]
        spoken = [json.loads(line) for line in lines]
        assert not [words for name, words in spoken if name == "traceback"], spoken[-1][1]
        return outcome, dict(spoken)  # the last of each

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    made = Runner(tmp_path_factory.mktemp("runner"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Pictures, smaller and byte copies of some, and more of both in a zip and in a compressed tar."""
    root, loose = tmp_path_factory.mktemp("several") / "pictures", tmp_path_factory.mktemp("loose")
    for number in (0, 1, 7):
        save(root / f"p{number}.png", picture(number, 72, 96))
    save(root / "copies" / "small1.png", half(picture(1, 72, 96)))
    (root / "copies" / "same.png").write_bytes((root / "p0.png").read_bytes())
    for number in range(20, 26):
        save(loose / f"{number}.png", picture(number, 72, 96))
    save(loose / "half.png", half(picture(7, 72, 96)))
    with zipfile.ZipFile(root / "more.zip", "w") as archive:
        for name in ("20.png", "21.png", "22.png", "half.png"):
            archive.write(loose / name, name)
    with tarfile.open(root / "more.tar.gz", "w:gz") as archive:
        for name in ("23.png", "24.png", "25.png", "half.png"):
            archive.add(loose / name, name)
    return root


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Photographs, a crop of one, and a picture that has two of them in it; small, so that it is quick."""
    root = tmp_path_factory.mktemp("parts") / "pictures"
    astronaut, coffee = photograph("astronaut"), photograph("coffee")
    save(root / "p0.png", astronaut)
    save(root / "p7.png", coffee)
    save(root / "copies" / "small1.png", half(coffee))
    save(root / "crop.png", astronaut[100:300, 200:420])
    sheet = picture(3, 400, 600)
    sheet[40:240, 60:280] = astronaut[100:300, 200:420]
    sheet[150:350, 330:550] = coffee[60:260, 100:320]
    save(root / "sheet.png", sheet)
    return root


class Programme:
    """One kind of run, which can be broken again and again."""

    def __init__(self, runner, name, small, parts, folder) -> None:
        self.runner = runner
        self.work, self.options, _ = PROGRAMMES[name]
        self.pictures = parts if "pieces" in name else small
        self.folder = folder / name.replace(" ", "_")
        self.folder.mkdir()
        self.start = self.folder / "start.db"  # what a run begins with
        if self.work == "prove":
            self.run("unproven", self.start, {"workers": 1})
        self.database = self.folder / "index" / "a.db"
        for _ in range(2):  # the first one also fills the caches of the system
            self.begin()
            began = time.monotonic()
            outcome, _ = self.run(self.work, self.database, self.options)
            self.seconds = time.monotonic() - began
            assert outcome == {"exit": 0, "killed": 0, "left": 0}
        self.wanted = self.finished()["content"]
        self.times = 0

    def run(self, work, database, options, kill=None):
        return self.runner.run(work, database, self.pictures, options, kill)

    def begin(self) -> None:
        shutil.rmtree(self.database.parent, ignore_errors=True)
        self.database.parent.mkdir()
        if self.start.exists():
            copy_database(self.start, self.database)

    def finished(self, thorough=True) -> dict:
        options = self.options | {"workers": 1, "engine": "", "thorough": thorough}
        outcome, said = self.run("finish", self.database, options)
        assert outcome["exit"] == 0, said
        found = said["end"]
        assert found["problems"] == []
        assert found["same answers"]
        strays = [file.name for file in self.database.parent.rglob("*") if stray(file)]
        assert strays == []
        return found

    def broken(self, whom, after) -> int:
        """Kill somebody at a moment, and look: nothing acknowledged is lost, and the end is the same.

        Returns how many processes were killed: 0 where the run had ended before, or had no workers yet.
        """
        self.begin()
        outcome, said = self.run(self.work, self.database, self.options, {"whom": whom, "after": after})
        assert outcome["left"] == 0, f"{outcome['left']} processes outlived the run"
        assert outcome["exit"] in (0, -9), outcome
        if whom == "worker":
            assert outcome["exit"] == 0, "a run ended with one of its workers"
        self.times += 1
        found = self.finished(thorough=self.times % 4 == 1)
        assert set(said.get("has", ())) <= set(found["there"]), "an acknowledged image is gone"
        assert len(found["there"]) == len(set(found["there"]))
        assert found["content"] == self.wanted
        return outcome["killed"]


def stray(file) -> bool:
    return ".tmp-" in file.name or file.name.endswith(("-lock", "-journal"))


def killed(runner, name, small, parts, folder, kills, seed) -> None:
    """Break one programme until so many runs were struck while they went on."""
    rng = random.Random(f"{seed} {name}")
    tally = Tally(f"{name}: killed with several workers at random moments, seed {seed}")
    programme = Programme(runner, name, small, parts, folder)
    began, counts = time.monotonic(), dict.fromkeys(WHOM, 0)
    while sum(counts.values()) < kills and len(tally.failed) < 10:
        whom, after = WHOM[tally.tried % len(WHOM)], rng.uniform(0, programme.seconds)
        struck = tally.attempt(f"{whom} after {after:.3f} s", programme.broken, whom, after)
        counts[whom] += bool(struck)
        if tally.tried % 10 == 0:
            print(f"  {name}: {tally.tried} tried, killed {counts}, failed so far {len(tally.failed)}", flush=True)
    print(f"{name}: undisturbed {programme.seconds:.1f} s; killed {counts}, {time.monotonic() - began:.0f} s in all")
    print(f"  {programme.wanted}", flush=True)
    tally.finish()


def test_some_kills_of_a_scan_by_parts(runner, small, parts, tmp_path):
    programme = Programme(runner, "scan by parts", small, parts, tmp_path)
    for whom in WHOM:
        programme.broken(whom, programme.seconds / 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMMES)
def test_killed_with_several_workers(runner, name, small, parts, tmp_path):
    seed = int(os.environ.get("RELIABILITY_SEED") or random.SystemRandom().randrange(10**6))
    kills = round(PROGRAMMES[name][2] * int(os.environ.get("RELIABILITY_KILLS", "320")))
    killed(runner, name, small, parts, tmp_path, kills, seed)
