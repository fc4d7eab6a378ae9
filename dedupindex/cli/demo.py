"""`demo`: pictures to try it on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.console import out
from dedupindex.cli.options import DONE, Session
from dedupindex.places import at_home


def demo(
    session: Session,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to; made when it is not there.", show_default=False)
    ],
) -> int:
    """Write made-up pictures with copies to try it on."""
    from dedupindex.cli.sample_pictures import demo_files
    from dedupindex.durable import write_whole
    from dedupindex.reports.names import shown

    folder = at_home(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = demo_files()
    for name, data in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            write_whole(path, data)
    out(f"{len(files)} pictures are in {shown(folder)}")
    return DONE
