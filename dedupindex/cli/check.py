"""`check`: look for damage in a database."""

from __future__ import annotations

from typing import Annotated

import typer

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, FOUND, JsonOption, Session


def check(
    session: Session,
    deep: Annotated[bool, typer.Option("--deep", help="Read every page, every feature and every file again.")] = False,
    json: JsonOption = False,
) -> int:
    """Look for damage and disagreement; changes nothing. Exit code 1 when something was found."""
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, to_json
    from dedupindex.reports.names import shown

    with session.open(read_only=True, allow_mismatch=True) as index, session.progress() as progress:
        problems = index.check(deep=deep, progress=progress)
    if json:
        listed = [{"code": p.code, "detail": shown(p.detail), "repairable": p.repairable} for p in problems]
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "check", "problems": listed}))
    else:
        for problem in problems:
            out(f"{problem.code}: {shown(problem.detail)}")
        mend = "; `dedupindex rebuild` or the next `ingest` mends it" if any(p.repairable for p in problems) else ""
        out(f"{len(problems)} found{mend}" if problems else "all is well")
    return FOUND if problems else DONE
