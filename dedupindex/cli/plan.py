"""`plan`: what could be done about the duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.console import note, out
from dedupindex.cli.options import DONE, MinScore, Session
from dedupindex.cli.selection import PANEL, GroupOption, OtherFolder, SameFolder, selection_of


def plan(
    session: Session,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PLAN.json", help="The plan, to look at and apply.")
    ],
    action: Annotated[
        str, typer.Option("--action", metavar="ACTION", help="trash, move, hardlink, symlink or delete.")
    ] = "trash",
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Where `move` moves files to.")] = None,
    relation: Annotated[
        list[str] | None,
        typer.Option(
            "--relation",
            metavar="NAME",
            help="Files of this relation may go (all relations of a pair have to be named); may be given several "
            "times. [default: same_bytes]",
            show_default=False,
        ),
    ] = None,
    protect: Annotated[
        list[Path] | None,
        typer.Option("--protect", metavar="PATH", help="Nothing here goes; may be given several times."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="RULE", help="Keep rule, instead of those of the settings; in this order."),
    ] = None,
    prefer: Annotated[
        list[Path] | None,
        typer.Option("--prefer", metavar="DIR", help="Rather keep files here (rule path-order); in this order."),
    ] = None,
    unproven: Annotated[
        bool,
        typer.Option(
            "--unproven",
            help="Also files of pairs whose files could not be compared, or were not, where their relations are named.",
        ),
    ] = False,
    units: Annotated[
        str,
        typer.Option(
            "--units",
            metavar="together|apart",
            help="Whether the raw file and the JPEG or HEIC of one shot go and stay together, or one by one.",
        ),
    ] = "together",
    may_lack: Annotated[
        list[str] | None,
        typer.Option(
            "--may-lack",
            metavar="KIND",
            help="The kept file need not have companions of this kind (edits, video, raw, rendered, metadata, sound, "
            "mask, embedded) that the going one has; may be given several times.",
        ),
    ] = None,
    min_score: MinScore = None,
    path: Annotated[
        list[Path] | None,
        typer.Option(
            "--path", metavar="PATH", help="Only files here go; may be given several times.", rich_help_panel=PANEL
        ),
    ] = None,
    across: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--across",
            metavar="A B",
            help="Only files below A for copies below B, or the other way round (--protect B: never those).",
            rich_help_panel=PANEL,
        ),
    ] = None,
    same_folder: SameFolder = False,
    other_folder: OtherFolder = False,
    group: GroupOption = None,
) -> int:
    """Write down which files could go, in favour of which ones, and why. Nothing is touched.

    Unless told otherwise only files with the very same bytes as another one. Near-duplicates go only where the files
    are proven the same; edited ones where `edited` is named; alternates never. What belongs to a file (raw, video,
    .xmp, .aae ...) goes with it, or the file stays.
    """
    from dedupindex import PlanOptions
    from dedupindex.cli.outputs import require_folders
    from dedupindex.durable import output_path, write_whole
    from dedupindex.places import absolute
    from dedupindex.records import Relation
    from dedupindex.reports.jsonfile import to_json
    from dedupindex.reports.plans import plan_json, plan_text

    options = PlanOptions.named(
        action,
        relation or [str(Relation.SAME_BYTES)],
        to=None if to is None else absolute(to),
        protect=tuple(absolute(path) for path in protect or ()),
        keep=tuple(keep or ()),
        prefer=tuple(absolute(path) for path in prefer or ()),
        unproven=unproven,
        units=units,
        may_lack=may_lack or (),
    )
    require_folders(output)
    selection = selection_of(
        relation=None,
        not_relation=None,
        min_score=min_score,
        path=path,
        across=across,
        same_folder=same_folder,
        other_folder=other_folder,
        decided=False,
        group=group,
    )
    with session.open() as index:
        if index.info()["unsearched"]:
            with session.progress() as progress:
                index.find_duplicates(progress=progress)
        made = index.plan(options, selection=selection)
    write_whole(output_path(output), to_json(plan_json(made)))
    out(plan_text(made, Path.cwd()))
    if made.items:
        note(f"nothing was touched; look at {output}, then: dedupindex apply {output}")
    return DONE
