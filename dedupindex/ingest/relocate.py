"""Gives the places below a folder the path of another one, to which its files were moved.

Every file is looked for at its new place before anything is written. What has its size, modification time and inode is
the same file (`dedupindex.ingest.recognition`); of others of the same size the bytes are compared. Nothing is decoded,
and all is written in one transaction, or nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from dedupindex.errors import DedupIndexError, SettingsError
from dedupindex.execution.contained import within_limits
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.groups import snapshots
from dedupindex.ingest.moves import rename_roots
from dedupindex.ingest.recognition import READ_AT_ONCE, digest, is_same_file
from dedupindex.places import is_local, shards_above, text_of
from dedupindex.records.roots import RelocateSummary
from dedupindex.records.selected_places import below
from dedupindex.settings import Settings
from dedupindex.sources.reading import status_of
from dedupindex.store import catalog, catalog_images, catalog_locations
from dedupindex.store.database import Connection, Database
from dedupindex.store.rows import FileState, PlaceRow


class _Found(Enum):
    """What lies at the new place of a file."""

    SAME = "same"
    CHANGED = "changed"  # a file, but with other content
    NOTHING = "nothing"


@dataclass(slots=True)
class _File:
    """A file that is known below the old folder."""

    state: FileState  # as it is stored
    sha256: bytes
    target: Path
    rows: list[PlaceRow] = field(default_factory=list)  # one a frame
    found: _Found = _Found.NOTHING
    now: FileState | None = None  # as it is at the new place
    read: bool = False


def relocate(
    database: Database,
    settings: Settings,
    old: Path,
    new: Path,
    *,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> RelocateSummary:
    """Rewrite the places at and below a folder (or of a file) that was moved.

    Files that are not at the new place are marked as missing there. A file with other content at the new place keeps
    its stored state, so that the next ingest reads it.

    Parameters
    ----------
    database : Database
    settings : Settings
        Limit of bytes that are read.
    old, new : Path
        Absolute. Also a volume that is mounted here now (``laptop:/home/me`` to ``/mnt/laptop``).
    dry_run : bool
        Compare the files, write nothing.
    progress : Progress
        Told of every file.

    Returns
    -------
    RelocateSummary

    Raises
    ------
    SettingsError
        The index knows nothing there; one lies inside the other; files are still at the old place; none is at the new
        one. Nothing was written.
    StoreError
    """
    if below(old, new) or below(new, old):
        raise SettingsError(f"{text_of(old)} and {text_of(new)}: one is the other, or lies inside it")
    with database.read() as connection:
        known = catalog_locations.places_under(connection, old)
        contents = catalog_images.contents(connection, {row.image for row in known})
    if not known:
        raise SettingsError(f"the index knows nothing at or below {text_of(old)}")
    files: dict[Path, _File] = {}
    for row in known:
        if not row.missing:
            made = _File(row.state, contents[row.image].key[0], new / row.path.relative_to(old))
            files.setdefault(row.path, made).rows.append(row)
    _refuse_present(files)
    _look(list(files.values()), settings, progress)
    same = [file for file in files.values() if file.found is _Found.SAME]
    if files and not same:
        raise SettingsError(f"none of the {len(files):,} files known below {text_of(old)} is below {text_of(new)}")
    run = 0
    if not dry_run:
        with database.write() as connection:
            run = catalog.start_run(connection, catalog.RunKind.RELOCATE)
            places = _write(connection, files.values(), [row for row in known if row.missing], (old, new), run)
            catalog_locations.rewrite_failures(connection, old, new)
            rename_roots(connection, old, new)
            catalog.finish_run(connection, run, {"moved": len(same), "places": places})
        snapshots.remember(database, run)
    return RelocateSummary(
        run,
        moved=len(same),
        read=sum(file.read for file in files.values()),
        changed=tuple(file.target for file in files.values() if file.found is _Found.CHANGED),
        gone=tuple(file.target for file in files.values() if file.found is _Found.NOTHING),
        places=len(known) if dry_run else places,
    )


def _refuse_present(files: Iterable[Path]) -> None:
    """Raise where files are still at their old place.

    Raises
    ------
    SettingsError
    """
    present = [path for path in files if is_local(path) and _lies_at(path)]
    if present:
        words = "is" if len(present) == 1 else f"and {len(present) - 1:,} more are"
        raise SettingsError(f"{text_of(present[0])} {words} still there: only what was moved can be relocated")


def _lies_at(path: Path) -> bool:
    if shards_above(path):
        return _status(path) is not None
    return os.path.lexists(path)


def _status(path: Path) -> FileState | None:
    try:
        status = within_limits(Settings(), path, status_of, path) if shards_above(path) else status_of(path)
    except (DedupIndexError, ValueError):
        return None
    return FileState(path, status.size, status.mtime_ns, status.inode)


def _look(files: Sequence[_File], settings: Settings, progress: Progress) -> None:
    """Look for every file at its new place."""

    def look(file: _File) -> None:
        file.now = _status(file.target)
        if file.now is None or (is_local(file.target) and file.target.is_dir()):
            return
        file.found = _Found.CHANGED
        if file.now.size != file.state.size:
            return
        if is_same_file(file.now, file.state):
            file.found = _Found.SAME
            return
        file.read = True
        contained = bool(shards_above(file.target))
        read = (
            within_limits(settings, file.target, digest, file.target, settings)
            if contained
            else digest(file.target, settings)
        )
        if read is not None and read[0] == file.sha256:
            file.found = _Found.SAME
            file.now = FileState(file.target, read[1].size, read[1].mtime_ns, read[1].inode)

    progress.start(len(files), "relocate")
    try:
        with ThreadPoolExecutor(READ_AT_ONCE, "relocate") as threads:
            for _ in threads.map(look, files):
                progress.advance(1)
    finally:
        progress.finish()


def _write(
    connection: Connection, files: Iterable[_File], missing: Sequence[PlaceRow], way: tuple[Path, Path], run: int
) -> int:
    """Rewrite the places; how many. Where another image is known at the new place, the old place is only missing."""
    old, new = way
    wanted: list[tuple[PlaceRow, FileState, bool]] = []
    for file in files:
        state = file.now if file.found is _Found.SAME and file.now is not None else file.state
        moved = FileState(file.target, state.size, state.mtime_ns, state.inode)
        wanted += [(row, moved, file.found is _Found.NOTHING) for row in file.rows]
    for row in missing:
        state = row.state
        target = new / row.path.relative_to(old)
        wanted.append((row, FileState(target, state.size, state.mtime_ns, state.inode), True))
    there = {
        (row.path, row.frame): row
        for row in catalog_locations.places_at(connection, list({state.path for _, state, _ in wanted}))
    }
    rewritten, dropped, left = [], [], []
    for row, state, gone in wanted:
        present = there.get((state.path, row.frame))
        if present is None:
            rewritten.append((row.id, state, gone))
        elif present.image == row.image or present.missing:
            dropped.append(present.id)
            rewritten.append((row.id, present.state if present.image == row.image else state, gone))
        else:
            left.append(row.path)
    catalog_locations.drop_places(connection, dropped)
    catalog_locations.rewrite(connection, rewritten, run)
    catalog_locations.mark(connection, left, run, missing=True)
    return len(rewritten)
