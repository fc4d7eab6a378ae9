"""`query`: is this picture known?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.console import list_failures, out, out_bytes
from dedupindex.cli.options import DONE, FOUND, JsonOption, LimitOption, Session

if TYPE_CHECKING:
    from dedupindex.records import Failure, Match


def query(
    session: Session,
    pictures: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Files, or PATH#frame=N, #page=N, #t=SECONDS.")
    ],
    limit: LimitOption = 10,
    json: JsonOption = False,
) -> int:
    """Find the stored pictures that show what these show.

    These need not be stored themselves.
    """
    from dedupindex.errors import ReadError
    from dedupindex.records import Failure
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, match_json, path_json, to_json
    from dedupindex.reports.text import matches_text

    answers: list[tuple[str, list[Match]]] = []
    failures: list[Failure] = []
    with session.open() as index:
        for picture in pictures:
            try:
                answers.append((picture, index.query(picture, limit=limit)))
            except ReadError as error:
                failures.append(Failure(error.path, error.reason, error.detail))
                continue
            if not json:
                out(matches_text(picture, answers[-1][1], Path.cwd()))
    if json:
        answered = [
            {**path_json(Path(picture)), "matches": [match_json(match) for match in matches]}
            for picture, matches in answers
        ]
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "query", "queries": answered}))
    list_failures(failures)
    return FOUND if failures else DONE
