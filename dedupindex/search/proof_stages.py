"""The stage that compares the files of pairs in workers: a picklable function of places and registrations."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import ReadError, Reason
from dedupindex.execution.tasks import ProofFile, ProofResult, ProofTask
from dedupindex.execution.worker import WORKER_GONE
from dedupindex.records import DecodedFile, Frame, Outcome, Proof, ProofMeasures
from dedupindex.records.proofs import Affine
from dedupindex.search.proof_reading import proof_picture_from_frame, proof_picture_of
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.sources.archives.limits import limits_of
from dedupindex.sources.archives.opening import read_together
from dedupindex.sources.pictures import BLANK, is_blank, sample_range
from dedupindex.verify.proof.finer import FINE_SIDE, prove_closely
from dedupindex.verify.proof.information import SAME_SCALE
from dedupindex.verify.proof.picture import GRID_SIDE, MOST_SIDE, ProofPicture, sides_for
from dedupindex.verify.proof.thresholds import VERSION

MOST_PLACES = 4  # locations of a file that are tried
MOST_FRAMES = 64  # frames of an animation that are compared; of longer ones, so many evenly spaced ones


def prove_pairs(tasks: Sequence[ProofTask]) -> list[ProofResult]:
    """Compare the files of pairs; each file is decoded once a task. What cannot be read is `Outcome.NONE`."""
    return [_prove_pairs(task) for task in tasks]


def proofs_died(task: ProofTask, reason: Reason) -> ProofResult:
    """The result for pairs whose worker died or took too long, twice."""
    return ProofResult(lost=task.pairs, reason=WORKER_GONE[reason])


def unreached(reason: str, matrix: Affine) -> Proof:
    """The proof of a pair of which a file could not be read."""
    return Proof(Outcome.NONE, reason=reason, matrix=matrix, measures=ProofMeasures(unreachable=1.0), version=VERSION)


def prove_with(picture: ProofPicture, file: ProofFile, matrix: Affine, settings: Settings, *, whole: int = 0) -> Proof:
    """Compare a picture in memory (a) with a stored file (b).

    Parameters
    ----------
    picture : ProofPicture
    file : ProofFile
    matrix : ((float, float, float), (float, float, float))
        Full-frame (x, y, 1) pixel indices of the file to those of the picture.
    settings : Settings
        Limits, no-data values and mask file pattern for decoding the file.
    whole : int
        Number of frames of the animation whose first frame the picture is; 0 = the picture is compared as a still.

    Returns
    -------
    Proof
        Of `Outcome.NONE` where the file could not be read.

    Raises
    ------
    ValueError
        The matrix cannot be inverted.
    """
    given = np.array(matrix)

    def side(grid: int) -> int:
        return sides_for(picture.full_shape, (file.height, file.width), given, grid)[1]

    def finer() -> tuple[ProofPicture, ProofPicture] | None:
        again = _opened(file, side(FINE_SIDE), settings)
        return (picture, again.picture) if isinstance(again, _Opened) else None

    opened = _opened(file, side(GRID_SIDE), settings)
    if not isinstance(opened, _Opened):
        return unreached(opened, matrix)
    proof = prove_closely(picture, opened.picture, given, finer)
    if (whole or file.whole) and proof.outcome in (Outcome.SAME, Outcome.EDITED):
        frames = max(1, whole), file.frame_count if file.whole else 1
        words = f"only the first frames were compared; one has {frames[0]}, the other {frames[1]}"
        return replace(proof, outcome=Outcome.ALTERNATE if frames[0] != frames[1] else Outcome.NONE, reason=words)
    return proof


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file that was read, where, and its frame as it is compared."""

    path: Path
    picture: ProofPicture


def _prove_pairs(task: ProofTask) -> ProofResult:
    files = {file.image: file for file in task.files}
    read_together([place for file in task.files for place in file.places[:1]], limits_of(task.settings))
    sides: dict[int, int] = {}
    for a, b, matrix in task.pairs:
        shapes = [(files[image].height, files[image].width) for image in (a, b)]
        for image, side in zip((a, b), _sides(shapes[0], shapes[1], np.array(matrix)), strict=True):
            sides[image] = max(side, sides.get(image, 0))
    needed = Counter(image for a, b, _ in task.pairs for image in (a, b))
    opened: dict[int, _Opened | str] = {}
    proofs: list[tuple[int, int, Proof]] = []
    equal: list[tuple[int, int]] = []
    for a, b, matrix in task.pairs:
        for image in (a, b):
            if image not in opened:
                opened[image] = _opened(files[image], sides[image], task.settings)
        try:
            proof, exact = _proven(files[a], files[b], opened[a], opened[b], matrix, task.settings)
        except Exception as error:  # an unexpected error in one pair must not end the run
            proof, exact = unreached(_fault(error), matrix), False
        proofs.append((a, b, proof))
        if exact:
            equal.append((a, b))
        for image in (a, b):
            needed[image] -= 1
            if not needed[image]:
                del opened[image]  # frees megabytes
    return ProofResult(tuple(proofs), tuple(equal))


