"""`undo`: take back what `apply` did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.apply import complain_unnoted
from dedupindex.cli.console import complain, out
from dedupindex.cli.options import DONE, FOUND, Session


def undo(
    session: Session,
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="Written by `apply`.", show_default=False)],
) -> int:
    """Take back what `apply` did, also half a run: names, contents, times and permissions are as they were.

    Nothing that came meanwhile is overwritten: such a file is told, and exit code 1 says so.
    """
    from dedupindex import undo_journal
    from dedupindex.places import at_home
    from dedupindex.reports.applied import trouble_lines, undone_text

    with session.progress() as progress:
        done = undo_journal(at_home(journal), database=session.database, progress=progress)
    out(undone_text(done))
    for line in trouble_lines(done):
        complain(line)
    complain_unnoted(done)
    return DONE if done.well else FOUND
