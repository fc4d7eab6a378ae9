"""`upgrade`: an older database for this program."""

from __future__ import annotations

from dedupindex.cli.console import out
from dedupindex.cli.options import DONE, Session


def upgrade(session: Session) -> int:
    """Bring an older database to this program's schema.

    A backup is made first.
    """
    from dedupindex.errors import IndexNotFoundError
    from dedupindex.index import Index
    from dedupindex.reports.names import shown

    place = session.location()
    try:
        backup = Index.upgrade(place)
    except IndexNotFoundError as error:
        raise IndexNotFoundError(f"{error}; there is nothing to upgrade") from error
    out("nothing to do" if backup is None else f"upgraded; the old database is in {shown(backup)}")
    return DONE
