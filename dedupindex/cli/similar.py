"""`similar`: pictures that look similar and are no copies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, JsonOption, Session


def similar(
    session: Session,
    picture: Annotated[str, typer.Argument(metavar="A", help="A picture, or PATH#frame=N.", show_default=False)],
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Most pictures.")] = 10,
    json: JsonOption = False,
) -> int:
    """List the nearest stored pictures that are no copies of this one.

    By an embedding of your own where --embedding names one, else by the descriptor. Nearness is all that is said of
    them; `query` and `report` say what is a copy.
    """
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, image_json, path_json, to_json
    from dedupindex.reports.names import short, shown

    with session.open() as index, session.progress() as progress:
        near = index.similar(picture, limit=limit, progress=progress)
    if json:
        listed = [{**image_json(one.image), "distance": round(one.distance, 6)} for one in near]
        value = {"schema": SCHEMA_VERSION, "kind": "similar", **path_json(Path(picture)), "neighbours": listed}
        out_bytes(to_json(value))
    else:
        out(f"{shown(picture)}: {len(near)} similar, no copies" if near else f"{shown(picture)}: nothing similar")
        for one in near:
            out(f"    {one.distance:.3f}  {short(one.path, Path.cwd())}")
    return DONE