def _sides(shape_a: tuple[int, int], shape_b: tuple[int, int], matrix: NDArray[np.float64]) -> tuple[int, int]:
    """Longest sides at which two pictures are decoded, pixels.

    Whether the larger one was only enlarged shows in its own pixels, so where the scales differ both are decoded as
    they are, within `MOST_SIDE`.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if max(scale, 1 / max(scale, 1e-9)) > SAME_SCALE:
        return min(max(shape_a), MOST_SIDE), min(max(shape_b), MOST_SIDE)
    return sides_for(shape_a, shape_b, matrix)


def _proven(
    a: ProofFile, b: ProofFile, first: _Opened | str, second: _Opened | str, matrix: Affine, settings: Settings
) -> tuple[Proof, bool]:
    if not isinstance(first, _Opened):
        return unreached(first, matrix), False
    if not isinstance(second, _Opened):
        return unreached(second, matrix), False
    given = np.array(matrix)

    def finer() -> tuple[ProofPicture, ProofPicture] | None:
        sides = sides_for((a.height, a.width), (b.height, b.width), given, FINE_SIDE)
        one, other = _opened(a, sides[0], settings), _opened(b, sides[1], settings)
        return (one.picture, other.picture) if isinstance(one, _Opened) and isinstance(other, _Opened) else None

    proof = prove_closely(first.picture, second.picture, given, finer)
    if (a.whole or b.whole) and proof.outcome in (Outcome.SAME, Outcome.EDITED):
        return _with_further_frames(proof, a, b, first.path, second.path, settings)
    return proof, False


def _opened(file: ProofFile, side: int, settings: Settings) -> _Opened | str:
    """The image from the first location that still holds it, or the reason why none does."""
    decoded = _decoded(file, side, settings)
    if isinstance(decoded, str):
        return decoded
    try:
        return _Opened(decoded.path, proof_picture_of(decoded, settings, frame=file.frame, side=side))
    except ReadError as error:
        return str(error)
    except Exception as error:
        return _fault(error)


def _decoded(file: ProofFile, side: int | None, settings: Settings, frame: int | None = -1) -> DecodedFile | str:
    trouble = "no place is known where it is"
    for path in file.places[:MOST_PLACES]:
        try:
            wanted = file.frame if frame == -1 else frame
            decoded = decode_file(path, settings, min_side=side, frame=wanted, exact=frame != -1)
        except ReadError as error:
            trouble = str(error)
            continue
        except Exception as error:
            trouble = _fault(error)
            continue
        if decoded.sha256 == file.sha256:
            return decoded
        trouble = f"{path} holds other content now"
    return trouble


def _with_further_frames(
    proof: Proof, a: ProofFile, b: ProofFile, path_a: Path, path_b: Path, settings: Settings
) -> tuple[Proof, bool]:
    """The proof of two animations whose first frames are the same or edited; and whether all pixels are equal."""
    counts = [file.frame_count if file.whole else 1 for file in (a, b)]
    if counts[0] != counts[1]:
        words = f"the first frames show the same; one file has {counts[0]} frames, the other {counts[1]}"
        return replace(proof, outcome=Outcome.ALTERNATE, reason=words), False
    numbers = np.unique(np.linspace(0, counts[0] - 1, min(counts[0], MOST_FRAMES)).round().astype(int)).tolist()
    same_pixels = True
    matrix = np.array(proof.matrix)
    for number in numbers:
        frames = [_frame(replace(file, places=(path,)), number, settings) for file, path in ((a, path_a), (b, path_b))]
        first, second = frames
        if not isinstance(first, Frame) or not isinstance(second, Frame):
            words = next(frame for frame in frames if isinstance(frame, str))
            return unreached(f"frame {number + 1}: {words}", proof.matrix), False
        if _equal(first, second):
            continue
        same_pixels = False
        blank = is_blank(first), is_blank(second)
        if all(blank) and not _of_one_tone(first, second):
            words = f"frame {number + 1} is blank in both, of different tones"
            return replace(proof, outcome=Outcome.ALTERNATE, reason=words), False
        if all(blank) or (number == 0 and not any(blank)):
            continue  # nothing to compare, or proven already
        further = _frames_proven(first, second, matrix, settings)
        words = f"frame {number + 1} of {counts[0]}: {further.reason}"
        if further.outcome is Outcome.EDITED:
            proof = replace(proof, outcome=Outcome.EDITED, changed=max(proof.changed, further.changed), reason=words)
        elif further.outcome is not Outcome.SAME:
            return replace(proof, outcome=Outcome.ALTERNATE, reason=words), False
    if proof.outcome is Outcome.SAME:
        proof = replace(proof, reason=f"{proof.reason} ({len(numbers)} of {counts[0]} frames were compared)")
    return proof, same_pixels and len(numbers) == counts[0]


def _frames_proven(first: Frame, second: Frame, matrix: NDArray[np.float64], settings: Settings) -> Proof:
    def pictures(side: int) -> tuple[ProofPicture, ProofPicture]:
        one, other = (proof_picture_from_frame(frame, settings, side=side) for frame in (first, second))
        return one, other

    return prove_closely(*pictures(GRID_SIDE), matrix, lambda: pictures(FINE_SIDE))


def _frame(file: ProofFile, number: int, settings: Settings) -> Frame | str:
    decoded = _decoded(file, None, settings, number)
    if isinstance(decoded, str):
        return decoded
    return next((frame for frame in decoded.frames if frame.number == number), "nothing of it is valid")


def _equal(first: Frame, second: Frame) -> bool:
    """Whether two frames are valid at the same pixels and equal there."""
    one, other = first.pixels, second.pixels
    if one.shape != other.shape or one.dtype != other.dtype or not np.array_equal(first.mask, second.mask):
        return False
    return bool(np.array_equal(one[first.mask], other[first.mask]))


def _of_one_tone(first: Frame, second: Frame) -> bool:
    """Whether two blank frames show nearly the same tone; compression changes it a little."""
    if not (first.mask.any() and second.mask.any()):
        return True
    means = [float(frame.pixels[frame.mask].mean()) / sample_range(frame.pixels.dtype) for frame in (first, second)]
    return abs(means[0] - means[1]) <= BLANK


def _fault(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory; worker_memory says how much there may be"
    place = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(str(error).split())[:200]
    return f"a fault of dedupindex, {type(error).__name__} in {Path(place.filename).name}:{place.lineno}: {words}"
