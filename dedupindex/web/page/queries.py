"""Uploaded pictures that were searched for. The last few are kept in memory."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dedupindex import Uploads
from dedupindex.errors import ReadError
from dedupindex.places import is_local
from dedupindex.records import ImageRecord, Match, Pair
from dedupindex.records.pictures import Thumbnail
from dedupindex.reports.names import shown
from dedupindex.web.shared.api import private_file
from dedupindex.web.shared.pictures import SIDES, Lately

LIMIT = 24  # matches


@dataclass(frozen=True, slots=True)
class Query:
    """An uploaded picture with its matches."""

    id: str
    name: str  # as the browser gave it, made harmless
    image: ImageRecord  # of the upload; it has no id and no place
    thumbnail: Thumbnail
    matches: tuple[Match, ...]

    def pair(self, match: Match) -> Pair:
        """Return the upload (a) and a stored image (b) as a pair."""
        return Pair(self.image, match.image, match.verification)


class Queries:
    """Answers queries, and keeps the answers for their pages."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self._known: Lately[Query] = Lately(16)

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
        query = Query(secrets.token_urlsafe(12), shown(name), asked.image, asked.thumbnail, asked.matches)
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
            name = shown(place.path)
            query = Query(secrets.token_urlsafe(12), name, asked.image, asked.thumbnail, others)
            self._known.put(query.id, query)
            return query
        return None
