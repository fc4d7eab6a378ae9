"""`ingest`: bring the database up to date."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from dedupindex.cli.console import list_failures, out
from dedupindex.cli.options import DONE, FOUND, Paths, Session

Recursive: TypeAlias = Annotated[bool, typer.Option("--recursive/--no-recursive", help="Go into folders of folders.")]


def ingest(
    session: Session,
    paths: Paths,
    recursive: Recursive = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be read.")] = False,
) -> int:
    """Describe new and changed pictures.

    Notes moved and vanished ones too. Does not search for duplicates.
    """
    from dedupindex.reports.text import ingest_text

    with session.open(create=True) as index, session.progress() as progress:
        summary = index.ingest(paths, recursive=recursive, dry_run=dry_run, progress=progress)
    out(ingest_text(summary, dry_run=dry_run))
    list_failures(summary.failures)
    return FOUND if summary.failures else DONE
