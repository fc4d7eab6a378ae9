"""Recognise files of a library that was renamed, or mounted elsewhere, without decoding them again.

A file is looked up at the same path below each root that is not there any more: ``/new/2019/a.jpg`` may be what was
``/old/2019/a.jpg``. Identity is the SHA-256 of the bytes, so a candidate of another size is out, and the bytes of all
others are read and compared, with one exception. Where size, inode and modification time are those that were stored,
and the time has a fraction of a second, the file is the very same and is not read: that is what tells an unchanged file
in its own place, too. File systems that make up their inodes (FAT) count in whole seconds, and cameras reset their
clocks: there, two cards can hold different pictures of one name, size, time and inode.

What is recognised becomes a further place of a known image. `dedupindex.ingest.moves` decides afterwards whether the
old place has moved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dedupindex.errors import ReadError
from dedupindex.execution.tasks import FileTask
from dedupindex.groups import roots
from dedupindex.places import is_local
from dedupindex.records import FileStatus
from dedupindex.settings import Settings
from dedupindex.sources.reading import read_bytes
from dedupindex.store import catalog, catalog_images, catalog_locations
from dedupindex.store.database import Connection, Database
from dedupindex.store.rows import FileState, KnownFile

READ_AT_ONCE = 2  # files; each may be as large as `max_bytes`
_SECOND = 1_000_000_000  # ns


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored of a file: its state, and its images by frame."""

    state: FileState
    frames: tuple[tuple[int, int], ...]  # (frame, image id)
    sha256: bytes


class Recognition:
    """Looks up files that are new at their path below roots that are gone.

    Parameters
    ----------
    database : Database
    settings : Settings
    run : int
        Id of the ingest; 0 in a dry run, in which nothing is read or written.
    """

    def __init__(self, database: Database, settings: Settings, run: int) -> None:
        self._database, self._settings, self._run = database, settings, run
        with database.read() as connection:
            self._gone = roots.absent(connection)
        self.placed = 0  # locations that were stored
        self.bytes_read = 0

    def take(self, tasks: Sequence[FileTask]) -> set[Path]:
        """Store the places of files that need not be decoded; their paths.

        Parameters
        ----------
        tasks : sequence of FileTask
            Files of which nothing is known at their path.

        Returns
        -------
        set of Path
        """
        if not self._gone:
            return set()
        candidates = self._candidates([task.state for task in tasks if _is_plain(task)])
        if not self._run:
            return {state.path for state, known in candidates if any(_looks_alike(state, one.state) for one in known)}
        with ThreadPoolExecutor(READ_AT_ONCE, "recognise") as threads:
            recognised = [pair for pair in threads.map(self._recognise, candidates) if pair is not None]
        if recognised:
            places = [(state, frame, image) for state, known in recognised for frame, image in known.frames]
            paths = [state.path for state, _ in recognised]
            with self._database.write() as connection:
                self.placed += catalog_locations.put_locations(connection, places, self._run)
                catalog_locations.drop_other_frames(connection, paths, self._run)
                catalog.clear_failures(connection, paths)
        return {state.path for state, _ in recognised}

    def _candidates(self, files: Sequence[FileState]) -> list[tuple[FileState, list[_Known]]]:
        """Each file with what is known at the same path below a root that is gone, the longest common path first."""
        old = {state.path: [path for root in self._gone for path in _below(root, state.path)] for state in files}
        asked = list({path for paths in old.values() for path in paths})
        with self._database.read() as connection:
            known = catalog_locations.known_files(connection, asked)
            stored = self._stored(connection, {path: file for path, file in known.items() if self._is_whole(file)})
        candidates = []
        for state in files:
            fitting = [stored[path] for path in old[state.path] if path in stored]
            fitting = [one for one in fitting if one.state.size == state.size]
            if fitting:
                candidates.append((state, fitting))
        return candidates

    def _is_whole(self, file: KnownFile) -> bool:
        """Whether nothing of the file would be read anew if it were still in its place."""
        return file.failure is None and not (self._settings.all_frames and file.frames < file.frame_count)

    def _stored(self, connection: Connection, known: dict[Path, KnownFile]) -> dict[Path, _Known]:
        frames: dict[Path, list[tuple[int, int]]] = {}
        for row in catalog_locations.places_at(connection, list(known)):
            frames.setdefault(row.path, []).append((row.frame, row.image))
        images = {image for places in frames.values() for _, image in places}
        contents = catalog_images.contents(connection, images)
        bare = set(catalog_images.without_features(connection, sorted(images)))  # have to be described again
        return {
            path: _Known(known[path].state, tuple(sorted(places)), contents[places[0][1]].key[0])
            for path, places in frames.items()
            if not bare.intersection(image for _, image in places)
        }

    def _recognise(self, candidate: tuple[FileState, list[_Known]]) -> tuple[FileState, _Known] | None:
        state, known = candidate
        for one in known:
            if is_same_file(state, one.state):
                return state, one
        read = digest(state.path, self._settings)
        if read is None:
            return None
        sha256, status = read
        self.bytes_read += status.size
        same = next((one for one in known if one.sha256 == sha256), None)
        return None if same is None else (FileState(state.path, status.size, status.mtime_ns, status.inode), same)


def is_same_file(state: FileState, before: FileState) -> bool:
    """Whether a file at another path is so surely the one that was read that its bytes need not be compared.

    Parameters
    ----------
    state : FileState
        As it is now.
    before : FileState
        As it was stored.

    Returns
    -------
    bool
    """
    same = (state.size, state.mtime_ns, catalog.signed(state.inode)) == (before.size, before.mtime_ns, before.inode)
    return same and state.mtime_ns % _SECOND != 0


def digest(path: Path, settings: Settings) -> tuple[bytes, FileStatus] | None:
    """SHA-256 of a file with the state that belongs to it; None where it cannot be read."""
    try:
        data, status = read_bytes(path, settings.max_bytes)
    except (ReadError, MemoryError):
        return None
    return hashlib.sha256(data).digest(), status


def _is_plain(task: FileTask) -> bool:
    """Whether it is a whole file of this machine; members of shards have no inode of their own."""
    return is_local(task.state.path) and (task.found is None or task.found.offset is None)


def _looks_alike(state: FileState, before: FileState) -> bool:
    return (state.size, state.mtime_ns) == (before.size, before.mtime_ns)


def _below(root: Path, path: Path) -> list[Path]:
    """Where a file may have been below a root: with all of its folders, with all but the first, ..."""
    parts = path.parts
    return [old for start in range(1, len(parts)) if (old := root.joinpath(*parts[start:])) != path]
