"""Keep what decoders say on the side: Python warnings, log records and native lines on file descriptor 2."""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("PIL", "tifffile", "astropy", "pydicom")
for _name in ("PIL", "tifffile"):
    logging.getLogger(_name)  # tifffile makes its own only when it first has something to say
MOST_NOTES = 20  # a broken file can make one warning a tag or scan line
LONGEST_NOTE = 300  # characters


class _NoteHandler(logging.Handler):
    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        try:
            note(self.notes, record.getMessage())
        except Exception as error:  # a record whose arguments do not fit its format
            note(self.notes, f"{record.msg!r} ({error!r})")


def note(notes: list[str], text: str) -> None:
    """Append one line to the notes of a file, once, within bounds."""
    line = " ".join(text.split())[:LONGEST_NOTE]
    if line and line not in notes and len(notes) < MOST_NOTES:
        notes.append(line)


@contextmanager
def captured(notes: list[str]) -> Iterator[None]:
    """Turn warnings and log records of the decoders into notes.

    The warning filters belong to the process: two threads that decode at once may take each other's warnings, so
    decode in processes.
    """
    handler = _NoteHandler(notes)
    # only loggers that are there: astropy and others make theirs in their own way when they are imported
    known = [logging.root.manager.loggerDict.get(name) for name in _LOGGERS]
    loggers = [logger for logger in known if isinstance(logger, logging.Logger)]
    before = [(logger.propagate, logger.handlers) for logger in loggers]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for logger in loggers:
            logger.propagate, logger.handlers = False, [handler]
        try:
            yield
        finally:
            for logger, (propagate, handlers) in zip(loggers, before, strict=True):
                logger.propagate, logger.handlers = propagate, handlers
            for warning in caught:
                if not issubclass(warning.category, DeprecationWarning | PendingDeprecationWarning):
                    note(notes, str(warning.message))


@contextmanager
def native_stderr(notes: list[str]) -> Iterator[None]:
    """Turn what C libraries (libtiff, libpng, LibRaw) print on file descriptor 2 into notes.

    The descriptor belongs to the whole process, so this is done only in the main thread (worker processes decode
    there) and only around decoders known to print. A line with an escape character comes from another thread's
    progress bar and is passed on. Costs some 20 microseconds.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        saved = os.dup(2)
    except OSError:  # closed: nothing can be seen there
        yield
        return
    try:
        with _scratch() as scratch:
            _flush()
            os.dup2(scratch.fileno(), 2)
            try:
                yield
            finally:
                _flush()
                os.dup2(saved, 2)
                scratch.seek(0)
                _sort(scratch.read(1 << 16), notes, saved)
    finally:
        os.close(saved)


def _scratch() -> io.FileIO:
    """A file in memory where the system has such; a full disk must not spoil decoding."""
    if hasattr(os, "memfd_create"):
        return io.FileIO(os.memfd_create("stderr"), "r+")
    return tempfile.TemporaryFile(buffering=0)


def _flush() -> None:
    if sys.stderr is not None and not sys.stderr.closed:
        sys.stderr.flush()


def _sort(text: bytes, notes: list[str], stderr: int) -> None:
    for line in text.splitlines(keepends=True):
        if b"\x1b" in line or b"\r" in line.rstrip(b"\r\n"):
            os.write(stderr, line)
        else:
            note(notes, line.decode(errors="replace"))
