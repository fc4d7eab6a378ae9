"""`plan`: what could be done about the duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.choices import ACTIONS, COMPANIONS, PLANNED, RULES, UNITS, completer, one_of
from dedupindex.cli.console import complain, note, out
from dedupindex.cli.options import DONE, FOUND, MinScore, Session
from dedupindex.cli.selection import PANEL, GroupOption, OtherFolder, SameFolder, selection_of


def plan(
    session: Session,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PLAN.json", help="The plan, to look at and apply.")
    ],
    action: Annotated[
        str | None,
        typer.Option(
            "--action",
            metavar=one_of(ACTIONS),
            help="What happens to the files that go. [default: trash]",
            show_default=False,
            autocompletion=completer(ACTIONS),
        ),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Where `move` moves files to.")] = None,
    relation: Annotated[
        list[str] | None,
        typer.Option(
            "--relation",
            metavar="NAME",
            help="Files of this relation may go too (all relations of a pair have to be named; copy = all proven "
            f"copies): {', '.join(PLANNED)}; several times.",
            show_default=False,
            autocompletion=completer(PLANNED),
        ),
    ] = None,
    same_bytes: Annotated[
        bool, typer.Option("--same-bytes/--no-same-bytes", help="Files with the same bytes may go.")
    ] = True,
    decided: Annotated[
        bool,
        typer.Option(
            "--decided", help="Only groups of which you decided which picture stays; of these all proven copies."
        ),
    ] = False,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules", metavar="FILE", help="What goes is said by rules in a TOML file; see the guide on regular runs."
        ),
    ] = None,
    protect: Annotated[
        list[Path] | None,
        typer.Option("--protect", metavar="PATH", help="Nothing here goes; may be given several times."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="RULE",
            help=f"Keep rule, instead of those of the settings, in this order: {', '.join(RULES)}.",
            autocompletion=completer(RULES),
        ),
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
    alternates: Annotated[
        bool,
        typer.Option(
            "--alternates",
            help="Also pictures of one scene of which you decided that another one is kept (`decide keep-one`); no "
            "copy of them stays.",
        ),
    ] = False,
    units: Annotated[
        str,
        typer.Option(
            "--units",
            metavar=one_of(UNITS),
            autocompletion=completer(UNITS),
            help="Whether the raw file and the JPEG or HEIC of one shot go and stay together, or one by one.",
        ),
    ] = "together",
    may_lack: Annotated[
        list[str] | None,
        typer.Option(
            "--may-lack",
            metavar="KIND",
            help=f"The kept file need not have companions of this kind ({', '.join(COMPANIONS)}) that the going one "
            "has; several times.",
            autocompletion=completer(COMPANIONS),
        ),
    ] = None,
    merge_metadata: Annotated[
        bool,
        typer.Option(
            "--merge-metadata",
            help="Write what only the files that go say of a picture (rating, keywords, description, position, date) "
            "into an XMP sidecar beside the one that is kept.",
        ),
    ] = False,
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

    Unless told otherwise only files with the very same bytes as another one, and the proven copies of pictures that
    you decided to keep. Other near-duplicates go where their relation is named and the files are proven the same;
    edited ones where `edited` is named; alternates only with --alternates, by your decision. What belongs to a file
    (raw, video, .xmp, .aae ...) goes with it, or the file stays.
    """
    from dedupindex import PlanOptions, read_rules
    from dedupindex.cli.outputs import require_folders
    from dedupindex.durable import output_path, write_whole
    from dedupindex.places import absolute
    from dedupindex.reports.jsonfile import to_json
    from dedupindex.reports.plans import plan_json, plan_text

    require_folders(output)
    if rules is not None:
        _refuse_beside_rules(
            action=action,
            to=to,
            relation=relation,
            no_same_bytes=not same_bytes,
            decided=decided,
            protect=protect,
            keep=keep,
            prefer=prefer,
            unproven=unproven,
            alternates=alternates,
            units=units != "together",
            may_lack=may_lack,
            merge_metadata=merge_metadata,
            min_score=min_score,
            path=path,
            across=across,
            same_folder=same_folder,
            other_folder=other_folder,
            group=group,
        )
        asked = read_rules(rules)
    options = PlanOptions.named(
        action or "trash",
        relation or (),
        to=None if to is None else absolute(to),
        protect=tuple(absolute(path) for path in protect or ()),
        keep=tuple(keep or ()),
        prefer=tuple(absolute(path) for path in prefer or ()),
        unproven=unproven,
        decided=decided,
        same_bytes=same_bytes,
        units=units,
        may_lack=may_lack or (),
        merge_metadata=merge_metadata,
        alternates=alternates,
    )
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
    idle: tuple[str, ...] = ()
    with session.open() as index:
        if index.info()["unsearched"]:
            with session.progress() as progress:
                index.find_duplicates(progress=progress)
        if rules is None:
            made = index.plan(options, selection=selection)
        else:
            by_rules = index.plan_by_rules(asked)
            made, idle = by_rules.plan, by_rules.idle
    write_whole(output_path(output), to_json(plan_json(made)))
    out(plan_text(made, Path.cwd()))
    for line in idle:
        complain(line)
    if made.items:
        note(f"nothing was touched; look at {output}, then: dedupindex apply {output}")
    return FOUND if idle else DONE


def _refuse_beside_rules(**options: object) -> None:
    """Refuse what would have to be said by the rules themselves, or by the settings.

    Raises
    ------
    SettingsError
    """
    from dedupindex.errors import SettingsError

    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value not in (None, False, [])]
    if given:
        raise SettingsError(f"{', '.join(given)}: does not go with --rules, where the rules say what goes")
