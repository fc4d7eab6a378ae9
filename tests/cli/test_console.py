"""What long work says where there are no bars."""

import pytest

from dedupindex.cli import console
from dedupindex.cli.console import Quiet
from dedupindex.execution.progress import expect


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
        "ingest: 200 of 1,000, 20%, 5 a second, 2 min 40 s left, 2 failed",
        "ingest: 400 of 1,000, 40%, 5 a second, 2 min 0 s left, 4 failed",
        "ingest: 400 done",
    ]


def test_without_a_total(clock, capsys):
    work(Quiet(verbose=True), clock, None)
    assert capsys.readouterr().err.splitlines()[1] == "ingest: 200, 5 a second, 2 failed"


def test_a_total_that_is_known_later(clock, capsys):
    listener = Quiet(verbose=True)
    listener.start(None, "ingest")
    listener.advance(100)
    expect(listener, 400)
    clock[0] += 40
    listener.advance(100)
    assert capsys.readouterr().err.splitlines()[1] == "ingest: 200 of 400, 50%, 5 a second, 1 min 20 s left"


def test_nothing_is_said_of_no_work(clock, capsys):
    with console.progress(quiet=False, verbose=True) as listener:
        listener.start(0, "duplicates")
        listener.finish()
    assert capsys.readouterr() == ("", "")


def test_listeners_need_not_expect_anything():
    class Old:
        def start(self, total, what): ...

    expect(Old(), 5)


def test_silence(clock, capsys):
    work(Quiet(verbose=False), clock, 1000)
    assert capsys.readouterr() == ("", "")
