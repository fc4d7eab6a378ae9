"""`scan`: the main job in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.console import list_failures, note, out
from dedupindex.cli.ingest import (
    AgainstOption,
    ColumnOption,
    ForgetExcludes,
    IdColumnOption,
    ListOption,
    Recursive,
    lists_of,
    require_sources,
)
from dedupindex.cli.options import ANY, DONE, FOUND, HtmlOption, JsonOption, MinScore, Places, Session
from dedupindex.cli.report import Format, anything, show
from dedupindex.cli.selection import ExitCode, Since


def scan(
    session: Session,
    paths: Places = None,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="FILE", help="Write every confirmed pair as CSV.")
    ] = None,
    html: HtmlOption = None,
    json: JsonOption = False,
    min_score: MinScore = None,
    since: Since = None,
    exit_code: ExitCode = False,
    lists: ListOption = None,
    column: ColumnOption = "",
    id_column: IdColumnOption = "",
    recursive: Recursive = True,
    forget_excludes: ForgetExcludes = False,
    against: AgainstOption = None,
) -> int:
    """Find the duplicates in files and folders.

    Ingests, searches and reports in one go. Only files that are new or changed since the last time are read and
    searched for. The report covers the whole database; with --since last, what is different since the scan before,
    and nothing is said where nothing is.
    """
    from dedupindex.cli.outputs import require_folders, say_written, write_html, write_pairs
    from dedupindex.reports.text import ingest_text, search_text

    require_folders(pairs, html)
    sources = lists_of(paths, lists, column, id_column)
    require_sources(session, paths, lists)
    with session.open(create=True) as index:
        with session.progress() as progress:
            ingested = index.ingest(
                paths or (),
                lists=sources,
                recursive=recursive,
                forget_excludes=forget_excludes,
                against=against or (),
                progress=progress,
            )
            searched = index.find_duplicates(progress=progress)
        report = index.report(since, min_score, find=False)
        failures = ingested.failures if since is None else index.failures(ingested.run_id)
        if json:
            show(report, Format.JSON)
        elif since is not None:
            if not session.quiet:
                note(f"{ingest_text(ingested)}\n{search_text(searched)}")
            show(report, Format.TEXT)
        else:
            out(ingest_text(ingested))
            out(search_text(searched))
            out("")
            show(report, Format.TEXT)
        if pairs is not None:
            write_pairs(pairs, report)
        if html is not None:
            write_html(html, report, index, session.progress())
        if not session.quiet:
            say_written(html, pairs)
    list_failures(failures)
    if exit_code and anything(report):
        return ANY
    return FOUND if failures else DONE
