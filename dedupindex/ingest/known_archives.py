"""Archives that have to be unpacked to see what is in them: not again while they are as they were.

A compressed tar has no directory. After an ingest the database remembers for each one its state, and how many places
are known in it; while both agree, the members that are known are taken for what is in it. Whatever else decides about
members (limits, installed packages, sizes and endings that are asked for) is part of what is remembered.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from dedupindex.records import FileStatus, FoundFile
from dedupindex.settings import Settings
from dedupindex.sources.shards import identity
from dedupindex.store import catalog, catalog_locations
from dedupindex.store.database import Connection, Database

KEY = "archives"


class KnownArchives:
    """What the database remembers of compressed archives.

    Parameters
    ----------
    database : Database
    settings : Settings
    decoder : str
        Digest of what decides whether a file can be read (`decoder_fingerprint`).
    documents : collection of str
        Endings of the documents that are taken.
    """

    def __init__(self, database: Database, settings: Settings, decoder: str, documents: Collection[str]) -> None:
        self._database = database
        parts = (decoder, settings.min_size, settings.extensions, settings.mask_pattern, sorted(documents))
        self._conditions = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
        with database.read() as connection:
            self._known = _stored(connection)

    def __call__(self, archive: Path, status: FileStatus) -> list[FoundFile] | None:
        """Members that are known of an archive; None where it has to be looked into."""
        known = self._known.get(os.fspath(archive))
        if known is None or known[0] != self._state(status):
            return None
        with self._database.read() as connection:
            paths = [path for batch in catalog_locations.paths_under(connection, archive) for path in batch]
            files = catalog_locations.known_files(connection, paths)
        if len(files) != known[1]:
            return None
        states = [files[path].state for path in sorted(files)]
        return [FoundFile(one.path, one.size, one.mtime_ns, one.inode) for one in states]

    def remember(self, connection: Connection, scanned: Mapping[Path, FileStatus]) -> None:
        """Store the states of archives that were looked into to their end."""
        if not scanned:
            return
        stored = _stored(connection)
        for archive, status in scanned.items():
            paths = {path for batch in catalog_locations.paths_under(connection, archive) for path in batch}
            stored[os.fspath(archive)] = (self._state(status), len(paths))
        text = json.dumps({name: list(value) for name, value in sorted(stored.items())})
        catalog.set_meta(connection, **{KEY: text})

    def _state(self, status: FileStatus) -> str:
        return f"{identity(status, 0)} {self._conditions}"


def _stored(connection: Connection) -> dict[str, tuple[str, int]]:
    text = catalog.get_meta(connection, KEY)
    return {name: (str(state), int(count)) for name, (state, count) in json.loads(text or "{}").items()}
