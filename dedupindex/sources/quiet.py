"""Catch the messages of decoders: Python warnings, log records and native lines on file descriptor 2."""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from dedupindex.sources.reasons import plain, words_of

_LOGGERS = ("PIL", "tifffile", "astropy", "pydicom")
for _name in ("PIL", "tifffile"):
    logging.getLogger(_name)  # tifffile makes its own only when it first has something to say
MOST_NOTES = 20  # a broken file can make one warning a tag or scan line


class _Own(threading.local):
    notes: list[str] | None = None  # where what this thread's decoder says goes


_own = _Own()
_door = threading.Lock()
_inside = 0  # captures going on, in all threads
_restore = ExitStack()  # what the last of them to end puts back
_show: Callable[..., None] = warnings.showwarning  # what showed warnings before


class _NoteHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if (notes := _own.notes) is None:
            return
        try:
            note(notes, record.getMessage())
        except Exception as error:  # a record whose arguments do not fit its format
            note(notes, f"{record.msg!r} ({words_of(error)})")


_HANDLER = _NoteHandler(logging.WARNING)


def note(notes: list[str], text: str) -> None:
    """Append one line to the notes of a file, once, within bounds."""
    line = plain(text)
    if line and line not in notes and len(notes) < MOST_NOTES:
        notes.append(line)


@contextmanager
def captured(notes: list[str]) -> Iterator[None]:
    """Turn warnings and log records of the decoders into notes.

    Filters and handlers belong to the process: the first capture sets them, the last to end puts them back, and each
    thread gets its own messages. Meanwhile other threads' warnings are shown as often as they are given. A package
    that changes them when it is imported (astropy) is caught by captures that begin after that, also within others.
    """
    global _inside
    with _door:
        _listen(first=not _inside)
        _inside += 1
    outer, _own.notes = _own.notes, notes
    try:
        yield
    finally:
        _own.notes = outer
        with _door:
            _inside -= 1
            if not _inside:
                _restore.close()


def _listen(*, first: bool) -> None:
    """Take over what is not taken over yet."""
    global _show
    if first:
        _restore.enter_context(warnings.catch_warnings())
        warnings.simplefilter("always")
        _show = warnings.showwarning
    warnings.showwarning = _keep
    for name in _LOGGERS:
        # only loggers that are there: astropy and others make theirs in their own way when they are imported
        logger = logging.root.manager.loggerDict.get(name)
        if isinstance(logger, logging.Logger) and logger.handlers != [_HANDLER]:
            _restore.callback(_set_logger, logger, logger.propagate, logger.handlers)
            _set_logger(logger, False, [_HANDLER])


def _keep(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    if _own.notes is None:
        _show(message, category, *place, **more)
    elif not issubclass(category, DeprecationWarning | PendingDeprecationWarning):
        note(_own.notes, str(message))


def _set_logger(logger: logging.Logger, propagate: bool, handlers: list[logging.Handler]) -> None:
    logger.propagate, logger.handlers = propagate, handlers


@contextmanager
def native_stderr(notes: list[str]) -> Iterator[None]:
    """Turn what C libraries (libtiff, libpng, LibRaw) print on file descriptor 2 into notes.

    The descriptor belongs to the whole process, so this is done only in the main thread (worker processes decode
    there) and only around decoders known to print. A line with an escape character comes from another thread's
    progress bar and is passed on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        saved = os.dup(2)
    except OSError:  # closed: nothing is printed there
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
    """A file in memory where the system has such; a full disk must not stop decoding."""
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
