from __future__ import annotations

import logging
import os
import threading
import warnings

import pytest

from dedupindex.sources.quiet import MOST_NOTES, captured, native_stderr, note
from dedupindex.sources.reasons import LONGEST_NOTE


def test_warnings_and_logs_become_notes(capfd: pytest.CaptureFixture[str]) -> None:
    notes: list[str] = []
    before = warnings.filters[:]
    with captured(notes):
        warnings.warn("first\n thing", UserWarning, stacklevel=1)
        warnings.warn("not this", DeprecationWarning, stacklevel=1)
        logging.getLogger("tifffile").warning("second %s", "thing")
        logging.getLogger("PIL.TiffImagePlugin").error("bad %d", "format")
    assert notes[:2] == ["first thing", "second thing"]
    assert len(notes) == 3
    assert notes[2].startswith("'bad %d'")
    assert warnings.filters == before
    assert logging.getLogger("tifffile").propagate
    assert capfd.readouterr() == ("", "")


def test_captures_that_overlap_in_threads_keep_apart_and_leave_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    logger, heard = logging.getLogger("tifffile"), {name: [] for name in "ab"}  # type: dict[str, list[str]]
    before = logger.propagate, logger.handlers, warnings.filters[:], warnings.showwarning
    began, first_ended = threading.Barrier(2), threading.Event()

    def work(name: str) -> None:
        with captured(heard[name]):
            began.wait()
            logger.warning("log of %s", name)
            warnings.warn(f"warning of {name}", UserWarning, stacklevel=1)
            if name == "b":  # outlives the capture that began together with it
                first_ended.wait()
                warnings.warn("last", UserWarning, stacklevel=1)
        first_ended.set()

    threads = [threading.Thread(target=work, args=(name,)) for name in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"a": ["log of a", "warning of a"], "b": ["log of b", "warning of b", "last"]}
    assert (logger.propagate, logger.handlers, warnings.filters, warnings.showwarning) == before
    assert capfd.readouterr() == ("", "")


def test_what_an_import_took_over_is_taken_back(capfd: pytest.CaptureFixture[str]) -> None:
    """As astropy does: imported in a capture, it shows warnings itself and has a logger that was not there."""
    name, notes = "astropy", []  # type: str, list[str]
    known, before = logging.root.manager.loggerDict.pop(name, None), warnings.showwarning
    try:
        with captured(notes):
            warnings.showwarning = lambda *_, **__: print("shown")
            logging.getLogger(name).addHandler(logging.StreamHandler())
            with captured(notes):
                warnings.warn("first", UserWarning, stacklevel=1)
                logging.getLogger(name).warning("second")
            warnings.warn("third", UserWarning, stacklevel=1)
        assert notes == ["first", "second", "third"]
        assert warnings.showwarning is before
        assert capfd.readouterr() == ("", "")
    finally:
        logging.root.manager.loggerDict.pop(name, None)
        if known is not None:
            logging.root.manager.loggerDict[name] = known


def test_native_lines_become_notes_and_progress_bars_pass(capfd: pytest.CaptureFixture[str]) -> None:
    notes: list[str] = []
    with native_stderr(notes):
        os.write(2, b"TIFFError: bad \xff word\n\x1b[2Kbar\n")
    os.write(2, b"after\n")
    assert notes == ["bad � word"]
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
