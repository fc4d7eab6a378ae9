"""`upgrade`: an older database for this program."""

from __future__ import annotations

from typing import Annotated

import typer

from dedupindex.cli.console import out
from dedupindex.cli.options import DONE, Session


def upgrade(
    session: Session,
    backed_up: Annotated[
        bool, typer.Option("--backed-up", help="Of a database on a server: you have made a backup (pg_dump).")
    ] = False,
) -> int:
    """Bring an older database to this program's schema.

    A backup of a database file is made first; of one on a server you have to make it yourself.
    """
    from dedupindex.errors import IndexNotFoundError
    from dedupindex.index import Index
    from dedupindex.reports.names import shown

    place = session.location()
    try:
        made = Index.upgrade(place, backed_up=backed_up)
    except IndexNotFoundError as error:
        raise IndexNotFoundError(f"{error}; there is nothing to upgrade") from error
    if not made.done:
        out("nothing to do")
    elif made.backup is None:
        out("upgraded; no backup was made")
    else:
        out(f"upgraded; the old database is in {shown(made.backup)}")
    return DONE
