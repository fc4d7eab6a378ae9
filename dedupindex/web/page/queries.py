"""Pictures that were searched for. The last few are kept, with their files, to search for parts of them too."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dedupindex import Uploads
from dedupindex.errors import ReadError, SettingsError
from dedupindex.index import Index
from dedupindex.places import is_local
from dedupindex.records import ImageRecord, Match, Pair
from dedupindex.records.pictures import Thumbnail
from dedupindex.records.pieces import Box, PieceMatch
from dedupindex.reports.names import shown
from dedupindex.web.shared.api import private_file
from dedupindex.web.shared.pictures import SIDES, Lately

LIMIT = 24  # matches
KEPT_BYTES = 500_000_000  # of uploaded files, on the disk
PARTS = "pieces"  # profile of databases in which parts are found


@dataclass(frozen=True, slots=True)
class Query:
    """A picture that was searched for, or a part of it, with its matches."""

    id: str
    name: str  # as the browser gave it, made harmless
    image: ImageRecord  # of an upload; it has no id and no place
    thumbnail: Thumbnail
    matches: tuple[Match, ...]
    pieces: tuple[PieceMatch, ...] = ()  # stored pictures that share a part with it
    box: Box | None = None  # the part that was searched for, in pixels of the picture

    def pair(self, match: Match) -> Pair:
        """Return the upload (a) and a stored image (b) as a pair."""
        return Pair(self.image, match.image, match.verification)


class KeptFiles:
    """Files of uploads, in a private folder that goes with the process; the oldest go first."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="dedupindex-asked-"))  # 0700
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._most = most
        self._sizes: OrderedDict[str, tuple[Path, int]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, name: str, file: Path) -> None:
        """Keep a copy of a file under a name; not of one that is too large."""
        size = file.stat().st_size
        if size > self._most:
            return
        copy = self._folder / f"{secrets.token_hex(8)}{file.suffix}"
        shutil.copyfile(file, copy)
        with self._lock:
            self._sizes[name] = (copy, size)
            while sum(size for _, size in self._sizes.values()) > self._most:
                _, (oldest, _) = self._sizes.popitem(last=False)
                oldest.unlink(missing_ok=True)

    def find(self, name: str) -> Path | None:
        """Return the file of that name, where it is kept still."""
        with self._lock:
            return self._sizes[name][0] if name in self._sizes else None


class Queries:
    """Answers queries, and keeps the answers for their pages."""

    def __init__(self, index: Index, uploads: Uploads) -> None:
        self._index, self._uploads = index, uploads
        self._known: Lately[Query] = Lately(16)
        self._files = KeptFiles()

    @property
    def in_parts(self) -> bool:
        """Whether the database can find parts of pictures."""
        return self._index.settings.profile == PARTS

    def find(self, query_id: str) -> Query | None:
        """Return an answer that is still known."""
        return self._known.find(query_id)

    def ask(self, name: str, data: BinaryIO) -> Query:
        """Search for a picture, and keep the answer.

        Raises
        ------
        ReadError
        """
        with private_file(name, data) as path:
            asked = self._uploads.ask(path, Path(shown(name)), limit=LIMIT, side=SIDES[0])
            query = Query(
                secrets.token_urlsafe(12),
                shown(name),
                asked.image,
                asked.thumbnail,
                asked.matches,
                self._pieces(path, asked.matches),
            )
            self._files.keep(query.id, path)
        self._known.put(query.id, query)
        return query

    def ask_known(self, image: ImageRecord) -> Query | None:
        """Search for a picture of the index, from its own file; itself is not among the answers.

        Parameters
        ----------
        image : ImageRecord

        Returns
        -------
        Query or None
            None where none of its files holds it any more.
        """
        for place in image.locations:
            if place.missing or not is_local(place.path) or image.frame:
                continue
            try:
                asked = self._uploads.ask(place.path, Path(shown(place.path)), limit=LIMIT + 1, side=SIDES[0])
            except ReadError:
                continue
            if asked.image.key != image.key:  # the file is another one by now
                continue
            others = tuple(match for match in asked.matches if match.image.id != image.id)[:LIMIT]
            pieces = [one for one in self._pieces(place.path, asked.matches) if one.image.id != image.id]
            name = shown(place.path)
            query = Query(secrets.token_urlsafe(12), name, image, asked.thumbnail, others, tuple(pieces))
            self._known.put(query.id, query)
            return query
        return None

    def ask_part(self, asked: Query, box: Box) -> Query | None:
        """Search for a region of a picture that was searched for before.

        Parameters
        ----------
        asked : Query
        box : (top, left, height, width)
            In pixels of the picture.

        Returns
        -------
        Query or None
            None where its file is not kept any more.

        Raises
        ------
        ReadError
        SettingsError
            The database has another profile than ``pieces``; the region holds nothing.
        """
        if asked.image.id:
            return self.ask_part_of(asked.image, asked.thumbnail, box)
        file = self._files.find(asked.id)
        if file is None:
            return None
        query = self._part(asked.name, asked.image, asked.thumbnail, box, file)
        self._files.keep(query.id, file)
        return query

    def ask_part_of(self, image: ImageRecord, thumbnail: Thumbnail | None, box: Box) -> Query | None:
        """Search for a region of a picture of the index; see `ask_part`.

        Parameters
        ----------
        image : ImageRecord
        thumbnail : Thumbnail or None
            Of the whole picture.
        box : (top, left, height, width)

        Returns
        -------
        Query or None
            None where none of its files holds it any more; itself is not among the answers.
        """
        if not self.in_parts:  # refused in the same words, without reading a file
            self._index.query_pieces(image.key, box=box)
        for place in image.locations:
            if place.missing or not is_local(place.path) or thumbnail is None:
                continue
            try:
                return self._part(
                    shown(place.path), image, thumbnail, box, place.address if image.frame else place.path
                )
            except ReadError:
                continue
        return None

    def _part(self, name: str, image: ImageRecord, thumbnail: Thumbnail, box: Box, file: Path | str) -> Query:
        pieces = self._index.query_pieces(file, limit=LIMIT + 1, box=box, key=image.key)
        others = tuple(match for match in pieces if match.image.id != image.id or not image.id)[:LIMIT]
        query = Query(secrets.token_urlsafe(12), name, image, thumbnail, (), others, box)
        self._known.put(query.id, query)
        return query

    def _pieces(self, file: Path, matches: Sequence[Match]) -> tuple[PieceMatch, ...]:
        """Stored pictures that share a part with a picture and are no copies of it; none in other profiles."""
        if not self.in_parts:
            return ()
        copies = {match.image.id for match in matches}
        try:
            pieces = self._index.query_pieces(file, limit=LIMIT)
        except SettingsError:  # nothing valid in it
            return ()
        return tuple(match for match in pieces if match.image.id not in copies)
