"""What the index answers: images, pairs, matches, groups, runs, decisions, problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from dedupindex.places import FIRST_PANEL, fragment_of, text_of
from dedupindex.records.companions import Companion
from dedupindex.records.faces import Face
from dedupindex.records.files import Failure
from dedupindex.records.links import Link, link_of
from dedupindex.records.proofs import Proof, relations_after
from dedupindex.records.roots import Move
from dedupindex.records.verdicts import Registration, Relation, Verification

PRIMARY_FIRST = "JPEG"  # format of files whose first picture stands for the whole
DOCUMENT_FORMATS = ("PDF", "VIDEO")  # of files that are more than the pictures taken from them


@dataclass(frozen=True, slots=True)
class LocationRecord:
    """A place where an image was seen."""

    path: Path
    frame: int = 0
    size: int = 0
    mtime_ns: int = 0
    missing: bool = False
    label: str | None = None  # the id that a list gave it
    companions: tuple[Companion, ...] = ()  # files that belong to it, in reports

    def __repr__(self) -> str:
        return f"LocationRecord({self.address!r}{', missing' if self.missing else ''})"

    @property
    def address(self) -> str:
        """`path`, with what names the picture in it (`fragment_of`); of a place elsewhere its URL."""
        return f"{text_of(self.path)}{fragment_of(self.path, self.frame)}"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A stored image: its content's identity, what is known of it, and where it was seen."""

    id: int
    sha256: bytes
    frame: int
    format: str
    width: int
    height: int
    bits: int
    channels: int
    valid_share: float
    low_information: bool
    scaling: str
    locations: tuple[LocationRecord, ...] = ()
    frame_count: int = 1
    lossless: bool = False
    metadata_count: int = 0

    def __repr__(self) -> str:
        at = f" at {self.locations[0].address!r}" if self.locations else ""
        more = f" and {len(self.locations) - 1} more" if len(self.locations) > 1 else ""
        return f"ImageRecord({self.id}: {self.format} {self.width}x{self.height}, {self.key[:8]}{at}{more})"

    @property
    def further_pictures(self) -> int:
        """Pictures in the same file that belong to this one: of a phone's JPEG (MPO, Ultra HDR) all but the first."""
        return self.frame_count - 1 if self.format == PRIMARY_FIRST and not self.frame else 0

    @property
    def is_further_picture(self) -> bool:
        """Whether this is such a further picture, or a panel: both go and stay with the file's first picture."""
        return (self.format == PRIMARY_FIRST and self.frame > 0) or self.frame >= FIRST_PANEL

    @property
    def is_in_stack(self) -> bool:
        """Whether this is one of several pictures in a file of which none stands for the whole.

        A page of a document and a frame of a video are, even where there is but one; so is a panel of a figure.
        """
        several = self.frame_count > 1 and self.format != PRIMARY_FIRST
        return several or self.format in DOCUMENT_FORMATS or self.frame >= FIRST_PANEL

    @property
    def key(self) -> str:
        """Content identity for people and files: hex digest, `#frame` for a later frame."""
        return self.sha256.hex() + (f"#{self.frame}" if self.frame else "")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images with the verification that joins them. *a* is the one with the smaller content key."""

    a: ImageRecord
    b: ImageRecord
    verification: Verification
    found: datetime | None = None
    proof: Proof | None = None  # None = the files were not compared

    def __repr__(self) -> str:
        relations = "+".join(self.relations) or "withdrawn"
        return f"Pair({self.a.key[:8]}, {self.b.key[:8]}: {relations}, score {self.verification.score:.3f})"

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Relations of the two after the proof; see `relations_after`."""
        return relations_after(self.verification.relations, self.proof)

    @property
    def link(self) -> Link:
        """Whether the pair joins its two images into one group."""
        return link_of(self.relations)


