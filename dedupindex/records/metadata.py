"""What people and cameras say of a picture beside its pixels: rating, keywords, description, position, date."""

from __future__ import annotations

import dataclasses
import unicodedata
from dataclasses import dataclass

_SAME_PLACE = 1e-4  # degrees: some 10 m, within which two positions are the same
_SECONDS = 19  # characters of an ISO time up to its seconds; fractions and offsets are not compared


@dataclass(frozen=True, slots=True)
class PictureMetadata:
    """What is said of a picture; empty values where nothing is.

    Attributes
    ----------
    rating : int or None
        1..5, or -1 = rejected; None = not rated.
    keywords : tuple of str
    hierarchy : tuple of str
        Keywords with those above them, as Lightroom writes them: ``Places|Rome``.
    description : str
    position : (float, float) or None
        Latitude and longitude, degrees, WGS 84, north and east positive.
    taken : str
        When, ISO 8601: local time, with its offset from UTC where that is known.
    """

    rating: int | None = None
    keywords: tuple[str, ...] = ()
    hierarchy: tuple[str, ...] = ()
    description: str = ""
    position: tuple[float, float] | None = None
    taken: str = ""

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return self != _NOTHING


_NOTHING = PictureMetadata()


def lacking(kept: PictureMetadata, other: PictureMetadata) -> PictureMetadata:
    """What one of two says and the other does not: its values where the other has none, and its further keywords.

    Parameters
    ----------
    kept, other : PictureMetadata

    Returns
    -------
    PictureMetadata
        Of *other*, what *kept* lacks.
    """
    return PictureMetadata(
        rating=other.rating if kept.rating is None else None,
        keywords=_further(kept.keywords, other.keywords),
        hierarchy=_further(kept.hierarchy, other.hierarchy),
        description="" if kept.description else other.description,
        position=other.position if kept.position is None else None,
        taken="" if kept.taken else other.taken,
    )


def joined(kept: PictureMetadata, other: PictureMetadata) -> PictureMetadata:
    """What one says, and what the other says besides."""
    more = lacking(kept, other)
    return PictureMetadata(
        rating=more.rating if kept.rating is None else kept.rating,
        keywords=kept.keywords + more.keywords,
        hierarchy=kept.hierarchy + more.hierarchy,
        description=kept.description or more.description,
        position=more.position if kept.position is None else kept.position,
        taken=kept.taken or more.taken,
    )


def differing(kept: PictureMetadata, other: PictureMetadata) -> PictureMetadata:
    """What one of two says otherwise than the other, so that it cannot be carried over.

    Returns
    -------
    PictureMetadata
        Values of *other* where *kept* has another one; keywords never differ, they are added.
    """
    said = PictureMetadata(
        rating=other.rating if other.rating != kept.rating else None,
        description=other.description if _plain(other.description) != _plain(kept.description) else "",
        position=None if _same_place(kept.position, other.position) else other.position,
        taken=other.taken if other.taken[:_SECONDS] != kept.taken[:_SECONDS] else "",
    )
    return dataclasses.replace(
        said,
        rating=None if kept.rating is None else said.rating,
        description=said.description if kept.description else "",
        position=None if kept.position is None else said.position,
        taken=said.taken if kept.taken else "",
    )


def _further(kept: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    known = {_plain(word) for word in kept}
    further: dict[str, str] = {}
    for word in other:
        if _plain(word) not in known:
            further.setdefault(_plain(word), word)
    return tuple(further.values())


def _plain(text: str) -> str:
    """A text as it is compared: without regard to case, spaces at its ends and the way accents are written."""
    return unicodedata.normalize("NFC", text).casefold().strip()


def _same_place(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(abs(a - b) < _SAME_PLACE for a, b in zip(one, other, strict=True))
