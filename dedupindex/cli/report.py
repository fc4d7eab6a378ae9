"""`report`: the duplicate groups."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from dedupindex.cli.console import complain, note, out, out_bytes
from dedupindex.cli.options import ANY, DONE, HtmlOption, JsonOption, MinScore, Session
from dedupindex.cli.selection import (
    AcrossOption,
    Decided,
    ExitCode,
    GroupOption,
    NotRelationOption,
    OtherFolder,
    PathOption,
    RelationOption,
    SameFolder,
    Since,
    selection_of,
)

if TYPE_CHECKING:
    from dedupindex.index import Index
    from dedupindex.records.reports import Report
    from dedupindex.reports.summary import ReportSummary


class Order(StrEnum):
    """By what groups are sorted; as in `reports.arranging`, which would load numpy for --help."""

    BYTES = "bytes"
    SIZE = "size"
    SCORE = "score"
    DATE = "date"


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    FDUPES = "fdupes"
    IMMICH = "immich"


def report(
    session: Session,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print pairs as CSV, safe for spreadsheets.")] = False,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="|".join(Format),
            case_sensitive=False,
            help="How it is printed; fdupes: the paths of each group a line, an empty line after each group; immich: "
            "its duplicate resolution, of files that an `import-list` gave ids.",
        ),
    ] = None,
    print0: Annotated[
        bool, typer.Option("-0", "--print0", help="With --format fdupes: null bytes in place of line breaks.")
    ] = False,
    html: HtmlOption = None,
    blur: Annotated[bool, typer.Option("--blur", help="With --html: every picture in the page is blurred.")] = False,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="FILE", help="Write pairs as CSV, names exact.")
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option("--parquet", metavar="FILE", help="Write pairs as Parquet; needs the extra 'parquet'."),
    ] = None,
    xmp: Annotated[
        Path | None,
        typer.Option(
            "--xmp", metavar="DIR", help="Write keywords of groups and decisions as XMP sidecars into DIR, a file each."
        ),
    ] = None,
    min_score: MinScore = None,
    relation: RelationOption = None,
    not_relation: NotRelationOption = None,
    path: PathOption = None,
    across: AcrossOption = None,
    same_folder: SameFolder = False,
    other_folder: OtherFolder = False,
    group: GroupOption = None,
    decided: Decided = False,
    since: Since = None,
    alternates: Annotated[
        bool,
        typer.Option(
            "--alternates",
            help="Show the series of alternates instead of the groups: bursts, versions of a form, frames of a film.",
        ),
    ] = False,
    pieces: Annotated[
        bool,
        typer.Option(
            "--pieces",
            help="Show parts of pictures in others instead of the groups: crops, collages, pages (profile pieces).",
        ),
    ] = False,
    sort: Annotated[
        Order | None,
        typer.Option(
            "--sort",
            metavar="|".join(Order),
            case_sensitive=False,
            help="By bytes that could be freed, size of the files, score or date.",
        ),
    ] = None,
    top: Annotated[int | None, typer.Option("--top", metavar="N", min=1, help="Only the first N groups.")] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only how much there is by relation, and what could be freed.")
    ] = False,
    exit_code: ExitCode = False,
) -> int:
    """Show the duplicate groups. Pictures that were ingested but not searched for yet are searched for first.

    Groups are made of copies; pictures of one scene or template with other content are alternates, see --alternates.
    With --since, only what is different; nothing is said where nothing is.
    """
    from dedupindex.cli.outputs import require_folders, say_written, write_html, write_pairs, write_parquet, write_xmp
    from dedupindex.errors import SettingsError
    from dedupindex.reports.arranging import Order as SortOrder
    from dedupindex.reports.arranging import arranged
    from dedupindex.reports.exchange.parquetfile import require_pyarrow
    from dedupindex.reports.summary import ReportSummary
    from dedupindex.reports.summary_text import summary_text

    form = _format(form, json, csv, print0)
    selection = selection_of(
        relation=relation,
        not_relation=not_relation,
        min_score=min_score,
        path=path,
        across=across,
        same_folder=same_folder,
        other_folder=other_folder,
        decided=decided,
        group=group,
    )
    if alternates and since is not None:
        raise SettingsError("--alternates lists what there is now, it does not go with --since")
    if alternates and form in (Format.CSV, Format.FDUPES, Format.IMMICH):
        raise SettingsError("--alternates gives text or JSON; for pairs as CSV use --relation alternate")
    if summary and (alternates or form not in (None, Format.TEXT)):
        raise SettingsError("--summary is text, and of the groups; JSON and CSV list them all")
    if alternates and (sort is not None or top is not None):
        raise SettingsError("--sort and --top are about groups, not about --alternates")
    if blur and html is None:
        raise SettingsError("--blur goes with --html")
    if pieces and (
        alternates or since is not None or summary or sort is not None or form not in (None, Format.TEXT, Format.JSON)
    ):
        raise SettingsError(
            "--pieces gives text, JSON or HTML, of all there is; for pairs as CSV use --relation piece_of"
        )
    require_folders(pairs, html, parquet)
    if parquet is not None:
        require_pyarrow()
    with session.open() as index:
        with session.progress() as progress:
            whole = index.report(since, selection=selection, progress=progress)
        made = arranged(whole, None if sort is None else SortOrder(sort), top)
        counted = ReportSummary.of(whole)
        if pieces:
            _show_pieces(made, form, index, session, html)
        elif summary:
            out(summary_text(whole, counted, Path.cwd()))
        elif form is not None or (html is None and pairs is None and parquet is None and xmp is None):
            show(made, form or Format.TEXT, null=print0, alternates=alternates, summary=counted)
        if pairs is not None:
            write_pairs(pairs, made)
        if parquet is not None:
            write_parquet(parquet, made)
        if xmp is not None:
            count_xmp = write_xmp(xmp, made)
            if not session.quiet:
                note(f"{count_xmp:,} sidecars in {xmp}")
        if html is not None and not pieces:
            write_html(html, made, index, session.progress(), summary=counted, blur=blur)
    if not session.quiet:
        say_written(html, pairs, parquet)
    shown = whole.pieces if pieces else whole.series if alternates else anything(whole)
    return ANY if exit_code and shown else DONE


def _show_pieces(report: Report, form: Format | None, index: Index, session: Session, html: Path | None) -> None:
    """Print the pieces of a report, or write them as a page."""
    from dedupindex.cli.outputs import write_pieces_html
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, piece_json, to_json
    from dedupindex.reports.pieces import pieces_text

    if form == Format.JSON:
        listed = [piece_json(piece) for piece in report.pieces]
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "pieces", "pieces": listed}))
    elif form is not None or html is None:
        out(pieces_text(report.pieces, Path.cwd()))
    if html is not None:
        write_pieces_html(html, report, index, session.progress())


def show(
    report: Report,
    form: Format,
    *,
    null: bool = False,
    alternates: bool = False,
    summary: ReportSummary | None = None,
) -> None:
    """Print a report.

    Parameters
    ----------
    report : Report
    form : Format
    null : bool
        End the names of a list of paths with NUL instead of a line break.
    alternates : bool
        As text: its series instead of its groups.
    summary : ReportSummary, optional
        Of all groups, where some were left off; by default of those of the report.
    """
    from dedupindex.reports.amounts import count
    from dedupindex.reports.exchange.csvfile import pairs_csv
    from dedupindex.reports.exchange.immich import immich_groups
    from dedupindex.reports.exchange.lists import path_lists
    from dedupindex.reports.jsonfile import report_json, to_json
    from dedupindex.reports.summary import ReportSummary
    from dedupindex.reports.summary_text import report_with_summary
    from dedupindex.reports.text import changes_text, report_text

    match form:
        case Format.JSON:
            out_bytes(to_json(report_json(report)))
        case Format.CSV:
            out_bytes(pairs_csv(report, spreadsheet=True))
        case Format.FDUPES:
            lists = path_lists(report, null=null)
            out_bytes(lists.data)
            if lists.frames:
                frames = count(lists.frames, "frame")
                complain(f"{frames} of files with several left out: a list of paths means whole files")
            if lists.names:
                complain(f"{count(lists.names, 'path')} with a line break left out; use --print0")
        case Format.IMMICH:
            resolved = immich_groups(report)
            out_bytes(to_json(resolved))
            if report.groups and not resolved["groups"]:
                complain(
                    "no group has a proven copy among two assets with ids; `import-list`, then `ingest --list LIST.csv "
                    "--id-column id` gives the files their ids"
                )
        case Format.TEXT:
            alternates = alternates or asks_for_alternates(report)
            summary = summary or ReportSummary.of(report)
            if report.changes:
                out(report_with_summary(changes_text(report, Path.cwd()), summary))
            elif report.changes is None:
                text = report_text(report, Path.cwd(), alternates=alternates, summary=summary)
                out(text if alternates else report_with_summary(text, summary))
        case _:
            assert_never(form)


def asks_for_alternates(report: Report) -> bool:
    """Whether a report was narrowed to alternates, of which no group is made."""
    from dedupindex.records import Relation

    return report.selection.relations == (Relation.ALTERNATE,)


def anything(report: Report) -> bool:
    """Whether there are duplicates; where changes were asked for, changes."""
    return bool(report.groups if report.changes is None else report.changes)


def _format(form: Format | None, json: bool, csv: bool, print0: bool) -> Format | None:
    from dedupindex.errors import SettingsError

    asked = {name for name, given in ((form, form), (Format.JSON, json), (Format.CSV, csv)) if given}
    if len(asked) > 1:
        raise SettingsError(f"give one format, not {' and '.join(sorted(str(name) for name in asked))}")
    chosen = asked.pop() if asked else None
    if print0 and chosen != Format.FDUPES:
        raise SettingsError("--print0 goes with --format fdupes")
    return chosen
