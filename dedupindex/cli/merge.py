"""`merge`: bring other catalogues into this one."""

from __future__ import annotations

from typing import Annotated

import typer

from dedupindex.cli.console import out
from dedupindex.cli.options import DONE, Session
from dedupindex.errors import IndexNotFoundError, SettingsError


def merge(
    session: Session,
    others: Annotated[
        list[str], typer.Argument(metavar="OTHER.db", help="Databases made elsewhere, files or URLs; only read.")
    ],
    volume: Annotated[
        str,
        typer.Option("--volume", metavar="NAME", help="Its paths are known here as NAME:/path.", show_default=False),
    ] = "",
) -> int:
    """Bring catalogues that were made elsewhere into this one, without describing anything again.

    With --volume, the pictures of another machine or of an offline disk stay known, and apart, as NAME:/path; merging
    a later state of that catalogue brings the volume up to date. Without, both are of this machine. The next report
    compares what is new with what was here.
    """
    from dedupindex import Index
    from dedupindex.reports.names import shown
    from dedupindex.reports.text import merge_text

    if volume and len(others) > 1:
        raise SettingsError("a volume has one catalogue: give one database with --volume")
    for other in others:
        if any(not file.exists() for file in Index.own_files(other)[:1]):
            raise IndexNotFoundError(f"there is no database {other}")
    with session.open(create=True) as index:
        for other in others:
            with session.progress() as progress:
                merged = index.merge(other, volume=volume, progress=progress)
            out(f"{shown(merged.source)}: {merge_text(merged)}")
    return DONE
