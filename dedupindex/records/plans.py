"""A plan, and the result of carrying it out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from dedupindex.records.companions import CompanionKind, Units
from dedupindex.records.metadata import PictureMetadata
from dedupindex.records.proofs import Affine, Proof
from dedupindex.records.verdicts import Relation

COPY = "copy"  # how people name all relations of proven copies at once; see `actions.asked_relations`
CHOSEN = "chosen"  # rule of a file that goes because somebody decided so, although no copy of it stays
PLAN_SCHEMA = 3
OLDER_PLAN_SCHEMA = 2  # knows nothing of companions; still read


class Action(StrEnum):
    """What is done to a file that is not kept."""

    TRASH = "trash"  # to the desktop's trash
    MOVE = "move"  # to a folder of the user's choice
    HARDLINK = "hardlink"  # its name becomes another name of the keeper
    SYMLINK = "symlink"  # its name becomes a symbolic link to the keeper
    REFLINK = "reflink"  # it shares the keeper's blocks on the disk until one of the two is written to
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file as it was when the plan was made."""

    path: Path
    sha256: str  # hexadecimal
    size: int  # bytes
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a file counts as a near-duplicate, and what is needed to compare the two files again.

    Attributes
    ----------
    matrix : ((float, float, float), (float, float, float))
        Full-frame (x, y, 1) pixel indices of the file to those of the keeper.
    keeper_shape, file_shape : (int, int)
        Height and width of the upright frames, pixels.
    proof : Proof or None
        Of the keeper as picture *a* and the file as *b*; None where their files were not compared.
    """

    matrix: Affine
    keeper_shape: tuple[int, int]
    file_shape: tuple[int, int]
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class PlannedCompanion:
    """A file that belongs to a file of the plan.

    Attributes
    ----------
    kind : CompanionKind
    path : Path
    file : PlannedFile or None
        The companion as it was, where it goes with this file; None: it stays, because it belongs to another picture
        too, which stays or goes later.
    equal : PlannedFile or None
        A companion of the keeper with the same bytes; None where there is none.
    target : Path or None
        Where it is moved to; None: chosen by the trash, or not moved.
    """

    kind: CompanionKind
    path: Path
    file: PlannedFile | None = None
    equal: PlannedFile | None = None
    target: Path | None = None


@dataclass(frozen=True, slots=True)
class PlannedMetadata:
    """What the keeper's XMP sidecar takes over from a file that goes.

    Attributes
    ----------
    sidecar : Path
        Beside the keeper.
    existing : PlannedFile or None
        The sidecar as it was when the plan was made; None: there was none.
    carried : PictureMetadata
        What the file and its sidecars say, and the keeper does not.
    differing : PictureMetadata
        What they say otherwise than the keeper, or than files that go for it earlier in the plan: it is not taken over.
    """

    sidecar: Path
    existing: PlannedFile | None
    carried: PictureMetadata
    differing: PictureMetadata


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One file that is removed or replaced, and the file that is kept in its place."""

    group: str
    action: Action
    file: PlannedFile
    keeper: PlannedFile
    relations: tuple[Relation, ...]
    rule: str  # the keep rule that decided
    because: str  # the same for people, in words
    covered: float  # share of the file that the keeper shows, 0..1
    target: Path | None = None  # where the file is moved to; None: chosen by the trash, or not moved
    score: float = 1.0
    evidence: Evidence | None = None  # of near-duplicates
    judgement: bool = False  # no rule tells which of the two pictures is better
    companions: tuple[PlannedCompanion, ...] = ()  # files that belong to the file
    metadata: PlannedMetadata | None = None  # what the keeper takes over from it; None: nothing

    @property
    def going(self) -> list[PlannedCompanion]:
        """Companions that go with the file."""
        return [companion for companion in self.companions if companion.file is not None]

    @property
    def bytes(self) -> int:
        """Size of the file and of all that goes with it."""
        return self.file.size + sum(companion.file.size for companion in self.companions if companion.file is not None)

    @property
    def exact(self) -> bool:
        """Whether the two hold the same bytes."""
        return self.relations == (Relation.SAME_BYTES,)

    @property
    def same_pixels(self) -> bool:
        """Whether every pixel of the two is the same."""
        return self.relations == (Relation.SAME_PIXELS,)

    @property
    def chosen(self) -> bool:
        """Whether the two show different content, and somebody decided that only the keeper is wanted."""
        return self.relations == (Relation.ALTERNATE,) and self.rule == CHOSEN

    @property
    def unproven(self) -> bool:
        """Whether the files of the two were not compared, or the comparison could not tell."""
        return Relation.UNPROVEN in self.relations

    @property
    def edited(self) -> bool:
        """Whether the two are known to differ in some places."""
        return Relation.EDITED in self.relations


