"""The groups that a plan is made of, and which of their files a selection covers.

A plan of a selection never removes a file that the selection does not cover: none outside its `paths`, and none in
favour of a file with which it does not fit (`Selection.across`, `Selection.folder`).
"""

from __future__ import annotations

import os
from pathlib import Path

from dedupindex.errors import SettingsError
from dedupindex.groups.decisions import decided_pairs, sift
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.report import only_groups, present_copies, present_pairs
from dedupindex.groups.selection import select, settled
from dedupindex.records import Decision, DuplicateGroup
from dedupindex.records.reports import Selection
from dedupindex.records.selected_places import below, fits, side, touches
from dedupindex.store import catalog_decisions, catalog_locations
from dedupindex.store.database import Connection


def selected_groups(
    connection: Connection, selection: Selection
) -> tuple[list[DuplicateGroup], list[Decision], Selection]:
    """The groups of a selection with present places only, without pairs decided to be no duplicates.

    Parameters
    ----------
    connection : Connection
        In a read transaction.
    selection : Selection
        Where it names groups, they are those of the report of the same selection: without pairs of which both are to
        be kept.

    Returns
    -------
    groups : list of DuplicateGroup
    decisions : list of Decision
        All that there are.
    selection : Selection
        With absolute paths.

    Raises
    ------
    SettingsError
        The selection has no meaning, or names a path or a group that the index does not know.
    """
    selection = settled(selection)
    for root in (*(selection.across or ()), *selection.paths):
        if next(catalog_locations.paths_under(connection, root, 1), None) is None:
            raise SettingsError(f"the index knows no picture at or below {root}; scan it first")
    decisions = catalog_decisions.decisions(connection)
    decided, show_kept = decided_pairs(decisions), not selection.groups
    pairs = sift(present_pairs(connection, min_score=selection.min_score), decided, show_kept=show_kept)
    copies = present_copies(connection)
    if selection.groups:
        copies = [image for image in copies if not decided.leaves_out(image.key, image.key, decided=False)]
    groups: list[DuplicateGroup] = []
    for part in select(selection, pairs, copies):
        salt = b"" if part.folder is None else os.fsencode(part.folder)
        groups += build_groups(part.pairs, part.alone, salt=salt)
    groups = [g for g in groups if touches(selection, (p for m in g.members for p in m.image.locations))]
    return only_groups(selection, groups), decisions, selection


def may_go(selection: Selection, path: Path) -> bool:
    """Whether a selection covers a file, so that a plan may remove it."""
    return not selection.paths or any(below(path, root) for root in selection.paths)


def may_replace(selection: Selection, keeper: Path, path: Path) -> bool:
    """Whether a selection asks for this pair of files, so that one may go in favour of the other.

    Parameters
    ----------
    selection : Selection
        With absolute paths.
    keeper : Path
        The file that stays.
    path : Path
        The file that would go.

    Returns
    -------
    bool
    """
    return fits(selection, (side(selection, keeper), keeper.parent), (side(selection, path), path.parent))
