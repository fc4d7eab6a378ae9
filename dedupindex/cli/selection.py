"""The options that narrow a report or a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from dedupindex.cli.choices import RELATIONS, completer
from dedupindex.errors import SettingsError, chosen, nearest

if TYPE_CHECKING:
    from dedupindex.records import Relation
    from dedupindex.records.reports import Selection

PANEL = "Selection"

RelationOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--relation",
        metavar="NAME",
        help=f"Only pairs with this relation: {', '.join(RELATIONS)}; several times.",
        rich_help_panel=PANEL,
        autocompletion=completer(RELATIONS),
    ),
]
NotRelationOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--not-relation",
        metavar="NAME",
        help="No pairs with this relation; several times.",
        rich_help_panel=PANEL,
        autocompletion=completer(RELATIONS),
    ),
]
PathOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--path",
        metavar="PATH",
        help="Only groups that touch this file or folder; several times.",
        rich_help_panel=PANEL,
    ),
]
AcrossOption: TypeAlias = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--across",
        metavar="A B",
        help="Only pairs of a picture below A with one below B, and which of A have none.",
        rich_help_panel=PANEL,
    ),
]
SameFolder: TypeAlias = Annotated[
    bool, typer.Option("--same-folder", help="Only pairs within one folder.", rich_help_panel=PANEL)
]
OtherFolder: TypeAlias = Annotated[
    bool, typer.Option("--other-folder", help="Only pairs of different folders.", rich_help_panel=PANEL)
]
GroupOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="ID", help="Only this group; several times.", rich_help_panel=PANEL),
]
Decided: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--decided", help="Also show pairs of which both are to be kept, as was decided.", rich_help_panel=PANEL
    ),
]
Since: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="RUN",
        help="Only what is different since a run: its number, a date, a time ago (7d), or 'last'.",
    ),
]
ExitCode: TypeAlias = Annotated[
    bool, typer.Option("--exit-code", help="End with exit code 3 when there is something to report.")
]


def selection_of(
    *,
    relation: Sequence[str] | None,
    not_relation: Sequence[str] | None,
    min_score: float | None,
    path: Sequence[Path] | None,
    across: tuple[Path, Path] | None,
    same_folder: bool,
    other_folder: bool,
    decided: bool,
    group: Sequence[str] | None = None,
) -> Selection:
    """Return what the options of a report ask for.

    Parameters
    ----------
    relation, not_relation : sequence of str or None
        Names of relations.
    min_score : float or None
        0..1.
    path : sequence of Path or None
    across : (Path, Path) or None
    same_folder, other_folder : bool
        At most one of them.
    decided : bool
    group : sequence of str or None
        Ids.

    Returns
    -------
    Selection

    Raises
    ------
    SettingsError
        They contradict each other, or there is no such relation.
    """
    from dedupindex.records.reports import FolderChoice, Selection

    if same_folder and other_folder:
        raise SettingsError("give either --same-folder or --other-folder, not both")
    return Selection(
        relations=_relations(relation),
        not_relations=_relations(not_relation),
        min_score=min_score or 0.0,
        paths=tuple(path or ()),
        across=across,
        folder=FolderChoice.SAME if same_folder else FolderChoice.OTHER if other_folder else FolderChoice.ANY,
        decided=decided,
        groups=tuple(group or ()),
    )


def _relations(names: Sequence[str] | None) -> tuple[Relation, ...]:
    from dedupindex.records import Relation

    meant = [chosen(name, Relation) for name in names or ()]
    unknown = [name for name in meant if name not in set(Relation)]
    if unknown:
        near = nearest(unknown[0], Relation)
        raise SettingsError(f"no relation {', '.join(unknown)}; there are: {', '.join(Relation)}{near}")
    return tuple(Relation(name) for name in meant)
