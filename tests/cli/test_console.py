"""What long work says where there are no bars."""

import pytest

from dedupindex.cli import console
from dedupindex.cli.console import Quiet


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [1000.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def work(listener, clock, total):
    listener.start(total, "ingest")
    for _ in range(4):
        clock[0] += 20
        listener.fail(1)
        listener.advance(100)
    listener.finish()


def test_a_long_stage_is_heard_of(clock, capsys):
    work(Quiet(verbose=True), clock, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "ingest: begins, 1,000 to do",
        "ingest: 200 of 1,000, 5 a second, 2 min 40 s left, 2 failed",
        "ingest: 400 of 1,000, 5 a second, 2 min 0 s left, 4 failed",
        "ingest: 400 done",
    ]


def test_without_a_total(clock, capsys):
    work(Quiet(verbose=True), clock, None)
    assert capsys.readouterr().err.splitlines()[1] == "ingest: 200, 5 a second, 2 failed"


def test_silence(clock, capsys):
    work(Quiet(verbose=False), clock, 1000)
    assert capsys.readouterr() == ("", "")
