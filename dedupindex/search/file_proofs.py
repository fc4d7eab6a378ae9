"""Two given files or frames, compared at full resolution: for `compare`, and for `apply` just before it acts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dedupindex.actions.renewed_proof import FileProof, Prover
from dedupindex.errors import DedupIndexError, ReadError, Reason
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool
from dedupindex.prepare.pipeline import pixel_digest
from dedupindex.records import DecodedFile, Frame, Outcome, Proof
from dedupindex.records.answers import PRIMARY_FIRST
from dedupindex.records.plans import PlanItem
from dedupindex.records.proofs import Affine
from dedupindex.search.proof_reading import proof_picture_from_frame, proof_picture_of
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.verify.proof.finer import FINE_SIDE, prove_closely
from dedupindex.verify.proof.picture import GRID_SIDE, ProofPicture, sides_for


@dataclass(frozen=True, slots=True)
class FilePair:
    """Two files that are to be compared, and how the second lies on the first.

    Attributes
    ----------
    keeper, file : Path
    keeper_shape, file_shape : (int, int)
        Height and width of the upright frames, pixels.
    matrix : ((float, float, float), (float, float, float))
        Full-frame (x, y, 1) pixel indices of the file to those of the keeper.
    pixels : bool
        Every pixel has to be the same.
    settings : Settings
        Limits, no-data and mask files, as the index decodes.
    """

    keeper: Path
    file: Path
    keeper_shape: tuple[int, int]
    file_shape: tuple[int, int]
    matrix: Affine
    pixels: bool
    settings: Settings


def prove_frames(
    a: Frame,
    b: Frame,
    matrix: Affine,
    settings: Settings,
    *,
    quantisation_a: tuple[tuple[int, ...], ...] = (),
    quantisation_b: tuple[tuple[int, ...], ...] = (),
) -> Proof:
    """Compare two decoded frames.

    Parameters
    ----------
    a, b : Frame
        At full size.
    matrix : ((float, float, float), (float, float, float))
        Full-frame (x, y, 1) pixel indices of b to those of a.
    settings : Settings
    quantisation_a, quantisation_b : tuple of tuples of 64 int
        Of the JPEGs that the frames come from.

    Returns
    -------
    Proof

    Raises
    ------
    ValueError
        The matrix cannot be inverted.
    """
    given = np.array(matrix, np.float64)

    def pictures(side: int = GRID_SIDE) -> tuple[ProofPicture, ProofPicture]:
        side_a, side_b = sides_for(_shape(a), _shape(b), given, side)
        one = proof_picture_from_frame(a, settings, side=side_a, quantisation=quantisation_a)
        return one, proof_picture_from_frame(b, settings, side=side_b, quantisation=quantisation_b)

    return prove_closely(*pictures(), given, lambda: pictures(FINE_SIDE))


def prove_files(pairs: Sequence[FilePair]) -> list[FileProof | ReadError]:
    """Decode and compare the two files of each pair; an error in the place of a proof where one cannot be read."""
    proofs: list[FileProof | ReadError] = []
    for pair in pairs:
        try:
            proofs.append(_prove(pair))
        except ReadError as error:
            proofs.append(error)
    return proofs


def _prove(pair: FilePair) -> FileProof:
    if pair.pixels:
        keeper = decode_file(pair.keeper, pair.settings, min_side=None, frame=0)
        file = decode_file(pair.file, pair.settings, min_side=None, frame=0)
        return FileProof(_pixels(keeper, file), keeper.sha256.hex(), file.sha256.hex())
    first = _read(pair, GRID_SIDE)

    def finer() -> tuple[ProofPicture, ProofPicture]:
        again = _read(pair, FINE_SIDE)
        for path, before, now in zip((pair.keeper, pair.file), first.digests, again.digests, strict=True):
            if now != before:
                raise ReadError(path, Reason.CHANGED_WHILE_READ, "it was changed while it was compared")
        return again.pictures

    try:
        proof = prove_closely(*first.pictures, np.array(pair.matrix, np.float64), finer)
    except ValueError as error:
        proof = Proof(Outcome.NONE, reason=str(error))
    return FileProof(proof, *first.digests)


@dataclass(frozen=True, slots=True)
class _Read:
    """The two files of a pair, decoded for a grid: as they are compared, and the digests of what was read."""

    pictures: tuple[ProofPicture, ProofPicture]
    digests: tuple[str, str]


def _read(pair: FilePair, grid: int) -> _Read:
    sides = sides_for(pair.keeper_shape, pair.file_shape, np.array(pair.matrix, np.float64), grid)
    keeper = decode_file(pair.keeper, pair.settings, min_side=sides[0], frame=0)
    file = decode_file(pair.file, pair.settings, min_side=sides[1], frame=0)
    one = proof_picture_of(keeper, pair.settings, side=sides[0])
    other = proof_picture_of(file, pair.settings, side=sides[1])
    return _Read((one, other), (keeper.sha256.hex(), file.sha256.hex()))


def _pixels(keeper: DecodedFile, file: DecodedFile) -> Proof:
    """Compare all frames of two files, pixel by pixel."""
    same = len(keeper.frames) == len(file.frames) and _is_one_picture(keeper) and _is_one_picture(file)
    same = same and all(
        pixel_digest(one.pixels, one.mask) == pixel_digest(other.pixels, other.mask)
        for one, other in zip(keeper.frames, file.frames, strict=True)
    )
    if same:
        return Proof(Outcome.SAME, compared=1.0, reason="every pixel is the same")
    return Proof(Outcome.DIFFERENT, reason="not every pixel is the same")


def _is_one_picture(file: DecodedFile) -> bool:
    return file.frame_count == 1 or file.format == PRIMARY_FIRST


def _shape(frame: Frame) -> tuple[int, int]:
    height, width = frame.full_shape
    return (height, width) if min(height, width) > 0 else (frame.pixels.shape[0], frame.pixels.shape[1])


@contextmanager
def prover(settings: Settings, shaping: Mapping[str, Any] | None = None) -> Iterator[Prover]:
    """Comparison of near-duplicates for `apply_plan`: in a worker process with limits, started when it is needed.

    Parameters
    ----------
    settings : Settings
        Limits of this machine.
    shaping : mapping, optional
        Settings that shape how files are read, as a plan has them; they count over those of *settings*.

    Raises
    ------
    SettingsError
        A setting of *shaping* has no meaning.
    """
    loaded = Settings.load(environment={}, **dict(shaping or {}))
    used = dataclasses.replace(settings, **{name: getattr(loaded, name) for name in shaping or {}})
    with Pool(prove_files, died=_died, workers=1, limits=limits_of(used)) as pool:

        def compare(item: PlanItem) -> FileProof:
            if item.evidence is None:
                raise DedupIndexError("the plan does not say how the two lie on each other")
            evidence = item.evidence
            pair = FilePair(
                item.keeper.path, item.file.path, evidence.keeper_shape, evidence.file_shape, evidence.matrix,
                pixels=item.same_pixels, settings=used,
            )  # fmt: skip
            [[proof]] = pool.map([[pair]])
            if isinstance(proof, ReadError):
                raise proof
            return proof

        yield compare


def _died(pair: FilePair, reason: Reason) -> FileProof | ReadError:
    return ReadError(pair.file, reason, f"compared with {pair.keeper}")
