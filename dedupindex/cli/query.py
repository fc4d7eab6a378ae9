"""`query`: is this picture known?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.bank import BankOption
from dedupindex.cli.console import list_failures, out, out_bytes
from dedupindex.cli.options import DONE, FOUND, JsonOption, LimitOption, Session

if TYPE_CHECKING:
    from dedupindex.records import Failure, Match


def query(
    session: Session,
    pictures: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Files, or PATH#frame=N, #page=N, #t=SECONDS.")
    ],
    limit: LimitOption = 10,
    bank: BankOption = None,
    json: JsonOption = False,
) -> int:
    """Find the stored pictures that show what these show.

    These need not be stored themselves. With --bank, find the hashes of banks that are near theirs instead: near, not
    confirmed, because a bank has no pictures.
    """
    if bank:
        return _in_banks(session, pictures, bank, json)
    from dedupindex.errors import ReadError
    from dedupindex.records import Failure
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, match_json, path_json, to_json
    from dedupindex.reports.text import matches_text

    answers: list[tuple[str, list[Match]]] = []
    failures: list[Failure] = []
    with session.open() as index:
        for picture in pictures:
            try:
                answers.append((picture, index.query(picture, limit=limit)))
            except ReadError as error:
                failures.append(Failure(error.path, error.reason, error.detail))
                continue
            if not json:
                out(matches_text(picture, answers[-1][1], Path.cwd()))
    if json:
        answered = [
            {**path_json(Path(picture)), "matches": [match_json(match) for match in matches]}
            for picture, matches in answers
        ]
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "query", "queries": answered}))
    list_failures(failures)
    return FOUND if failures else DONE


def _in_banks(session: Session, pictures: list[str], banks: list[Path], json: bool) -> int:
    """Ask banks; only their hashes are compared, the database gives the settings."""
    from dedupindex import BankMatch, read_bank
    from dedupindex.errors import ReadError
    from dedupindex.places import at_home
    from dedupindex.records import Failure
    from dedupindex.reports.exchange.bankmatches import bank_match_json, bank_matches_text
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, path_json, to_json

    asked = [read_bank(at_home(path)) for path in banks]
    answers: list[tuple[str, list[BankMatch]]] = []
    failures: list[Failure] = []
    with session.open() as index:
        for picture in pictures:
            try:
                answers.append((picture, index.match_banks(picture, asked)))
            except ReadError as error:
                failures.append(Failure(error.path, error.reason, error.detail))
    if json:
        answered = [
            {**path_json(Path(picture)), "matches": [bank_match_json(match) for match in matches]}
            for picture, matches in answers
        ]
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "match", "queries": answered}))
    else:
        for picture, matches in answers:
            out(bank_matches_text(picture, matches))
    list_failures(failures)
    return FOUND if failures else DONE
