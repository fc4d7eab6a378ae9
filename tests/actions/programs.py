"""What random programs of plans share: a watch over every content, kills and failing disks, a folder of their own."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck
from hypothesis import strategies as st

from dedupindex import durable
from dedupindex.errors import PlanError

NEVER = 10**6
CALM = ("none", NEVER, False)
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
fault = st.tuples(st.sampled_from(["kill", "kill", "ENOSPC", "EIO", "none"]), st.integers(0, 40), st.booleans())


class Killed(BaseException):
    """The process ends here."""


def contents(base: Path, journal: Path) -> set[str]:
    """Digests of all files there are but the journal: pictures, trash, whatever stands aside."""
    digests = set()
    for folder, _, names in os.walk(base):
        for name in names:
            path = Path(folder, name)
            if path != journal and not path.is_symlink() and path.is_file():
                digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    return digests


class Watch:
    """Looks at all contents before every step, and makes one of the steps fail."""

    def __init__(self, present: Callable[[], set[str]], wanted: set[str], kind: str, at: int, lasting: bool) -> None:
        self.present, self.wanted, self.kind, self.at, self.lasting = present, wanted, kind, at, lasting
        self.steps = 0
        self.last = ("", "")

    def __call__(self, step: str, name: str) -> None:
        self.last = (step, name)
        assert self.wanted <= self.present(), f"before step {self.steps}, {step} {name}"
        self.steps += 1
        due = self.steps - 1 == self.at or (self.lasting and self.steps - 1 > self.at)
        if due and self.kind == "kill":
            raise Killed
        if due and self.kind != "none":
            code = getattr(errno, self.kind)
            raise OSError(code, os.strerror(code))


def watched(world: Any, wanted: set[str], faults: tuple[str, int, bool], work: Callable[[], Any], tearing: int = 0):
    """Do some work under a watch; None where it was killed, or gave up for lack of a journal.

    *world* has `contents()` and a `journal`.
    """
    watch = Watch(world.contents, wanted, *faults)
    durable.listen(watch)
    try:
        return work()
    except Killed:
        tear(world.journal, tearing, watch.last)
        return None
    except OSError:
        return None
    except PlanError:
        assert not world.journal.exists() or not world.journal.read_bytes()  # died before its first line
        return None
    finally:
        durable.listen(None)


def tear(journal: Path, most: int, last: tuple[str, str]) -> None:
    """Take away the end of a line that was not synced: a note, or of an operation that had not begun."""
    if not journal.exists() or last[0] == "truncate":
        return
    data = journal.read_bytes()
    begins = data[:-1].rfind(b"\n") + 1
    if last == ("fsync", journal.name) or b'"state": "begun"' not in data[begins:]:
        journal.write_bytes(data[: max(begins, len(data) - most)])


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for one program, with a trash of its own."""
    base = Path(tempfile.mkdtemp(prefix="dedupindex-programs-"))
    old = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(base / "data")
    try:
        yield base
    finally:
        shutil.rmtree(base)
        del os.environ["XDG_DATA_HOME"]
        if old is not None:
            os.environ["XDG_DATA_HOME"] = old
