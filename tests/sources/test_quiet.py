from __future__ import annotations

import logging
import os
import threading
import warnings

import pytest

from dedupindex.sources.quiet import LONGEST_NOTE, MOST_NOTES, captured, native_stderr, note


def test_warnings_and_logs_become_notes(capfd: pytest.CaptureFixture[str]) -> None:
    notes: list[str] = []
    before = warnings.filters[:]
    with captured(notes):
        warnings.warn("first\n thing", UserWarning, stacklevel=1)
        warnings.warn("not this", DeprecationWarning, stacklevel=1)
        logging.getLogger("tifffile").warning("second %s", "thing")
        logging.getLogger("PIL.TiffImagePlugin").error("bad %d", "format")
    assert notes[0] == "second thing"
    assert "first thing" in notes
    assert len(notes) == 3
    assert warnings.filters == before
    assert logging.getLogger("tifffile").propagate
    assert capfd.readouterr() == ("", "")


def test_native_lines_become_notes_and_progress_bars_pass(capfd: pytest.CaptureFixture[str]) -> None:
    notes: list[str] = []
    with native_stderr(notes):
        os.write(2, b"TIFFError: bad \xff word\n\x1b[2Kbar\n")
    os.write(2, b"after\n")
    assert notes == ["TIFFError: bad � word"]
    assert capfd.readouterr().err == "\x1b[2Kbar\nafter\n"


def test_other_threads_leave_the_descriptor_alone(capfd: pytest.CaptureFixture[str]) -> None:
    notes: list[str] = []

    def work() -> None:
        with native_stderr(notes):
            os.write(2, b"line\n")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert notes == []
    assert capfd.readouterr().err == "line\n"


def test_descriptor_comes_back_after_an_error() -> None:
    notes: list[str] = []
    before = os.fstat(2).st_ino
    with pytest.raises(ValueError, match="inner"), native_stderr(notes):
        raise ValueError("inner")
    assert os.fstat(2).st_ino == before


def test_notes_are_bounded() -> None:
    notes: list[str] = []
    for i in range(1000):
        note(notes, f"{i} " + "x" * 1000)
    note(notes, "")
    assert len(notes) == MOST_NOTES
    assert max(map(len, notes)) <= LONGEST_NOTE
