"""`evaluate`: measure recall and precision on the user's pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.console import list_failures, out, out_bytes
from dedupindex.cli.ingest import Recursive
from dedupindex.cli.options import DONE, FOUND, JsonOption, Paths, Session

if TYPE_CHECKING:
    from dedupindex.settings import Settings


def _list_attacks(wanted: bool) -> None:
    if not wanted:
        return
    from dedupindex import ATTACKS
    from dedupindex.reports.evaluation import attacks_text

    out(attacks_text(ATTACKS))
    raise typer.Exit(DONE)


def _attacks(incomplete: str) -> list[str]:
    """Attacks that begin so; they are loaded only when somebody completes them."""
    from dedupindex import ATTACKS

    before, plus, last = incomplete.rpartition("+")
    return [before + plus + name for name in ATTACKS if name.startswith(last)]


def evaluate(
    session: Session,
    paths: Paths,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            "--attack",
            metavar="NAME",
            help="Attack with this one, e.g. crop, blur:2 (with its strength) or crop+tone (one after the other); "
            "may be given several times. [default: all]",
            show_default=False,
            autocompletion=_attacks,
        ),
    ] = None,
    list_attacks: Annotated[
        bool,
        typer.Option("--list-attacks", help="List the attacks and stop.", is_eager=True, callback=_list_attacks),
    ] = False,
    strength: Annotated[
        list[float] | None,
        typer.Option(
            "--strength",
            metavar="X",
            help="0.5 mild, 1 common, 2 severe; may be given several times. [default: 1]",
            show_default=False,
        ),
    ] = None,
    per_picture: Annotated[
        int | None,
        typer.Option(
            "--per-picture",
            metavar="N",
            min=1,
            help="Attacked copies of each picture. [default: 6 for 200 pictures, more for fewer]",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Most pictures; of more, a random sample.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of the sample and the attacks.")] = 0,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw it; needs the extra 'plot'.")
    ] = None,
    pieces: Annotated[
        bool,
        typer.Option(
            "--pieces",
            help="Put parts of the pictures into collages, pages, screens and the like, and search for pieces.",
        ),
    ] = False,
    json: JsonOption = False,
    recursive: Recursive = True,
) -> int:
    """Attack these pictures and measure what is found again.

    Makes altered copies (cropped, turned, blurred, watermarked...) in a temporary folder, searches them in a database
    of its own there, and counts: recall by attack, precision, what the search missed, and what other thresholds would
    give. Your pictures are only read, and no database of yours is touched.
    """
    from dedupindex import evaluate as work
    from dedupindex.cli.outputs import require_folders
    from dedupindex.durable import output_path, write_whole
    from dedupindex.errors import SettingsError
    from dedupindex.reports.evaluation import evaluation_json, evaluation_text
    from dedupindex.reports.evaluation_plot import evaluation_png, require_matplotlib
    from dedupindex.reports.jsonfile import to_json

    require_folders(plot)
    if plot is not None:
        require_matplotlib()
    settings = session.settings()
    if pieces:
        if attack or strength or plot is not None:
            raise SettingsError("--pieces makes all its attacks, at one strength, and draws nothing")
        return _evaluate_pieces(session, paths, settings, per_picture, limit, seed, json=json, recursive=recursive)
    with session.progress() as progress:
        result = work(
            paths,
            attacks=attack,
            strengths=strength or (1.0,),
            per_picture=per_picture,
            limit=limit,
            seed=seed,
            settings=settings,
            recursive=recursive,
            progress=progress,
        )
    if plot is not None:
        write_whole(output_path(plot), evaluation_png(result))
    if json:
        out_bytes(to_json(evaluation_json(result)))
    else:
        out(evaluation_text(result, Path.cwd()))
    list_failures(result.failures)
    return FOUND if result.failures else DONE


def _evaluate_pieces(
    session: Session,
    paths: list[Path],
    settings: Settings,
    per_picture: int | None,
    limit: int,
    seed: int,
    *,
    json: bool,
    recursive: bool,
) -> int:
    from dedupindex import evaluate_pieces
    from dedupindex.reports.jsonfile import to_json
    from dedupindex.reports.pieces import evaluation_plain, evaluation_words

    with session.progress() as progress:
        result = evaluate_pieces(
            paths,
            per_picture=per_picture,
            limit=limit,
            seed=seed,
            settings=settings,
            recursive=recursive,
            progress=progress,
        )
    if json:
        out_bytes(to_json(evaluation_plain(result)))
    else:
        out(evaluation_words(result, Path.cwd()))
    list_failures(result.failures)
    return FOUND if result.failures else DONE
