"""`rebuild`: make vector files, or features too, anew."""

from __future__ import annotations

from typing import Annotated

import typer

from dedupindex.cli.console import list_failures, out
from dedupindex.cli.options import DONE, FOUND, Session


def rebuild(
    session: Session,
    describe: Annotated[
        bool,
        typer.Option(
            "--describe",
            help="First describe every picture again, with the settings now in force; if they are those of before, "
            "only what is damaged.",
        ),
    ] = False,
) -> int:
    """Make the vector files anew from the database."""
    with session.open(allow_mismatch=describe) as index, session.progress() as progress:
        failures = index.rebuild(describe=describe, progress=progress)
        vectors = int(index.info()["images"]) - int(index.info()["low_information"])
    out(f"vectors of {vectors:,} pictures are in place")
    list_failures(failures)
    return FOUND if failures else DONE