@dataclass(frozen=True, slots=True)
class Match(Face):
    """An answer to a query: a stored image, best locations first, with its verification (query = a, stored = b)."""

    image: ImageRecord
    verification: Verification
    distance: float
    proof: Proof | None = None  # None = the files were not compared

    def __repr__(self) -> str:
        at = repr(self.image.locations[0].address) if self.image.locations else self.image.key[:8]
        return f"Match({at}: {self.relation}, score {self.score:.3f})"

    @property
    def path(self) -> Path:
        """Where the image was first seen."""
        return self.image.locations[0].path

    @property
    def score(self) -> float:
        """Score of the verification, 0..1."""
        return self.verification.score

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Relations of the two after the proof; see `relations_after`."""
        return relations_after(self.verification.relations, self.proof)

    @property
    def relation(self) -> str:
        """The relations, joined by `+`."""
        return "+".join(self.relations)

    @property
    def registration(self) -> Registration:
        """Where the stored image lies on the query."""
        return self.verification.registration


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored image near a picture that it is no copy of."""

    image: ImageRecord
    distance: float  # 1 - cosine, 0..2; by the embedding or the descriptor

    def __repr__(self) -> str:
        at = repr(self.image.locations[0].address) if self.image.locations else self.image.key[:8]
        return f"Neighbour({at}: distance {self.distance:.3f})"

    @property
    def path(self) -> Path:
        """Where the image was first seen."""
        return self.image.locations[0].path


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a duplicate group, how it relates to the representative, and why it does not lead the group."""

    image: ImageRecord  # its locations in the order of the ranking
    relation: str  # to the representative; "representative", or "" when only linked through others
    score: float  # of its best confirmed pair inside the group
    keeper: bool = False  # somebody decided to keep this one
    rule: str = ""  # that puts the representative before it, of the representative: before the next; "" = none does
    because: str = ""  # the same in words, said of the one that stands behind
    judgement: bool = False  # no rule tells which of the two is better

    def __repr__(self) -> str:
        at = repr(self.image.locations[0].address) if self.image.locations else self.image.key[:8]
        return f"GroupMember({at}: {self.relation or 'linked'}, score {self.score:.3f})"

    @property
    def path(self) -> Path:
        """Where the image was first seen."""
        return self.image.locations[0].path


class FlagKind(StrEnum):
    """Why a group should be looked at twice."""

    BRIDGE = "bridge"  # one picture alone joins parts that have nothing else in common
    FLOOD = "flood"  # one picture matches very many others
    ALTERNATE = "alternate"  # two pictures are proven alternates, but connected through others
    NOT_DUPLICATE = "not_duplicate"  # decided to be no duplicates, but connected through others
    KEEP_BOTH = "keep_both"  # both of two pictures are to be kept, as was decided


@dataclass(frozen=True, slots=True)
class GroupFlag:
    """A reason to look at a group twice, with the pictures that it is about.

    As text it is ``KIND:KEY`` or ``KIND:KEY+KEY``.
    """

    kind: FlagKind
    keys: tuple[str, ...]  # content keys

    def __str__(self) -> str:
        return f"{self.kind}:{'+'.join(self.keys)}"


@dataclass(frozen=True, slots=True)
class DuplicateGroup(Face):
    """Images joined by confirmed pairs of copies."""

    id: str
    members: tuple[GroupMember, ...]  # the representative first
    pairs: tuple[Pair, ...]  # confirmed pairs inside the group, best first
    weakest: Pair | None  # None where the group is one image at many locations
    flags: tuple[GroupFlag, ...] = ()
    alternates: tuple[Pair, ...] = ()  # pairs of a member with another picture of the same scene or template

    def __repr__(self) -> str:
        weakest = "" if self.weakest is None else f", weakest {self.weakest.verification.score:.3f}"
        return f"DuplicateGroup({self.id}: {len(self.members)} images{weakest})"


@dataclass(frozen=True, slots=True)
class SeriesMember:
    """A picture of a series; it stands for its whole duplicate group where it has one."""

    image: ImageRecord
    group: str = ""  # id of the duplicate group that it stands for, "" = none

    @property
    def path(self) -> Path:
        """Where the image was first seen."""
        return self.image.locations[0].path


@dataclass(frozen=True, slots=True)
class Series:
    """Pictures of one scene or template with different content: a burst, versions of a form, frames of a film."""

    id: str
    members: tuple[SeriesMember, ...]  # by path
    pairs: tuple[Pair, ...]  # proven alternates, best first

    def __repr__(self) -> str:
        return f"Series({self.id}: {len(self.members)} pictures)"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One ingest or report run."""

    id: int
    kind: str
    started: datetime
    finished: datetime | None = None
    summary: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What an ingest did, in files unless said otherwise."""

    run_id: int
    found: int = 0  # regular files looked at
    unchanged: int = 0  # recognised by size, mtime and inode without reading
    read: int = 0  # new or changed files that were decoded; in a dry run, that would be
    added: int = 0  # images (frames) that were new
    known: int = 0  # new locations of images already stored (copies, moved files)
    missing: int = 0  # locations under the given folders that are gone
    skipped: Mapping[str, int] = field(default_factory=dict)  # why -> how many directory entries
    left_out: Mapping[str, int] = field(default_factory=dict)  # those of them that are not wanted (`Scope`)
    still_known: int = 0  # files of the index that are left out now; they stay in it until somebody forgets them
    patterns: Mapping[Path, tuple[str, ...]] = field(default_factory=dict)  # folder -> what is left out of it
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    bytes_read: int = 0
    recognised: int = 0  # new at their path, but known below a folder that is gone: not decoded again
    moved: tuple[Move, ...] = ()  # folders, and single files, whose places were moved to where they were found again
    perhaps_moved: tuple[Move, ...] = ()  # gone and found again in part, or on a disk that may only be unplugged
    references: tuple[Path, ...] = ()  # places whose pictures are not compared among themselves


@dataclass(frozen=True, slots=True)
class DuplicatesSummary:
    """What a search for duplicates among new images did."""

    run_id: int
    searched: int = 0
    candidates: int = 0
    verified: int = 0
    accepted: int = 0
    overflowed: int = 0  # images whose candidates hit the cap
    unreached: int = 0  # pairs not compared, as a file was out of reach; only without stored thumbnails
    left: int = 0  # images that a time budget left for the next run
    radius: float = 0.0  # largest distance of a candidate, narrowed for the size of the collection
    seconds: float = 0.0
    proof: ProofSummary | None = None  # what the files of accepted pairs showed; None: they were not compared
    pieces: PiecesSummary | None = None  # of the search for pieces; None: another profile than ``pieces``


@dataclass(frozen=True, slots=True)
class PiecesSummary:
    """What a search for pieces among new images did."""

    run_id: int
    searched: int = 0
    candidates: int = 0  # pairs that the index proposed
    pairs: int = 0  # of them, those that share a part
    pieces: int = 0  # parts that were found
    lost: int = 0  # pairs that were lost with a worker, or left by a limit of time
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ProofSummary:
    """What comparing the files of confirmed pairs showed, in pairs."""

    run_id: int
    due: int = 0  # that had to be proven
    proven: int = 0  # of them, those with an outcome
    derived: int = 0  # of these, those that followed from the proofs of others
    same: int = 0
    edited: int = 0
    alternate: int = 0
    different: int = 0  # withdrawn: not the same picture
    untold: int = 0  # both files were read, but too little is shown by both
    unreachable: int = 0  # a file was gone, unreadable or another one
    left: int = 0  # that a time budget left for the next run
    seconds: float = 0.0


class DecisionKind(StrEnum):
    """What somebody decided."""

    NOT_DUPLICATE = "not-duplicate"  # of two images: they are different pictures
    KEEP_BOTH = "keep-both"  # of two images: duplicates, and both are wanted
    KEEPER = "keeper"  # of one image: it is the one to keep
    KEEP_ONE = "keep-one"  # of two images, alternates: only the one that is a keeper is wanted


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided on two images, or on one; bound to content, so it survives moves and new ingests."""

    kind: DecisionKind
    a: str  # content key
    b: str  # content key, not smaller than a; "" for a decision on one image
    note: str
    decided: datetime  # UTC


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that `check` found."""

    code: str
    detail: str
    repairable: bool = True
