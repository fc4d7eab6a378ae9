"""`compare`: two pictures side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, JsonOption, Session

if TYPE_CHECKING:
    from dedupindex.records import Features, Frame, ImageRecord, Proof, Registration, Verification
    from dedupindex.settings import Settings


def compare(
    session: Session,
    a: Annotated[str, typer.Argument(metavar="A", help="A picture, or PATH#frame=N.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one.", show_default=False)],
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="OUT.png", help="Draw the two aligned, and their difference."),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Say what differs between two pictures, and where, with every measure side by side.

    The files are compared at full resolution. Says too how they lie on each other. Needs no database.
    """
    from dedupindex.cli.outputs import require_folders
    from dedupindex.compare.measures import compare_all
    from dedupindex.records import Pair
    from dedupindex.reports.comparing import Comparison, comparison_json, comparison_text
    from dedupindex.reports.jsonfile import to_json
    from dedupindex.verify.refinement import refined
    from dedupindex.verify.verification import same_bytes, verify

    require_folders(picture)
    settings = session.settings()
    one, other = _described(a, settings), _described(b, settings)
    frame_a, frame_b = one.frame, other.frame
    if one.record.key == other.record.key:
        verification = same_bytes()
    else:
        verified = verify(one.features, other.features, threshold=settings.threshold)
        verification = refined(verified, frame_a.pixels, frame_b.pixels, frame_a.mask, frame_b.mask)
    proof = _proven(one, other, verification, settings)
    measures = compare_all(frame_a.pixels, frame_b.pixels, frame_a.mask, frame_b.mask)
    found = Comparison(a, b, Pair(one.record, other.record, verification, proof=proof), tuple(measures))
    if json:
        out_bytes(to_json(comparison_json(found)))
    else:
        out(comparison_text(found))
    if picture is not None:
        _draw(picture, frame_a, frame_b, verification.registration, proof)
    return DONE


@dataclass(frozen=True, slots=True)
class _Picture:
    """One of the two pictures, decoded and described."""

    frame: Frame
    features: Features
    record: ImageRecord
    quantisation: tuple[tuple[int, ...], ...]


def _proven(one: _Picture, other: _Picture, verification: Verification, settings: Settings) -> Proof | None:
    """Compare two pictures at full resolution; None where they do not lie on one another, or need no proof."""
    from dedupindex.records.proofs import DIRECT
    from dedupindex.search.file_proofs import prove_frames

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


def _draw(path: Path, a: Frame, b: Frame, registration: Registration, proof: Proof | None) -> None:
    import cv2

    from dedupindex.compare.picture import draw_alignment
    from dedupindex.durable import output_path, write_whole

    drawn = draw_alignment(a.pixels, b.pixels, registration, a.mask, b.mask, proof)
    _, data = cv2.imencode(".png", drawn[..., ::-1])
    write_whole(output_path(path), data.tobytes())


def _described(address: str, settings: Settings) -> _Picture:
    from dedupindex.errors import NoValidPixelsError, Reason
    from dedupindex.ingest.describing import describe_frames
    from dedupindex.places import absolute
    from dedupindex.records import ImageRecord
    from dedupindex.sources import decode_file, parse_address

    path, wanted = parse_address(address)
    decoded = decode_file(absolute(path), settings, min_side=None, frame=wanted)
    frames = [frame for frame in decoded.frames if wanted in (None, frame.number)]
    if not frames:
        raise NoValidPixelsError(path, Reason.NO_VALID_PIXELS, f"frame {wanted} has no valid pixel")
    frame = frames[0]
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
