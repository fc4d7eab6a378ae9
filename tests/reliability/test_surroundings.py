"""What happens around an open index: its folder is replaced, the clock is set back."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from dedupindex import Index
from dedupindex.errors import StoreError
from dedupindex.store import catalog
from tests.pictures import half, picture, save
from tests.reliability.harness import answers, whole
from tests.reliability.test_killed import copy_database

pytestmark = pytest.mark.usefixtures("decoding_here")


def everything(index, pictures):
    """What one may ask of an index, by name."""
    return {
        "report": index.report,
        "plan": index.plan,
        "query": lambda: index.query(pictures / "p0.png"),
        "info": index.info,
        "ingest": lambda: index.ingest([pictures]),
        "find": index.find_duplicates,
        "rebuild": index.rebuild,
        "forget": lambda: index.forget([pictures / "p1.png"]),
        "decide": lambda: index.decide("keep-both", [pictures / "p0.png", pictures / "p1.png"]),
    }


def files_of(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("instead", ["an older copy", "nothing", "an empty folder"])
def test_a_folder_that_is_replaced_is_noticed(made, pictures, tmp_path, instead):
    """Nothing is written into what stands there now, and nothing into what was opened."""
    folder, away = tmp_path / "index", tmp_path / "away"
    folder.mkdir()
    copy_database(made[0], folder / "a.db")
    with Index.open(folder / "a.db", workers=1) as index:
        wanted = answers(index, pictures)
        folder.rename(away)
        if instead != "nothing":
            folder.mkdir()
        if instead == "an older copy":
            copy_database(made[0], folder / "a.db")
        before = files_of(tmp_path)
        for name, ask in everything(index, pictures).items():
            with pytest.raises(StoreError, match="while it was open; nothing more is written, open it again"):
                ask()
            assert files_of(tmp_path) == before, name
        assert "while it was open" in index.check()[0].detail  # which raises nothing
    assert whole(away / "a.db", pictures) == made[1]
    if instead == "an older copy":
        with Index.open(folder / "a.db", workers=1) as index:
            assert answers(index, pictures) == wanted
            assert index.check(deep=True) == []


def test_a_folder_that_comes_back_is_used_again(made, pictures, tmp_path):
    (tmp_path / "index").mkdir()
    copy_database(made[0], tmp_path / "index" / "a.db")
    with Index.open(tmp_path / "index" / "a.db", workers=1) as index:
        (tmp_path / "index").rename(tmp_path / "away")
        with pytest.raises(StoreError, match="is not there any more"):
            index.report()
        (tmp_path / "away").rename(tmp_path / "index")
        assert len(index.report().groups) > 0


def test_it_may_be_replaced_in_the_middle_of_an_ingest(pictures, tmp_path):
    """What was committed before is in the database that was opened; the one in its place stays as it is."""
    folder, other = tmp_path / "index", tmp_path / "other"
    other.mkdir()
    with Index.open(other / "a.db", create=True, workers=1) as index:
        index.ingest([pictures / "p3.png"])
    there = files_of(other)

    class Replacing:
        def start(self, total, what) -> None: ...
        def fail(self, n) -> None: ...
        def finish(self) -> None: ...

        def advance(self, n) -> None:
            if folder.exists() and not (tmp_path / "away").exists():
                folder.rename(tmp_path / "away")
                other.rename(folder)

    folder.mkdir()
    with Index.open(folder / "a.db", create=True, workers=1, batch=2) as index, pytest.raises(StoreError):
        index.ingest([pictures], progress=Replacing())
    assert {name: data for name, data in files_of(folder).items() if name in there} == there
    with Index.open(tmp_path / "away" / "a.db", workers=1) as index:
        assert index.check(deep=True) == []
        index.ingest([pictures])
        assert index.info()["images"] == len(list(index.images())) > 15


class SetClock:
    """The clock of this process, as the catalogue and the walk see it."""

    def __init__(self, monkeypatch) -> None:
        self.ahead = timedelta()
        real, real_ns, real_time = datetime, time.time_ns, time.time

        class Clock(datetime):
            @classmethod
            def now(cls, zone=None):
                return real.now(zone) + self.ahead

        monkeypatch.setattr(catalog, "datetime", Clock)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + round(self.ahead.total_seconds() * 1e9))
        monkeypatch.setattr(time, "time", lambda: real_time() + self.ahead.total_seconds())


@pytest.mark.parametrize("days", [-1, -4000, 4000])
def test_a_clock_that_is_set_changes_no_answer(tmp_path, monkeypatch, days):
    """Runs are told by their numbers: a later one counts as later, whatever the clock says."""
    root, clock = tmp_path / "pictures", SetClock(monkeypatch)
    for number in range(4):
        save(root / f"p{number}.png", picture(number, 72, 96))
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([root])
        index.find_duplicates()
        clock.ahead = timedelta(days=days)
        save(root / "half.png", half(picture(0, 72, 96)))
        save(root / "p3.png", picture(9, 72, 96))
        assert index.ingest([root]).read == 2
        found = index.report(since="last")
        assert [change.kind for change in found.changes] == ["new"]
        clock.ahead = timedelta()
        assert index.ingest([root]).read == 0
        numbers = [run.id for run in index.runs()]
        assert numbers == sorted(numbers, reverse=True)
        started = {run.id: run.started for run in index.runs()}
        assert abs((max(started.values()) - min(started.values())) - timedelta(days=abs(days))) < timedelta(minutes=5)
        assert len(index.report(since=1).changes) == 1
        assert len(index.report(since=datetime.now(UTC) - timedelta(days=5000)).changes) == 1
        assert index.check(deep=True) == []
        index.rebuild()
        assert len(index.report().groups) == 1


def test_files_from_the_future_are_read_once(tmp_path):
    """As on a camera whose clock is wrong."""
    root = tmp_path / "pictures"
    path = save(root / "p.png", picture(1, 72, 96))
    for stamp in (time.time() + 1e8, 0, -5):
        os.utime(path, (stamp, stamp))
        began = time.monotonic()
        with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
            assert index.ingest([root]).read == 1
            assert index.ingest([root]).read == 0
        assert time.monotonic() - began < 20
