"""`compare`: two pictures side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, JsonOption, Session

if TYPE_CHECKING:
    from dedupindex.records import Features, Frame, Registration
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
    """Show every measure of two pictures side by side.

    Says too whether they are taken for the same, and how they lie on each other. Needs no database.
    """
    from dedupindex.cli.outputs import require_folders
    from dedupindex.compare.measures import compare_all
    from dedupindex.compare.refinement import refined
    from dedupindex.compare.verification import verify
    from dedupindex.reports.comparing import comparison_json, comparison_text
    from dedupindex.reports.jsonfile import to_json

    require_folders(picture)
    settings = session.settings()
    frame_a, features_a = _described(a, settings)
    frame_b, features_b = _described(b, settings)
    verified = verify(features_a, features_b, threshold=settings.threshold)
    verification = refined(verified, frame_a.pixels, frame_b.pixels, frame_a.mask, frame_b.mask)
    measures = compare_all(frame_a.pixels, frame_b.pixels, frame_a.mask, frame_b.mask)
    if json:
        out_bytes(to_json(comparison_json(Path(a), Path(b), verification, measures)))
    else:
        out(comparison_text(a, b, verification, measures))
    if picture is not None:
        _draw(picture, frame_a, frame_b, verification.registration)
    return DONE


def _draw(path: Path, a: Frame, b: Frame, registration: Registration) -> None:
    import cv2

    from dedupindex.compare.picture import draw_alignment
    from dedupindex.durable import output_path, write_whole

    drawn = draw_alignment(a.pixels, b.pixels, registration, a.mask, b.mask)
    _, data = cv2.imencode(".png", drawn[..., ::-1])
    write_whole(output_path(path), data.tobytes())


def _described(address: str, settings: Settings) -> tuple[Frame, Features]:
    from dedupindex.errors import NoValidPixelsError, Reason
    from dedupindex.places import absolute
    from dedupindex.sources import decode_file, parse_address
    from dedupindex.workflows.stages import describe_frames

    path, wanted = parse_address(address)
    decoded = decode_file(absolute(path), settings, min_side=None, frame=wanted)
    frames = [frame for frame in decoded.frames if wanted in (None, frame.number)]
    if not frames:
        raise NoValidPixelsError(path, Reason.NO_VALID_PIXELS, f"frame {wanted} has no valid pixel")
    [(_, features)] = describe_frames(frames[:1], settings)
    return frames[0], features
