"""Rows that go into the database and come out of it, where no record of `dedupindex.records` fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dedupindex.places import FIRST_PANEL
from dedupindex.records import Failure


class RunKind(StrEnum):
    """What a run did. The values are stored."""

    INGEST = "ingest"
    DUPLICATES = "duplicates"  # a search for duplicates
    PIECES = "pieces"  # a search for pieces
    PROVE = "prove"
    APPLY = "apply"  # files were acted upon
    MERGE = "merge"
    RELOCATE = "relocate"  # places were rewritten
    SYNTHETIC = "synthetic"  # made-up images were added


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as `stat` describes it. Two equal states are taken for the same content without reading."""

    path: Path
    size: int  # bytes
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class NewImage:
    """Everything that is stored of an image, before it has an id."""

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
    lossless: bool
    metadata_count: int
    frame_count: int
    pixel_sha256: bytes
    features: Mapping[str, bytes]

    @property
    def key(self) -> tuple[bytes, int]:
        """Content key: orders pairs and representatives."""
        return (self.sha256, self.frame)


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the database knows of a path: the state in which it was read, and how many of its frames are stored."""

    state: FileState
    missing: bool = False
    failure: Failure | None = None  # None = it was read
    frames: int = 0  # stored frames
    frame_count: int = 0  # frames the file has


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A stored location.

    Attributes
    ----------
    id : int
    state : FileState
        Of the file when it was read; its inode as a signed 64-bit number.
    frame : int
    image : int
        Id of the image that it shows.
    missing : bool
    label : str or None
        The id that a list gave it.
    """

    id: int
    state: FileState
    frame: int
    image: int
    missing: bool
    label: str | None

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.state.path


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """The row of a sealed vector file.

    Attributes
    ----------
    file : str
        Name inside the vector directory.
    rows : int
        Image ids that it answers for.
    generation : int
        Of the database when it was made.
    fingerprint : str
        Of the settings and feature versions.
    row_digest : str
        SHA-256 over ids and descriptors.
    sha256 : str
        Of the file.
    spec : str
        Kind of index.
    twins : bytes
        int64 pairs: image id, id of the equal vector in the file.
    id : int
        0 = not stored yet.
    """

    file: str
    rows: int
    generation: int
    fingerprint: str
    row_digest: str
    sha256: str
    spec: str
    twins: bytes
    id: int = 0


@dataclass(frozen=True, slots=True)
class ContentKey:
    """What images are ordered by, and what images with equal pixels have in common.

    Attributes
    ----------
    key : (bytes, int)
        SHA-256 of the file, frame number.
    pixels : (bytes, int, int)
        SHA-256 of the decoded pixels, width, height.
    document : bool
        It is a page of a document or a frame of a video.
    """

    key: tuple[bytes, int]
    pixels: tuple[bytes, int, int]
    document: bool = False

    def within_one(self, other: ContentKey) -> bool:
        """Whether the two are not compared: pictures of one document or video, a figure and one of its own panels.

        Panels of one figure or document are: a picture that was used twice is what one looks for there.
        """
        if self.key[0] != other.key[0] or min(self.key[1], other.key[1]) >= FIRST_PANEL:
            return False
        return self.document or self.is_own_panel(other)

    def is_own_panel(self, other: ContentKey) -> bool:
        """Whether one of the two is a panel of the other one."""
        return self.key[0] == other.key[0] and (self.key[1] >= FIRST_PANEL) != (other.key[1] >= FIRST_PANEL)
