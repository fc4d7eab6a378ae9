"""What a file holds, and what is measured of two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from dedupindex.records.pictures import DecodedFile, Frame, PreparedFrame
from dedupindex.records.verdicts import Verification

Better: TypeAlias = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about two pictures.

    Attributes
    ----------
    name : str
    value : float
    better : {"higher", "lower"}
        Which values mean more alike.
    detail : str
        Shift, size and the like, for people.
    """

    name: str
    value: float
    better: Better
    detail: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two pictures side by side."""

    a: Frame
    b: Frame
    verification: Verification
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class FileContents:
    """A file as an ingest reads it."""

    decoded: DecodedFile
    frames: tuple[Frame, ...]  # those with a valid pixel
    prepared: tuple[PreparedFrame, ...]  # one for each of them
