"""What travels between the rooms: frozen, slotted dataclasses without behaviour beyond small properties.

Words (one per idea): *image* = content (SHA-256 of a file's bytes + frame number); *location* = where it was seen;
*frame* = one 2-D picture; *mask* = ``(H, W)`` bool, True = valid; *distance* small = near; *score* large = alike.
Shifts are ``(dy, dx)``, rows first, in pixels of picture *a*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import Reason
from dedupindex.places import text_of

FloatArray: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
ByteArray: TypeAlias = NDArray[np.uint8]
CodeArray: TypeAlias = NDArray[np.int8]


# --------------------------------------------------------------------------------------------- sources -> prepare
@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file that the walker found, with what `stat` said of it."""

    path: Path  # absolute, not resolved
    size: int  # bytes
    mtime_ns: int
    inode: int  # of an object in a store, and of a member of a tar shard: a digest of what it shows when it changes
    explicit: bool = False  # named by the user, not found in a folder: then "not an image" is a failure, not a skip
    offset: int | None = None  # of a member's bytes in its tar shard
    masked: bool | None = None  # whether a mask file lies beside it; None = nobody has looked
    label: str | None = None  # the id that a list gave it


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What tells one state of a file from another without reading it."""

    size: int  # bytes; -1 where an object store does not tell
    mtime_ns: int  # 0 where an object store does not tell
    inode: int


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A directory entry that the walker passed over, and why (``hidden``, ``symlink``, ``not_regular``, ...)."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One 2-D picture as it was decoded: native depth, upright, with its mask.

    Attributes
    ----------
    pixels : (H, W) or (H, W, 3) array
        uint8, uint16, uint32, int16, int32, float32 or float64 in native byte order. Palettes are mapped, alpha is
        taken out into the mask. May be a view into a stack.
    mask : (H, W) bool
        True = valid.
    number : int
        Frame number in its file, from 0.
    full_shape : (int, int)
        (H, W) of the frame in the file, upright; larger than ``pixels.shape`` when a JPEG was decoded reduced.
    bits : int
        Significant bits a sample as the file says (8, 12, 16, 32, ...).
    stack_range : (float, float) or None
        Valid minimum and maximum over the whole stack, where the source is a stack.
    """

    pixels: NDArray[np.generic]
    mask: Mask
    number: int = 0
    full_shape: tuple[int, int] = (0, 0)
    bits: int = 8
    stack_range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class DecodedFile:
    """All that one reading of a file gave: identity, frames, and what was odd on the way.

    ``frames`` is what the options asked for; ``frame_count`` is how many the file has.
    """

    path: Path
    sha256: bytes  # of the file's bytes, the very bytes that were decoded
    size: int
    mtime_ns: int
    inode: int
    format: str  # "JPEG", "PNG", "TIFF", "NPY", "FITS", ...
    frames: tuple[Frame, ...]
    frame_count: int = 1
    warnings: tuple[str, ...] = ()
    metadata_count: int = 0  # number of EXIF fields: more = richer, for keep rules
    lossless: bool = False
    part: int = 0  # frames a reading, where only a part of a large stack was decoded; else 0


