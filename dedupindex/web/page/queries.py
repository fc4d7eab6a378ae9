"""Pictures that were handed in to be searched for. They live in memory, the last few only."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dedupindex.errors import ReadError
from dedupindex.groups.thumbnails import from_frame
from dedupindex.index import Index
from dedupindex.records import ImageRecord, Match, Pair
from dedupindex.records.pictures import Thumbnail
from dedupindex.reports.names import shown
from dedupindex.sources import decode_file
from dedupindex.web.shared.pictures import SIDES, Lately

LIMIT = 24  # matches
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class Query:
    """A picture that was handed in, with its answers."""

    id: str
    name: str  # as the browser gave it, made harmless
    image: ImageRecord  # of what was handed in; it has no id and no place
    thumbnail: Thumbnail
    matches: tuple[Match, ...]

    def pair(self, match: Match) -> Pair:
        """Return what was handed in (a) and a stored image (b) as a pair."""
        return Pair(self.image, match.image, match.verification)


class Queries:
    """Answers queries one after the other, and keeps the answers for their pages."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: Lately[Query] = Lately(16)
        self._turn = threading.Lock()

    def find(self, query_id: str) -> Query | None:
        """Return an answer that is still known."""
        return self._known.find(query_id)

    def matches(self, name: str, data: BinaryIO, limit: int) -> list[Match]:
        """Return the confirmed matches of a picture.

        Raises
        ------
        ReadError
            It cannot be read; its path is the name that was given.
        """
        with self._turn, private_file(name, data) as path:
            return self._index.query(path, limit=limit)

    def ask(self, name: str, data: BinaryIO) -> Query:
        """Search for a picture, and keep the answer.

        Raises
        ------
        ReadError
        """
        with self._turn, private_file(name, data) as path:
            decoded = decode_file(path, self._index.settings, min_side=SIDES[0])
            frame = decoded.frames[0]
            matches = self._index.query(path, limit=LIMIT)
        image = ImageRecord(
            id=0,
            sha256=decoded.sha256,
            frame=frame.number,
            format=decoded.format,
            width=frame.full_shape[1],
            height=frame.full_shape[0],
            bits=frame.bits,
            channels=frame.pixels.shape[2] if frame.pixels.ndim == 3 else 1,
            valid_share=float(frame.mask.mean()),
            low_information=False,
            scaling="",
            frame_count=decoded.frame_count,
        )
        query = Query(secrets.token_urlsafe(12), shown(name), image, from_frame(frame, SIDES[0]), tuple(matches))
        self._known.put(query.id, query)
        return query


@contextmanager
def private_file(name: str, data: BinaryIO) -> Iterator[Path]:
    """Give what was handed in as a private file, for as long as it is looked at."""
    suffix = Path(name).suffix
    with tempfile.TemporaryDirectory(prefix="dedupindex-query-") as folder:
        path = Path(folder) / f"picture{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        with path.open("wb") as file:
            shutil.copyfileobj(data, file)
        try:
            yield path
        except ReadError as error:
            raise type(error)(Path(name), error.reason, error.detail) from error
