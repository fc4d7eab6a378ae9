"""Patterns of what is left out, remembered with the folders for which they were given."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dedupindex.records.selected_places import below
from dedupindex.settings import Settings
from dedupindex.sources.scope import Scope
from dedupindex.store import catalog
from dedupindex.store.database import Connection

KEY = "exclude"  # in the table `meta`: JSON, folder to patterns

Patterns = Mapping[Path, tuple[str, ...]]


def remembered(connection: Connection) -> Patterns:
    """Folders with the patterns of what is left out of them, as the last ingests said."""
    text = catalog.get_meta(connection, KEY)
    return {Path(folder): tuple(patterns) for folder, patterns in json.loads(text or "{}").items()}


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
