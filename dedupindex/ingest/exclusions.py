"""What is left out: patterns, remembered with the folders for which they were given, and folders that were set aside.

A folder is set aside when a plan moved duplicates to it and it lies below a folder that is scanned: there they would be
found again. New patterns for the folder above do not end that; to forget what is left out does.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from dedupindex.groups import roots as scanned
from dedupindex.records.selected_places import below
from dedupindex.settings import Settings
from dedupindex.sources.scope import Scope
from dedupindex.store import catalog
from dedupindex.store.database import Connection, Database

KEY = "exclude"  # in the table `meta`: JSON, folder to patterns
ASIDE = "set_aside"  # in the table `meta`: JSON, a list of folders
_SPECIAL = re.compile(r"[\\*?\[\]!# ]")  # in patterns of .gitignore

Patterns = Mapping[Path, tuple[str, ...]]


def remembered(connection: Connection) -> Patterns:
    """Folders with the patterns of what is left out of them, as the last ingests said."""
    text = catalog.get_meta(connection, KEY)
    return {Path(folder): tuple(patterns) for folder, patterns in json.loads(text or "{}").items()}


def settled(
    connection: Connection,
    settings: Settings,
    roots: Sequence[Path],
    *,
    renamed: Mapping[Path, Path],
    forget: bool,
    write: bool,
) -> Patterns:
    """What is left out in an ingest; with *write*, it is remembered.

    Parameters
    ----------
    connection : Connection
    settings : Settings
        Its `exclude`, where there is any, replaces what was remembered of these roots.
    roots : sequence of Path
    renamed : mapping of Path to Path
        Folders that are gone, with those that have taken their place: there the same is left out.
    forget : bool
        Forget what was remembered of these roots and of folders below them.
    write : bool

    Returns
    -------
    mapping of Path to tuple of str
        Folders with their patterns, folders that are set aside included.
    """
    kept, known = remembered(connection), set_aside(connection)
    before, aside = dict(kept), list(known)
    for old, new in renamed.items():
        before |= {new / folder.relative_to(old): kept[folder] for folder in kept if below(folder, old)}
        aside += [new / folder.relative_to(old) for folder in known if below(folder, old)]
    patterns = patterns_for(before, settings, roots, forget=forget)
    left = [folder for folder in aside if not forget or not any(below(folder, root) for root in roots)]
    if write and patterns != kept:
        remember(connection, patterns)
    if write and left != list(known):
        keep_aside(connection, left)
    return with_aside(patterns, left)


def patterns_for(before: Patterns, settings: Settings, roots: Sequence[Path], *, forget: bool) -> Patterns:
    """The patterns that hold in an ingest, and after it.

    Parameters
    ----------
    before : mapping of Path to tuple of str
        What was remembered.
    settings : Settings
        Its `exclude`, where there is any, replaces what was remembered of these roots.
    roots : sequence of Path
    forget : bool
        Drop what was remembered of these roots and of folders below them.

    Returns
    -------
    mapping of Path to tuple of str
    """
    dropped = {folder for folder in before if forget and any(below(folder, root) for root in roots)}
    after = {folder: patterns for folder, patterns in before.items() if folder not in dropped}
    if settings.exclude:
        after |= dict.fromkeys(roots, settings.exclude)
    return after


def remember(connection: Connection, patterns: Patterns) -> None:
    """Store the patterns in place of those before."""
    rows = {os.fspath(folder): list(kept) for folder, kept in sorted(patterns.items())}
    catalog.set_meta(connection, **{KEY: json.dumps(rows)})


def scope_of(settings: Settings, patterns: Patterns) -> Scope:
    """Which files an ingest takes."""
    extensions = tuple(extension.removeprefix(".").lower() for extension in settings.extensions)
    return Scope(not settings.default_excludes, patterns, settings.min_size, extensions)


# -------------------------------------------------------------------------------------------------- set aside
def set_aside(connection: Connection) -> tuple[Path, ...]:
    """Folders to which duplicates were moved, below folders that are scanned."""
    return tuple(Path(folder) for folder in json.loads(catalog.get_meta(connection, ASIDE) or "[]"))


def keep_aside(connection: Connection, folders: Collection[Path]) -> None:
    """Store the folders that are set aside in place of those before."""
    catalog.set_meta(connection, **{ASIDE: json.dumps(sorted(map(os.fspath, folders)))})


def with_aside(patterns: Patterns, folders: Collection[Path]) -> Patterns:
    """The patterns with one for each folder that is set aside, which holds in the folder above it."""
    merged = dict(patterns)
    for folder in sorted(folders):
        merged[folder.parent] = (*merged.get(folder.parent, ()), f"/{_SPECIAL.sub(_escaped, folder.name)}/")
    return merged


def _escaped(match: re.Match[str]) -> str:
    return "\\" + match[0]


def scanned_above(connection: Connection, folder: Path) -> Path | None:
    """The innermost folder that is scanned and in which a folder lies, or that it is; None where there is none."""
    root = scanned.deepest(scanned.remembered(connection), folder)
    return None if root is None else root.path


def leave_out(database: Database, folder: Path) -> Path | None:
    """Leave a folder out of later scans, if it lies inside a folder that is scanned.

    Parameters
    ----------
    database : Database
    folder : Path
        Absolute.

    Returns
    -------
    Path or None
        The folder that is scanned.

    Raises
    ------
    StoreError
    """
    with database.read() as connection:
        root, known = scanned_above(connection, folder), set_aside(connection)
    if root is None or root == folder:
        return None
    if folder not in known:
        with database.write() as connection:
            keep_aside(connection, {*set_aside(connection), folder})
    return root


def rename(connection: Connection, renamed: Callable[[Path], Path]) -> None:
    """Let what is left out of folders hold at their new places; *renamed* gives the new path of a folder."""
    before, aside = remembered(connection), set_aside(connection)
    after = {folder: kept for folder, kept in before.items() if renamed(folder) == folder}
    for folder, kept in before.items():
        after.setdefault(renamed(folder), kept)
    if after != before:
        remember(connection, after)
    if {renamed(folder) for folder in aside} != set(aside):
        keep_aside(connection, {renamed(folder) for folder in aside})
