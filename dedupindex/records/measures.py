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
class ClipPart:
    """A part that two clips have in common, in seconds from their beginnings.

    Attributes
    ----------
    a, b : (float, float)
        From when to when.
    middle : (float, float)
        Times of two frames in the middle of it that show the same.
    """

    a: tuple[float, float]
    b: tuple[float, float]
    middle: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ClipShares:
    """What two clips have in common.

    Attributes
    ----------
    share_a, share_b : float
        Share of the frames of each that are in the other one, 0..1; black and white frames do not count.
    parts : tuple of ClipPart
        By time in a.
    durations : (float, float)
        Of the two, seconds.
    """

    share_a: float
    share_b: float
    parts: tuple[ClipPart, ...]
    durations: tuple[float, float] = (0.0, 0.0)


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
    clips : ClipShares or None
        Of two videos, what they have in common; then the two frames are those in the middle of the longest part.
    """

    a: str
    b: str
    frames: tuple[Frame, Frame]
    pair: Pair
    measures: tuple[Measure, ...]
    clips: ClipShares | None = None

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
