"""`compare`: two pictures side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, JsonOption, Session


def compare(
    session: Session,
    a: Annotated[str, typer.Argument(metavar="A", help="A picture, PATH#frame=N, or a video.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one.", show_default=False)],
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="OUT.png", help="Draw the two aligned, and their difference."),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Say what differs between two pictures, and where, with every measure side by side.

    The files are compared at full resolution. Says too how they lie on each other. Of two videos it says which share
    of one is in the other, and from where. Needs no database.
    """
    from dedupindex import compare_files, comparison_png
    from dedupindex.cli.outputs import require_folders
    from dedupindex.durable import output_path, write_whole
    from dedupindex.index import fork_workers_here
    from dedupindex.reports.comparing import comparison_json, comparison_text
    from dedupindex.reports.jsonfile import to_json

    require_folders(picture)
    fork_workers_here()
    comparison = compare_files(a, b, session.settings())
    if json:
        out_bytes(to_json(comparison_json(comparison)))
    else:
        out(comparison_text(comparison))
    if picture is not None:
        write_whole(output_path(picture), comparison_png(comparison))
    return DONE
