"""`ingest`: bring the database up to date."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from dedupindex.cli.console import list_failures, out
from dedupindex.cli.options import DONE, FOUND, Places, Session
from dedupindex.errors import SettingsError

if TYPE_CHECKING:
    from dedupindex import SourceList

Recursive: TypeAlias = Annotated[bool, typer.Option("--recursive/--no-recursive", help="Go into folders of folders.")]

ListOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--list",
        metavar="FILE",
        help="A .csv, .tsv or .parquet with a path or URL a row, or a text with one a line (- = stdin); several times.",
    ),
]
ColumnOption: TypeAlias = Annotated[
    str, typer.Option("--column", metavar="NAME", help="Of lists: where the path or URL stands.", show_default=False)
]
IdColumnOption: TypeAlias = Annotated[
    str,
    typer.Option("--id-column", metavar="NAME", help="Of lists: an id to keep as the label.", show_default=False),
]


ForgetExcludes: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--forget-excludes", help="Forget what earlier runs left out of these folders (--exclude replaces it)."
    ),
]


AgainstOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--against",
        metavar="PLACE",
        help="A reference, ingested too: its pictures are compared with those of PATH, and these among themselves, but "
        "not the reference with itself; `plan` never takes one of it. Remembered until it is named as a PATH. Several "
        "times.",
        show_default=False,
    ),
]


def lists_of(
    paths: Sequence[str] | None, lists: Sequence[Path] | None, column: str, id_column: str
) -> list[SourceList]:
    """Return the lists that the options name.

    Parameters
    ----------
    paths : sequence of str or None
        Places that were given beside.
    lists : sequence of Path or None
        Values of ``--list``.
    column, id_column : str
        Columns of the paths and of their ids; "" = not given.

    Returns
    -------
    list of SourceList

    Raises
    ------
    SettingsError
        There is neither a path nor a list, or a column without a list.
    """
    from dedupindex import SourceList

    if not paths and not lists:
        raise SettingsError("nothing to read: give paths, URLs or --list")
    if (column or id_column) and not lists:
        raise SettingsError("--column and --id-column go with --list")
    return [SourceList(path, column, id_column) for path in lists or ()]


def require_sources(session: Session, paths: Sequence[str] | None, lists: Sequence[Path] | None) -> None:
    """Raise before a database is made, where a list is not there or none of the places that were given.

    What is missing beside others, or from a database that is there, is for the ingest to tell.

    Parameters
    ----------
    session : Session
        Names the database.
    paths : sequence of str or None
    lists : sequence of Path or None

    Raises
    ------
    SettingsError
    """
    from dedupindex import Index
    from dedupindex.places import absolute

    for path in lists or ():
        if os.fspath(path) != "-" and not absolute(path).exists():
            raise SettingsError(f"{path}: there is no such list")
    if lists or any(map(_may_be_there, paths or ())):
        return
    if any(not file.exists() for file in Index.own_files(session.location())[:1]):
        raise SettingsError(f"{', '.join(paths or ())}: no such file or folder; no database was made")


def _may_be_there(path: str) -> bool:
    """Whether a place is there, or is one that only reading can tell of: elsewhere, in a shard, or no place at all."""
    from dedupindex.places import is_local, place_of, shards_above

    try:
        place = place_of(path)
    except (ValueError, OSError):
        return True
    return not is_local(place) or bool(shards_above(place)) or os.path.lexists(place)


def ingest(
    session: Session,
    paths: Places = None,
    lists: ListOption = None,
    column: ColumnOption = "",
    id_column: IdColumnOption = "",
    recursive: Recursive = True,
    forget_excludes: ForgetExcludes = False,
    against: AgainstOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be read.")] = False,
) -> int:
    """Describe new and changed pictures.

    Notes moved and vanished ones too; a library that was renamed is recognised. Does not search for duplicates.
    """
    from dedupindex.reports.text import ingest_text

    sources = lists_of(paths, lists, column, id_column)
    require_sources(session, paths, lists)
    with session.open(create=True) as index, session.progress() as progress:
        summary = index.ingest(
            paths or (),
            lists=sources,
            recursive=recursive,
            dry_run=dry_run,
            forget_excludes=forget_excludes,
            against=against or (),
            progress=progress,
        )
    out(ingest_text(summary, dry_run=dry_run))
    list_failures(summary.failures)
    return FOUND if summary.failures else DONE
