"""Single files, without a database: what they hold, and how two of them compare."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from dedupindex.compare.measures import compare_all
from dedupindex.compare.picture import draw_alignment
from dedupindex.errors import NoValidPixelsError, Reason
from dedupindex.ingest.describing import describe_frames
from dedupindex.places import absolute
from dedupindex.prepare import prepare, prepare_stack
from dedupindex.records import Features, Frame, PreparedFrame
from dedupindex.records.measures import Comparison, FileContents
from dedupindex.settings import Settings
from dedupindex.sources import decode_file, parse_address
from dedupindex.verify.refinement import refined
from dedupindex.verify.verification import verify


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
    decoded = decode_file(absolute(path), settings, frame=wanted)
    frames = [frame for frame in decoded.frames if frame.mask.any()]
    return FileContents(decoded, tuple(frames), tuple(_prepared(frames, settings)))


def compare_files(a: str, b: str, settings: Settings) -> Comparison:
    """Compare two pictures in every way there is.

    Parameters
    ----------
    a, b : str
        Paths, or ``PATH#frame=N``; without a number the first frame.

    Raises
    ------
    ReadError
        One of them cannot be read as a picture.
    """
    frame_a, features_a = _described(a, settings)
    frame_b, features_b = _described(b, settings)
    verified = verify(features_a, features_b, threshold=settings.threshold)
    verification = refined(verified, frame_a.pixels, frame_b.pixels, frame_a.mask, frame_b.mask)
    measures = compare_all(frame_a.pixels, frame_b.pixels, frame_a.mask, frame_b.mask)
    return Comparison(frame_a, frame_b, verification, measures)


def comparison_png(comparison: Comparison) -> bytes:
    """Draw both pictures, one laid over the other, and their difference, as PNG."""
    a, b = comparison.a, comparison.b
    drawn = draw_alignment(a.pixels, b.pixels, comparison.verification.registration, a.mask, b.mask)
    _, data = cv2.imencode(".png", drawn[..., ::-1])
    return bytes(data.tobytes())


def _prepared(frames: Sequence[Frame], settings: Settings) -> Sequence[PreparedFrame]:
    return [prepare(frames[0], settings)] if len(frames) == 1 else prepare_stack(frames, settings)


def _described(address: str, settings: Settings) -> tuple[Frame, Features]:
    path, wanted = parse_address(address)
    decoded = decode_file(absolute(path), settings, min_side=None, frame=wanted)
    frames = [frame for frame in decoded.frames if wanted in (None, frame.number)]
    if not frames:
        raise NoValidPixelsError(path, Reason.NO_VALID_PIXELS, f"frame {wanted} has no valid pixel")
    [(_, features)] = describe_frames(frames[:1], settings)
    return frames[0], features
