"""`report`: the duplicate groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, HtmlOption, JsonOption, MinScore, Session


def report(
    session: Session,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print pairs as CSV, safe for spreadsheets.")] = False,
    html: HtmlOption = None,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="FILE", help="Write pairs as CSV, names exact.")
    ] = None,
    min_score: MinScore = None,
    relation: Annotated[
        list[str] | None,
        typer.Option(
            "--relation",
            metavar="NAME",
            help="Only pairs with this relation, e.g. crop_of; may be given several times.",
        ),
    ] = None,
    decided: Annotated[
        bool, typer.Option("--decided", help="Also show pairs of which both are to be kept, as was decided.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="RUN", help="Only groups with something newer: a run's number, or 'last'."),
    ] = None,
) -> int:
    """Show the duplicate groups. Pictures that were ingested but not searched for yet are searched for first."""
    from dedupindex.cli.outputs import require_folders, write_html, write_pairs
    from dedupindex.cli.selection import with_relations
    from dedupindex.errors import SettingsError
    from dedupindex.reports.csvfile import pairs_csv
    from dedupindex.reports.jsonfile import report_json, to_json
    from dedupindex.reports.text import report_text
    from dedupindex.workflows.outcome import Selection

    if json and csv:
        raise SettingsError("give either --json or --csv, not both")
    require_folders(pairs, html)
    with session.open() as index:
        if index.info()["unsearched"]:
            with session.progress() as progress:
                index.find_duplicates(progress=progress)
        found = index.report(since, min_score, selection=Selection(decided=decided), find=False)
        if relation:
            found = with_relations(found, relation)
        if json:
            out_bytes(to_json(report_json(found)))
        elif csv:
            out_bytes(pairs_csv(found.pairs, found.groups, spreadsheet=True))
        elif html is None and pairs is None:
            out(report_text(found, Path.cwd()))
        if pairs is not None:
            write_pairs(pairs, found)
        if html is not None:
            write_html(html, found, index, session.progress())
    return DONE
