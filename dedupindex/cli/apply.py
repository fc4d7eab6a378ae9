"""`apply`: do what a plan says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.console import complain, note, out
from dedupindex.cli.options import DONE, ERROR, FOUND, Session

if TYPE_CHECKING:
    from dedupindex.records.plans import ApplySummary


def apply(
    session: Session,
    plan: Annotated[Path, typer.Argument(metavar="PLAN.json", help="Written by `plan`.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", metavar="FILE", help="For `undo`; else a file beside the plan, named after it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare every file, touch none.")] = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Leave what is not as planned and go on; else stop there.")
    ] = False,
) -> int:
    """Do what a plan says, each file only after it was compared with the one that is kept.

    Byte by byte where the two are to be the same file, as pictures at full resolution where they are near-duplicates.
    Interrupted, the same line goes on; `undo` takes it all back. Exit code 1 when a file was not as planned.
    """
    from dedupindex import OutcomeKind, apply_plan, journal_beside, read_plan
    from dedupindex.places import at_home
    from dedupindex.reports.applied import applied_text, trouble_lines
    from dedupindex.reports.plans import plan_summary

    plan = at_home(plan)
    read = read_plan(plan)
    if not read.items:
        out("nothing to do")
        return DONE
    if not (yes or dry_run or _agreed(plan_summary(read))):
        return ERROR
    book = None if dry_run else at_home(journal) if journal else journal_beside(plan, read)
    if book is not None:
        note(f"journal: {book}")
    with session.progress() as progress:
        done = apply_plan(
            read, book, settings=session.settings(), database=session.database, go_on=go_on, progress=progress
        )
    out(applied_text(done, read.action, dry_run=dry_run))
    for line in trouble_lines(done):
        complain(line)
    if book is not None and done.of(OutcomeKind.DONE, OutcomeKind.EARLIER):
        note(f"to undo it: dedupindex undo {book}")
    complain_unnoted(done)
    return DONE if done.well else FOUND


def complain_unnoted(done: ApplySummary) -> None:
    """Say where the index could not note what became of the files."""
    if done.unnoted:
        complain(f"the index does not know of it yet, the next ingest will notice: {done.unnoted}")


def _agreed(question: str) -> bool:
    """Ask on the terminal; where there is none, somebody has to have said --yes."""
    if not sys.stdin.isatty():
        complain(f"{question}: say --yes, there is no terminal to ask on")
        return False
    note(question)
    sys.stderr.write("go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    complain("nothing was touched")
    return False
