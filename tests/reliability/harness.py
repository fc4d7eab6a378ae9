"""Start the machine, break it, and look at what it left behind."""

import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from dedupindex import Index
from dedupindex.records.proofs import DIRECT
from tests.ingest.test_ingest import content
from tests.pictures import half, picture, save
from tests.reliability.machine import stored

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("DEDUPINDEX_")}


@dataclass
class Outcome:
    exit: int
    said: list

    def all(self, word):
        return [value for name, *value in self.said if name == word]

    def last(self, word):
        found = self.all(word)
        return found[-1][0] if found else None

    @property
    def traceback(self):
        return self.last("traceback")


class Machine:
    """The warm process; `run` breaks a fork of it. What its forks computed goes to *results*."""

    def __init__(self, folder: Path, results: Path) -> None:
        library = folder / "shim.so"
        source = Path(__file__).with_name("shim.c")
        compiler = shutil.which("cc") or shutil.which("gcc")
        environment = ENVIRONMENT | {"OMP_NUM_THREADS": "1"}
        self.has_calls = False
        if compiler and sys.platform == "linux":
            done = subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=False)
            if done.returncode == 0:
                environment["LD_PRELOAD"] = str(library)
                self.has_calls = True
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.machine", results],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, scenario, database, *arguments, fault=None, **more) -> Outcome:
        order = {"scenario": scenario, "database": str(database), "arguments": list(map(str, arguments))}
        order |= {"fault": fault, "folder": str(database.parent), **more}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        return Outcome(found["exit"], [json.loads(line) for line in found["said"] if line.endswith("]")])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def make_pictures(root: Path) -> Path:
    """Twenty files: fifteen pictures, three smaller copies, a byte copy, a blank page."""
    for number in range(15):
        save(root / f"p{number}.png", picture(number, 72, 96))
    for number in range(3):
        save(root / "copies" / f"small{number}.png", half(picture(number, 72, 96)))
    (root / "copies" / "same.png").write_bytes((root / "p0.png").read_bytes())
    save(root / "blank.png", picture(0, 72, 96) * 0 + 255)
    return root


def answers(index, pictures):
    """What is found for a few pictures."""
    names = ("p0.png", "copies/small1.png", "p7.png")
    return [[(m.image.key, m.score, m.relation) for m in index.query(pictures / name)] for name in names]


def look_after(database: Path, pictures: Path, wanted, acknowledged=()) -> None:
    """After a crash: all is well, what was acknowledged is there once, answers are those of a rebuild; then finish."""
    if database.exists():
        has = stored(database)
        assert set(acknowledged) <= set(has), "an acknowledged image is gone"
        assert len(has) == len(set(has))
    else:
        assert not acknowledged
    with Index.open(database, create=True, workers=1, batch=4) as index:
        problems = index.check(deep=True)
        assert problems == [], problems
        before = answers(index, pictures)
        index.rebuild()
        assert answers(index, pictures) == before
        index.ingest([pictures])
        index.find_duplicates()
        assert index.check(deep=True) == []
        assert content(index, pictures) == wanted
        assert all(DIRECT.intersection(pair.relations) or pair.proof is not None for pair in index.pairs())
    strays = [f.name for f in database.parent.rglob("*") if ".tmp-" in f.name or f.name.endswith(("-lock", "-journal"))]
    assert strays == []


def readable(outcome, allowed) -> None:
    """What a look at a broken disk said: all that was acknowledged, or that nothing ever was."""
    images, problems = outcome.last("then")
    acknowledged = outcome.last("has") or []
    if images == -1 and not acknowledged:
        assert "is an empty database" in problems[0], problems
        return
    assert images >= len(acknowledged), (images, problems)
    assert set(problems) <= set(allowed), problems


def whole(path, pictures):
    with Index.open(path, workers=1) as index:
        assert index.check(deep=True) == []
        return content(index, pictures)


@dataclass
class Tally:
    """Numbers to print at the end."""

    what: str
    tried: int = 0
    failed: list = field(default_factory=list)
    slowest: tuple = (0.0, "")

    def attempt(self, name, function, *arguments):
        self.tried += 1
        began = time.monotonic()
        try:
            return function(*arguments)
        except Exception as error:
            places = [f"{place.name}:{place.lineno}" for place in traceback.extract_tb(error.__traceback__)][-3:]
            self.failed.append(f"{name}: {' > '.join(places)}: {type(error).__name__}: {error}"[:700])
            return None
        finally:
            self.slowest = max(self.slowest, (time.monotonic() - began, str(name)))

    def finish(self) -> None:
        seconds, name = self.slowest
        print(f"\n{self.what}: tried {self.tried}, failed {len(self.failed)}, slowest {seconds:.1f} s ({name})")
        assert self.failed == [], "\n".join(self.failed[:20])
