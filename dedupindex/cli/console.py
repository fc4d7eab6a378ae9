"""Results to stdout, everything else to stderr; progress bars on a terminal only.

Everything is flushed at once: `serve` prints its address and goes on running, and whoever reads a pipe or a log file
needs that line now.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from dedupindex.cli.time_left import TimeLeft
from dedupindex.reports.names import shown

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from dedupindex.records import Failure


def out(text: str) -> None:
    """Print a result."""
    print(text, flush=True)


def out_bytes(data: bytes) -> None:
    """Write a result as it is: JSON, CSV."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def note(text: str) -> None:
    """Say something on stderr."""
    print(text, file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """Say on stderr what went wrong; control codes in names are shown as text."""
    note("dedupindex: " + "\n".join(shown(line) for line in text.split("\n")))


def list_failures(failures: Sequence[Failure]) -> None:
    """List failed files on stderr, each with its reason."""
    if not failures:
        return
    from dedupindex.reports.reasons import advice_lines
    from dedupindex.reports.text import failure_lines

    note(f"{len(failures)} failed:")
    for line in [*failure_lines(failures), *advice_lines(failure.reason for failure in failures)]:
        note(f"  {line}")


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


@contextmanager
def logging_to_stderr(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """Send the package's log to stderr while the block runs."""
    logger = logging.getLogger("dedupindex")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line("%(levelname)s %(message)s"))
    before = logger.level
    logger.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class Bar:
    """A progress listener that draws with rich on stderr, one bar a stage; none for a stage without work."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._failed = 0
        self._left = TimeLeft()

    def __enter__(self) -> Bar:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, total: int | None, what: str) -> None:
        """Begin a bar."""
        self._failed = 0
        self._left = TimeLeft(total)
        self._task = None if total == 0 else self._bars.add_task(what, total=total, failed="", left=self._left)

    def expect(self, total: int) -> None:
        """Know how much there is."""
        self._left.total = total
        if self._task is not None:
            self._bars.update(self._task, total=total)

    def advance(self, n: int) -> None:
        """Move on."""
        self._left.advance(n)
        if self._task is not None:
            self._bars.advance(self._task, n)

    def fail(self, n: int) -> None:
        """Count failures."""
        self._failed += n
        if self._task is not None:
            self._bars.update(self._task, failed=f"{self._failed} failed")

    def finish(self) -> None:
        """End the bar; it stays on the screen."""
        if self._task is not None:
            self._bars.stop_task(self._task)
        self._task = None


SAY_EVERY = 30.0  # seconds between the lines of a long stage where there are no bars


class Quiet:
    """A progress listener that says nothing, or with *verbose* a line at both ends of a stage and some in between."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._what = ""
        self._left = TimeLeft()
        self._failed = 0
        self._began = self._said = 0.0

    def __enter__(self) -> Quiet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def start(self, total: int | None, what: str) -> None:
        """Begin a stage."""
        self._what, self._left, self._failed = what, TimeLeft(total), 0
        self._began = self._said = time.monotonic()
        if self._verbose and total != 0:
            note(f"{what}: begins" + ("" if total is None else f", {total:,} to do"))

    def expect(self, total: int) -> None:
        """Know how much there is."""
        self._left.total = total

    def advance(self, n: int) -> None:
        """Count."""
        self._left.advance(n)
        now = time.monotonic()
        if self._verbose and now - self._said >= SAY_EVERY:
            self._said = now
            note(self._so_far(now - self._began))

    def fail(self, n: int) -> None:
        """Count failures."""
        self._failed += n

    def finish(self) -> None:
        """End a stage."""
        if self._verbose and self._left.total != 0:
            note(f"{self._what}: {self._left.done:,} done")

    def _so_far(self, seconds: float) -> str:
        done, total = self._left.done, self._left.total
        words = [f"{self._what}: {done:,}" + ("" if total is None else f" of {total:,}")]
        if total:
            words.append(f"{done / total:.0%}")
        words.append(f"{done / seconds:,.0f} a second")
        if left := self._left.text():
            words.append(left)
        if self._failed:
            words.append(f"{self._failed:,} failed")
        return ", ".join(words)


def progress(*, quiet: bool, verbose: bool) -> Bar | Quiet:
    """Return bars on a terminal, else something quiet; a context manager and a progress listener in one."""
    if quiet or not sys.stderr.isatty():
        return Quiet(verbose=verbose and not quiet)
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    class Left(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            return Text("" if task.stop_time is not None else task.fields["left"].text())

    return Bar(
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            Left(),
            TextColumn("{task.fields[failed]}"),
            console=Console(stderr=True),
        )
    )
