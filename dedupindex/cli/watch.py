"""`watch`: the periodic run, in the foreground until it is told to end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.console import complain, list_failures, note
from dedupindex.cli.ingest import Recursive
from dedupindex.cli.options import DONE, Paths, Session
from dedupindex.places import at_home

if TYPE_CHECKING:
    from dedupindex.cli.rule_runs import RuleRuns
    from dedupindex.records import DuplicatesSummary, IngestSummary
    from dedupindex.records.reports import Report

QUIET_TIME = 5.0  # seconds without a further change before new files are read: copying takes its time
TICK = 1.0  # seconds between looks at whether something changed


def watch(
    session: Session,
    paths: Paths,
    every: Annotated[str, typer.Option("--every", metavar="TIME", help="Between two runs, e.g. 90s, 30m, 1h, 1d.")] = (
        "1h"
    ),
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports", metavar="FOLDER", help="Write a page and JSON of every run with new or grown groups."
        ),
    ] = None,
    events: Annotated[
        bool, typer.Option("--events/--no-events", help="Run as soon as files change (needs the extra 'watch').")
    ] = True,
    runs: Annotated[int | None, typer.Option("--runs", metavar="N", min=1, help="End after so many runs.")] = None,
    recursive: Recursive = True,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules", metavar="FILE", help="Say after each run what the rules in this TOML file would take; read once."
        ),
    ] = None,
    apply_rules: Annotated[
        bool, typer.Option("--apply-rules", help="Do what the rules say. `undo` takes each time back.")
    ] = False,
) -> int:
    """Scan again and again, until interrupted.

    Each run reads what is new or changed and says in one line how many groups are new, grown, shrunk or resolved
    since the run before. Interrupt or terminate it: what was committed stays.
    """
    from dedupindex.cli.rule_runs import rule_runs
    from dedupindex.errors import DedupIndexError, said
    from dedupindex.settings import seconds_of

    pause = seconds_of(every)
    follow = rule_runs(rules, apply=apply_rules)
    if reports is not None:
        reports = at_home(reports).absolute()
        reports.mkdir(parents=True, exist_ok=True)
    done = 0
    with ending() as stop:
        ticks = _changes(paths, _own_files(session, reports), stop) if events and runs != 1 else None
        if ticks is not None:
            next(ticks, None)  # from here on changes are seen, those during a run too
        while not stop.is_set():
            try:
                _run(session, paths, recursive, reports, follow, stop)
            except KeyboardInterrupt:
                break
            except (DedupIndexError, OSError) as error:  # a locked database or a full disk may pass: try again later
                complain(f"{_now()} {said(error)}")
            done += 1
            if runs is not None and done >= runs:
                return DONE
            rest(pause, stop, ticks)
    note(f"{_now()} ended")
    return DONE


class Ending(threading.Event):
    """Whether to end; work in hand is interrupted as by Ctrl-C, opening and closing the database are not."""

    at_work = False

    @contextmanager
    def working(self) -> Iterator[None]:
        """While the block runs, the end interrupts it."""
        self.at_work = True
        try:
            yield
        finally:
            self.at_work = False


@contextmanager
def ending() -> Iterator[Ending]:
    """Turn an interrupt or termination into an event."""
    stop = Ending()
    resting = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()
        if stop.at_work:
            raise KeyboardInterrupt

    interrupt = signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    try:
        yield stop
    except KeyboardInterrupt:
        note(f"{_now()} ended")
        raise typer.Exit(DONE) from None
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, resting)


def rest(pause: float, stop: threading.Event, ticks: Iterator[bool] | None) -> None:
    """Wait for the time, or until files have changed and have then been left alone for a while.

    Parameters
    ----------
    pause : float
        Seconds.
    ticks : iterator of bool, optional
        Gives about every second whether something changed.
    """
    until = time.monotonic() + pause
    quiet: float | None = None  # since when nothing has changed after a change
    while not stop.is_set() and time.monotonic() < until:
        if ticks is None:
            stop.wait(min(until - time.monotonic(), 60.0))
        elif next(ticks, False):
            quiet = time.monotonic()
        elif quiet is not None and time.monotonic() - quiet >= QUIET_TIME:
            return


def _run(
    session: Session,
    paths: Sequence[Path],
    recursive: bool,
    reports: Path | None,
    follow: RuleRuns | None,
    stop: Ending,
) -> None:
    from dedupindex.records.reports import ChangeKind

    with session.open(create=True) as index, stop.working():
        if stop.is_set():
            return
        with session.progress() as progress:
            ingested = index.ingest(paths, recursive=recursive, progress=progress)
            searched = index.find_duplicates(progress=progress)
        report = index.report(since="last", find=False)
        more = (ChangeKind.NEW, ChangeKind.GROWN)
        if reports is not None and any(change.kind in more for change in report.changes or ()):
            from dedupindex.cli.outputs import write_html
            from dedupindex.durable import write_whole
            from dedupindex.reports.jsonfile import report_json, to_json

            name = f"{datetime.now():%Y%m%d-%H%M%S}-run-{searched.run_id}"
            write_whole(reports / f"{name}.json", to_json(report_json(report)))
            write_html(reports / f"{name}.html", report, index, session.progress())
        note(_line(ingested, searched, report))
        list_failures(ingested.failures)
        if follow is not None:
            follow.after_run(index, _now())


def _line(ingested: IngestSummary, searched: DuplicatesSummary, report: Report) -> str:
    from dedupindex.reports.amounts import count
    from dedupindex.reports.text import changes_words

    parts = [f"{_now()} {ingested.found:,} files, {ingested.read:,} read, {count(ingested.added, 'new picture')}"]
    if ingested.moved:
        parts.append(f"{sum(move.files for move in ingested.moved):,} moved")
    if ingested.missing:
        parts.append(f"{ingested.missing:,} gone")
    if ingested.failures:
        parts.append(f"{len(ingested.failures):,} failed")
    if searched.accepted:
        parts.append(count(searched.accepted, "new pair"))
    parts.append(changes_words(report.changes) if report.changes else "nothing new")
    return ", ".join(parts)


def _changes(paths: Sequence[Path], own: Sequence[Path], stop: threading.Event) -> Iterator[bool] | None:
    """Whether something changed, about every second; None where that cannot be had."""
    try:
        from watchfiles import watch as watch_files
    except ImportError:
        return None
    there = [at_home(path) for path in paths if at_home(path).exists()]
    if not there:
        return None

    def foreign(_: object, name: str) -> bool:
        path = Path(name)
        return not any(path == mine or mine in path.parents or path.name.startswith(f"{mine.name}-") for mine in own)

    tick = round(TICK * 1000)
    batches = watch_files(
        *there, watch_filter=foreign, debounce=tick, rust_timeout=tick, yield_on_timeout=True, stop_event=stop
    )
    return (bool(changes) for changes in batches)


def _own_files(session: Session, reports: Path | None) -> list[Path]:
    """What the runs themselves write, which must not start another one."""
    from dedupindex.index import Index

    own = Index.own_files(session.location())
    return own if reports is None else [*own, reports]


def _now() -> str:
    return f"{datetime.now():%Y-%m-%d %H:%M:%S}"
