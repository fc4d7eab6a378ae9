"""`relocate`: a folder was renamed, or is mounted elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from dedupindex.cli.console import complain, out
from dedupindex.cli.options import DONE, FOUND, Session


def relocate(
    session: Session,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Where the files were.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Where they are now.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the files; write nothing.")] = False,
) -> int:
    """Rewrite the places below a folder that was renamed, or is mounted elsewhere. No picture is decoded again.

    Each file is looked for at its new place first; where size, time or inode differ its bytes are compared. Nothing is
    written when files are still at the old place, or none is at the new one. What is left out of scans of OLD holds
    for NEW. Exit code 1 when some files are not at the new place, or have changed.
    """
    from dedupindex.reports.moves import relocate_text, relocate_troubles

    with session.open(allow_mismatch=True) as index, session.progress() as progress:
        done = index.relocate(old, new, dry_run=dry_run, progress=progress)
    out(relocate_text(done, dry_run=dry_run))
    for line in relocate_troubles(done):
        complain(line)
    return FOUND if done.changed or done.gone else DONE
