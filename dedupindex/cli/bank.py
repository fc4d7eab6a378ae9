"""`bank`: banks of hashes without pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.choices import SIGNALS, STYLES, completer, one_of
from dedupindex.cli.console import list_failures, out, out_bytes
from dedupindex.cli.options import DONE, FOUND, JsonOption, Session
from dedupindex.cli.service import PANEL
from dedupindex.errors import SettingsError, chosen, nearest
from dedupindex.places import absolute, at_home

if TYPE_CHECKING:
    from dedupindex import Failure, Signal

EXPORT, MAKE, SHOW = "export", "make", "show"
WHAT = (EXPORT, MAKE, SHOW)

BankOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--bank",
        metavar="FILE",
        help="A bank of hashes, .csv or .json, as `bank` or other programs write them; several times.",
        show_default=False,
    ),
]


ServiceBank = Annotated[
    list[Path] | None,
    typer.Option(
        "--bank",
        metavar="FILE",
        help="A bank of hashes that POST /api/match asks, .csv or .json; several times.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]


def bank(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help=f"{', '.join(WHAT)}.", show_default=False, autocompletion=completer(WHAT)),
    ],
    file: Annotated[Path, typer.Argument(metavar="BANK", help="The bank, .csv or .json.", show_default=False)],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Of make: files and folders.", show_default=False),
    ] = None,
    signal: Annotated[
        str,
        typer.Option(
            "--signal",
            metavar=one_of(SIGNALS),
            help="Of export: PDQ, or our own descriptor.",
            autocompletion=completer(SIGNALS),
        ),
    ] = "pdq",
    style: Annotated[
        str,
        typer.Option(
            "--style",
            metavar=one_of(STYLES),
            help="Whose shape is written: names and types differ.",
            autocompletion=completer(STYLES),
        ),
    ] = "hma",
    json: JsonOption = False,
) -> int:
    """Write the hashes of pictures to a bank, or say what a bank holds.

    - export BANK: hashes of all stored pictures; PDQ is made from the files where it is missing, and stored
    - make BANK PATH ...: PDQ of these pictures; nothing else is stored, no database is touched
    - show BANK: how many hashes of which kind it holds

    A bank holds hashes and names, no pictures. `query --bank` and `serve --bank` ask it.
    """  # fmt: skip
    from dedupindex import read_bank
    from dedupindex.cli.outputs import require_folders
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, to_json
    from dedupindex.reports.names import shown

    what, signal, style = (_one_of(*pair) for pair in ((what, WHAT), (signal, SIGNALS), (style, STYLES)))
    if (what == MAKE) != bool(paths):
        raise SettingsError("`bank make` takes a bank and pictures; `bank export` and `bank show` take a bank only")
    if what == SHOW:
        made = read_bank(at_home(file))
        held = {"pdq": len(made.words), "dedupindex": len(made.vectors), "fingerprint": made.signature or None}
        if json:
            out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "bank", "name": shown(made.name), **held}))
        else:
            print_bank(shown(made.name), held)
        return DONE
    require_folders(file)
    if what == EXPORT:
        with session.open(read_only=False) as index, session.progress() as progress:
            signals, failures = index.hashes(signal, progress)
    else:
        signals, failures = hashed(session, [absolute(at_home(path)) for path in paths or ()])
    write(file, signals, style)
    if not session.quiet:
        out(f"{shown(file)} holds {len(signals):,} hashes")
    list_failures(failures)
    return FOUND if failures else DONE


def hashed(session: Session, paths: list[Path]) -> tuple[list[Signal], list[Failure]]:
    """Return PDQ of all pictures in files and folders, and what could not be read."""
    from dedupindex import Failure, hash_files, pictures_in
    from dedupindex.index import fork_workers_here

    fork_workers_here()
    settings = session.settings()
    signals: list[Signal] = []
    failures: list[Failure] = []
    with session.progress() as progress:
        for one in hash_files(pictures_in(paths, settings), settings, progress):
            if isinstance(one, Failure):
                failures.append(one)
            else:
                signals.append(one)
    return sorted(signals, key=lambda one: one.id), failures


def write(file: Path, signals: list[Signal], style: str) -> None:
    """Write a bank.

    Parameters
    ----------
    file : Path
        ``.json``, or else CSV.
    signals : list of Signal
    style : str
        Value of a `BankStyle`.
    """
    from dedupindex import BankStyle, bank_csv, bank_entries
    from dedupindex.durable import output_path, write_whole
    from dedupindex.reports.jsonfile import to_json

    shape = BankStyle(style)
    data = to_json(bank_entries(signals, shape)) if file.suffix.lower() == ".json" else bank_csv(signals, shape)
    write_whole(output_path(file), data)


def print_bank(name: str, held: Mapping[str, object]) -> None:
    """Print what a bank holds."""
    out(f"{name}: {held['pdq']:,} PDQ hashes, {held['dedupindex']:,} descriptors")
    if held["fingerprint"]:
        out(f"descriptors of the settings with fingerprint {held['fingerprint']}")


def _one_of(value: str, choices: tuple[str, ...]) -> str:
    meant = chosen(value, choices)
    if meant not in choices:
        raise SettingsError(f"no {value}; there are: {', '.join(choices)}{nearest(value, choices)}")
    return meant
