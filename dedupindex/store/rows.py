"""What goes into the database and comes out of it, where no record of `dedupindex.records` fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dedupindex.records import Failure


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as `stat` saw it: two equal states are taken for the same content without reading."""

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
        """ContentKey key: what orders pairs and representatives."""
        return (self.sha256, self.frame)


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the database knows of a path: the state it was read in, and how many of its frames are stored."""

    state: FileState
    missing: bool = False
    failure: Failure | None = None  # where it stands in the failure table
    frames: int = 0  # stored frames
    frame_count: int = 0  # frames the file has


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A sealed vector file, as the database remembers it."""

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
    """What orders images (key) and tells those that look exactly alike (pixels)."""

    key: tuple[bytes, int]  # SHA-256 of the file, frame
    pixels: tuple[bytes, int, int]  # SHA-256 of the decoded pixels, width, height
