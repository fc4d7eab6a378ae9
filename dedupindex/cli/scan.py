"""`scan`: the main job in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.console import list_failures, out, out_bytes
from dedupindex.cli.ingest import Recursive
from dedupindex.cli.options import DONE, FOUND, HtmlOption, JsonOption, MinScore, Paths, Session


def scan(
    session: Session,
    paths: Paths,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="FILE", help="Write every confirmed pair as CSV.")
    ] = None,
    html: HtmlOption = None,
    json: JsonOption = False,
    min_score: MinScore = None,
    recursive: Recursive = True,
) -> int:
    """Find the duplicates in files and folders.

    Ingests, searches and reports in one go. Only files that are new or changed since the last time are read and
    searched for. The report covers the whole database.
    """
    from dedupindex.cli.outputs import require_folders, write_html, write_pairs
    from dedupindex.reports.jsonfile import report_json, to_json
    from dedupindex.reports.text import ingest_text, report_text, search_text

    require_folders(pairs, html)
    with session.open(create=True) as index:
        with session.progress() as progress:
            ingested = index.ingest(paths, recursive=recursive, progress=progress)
            searched = index.find_duplicates(progress=progress)
        report = index.report(min_score=min_score, find=False)
        if json:
            out_bytes(to_json(report_json(report)))
        else:
            out(ingest_text(ingested))
            out(search_text(searched))
            out("")
            out(report_text(report, Path.cwd()))
        if pairs is not None:
            write_pairs(pairs, report)
        if html is not None:
            write_html(html, report, index, session.progress())
    list_failures(ingested.failures)
    return FOUND if ingested.failures else DONE
