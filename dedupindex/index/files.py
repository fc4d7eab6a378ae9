"""Single files, without a database: what they hold, and how two of them compare. They are decoded in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from dedupindex.compare.clips import shared_parts
from dedupindex.compare.measures import compare_all
from dedupindex.compare.picture import draw_alignment
from dedupindex.errors import NoValidPixelsError, Reason
from dedupindex.execution.contained import within_limits
from dedupindex.ingest.describing import describe_frames
from dedupindex.places import VIDEOS, absolute
from dedupindex.prepare import prepare, prepare_stack
from dedupindex.records import Features, Frame, ImageRecord, Pair, PreparedFrame, Proof, Verification
from dedupindex.records.measures import ClipShares, Comparison, FileContents
from dedupindex.records.proofs import DIRECT
from dedupindex.search.file_proofs import prove_frames
from dedupindex.settings import Settings
from dedupindex.sources import decode_file, parse_address
from dedupindex.sources.decode import read_clip
from dedupindex.threads import on_one_thread
from dedupindex.verify.refinement import refined
from dedupindex.verify.verification import same_bytes, verify

MOST_LOOKS = 1200  # small pictures of a clip that is compared with another one


@on_one_thread
def read_file(address: str, settings: Settings) -> FileContents:
    """Read a file as an ingest would.

    Parameters
    ----------
    address : str
        A path, or ``PATH#frame=N`` for one frame.

    Raises
    ------
    ReadError
        It gives no frame.
    """
    path, wanted = parse_address(address)
    return within_limits(settings, absolute(path), _read_contents, absolute(path), wanted, settings)


def _read_contents(path: Path, wanted: int | None, settings: Settings) -> FileContents:
    """Read a file, or one frame of it, in this process."""
    decoded = decode_file(path, settings, frame=wanted)
    frames = [frame for frame in decoded.frames if frame.mask.any()]
    return FileContents(decoded, tuple(frames), tuple(_prepared(frames, settings)))


@on_one_thread
def compare_files(a: str, b: str, settings: Settings) -> Comparison:
    """Compare two pictures in every way there is: at 128 pixels, at full resolution, and by every measure.

    Of two videos it is said what they have in common; the pictures that are compared are then those in the middle of
    the longest common part (their first frames, where there is none).

    Parameters
    ----------
    a, b : str
        Paths, or ``PATH#frame=N``; without a number the first frame.
    settings : Settings

    Returns
    -------
    Comparison

    Raises
    ------
    ReadError
        One of them cannot be read as a picture.
    """
    clips = _compared_clips(a, b, settings)
    if clips is not None:
        longest = max(clips.parts, key=lambda part: part.a[1] - part.a[0], default=None)
        a, b = (f"{clip}#t={0 if longest is None else longest.middle[n]:.3f}" for n, clip in enumerate((a, b)))
    one, other = _described(a, settings), _described(b, settings)
    frame_a, frame_b = one.frame, other.frame
    if one.record.key == other.record.key:
        verification = same_bytes()
    else:
        verified = verify(one.features, other.features, threshold=settings.threshold)
        verification = refined(verified, frame_a.pixels, frame_b.pixels, frame_a.mask, frame_b.mask)
    pair = Pair(one.record, other.record, verification, proof=_proven(one, other, verification, settings))
    measures = compare_all(frame_a.pixels, frame_b.pixels, frame_a.mask, frame_b.mask)
    return Comparison(a, b, (frame_a, frame_b), pair, tuple(measures), clips)


def _compared_clips(a: str, b: str, settings: Settings) -> ClipShares | None:
    """What two videos have in common; None where one of the two is none, or names a frame."""
    places = [parse_address(address) for address in (a, b)]
    if any(wanted is not None or path.suffix.lower() not in VIDEOS for path, wanted in places):
        return None
    looks = [
        within_limits(settings, absolute(path), read_clip, absolute(path), settings, MOST_LOOKS) for path, _ in places
    ]
    shares = shared_parts(looks[0].looks, looks[0].times, looks[1].looks, looks[1].times)
    return replace(shares, durations=(looks[0].duration, looks[1].duration))


def comparison_png(comparison: Comparison) -> bytes:
    """Draw both pictures, one over the other, and their difference, as PNG; changed places are outlined."""
    (a, b), pair = comparison.frames, comparison.pair
    drawn = draw_alignment(a.pixels, b.pixels, pair.verification.registration, a.mask, b.mask, pair.proof)
    _, data = cv2.imencode(".png", drawn[..., ::-1])
    return bytes(data.tobytes())


@dataclass(frozen=True, slots=True)
class _Picture:
    """One of the two pictures, decoded and described."""

    frame: Frame
    features: Features
    record: ImageRecord
    quantisation: tuple[tuple[int, ...], ...]


def _prepared(frames: Sequence[Frame], settings: Settings) -> Sequence[PreparedFrame]:
    return [prepare(frames[0], settings)] if len(frames) == 1 else prepare_stack(frames, settings)


def _proven(one: _Picture, other: _Picture, verification: Verification, settings: Settings) -> Proof | None:
    """Compare two pictures at full resolution; None where they are not aligned, or need no proof."""
    if not verification.accepted or DIRECT.intersection(verification.relations):
        return None
    return prove_frames(
        one.frame,
        other.frame,
        verification.registration.matrix,
        settings,
        quantisation_a=one.quantisation,
        quantisation_b=other.quantisation,
    )


def _described(address: str, settings: Settings) -> _Picture:
    path, wanted = parse_address(address)
    return within_limits(settings, absolute(path), _read_picture, absolute(path), wanted, settings)


def _read_picture(path: Path, wanted: int | None, settings: Settings) -> _Picture:
    decoded = decode_file(path, settings, min_side=None, frame=wanted)
    if not decoded.frames:
        raise NoValidPixelsError(path, Reason.NO_VALID_PIXELS, f"frame {wanted} has no valid pixel")
    frame = decoded.frames[0]
    [(_, features)] = describe_frames([frame], settings)
    height, width = frame.full_shape
    record = ImageRecord(
        id=0,
        sha256=decoded.sha256,
        frame=frame.number,
        format=decoded.format,
        width=width or frame.pixels.shape[1],
        height=height or frame.pixels.shape[0],
        bits=8 * frame.pixels.dtype.itemsize,
        channels=1 if frame.pixels.ndim == 2 else frame.pixels.shape[2],
        valid_share=float(frame.mask.mean()),
        low_information=features.low_information,
        scaling="",
        frame_count=decoded.frame_count,
        lossless=decoded.lossless,
    )
    return _Picture(frame, features, record, decoded.quantisation)
