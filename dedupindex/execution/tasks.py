"""Tasks for workers and their results: files to describe, pairs to verify, pairs to prove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dedupindex.records import Failure, FoundFile, Proof, Verification
from dedupindex.records.pictures import Thumbnail
from dedupindex.records.pieces import FoundPiece
from dedupindex.records.proofs import Affine
from dedupindex.settings import Settings
from dedupindex.store.rows import FileState, NewImage


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to describe, or a range of its frames."""

    state: FileState
    settings: Settings
    first: int = 0  # number of the first frame to describe
    count: int = 0  # frames to describe; 0 = as many as suit a task
    sha256: bytes = b""  # digest of the file when its first frames were described
    found: FoundFile | None = None  # what the walk knows of it


@dataclass(frozen=True, slots=True)
class FileResult:
    """The result of a file task.

    Attributes
    ----------
    state : FileState
        As it was when the bytes were read.
    images : tuple of NewImage
    failure : Failure or None
        Why the whole file, or some of its frames, gave no image.
    rest : tuple of FileTask
        With the first frames: the tasks that describe all the others.
    bytes_read : int
    """

    task: FileTask
    state: FileState
    images: tuple[NewImage, ...] = ()
    failure: Failure | None = None
    rest: tuple[FileTask, ...] = ()
    bytes_read: int = 0


@dataclass(frozen=True, slots=True)
class PreviewTask:
    """A file to be described as *file* says, and to be shown at a longest *side* of so many pixels."""

    file: FileTask
    side: int


@dataclass(frozen=True, slots=True)
class PreviewResult:
    """A described file with a small picture of its first frame that has a valid pixel; None where there is none."""

    described: FileResult
    thumbnail: Thumbnail | None


@dataclass(frozen=True, slots=True)
class PairTask:
    """Pairs to verify, with the packed features of all their images.

    Attributes
    ----------
    parts : mapping
        Image id to (feature name to packed data).
    pairs : tuple of (int, int)
        Image ids.
    threshold : float
        Lowest score of an accepted pair, 0..1.
    vet : bool
        Only vet: find the pairs that are worth verifying. `parts` holds what vetting needs.
    """

    parts: Mapping[int, Mapping[str, bytes]]
    pairs: tuple[tuple[int, int], ...]
    threshold: float
    vet: bool = False


@dataclass(frozen=True, slots=True)
class PairResult:
    """The result of a pair task.

    Attributes
    ----------
    verified : int
        Pairs that were decided.
    accepted : tuple of (int, int, Verification)
    lost : tuple of (int, int)
        Pairs that were lost with a worker.
    plausible : tuple of (int, int)
        Pairs that passed vetting.
    unreached : int
        How many pairs were lost because a file of theirs could not be read.
    """

    verified: int
    accepted: tuple[tuple[int, int, Verification], ...] = ()
    lost: tuple[tuple[int, int], ...] = ()
    plausible: tuple[tuple[int, int], ...] = ()
    unreached: int = 0


@dataclass(frozen=True, slots=True)
class ProofFile:
    """An image whose file has to be read for a proof.

    Attributes
    ----------
    image : int
        Its id.
    sha256 : bytes
        Of the file; a file with other bytes now is not used.
    frame, frame_count : int
        Number of the frame in its file, and how many the file has.
    whole : bool
        The image stands for all frames of its file, of which the others are not stored: an animation.
    height, width : int
        Of the frame, upright, pixels.
    places : tuple of Path
        Where the file was seen, in the order in which they are tried.
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
    """Pairs whose files have to be compared, with these files.

    Attributes
    ----------
    pairs : tuple of (int, int, matrix)
        Ids of a and b; full-frame pixels of b to those of a.
    run : int
        Id of the run. Results are not reused in another run, because a file may have come back.
    """

    files: tuple[ProofFile, ...]
    pairs: tuple[tuple[int, int, Affine], ...]
    settings: Settings
    run: int = 0


@dataclass(frozen=True, slots=True)
class ProofResult:
    """The result of a proof task.

    Attributes
    ----------
    proofs : tuple of (int, int, Proof)
    equal : tuple of (int, int)
        Pairs of which all frames of both files have the very same pixels.
    lost : tuple of (int, int, matrix)
        Pairs that were lost with a worker, as in the task.
    reason : str
        Why they were lost.
    """

    proofs: tuple[tuple[int, int, Proof], ...] = ()
    equal: tuple[tuple[int, int], ...] = ()
    lost: tuple[tuple[int, int, Affine], ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PieceTask:
    """Pairs in which pieces are sought, with the packed features of all their images.

    Attributes
    ----------
    parts : mapping
        Image id to (feature name to packed data): those of pieces, and ``frame``.
    pairs : tuple of (int, int, bool)
        Image ids a and b, and whether b is looked at mirrored.
    threshold : float
        Lowest score of a piece, 0..1.
    """

    parts: Mapping[int, Mapping[str, bytes]]
    pairs: tuple[tuple[int, int, bool], ...]
    threshold: float


@dataclass(frozen=True, slots=True)
class PieceResult:
    """The result of a piece task.

    Attributes
    ----------
    found : tuple of (int, int, FoundPiece)
        Ids of the container and of the other picture, surest first for each pair.
    lost : tuple of (int, int, bool)
        Pairs that were lost with a worker.
    """

    found: tuple[tuple[int, int, FoundPiece], ...] = ()
    lost: tuple[tuple[int, int, bool], ...] = ()
