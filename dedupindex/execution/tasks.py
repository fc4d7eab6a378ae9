"""What is handed to workers and what comes back: files to describe, pairs to verify, pairs to prove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dedupindex.records import Failure, FoundFile, Proof, Verification
from dedupindex.records.pictures import Thumbnail
from dedupindex.records.proofs import Affine
from dedupindex.settings import Settings
from dedupindex.store.rows import FileState, NewImage


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to describe, or some frames of it."""

    state: FileState
    settings: Settings
    first: int = 0  # number of the first frame to describe
    count: int = 0  # frames to describe; 0 = as many as suit a task
    sha256: bytes = b""  # what the file was when its first frames were described
    found: FoundFile | None = None  # what the walk knows of it
    preview: int = 0  # longest side, pixels, of a picture of the first frame to give back; 0 = none


@dataclass(frozen=True, slots=True)
class FileResult:
    """What came of a file task.

    Attributes
    ----------
    state : FileState
        As it was when the bytes were read.
    images : tuple of NewImage
    failure : Failure or None
        The whole file, or some of its frames, gave nothing.
    rest : tuple of FileTask
        With the first frames: the tasks that describe all the others.
    bytes_read : int
    preview : Thumbnail or None
        Where one was asked for.
    """

    task: FileTask
    state: FileState
    images: tuple[NewImage, ...] = ()
    failure: Failure | None = None
    rest: tuple[FileTask, ...] = ()
    bytes_read: int = 0
    preview: Thumbnail | None = None


@dataclass(frozen=True, slots=True)
class PairTask:
    """Pairs to verify, with the packed features of every image that stands in them.

    Attributes
    ----------
    vet : bool
        Only tell which pairs deserve it; `parts` holds what vetting needs.
    """

    parts: Mapping[int, Mapping[str, bytes]]
    pairs: tuple[tuple[int, int], ...]
    threshold: float
    vet: bool = False


@dataclass(frozen=True, slots=True)
class PairResult:
    """How many pairs were decided, those that were accepted, those lost with a worker, those that passed vetting."""

    verified: int
    accepted: tuple[tuple[int, int, Verification], ...] = ()
    lost: tuple[tuple[int, int], ...] = ()
    plausible: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ProofFile:
    """An image whose file has to be read for a proof.

    Attributes
    ----------
    image : int
        Its id.
    sha256 : bytes
        Of the file; one that holds other bytes now is not it.
    frame, frame_count : int
        Number of the frame in its file, and how many the file has.
    whole : bool
        The image stands for all frames of its file, because the others are not stored: an animation.
    height, width : int
        Of the frame, upright, pixels.
    places : tuple of Path
        Where the file was seen, the one that is to be tried first in front.
    """

    image: int
    sha256: bytes
    frame: int
    frame_count: int
    whole: bool
    height: int
    width: int
    places: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ProofTask:
    """Pairs whose files have to be compared, with every file that stands in them.

    Attributes
    ----------
    pairs : tuple of (int, int, matrix)
        Ids of a and b; full-frame pixels of b to those of a.
    run : int
        What was found out in another run is asked again: a file may have come back.
    """

    files: tuple[ProofFile, ...]
    pairs: tuple[tuple[int, int, Affine], ...]
    settings: Settings
    run: int = 0


@dataclass(frozen=True, slots=True)
class ProofResult:
    """What the files showed.

    Attributes
    ----------
    proofs : tuple of (int, int, Proof)
    equal : tuple of (int, int)
        Pairs of which all frames of both files have the very same pixels.
    lost : tuple of (int, int, matrix)
        Pairs that were lost with a worker, as they were asked for.
    reason : str
        Why they were lost.
    """

    proofs: tuple[tuple[int, int, Proof], ...] = ()
    equal: tuple[tuple[int, int], ...] = ()
    lost: tuple[tuple[int, int, Affine], ...] = ()
    reason: str = ""