# -------------------------------------------------------------------------------------------- prepare -> features
@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A frame brought to one scale: trimmed, luminance in [0, 1], small, with its mask.

    Attributes
    ----------
    luminance : (h, w) float32, 0..1
        Longest side at most ``settings.working_side``; values under the mask are 0 and mean nothing.
    colour : (h, w, 3) float32, 0..1, or None
        RGB at the same size; None for single-channel frames.
    mask : (h, w) bool
        True = valid.
    box : (top, left, height, width)
        The part of the upright full-resolution frame (pixels) that ``luminance`` shows: what trimming left over.
    full_shape : (int, int)
        (H, W) of the upright frame in the file.
    valid_share : float
        Share of valid pixels of the whole frame before trimming, 0..1.
    low_information : bool
        Constant, nearly empty or nearly all masked: never matches by appearance.
    scaling : str
        The scaling policy that was applied, for people: ``"dtype 0..255"``, ``"percentile 12.0..913.0"``.
    pixel_sha256 : bytes
        Digest of the decoded pixels (native depth), shape and mask.
    """

    luminance: FloatArray
    colour: FloatArray | None
    mask: Mask
    box: tuple[int, int, int, int]
    full_shape: tuple[int, int]
    valid_share: float
    low_information: bool
    scaling: str
    pixel_sha256: bytes
    bits: int = 8
    channels: int = 1


# ------------------------------------------------------------------------------------------- features -> compare
@dataclass(frozen=True, slots=True)
class Keypoints:
    """Local features of a prepared frame, strongest first.

    Attributes
    ----------
    position : (K, 2) float32
        (y, x) in units of the prepared frame's longest side, 0..1; pixel centres at (i + .5) / side.
    scale : (K,) float32
        Diameter in the same unit.
    angle : (K,) float32
        Orientation in radians, 0..2 pi, as OpenCV counts it (clockwise in image coordinates).
    codes : (K, 64) int8
        RootSIFT, centred, rotated by a mirror-symmetric PCA, scaled to int8.
    """

    position: FloatArray
    scale: FloatArray
    angle: FloatArray
    codes: CodeArray

    def __len__(self) -> int:
        return len(self.scale)


@dataclass(frozen=True, slots=True)
class Features:
    """Every feature of one prepared frame: all that later stages ever need of it.

    Attributes
    ----------
    thumbnail : (h, w) uint8
        Luminance, longest side at most 128, valid range stretched to 0..255.
    mask : (h, w) bool
        Of the thumbnail.
    colour : (H, W, 3) uint8
        Small colour picture (longest side at most 32); grey frames have three equal channels.
    histogram : (3, 32) float32
        RGB histogram of the valid pixels, each channel sums to 1.
    spectrum : (23, 12) float32
        Log-magnitude of the FFT of the windowed square thumbnail: fy = -11..11 (rows), fx = 0..11 cycles a side.
    hashes : mapping of name to 8 bytes
        phash, dhash, ahash, whash (64 bits each).
    keypoints : Keypoints
    descriptor : (384,) int8
        The vector that goes into the index; all zero for low-information frames, which are not indexed.
    """

    thumbnail: ByteArray
    mask: Mask
    colour: ByteArray
    histogram: FloatArray
    spectrum: FloatArray
    hashes: Mapping[str, bytes]
    keypoints: Keypoints
    descriptor: CodeArray
    low_information: bool = False
    box: tuple[int, int, int, int] = (0, 0, 0, 0)  # what of the full frame the features describe: top, left, h, w
    full_shape: tuple[int, int] = (0, 0)
    pixel_sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class Look:
    """What of the `Features` of a frame shows it to people; the attributes are theirs."""

    thumbnail: ByteArray
    mask: Mask
    colour: ByteArray
    box: tuple[int, int, int, int]
    full_shape: tuple[int, int]


# -------------------------------------------------------------------------------------------------------- compare
class Relation(StrEnum):
    """What was done to *b* to get *a*, or the other way round. Combinations are allowed."""

    SAME_BYTES = "same_bytes"
    SAME_PIXELS = "same_pixels"
    REENCODED = "reencoded"
    RESIZED = "resized"
    TONE = "tone"
    CROP_OF = "crop_of"
    SHIFTED_OVERLAP = "shifted_overlap"
    ROTATED = "rotated"
    MIRRORED = "mirrored"
    NEGATIVE = "negative"
    BORDERED = "bordered"
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Registration:
    """How *b* lies on *a*.

    Attributes
    ----------
    shift : (dy, dx)
        Where the centre of *b*'s content lands minus where it would lie unshifted, in pixels of the full frame *a*.
    scale : float
        Size of *b*'s content in *a*'s full-resolution pixels over its size in *b*'s own.
    rotation : float
        Degrees, counter-clockwise, by which *b* must be turned to lie on *a*; -180..180.
    mirrored : bool
        *b* must be mirrored left-right first.
    overlap : float
        Valid area that both show over the smaller one's valid area, 0..1.
    matrix : ((float, float, float), (float, float, float))
        Affine map of *b*'s full-resolution (x, y, 1) pixel coordinates to *a*'s.
    method : str
        ``identity``, ``translation``, ``keypoints``, ``log_polar``.
    confidence : float
        0..1, how sure the alignment is.
    """

    shift: tuple[float, float]
    scale: float = 1.0
    rotation: float = 0.0
    mirrored: bool = False
    overlap: float = 1.0
    matrix: tuple[tuple[float, float, float], tuple[float, float, float]] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    method: str = "identity"
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on a pair, with every number behind it.

    Attributes
    ----------
    accepted : bool
    score : float
        0..1, larger = more alike; means the same whatever stage decided. Accepted pairs have a score of at least the
        threshold in force.
    relations : tuple of Relation
        Empty when not accepted.
    crop_box : (top, left, height, width) or None
        For ``crop_of``: the part of the larger picture, in its pixels, that the smaller one shows.
    crop_of : {"a", "b"} or None
        Which of the two is the larger picture.
    measures : mapping of str to float
        Named evidence (``ncc``, ``area_agreement``, ``inliers``, ...).
    reason : str
        One line: what decided.
    version : str
        Of the decision rule.
    """

    accepted: bool
    score: float
    relations: tuple[Relation, ...]
    registration: Registration
    reason: str
    measures: Mapping[str, float] = field(default_factory=dict)
    crop_box: tuple[int, int, int, int] | None = None
    crop_of: str | None = None
    version: str = ""


