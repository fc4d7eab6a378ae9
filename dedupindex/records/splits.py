"""Parts of a data set: which file is in which part, and what leaks from one part into another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dedupindex.records.answers import LocationRecord
from dedupindex.records.files import Failure
from dedupindex.records.verdicts import Relation

DEFAULT_RATIOS: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}


class LeakKind(StrEnum):
    """What two pictures in different parts are to each other."""

    COPY = "copy"  # proven, or the same bytes or pixels
    UNPROVEN = "unproven"  # copies as seen at 128 pixels; the files were not compared
    ALTERNATE = "alternate"  # the same scene or template with other content


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a data set, by what lies in it.

    Attributes
    ----------
    name : str
    roots : tuple of Path
        Folders (or files) of which everything belongs to the part, absolute.
    files : tuple of Path
        Single files that belong to it, absolute.
    """

    name: str
    roots: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Leak:
    """A picture of one part that shows what a picture of an earlier part shows."""

    kind: LeakKind
    source_part: str  # the part that is named first, as a rule the training set
    part: str  # the part that the picture leaks into
    source: LocationRecord
    place: LocationRecord
    source_image: int  # ids of the images
    image: int
    keys: tuple[str, str]  # content keys of source and picture
    relations: tuple[Relation, ...]
    score: float  # 0..1
    changed: float | None = None  # share of what was compared that differs, 0..1; None = not known

    @property
    def fingerprint(self) -> str:
        """32 digits that name the leak by the content of both pictures, wherever the files lie."""
        return hashlib.sha256("+".join(sorted(self.keys)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class LeakReport:
    """Every leak between the parts of a data set.

    Attributes
    ----------
    parts : mapping of str to int
        Files of each part that the index knows, in the order of the parts.
    leaks : tuple of Leak
        Those that nobody accepted, copies first, then by score.
    accepted : tuple of Leak
        Those that a baseline names.
    unread : tuple of Failure
        Files of the parts that could not be read: nothing is known of them.
    unknown : tuple of (str, Path)
        Part and path of listed files that are not in the index, and did not fail either.
    """

    parts: Mapping[str, int]
    leaks: tuple[Leak, ...]
    accepted: tuple[Leak, ...] = ()
    unread: tuple[Failure, ...] = ()
    unknown: tuple[tuple[str, Path], ...] = ()

    def files_in(self, part: str) -> int:
        """How many files of a part have a leak that nobody accepted."""
        return len({leak.place.path for leak in self.leaks if leak.part == part})


@dataclass(frozen=True, slots=True)
class SplitFile:
    """A file of a data set with its part.

    Attributes
    ----------
    path : Path
    part : str
        "" = left out, because what it shows is in a later part already.
    unit : str
        12 digits: files of one unit show the same pictures or scenes, and go into one part.
    label : str or None
        The id that a list gave the file.
    kept : bool
        The part was given, not chosen.
    """

    path: Path
    part: str
    unit: str
    label: str | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """A data set in parts.

    Attributes
    ----------
    ratios : mapping of str to float
        Wanted shares of the files, in the order of the parts; they sum to 1.
    files : tuple of SplitFile
        By path.
    units : int
        How many units there are; of a single file, too.
    torn : tuple of str
        Units whose files were in several parts already.
    seed : int
    """

    ratios: Mapping[str, float]
    files: tuple[SplitFile, ...]
    units: int
    torn: tuple[str, ...] = ()
    seed: int = 0

    def of(self, part: str) -> Sequence[SplitFile]:
        """The files of a part; "" = those that were left out."""
        return [file for file in self.files if file.part == part]
