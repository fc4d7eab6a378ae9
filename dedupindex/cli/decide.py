"""`decide`: remember decisions on pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.choices import completer
from dedupindex.cli.console import note as say
from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, FOUND, JsonOption, Session
from dedupindex.errors import SettingsError, chosen, nearest
from dedupindex.places import at_home

if TYPE_CHECKING:
    from dedupindex.index import Index
    from dedupindex.records import Decision, ImageRecord

LIST, FORGET, EXPORT, IMPORT = "list", "forget", "export", "import"
KINDS = ("not-duplicate", "keep-both", "keeper", "keep-one")  # of `DecisionKind`, which would load numpy for --help
WHAT = (*KINDS, LIST, FORGET, EXPORT, IMPORT)


def decide(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help=f"{', '.join(WHAT)}.", show_default=False, autocompletion=completer(WHAT)),
    ],
    pictures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PICTURE",
            help="Paths (path#frame=12 for a frame) or content keys, at least 8 digits; a file to export or import.",
            show_default=False,
        ),
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; for people.", show_default=False)] = "",
    json: JsonOption = False,
) -> int:
    """Remember a decision on pictures; reports and plans keep to it.

    - not-duplicate A B ...: no two of these are the same picture; they are not paired any more
    - keep-both A B ...: the same, but both are wanted; reports leave them out (but for --decided)
    - keeper A ...: of its group, this one stays
    - keep-one A B ...: of pictures of one scene only A is wanted; `plan --alternates` takes the others
    - list: print all decisions
    - forget A: forget all that was decided on A
    - forget A B ...: forget what was decided between these
    - export FILE, import FILE: take decisions to another database

    A decision is about content: it holds wherever the picture lies, is moved or copied to.
    """
    given = pictures or []
    what = chosen(what, WHAT)
    if what not in WHAT:
        raise SettingsError(f"cannot decide {what!r}; there are: {', '.join(WHAT)}{nearest(what, WHAT)}")
    if json and what != LIST:
        raise SettingsError("--json goes with `decide list`")
    if note and what not in KINDS:
        raise SettingsError(f"--note goes with {', '.join(KINDS)}")
    if what in (EXPORT, IMPORT) and len(given) != 1:
        raise SettingsError(f"`decide {what}` takes one file")
    if what == LIST and given:
        raise SettingsError("`decide list` takes no pictures")
    with session.open(allow_mismatch=True, read_only=what in (LIST, EXPORT)) as index:
        if what == LIST:
            return _list(index, json)
        if what == EXPORT:
            return _export(index, Path(given[0]))
        if what == IMPORT:
            return _import(index, Path(given[0]))
        if what == FORGET:
            gone = index.undecide(given)
            out(f"{gone} forgotten" if gone else "nothing was decided there")
            return DONE if gone else FOUND
        made = index.decide(what, given, note).decisions
        called = {image.key: name for name in reversed(given) if (image := index.image_at(name)) is not None}
        _print(index, made, called)
    return DONE


def _list(index: Index, json: bool) -> int:
    from dedupindex.reports.decisionfile import decision_json, decisions_json
    from dedupindex.reports.jsonfile import path_json, to_json

    decisions = index.decisions()
    if not json:
        if not decisions:
            say("nothing was decided yet")
        _print(index, decisions)
        return DONE
    images = _images(index, decisions)
    listed = [
        {
            **decision_json(decision),
            "paths": {
                key: [path_json(place.path) for place in images[key].locations] if key in images else []
                for key in dict.fromkeys((decision.a, decision.b))
                if key
            },
        }
        for decision in decisions
    ]
    out_bytes(to_json({**decisions_json(()), "decisions": listed}))
    return DONE


def _export(index: Index, path: Path) -> int:
    from dedupindex.cli.outputs import require_folders
    from dedupindex.durable import output_path, write_whole
    from dedupindex.reports.amounts import count
    from dedupindex.reports.decisionfile import decisions_json
    from dedupindex.reports.jsonfile import to_json

    require_folders(path)
    decisions = index.decisions()
    write_whole(output_path(path), to_json(decisions_json(decisions)))
    say(f"{count(len(decisions), 'decision')} written")
    return DONE


def _import(index: Index, path: Path) -> int:
    from dedupindex.reports.amounts import count
    from dedupindex.reports.decisionfile import read_decisions

    taken, left = index.take_over(read_decisions(at_home(path)))
    out(f"{count(taken, 'decision')} taken over" + (f", {left:,} known already or older than ours" if left else ""))
    return DONE


def _print(index: Index, decisions: Sequence[Decision], called: Mapping[str, str] | None = None) -> None:
    from dedupindex.reports.text import decision_line, place_words

    images = _images(index, decisions)
    names = {key: place_words(image, Path.cwd()) for key, image in images.items()}
    for decision in decisions:
        out(decision_line(decision, {**names, **(called or {})}))


def _images(index: Index, decisions: Sequence[Decision]) -> Mapping[str, ImageRecord]:
    return index.images_of({key for decision in decisions for key in (decision.a, decision.b) if key})