class LeftOutReason(StrEnum):
    """Why a file stays although it has a copy."""

    TIE = "tie"  # no keep rule tells the two apart
    RELATION = "relation"  # their relation was not asked for
    UNPROVEN = "unproven"  # not proven to be copies
    SHOWS_MORE = "shows_more"  # it shows something that its copy does not
    FINER = "finer"  # it shows only a part of its copy, but in finer detail
    PROTECTED = "protected"
    NOT_SELECTED = "not_selected"  # the selection does not cover it
    KEEP_BOTH = "keep_both"  # somebody decided to keep both
    KEEPER = "keeper"  # somebody decided to keep this one
    HARD_LINK = "hard_link"  # other names of the same file remain, so nothing would be freed
    OTHER_DEVICE = "other_device"  # no hard link and no shared blocks between file systems
    SAME_FILE = "same_file"  # another path to the file that is kept
    STACK = "stack"  # a file of several frames, of which one matches
    COMPANIONS = "companions"  # a file that belongs to it has no equal beside its copy
    UNIT = "unit"  # it is a part of a unit that stays
    METADATA = "metadata"  # what it says of the picture cannot be carried over
    CHANGED = "changed"  # since it was ingested
    GONE = "gone"  # or unreadable
    ELSEWHERE = "elsewhere"  # in an object store or on another machine
    IN_ARCHIVE = "in_archive"  # a member of an archive
    NOT_REGULAR = "not_regular"  # no regular file any more
    OTHER_RULE = "other_rule"  # by another rule it stays for a file that goes, or its keeper goes


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that stays although it has a copy, and why."""

    group: str
    path: Path
    keeper: Path | None
    why: LeftOutReason
    detail: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done to which files."""

    database: str
    made: datetime
    version: str  # of dedupindex
    action: Action
    rules: tuple[str, ...]
    relations: tuple[Relation, ...]
    protect: tuple[Path, ...]
    items: tuple[PlanItem, ...]
    left_out: tuple[LeftOut, ...] = ()
    unproven: bool = False  # pairs whose files were not compared were asked for too
    settings: Mapping[str, Any] = field(default_factory=dict)  # that shape how files are read (`Settings.shaping`)
    to: Path | None = None  # folder that files are moved to
    scanned: Path | None = None  # folder that is scanned, at or above `to`
    units: Units | None = None  # None: an older plan, which knows nothing of companions
    may_lack: tuple[CompanionKind, ...] = ()  # companions that a keeper need not have
    merge_metadata: bool = False  # keepers take over what only the files that go say of the picture
    alternates: bool = False  # alternates that somebody decided against were asked for too

    @property
    def bytes(self) -> int:
        """Size of all files that would go, companions too."""
        return sum(item.bytes for item in self.items)

    @property
    def sidecars(self) -> int:
        """How many sidecars of keepers would be written."""
        return len(
            {item.metadata.sidecar for item in self.items if item.metadata is not None and item.metadata.carried}
        )

    @property
    def chosen(self) -> int:
        """How many files would go of which no copy stays, because somebody decided so."""
        return sum(item.chosen for item in self.items)

    @property
    def companions(self) -> int:
        """How many companions would go."""
        return sum(len(item.going) for item in self.items)

    def digest(self) -> str:
        """Return a digest of the plan and the time at which it was made; a journal belongs to one plan."""
        return _digest([self.made.isoformat(timespec="seconds"), self._operations()])

    def operations_digest(self) -> str:
        """Return a digest of the plan's operations: the same for a later plan with the same operations."""
        return _digest(self._operations())

    def _operations(self) -> list[tuple[str, ...]]:
        operations: list[tuple[str, ...]] = [
            (i.action, os.fsencode(i.file.path).hex(), i.file.sha256, os.fsencode(i.keeper.path).hex(), str(i.target))
            for i in self.items
        ]
        operations += [
            (
                str(number),
                os.fsencode(companion.path).hex(),
                "" if companion.file is None else companion.file.sha256,
                str(companion.target),
            )
            for number, item in enumerate(self.items)
            for companion in item.companions
        ]
        operations += [
            (str(number), os.fsencode(item.metadata.sidecar).hex(), repr(item.metadata.carried))
            for number, item in enumerate(self.items)
            if item.metadata is not None
        ]
        return operations


def _digest(said: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


class OutcomeKind(StrEnum):
    """Result for a file."""

    DONE = "done"
    EARLIER = "done earlier"  # by a run before this one, with the same journal
    SURPRISE = "not as planned"
    FAILED = "failed"
    LEFT = "left"  # the run had stopped before
    BACK = "back"


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """A file and the result for it."""

    file: Path
    outcome: OutcomeKind
    detail: str = ""
    size: int = 0  # bytes, of its companions too
    companions: tuple[Path, ...] = ()  # that went, or came back, with it
    sidecar: Path | None = None  # of its keeper, that took over what only the file said


@dataclass(frozen=True, slots=True)
class ApplySummary:
    """What a run of `apply` or `undo` did, in the order of the plan."""

    outcomes: tuple[ItemOutcome, ...]
    journal: Path | None
    database: str = ""  # that the plan was made from
    unnoted: str = ""  # why the index could not note what became of the files
    left_out: Path | None = None  # the folder that files were moved to, which later scans leave out

    @property
    def well(self) -> bool:
        """Whether everything was done."""
        return all(item.outcome in (OutcomeKind.DONE, OutcomeKind.EARLIER, OutcomeKind.BACK) for item in self.outcomes)

    @property
    def files(self) -> list[Path]:
        """All files, companions too."""
        return [path for item in self.outcomes for path in (item.file, *item.companions)]

    def of(self, *kinds: OutcomeKind) -> list[ItemOutcome]:
        """Outcomes of the given kinds."""
        return [item for item in self.outcomes if item.outcome in kinds]
