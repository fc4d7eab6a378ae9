"""The contents of a file, and the comparison of two files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dedupindex.records.answers import Pair
from dedupindex.records.pictures import DecodedFile, Frame, PreparedFrame
from dedupindex.records.verdicts import Relation


class Better(StrEnum):
    """Which values of a measure mean more alike."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about two pictures.

    Attributes
    ----------
    name : str
    value : float
    better : Better
    detail : str
        Shift, size and the like, for people.
    """

    name: str
    value: float
    better: Better
    detail: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two pictures and everything that comparing them gave.

    Attributes
    ----------
    a, b : str
        Their addresses.
    frames : (Frame, Frame)
        As they were decoded.
    pair : Pair
        What is known of the two frames, the verification, and the proof (None where they do not overlap,
        or need none).
    measures : tuple of Measure
    """

    a: str
    b: str
    frames: tuple[Frame, Frame]
    pair: Pair
    measures: tuple[Measure, ...]

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Relations of the two; empty where they are different pictures."""
        return self.pair.relations if self.pair.verification.accepted else ()


@dataclass(frozen=True, slots=True)
class FileContents:
    """A file as an ingest reads it."""

    decoded: DecodedFile
    frames: tuple[Frame, ...]  # those with a valid pixel
    prepared: tuple[PreparedFrame, ...]  # one for each of them