# ---------------------------------------------------------------------------------------------------- workflows
@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored image that the vector index proposes for a query."""

    image_id: int
    distance: float  # 1 - cosine, 0..2; small = near


@dataclass(frozen=True, slots=True)
class LocationRecord:
    """A place where an image was seen."""

    path: Path
    frame: int = 0
    size: int = 0
    mtime_ns: int = 0
    missing: bool = False
    label: str | None = None  # the id that a list gave it

    @property
    def address(self) -> str:
        """`path`, or `path#frame=N` for a later frame of a stack; of a place elsewhere its URL."""
        text = text_of(self.path)
        return text if self.frame == 0 else f"{text}#frame={self.frame}"


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


@dataclass(frozen=True, slots=True)
class Match:
    """An answer to a query: a stored image, best locations first, with its verification (query = a, stored = b)."""

    image: ImageRecord
    verification: Verification
    distance: float

    @property
    def path(self) -> Path:
        """Where the image was first seen."""
        return self.image.locations[0].path

    @property
    def score(self) -> float:
        """Score of the verification, 0..1."""
        return self.verification.score

    @property
    def relation(self) -> str:
        """The relations, joined by `+`."""
        return "+".join(self.verification.relations)

    @property
    def registration(self) -> Registration:
        """How the stored image lies on the query."""
        return self.verification.registration


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a duplicate group and how it relates to the representative."""

    image: ImageRecord
    relation: str  # to the representative; "representative", or "" when only linked through others
    score: float  # of its best confirmed pair inside the group
    keeper: bool = False  # somebody decided to keep this one

    @property
    def path(self) -> Path:
        """Where the image was first seen."""
        return self.image.locations[0].path


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Images joined by confirmed pairs."""

    id: str
    members: tuple[GroupMember, ...]  # the representative first
    pairs: tuple[Pair, ...]  # confirmed pairs inside the group, best first
    weakest: Pair | None  # None where the group is one image at many locations
    flags: tuple[str, ...] = ()  # "bridge:KEY", "flood:KEY", "not_duplicate:KEY+KEY", "keep_both:KEY+KEY"


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that gave no frame, and why."""

    path: Path
    reason: Reason
    detail: str


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
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    bytes_read: int = 0


@dataclass(frozen=True, slots=True)
class DuplicatesSummary:
    """What a search for duplicates among new images did."""

    run_id: int
    searched: int = 0
    candidates: int = 0
    verified: int = 0
    accepted: int = 0
    overflowed: int = 0  # images whose candidates hit the cap
    left: int = 0  # images that a time budget left for the next run
    radius: float = 0.0  # largest distance of a candidate, narrowed for the size of the collection
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided on two images, or on one; bound to content, so it outlives moves and new ingests."""

    kind: str  # "not-duplicate", "keep-both" (of two images), "keeper" (of one)
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
