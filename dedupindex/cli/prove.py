"""`prove`: compare the files of confirmed pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, FOUND, JsonOption, Session

if TYPE_CHECKING:
    from dedupindex.records import ProofSummary


def prove(
    session: Session,
    again: Annotated[
        bool, typer.Option("--again", help="Also pairs of which a file was out of reach, or that could not be told.")
    ] = False,
    json: JsonOption = False,
) -> int:
    """Compare the files of confirmed pairs that are not proven yet.

    Every search for duplicates does so for the pairs that it finds. This is for databases that were made before, for
    searches with --proof off, and for files that were out of reach.
    """
    import dataclasses

    from dedupindex.reports.jsonfile import SCHEMA_VERSION, to_json

    with session.open() as index, session.progress() as progress:
        summary = index.prove(again=again, progress=progress)
    if json:
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "prove", **dataclasses.asdict(summary)}))
    else:
        out(_words(summary))
    return FOUND if summary.unreachable else DONE


def _words(summary: ProofSummary) -> str:
    if not summary.due:
        return "every confirmed pair is proven"
    outcomes = {
        "the same": summary.same,
        "edited": summary.edited,
        "alternates": summary.alternate,
        "different (withdrawn)": summary.different,
        "cannot be told": summary.untold,
        "out of reach": summary.unreachable,
        "left for the next run": summary.left,
    }
    parts = [f"{number:,} {words}" for words, number in outcomes.items() if number]
    return f"{summary.due:,} pairs, {summary.seconds:.1f} s: " + ", ".join(parts)
