"""`backup` and `restore`: a whole copy of the database, and putting it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.console import out
from dedupindex.cli.options import DONE, Session


def backup(session: Session, file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy.")]) -> int:
    """Copy the database and its vector files while others may be writing; verified, then put in place.

    An earlier backup of that name is replaced by the whole new one.
    """
    from dedupindex.reports.names import shown

    with session.open(read_only=True, allow_mismatch=True) as index:
        made = index.backup(file)
    out(f"{shown(made.path)} holds {made.images:,} pictures and {made.vector_files:,} vector files")
    return DONE


def restore(session: Session, file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")]) -> int:
    """Let the database hold what a backup holds; what it held before is kept beside it."""
    from dedupindex.index import Index
    from dedupindex.reports.names import shown

    made = Index.restore(file, session.location())
    out(f"{shown(made.path)} holds {made.images:,} pictures again")
    if made.before is not None:
        out(f"what it held before is in {shown(made.before)}")
    return DONE
