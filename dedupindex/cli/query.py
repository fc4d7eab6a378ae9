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
    from dedupindex.records.pieces import Box, FoundPiece, PieceMatch


def query(
    session: Session,
    pictures: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Files, or PATH#frame=N, #page=N, #panel=N, #t=SECONDS.")
    ],
    limit: LimitOption = 10,
    bank: BankOption = None,
    json: JsonOption = False,
    box: Annotated[
        str | None,
        typer.Option(
            "--box",
            metavar="TOP,LEFT,HEIGHT,WIDTH",
            help="Search only for this region of the pictures, in pixels; needs the profile pieces.",
        ),
    ] = None,
    within: Annotated[
        bool,
        typer.Option("--within", help="Find parts of each picture that stand in it twice; needs the profile pieces."),
    ] = False,
) -> int:
    """Find the stored pictures that show what these show.

    These need not be stored themselves. In a database with the profile pieces, also those that share a part with them,
    and where it lies. With --bank, find the hashes of banks that are near theirs instead: near, not confirmed, because
    a bank has no pictures. With --within, find what was copied from one place of a picture to another one.
    """
    if within:
        return _within(session, pictures, json, alone=box is None and not bank)
    if bank:
        return _in_banks(session, pictures, bank, json)
    from dedupindex.errors import ReadError
    from dedupindex.records import Failure
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, match_json, path_json, piece_match_json, to_json
    from dedupindex.reports.pieces import matches_words
    from dedupindex.reports.text import matches_text

    region = None if box is None else box_of(box)
    answers: list[tuple[str, list[Match], list[PieceMatch]]] = []
    failures: list[Failure] = []
    with session.open() as index:
        in_parts = region is not None or index.settings.profile == "pieces"
        for picture in pictures:
            try:
                whole = [] if region is not None else index.query(picture, limit=limit)
                parts = index.query_pieces(picture, limit=limit, box=region) if in_parts else []
                copies = {match.image.id for match in whole}
                answers.append((picture, whole, [match for match in parts if match.image.id not in copies]))
            except ReadError as error:
                failures.append(Failure(error.path, error.reason, error.detail))
                continue
            if not json:
                if region is None:
                    out(matches_text(picture, answers[-1][1], Path.cwd()))
                if in_parts:
                    out(matches_words(picture, answers[-1][2], Path.cwd()))
    if json:
        answered = [
            {**path_json(Path(picture)), "matches": [match_json(match) for match in matches]}
            | ({"pieces": [piece_match_json(match) for match in parts]} if in_parts else {})
            for picture, matches, parts in answers
        ]
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "query", "queries": answered}))
    list_failures(failures)
    return FOUND if failures else DONE


def _within(session: Session, pictures: list[str], json: bool, *, alone: bool) -> int:
    """Look for copies inside each picture; the database gives the settings."""
    from dedupindex.errors import ReadError, SettingsError
    from dedupindex.records import Failure
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, found_json, path_json, to_json
    from dedupindex.reports.pieces import within_words

    if not alone:
        raise SettingsError("--within looks into the pictures themselves; it goes with neither --box nor --bank")
    answers: list[tuple[str, list[FoundPiece]]] = []
    failures: list[Failure] = []
    with session.open() as index:
        for picture in pictures:
            try:
                answers.append((picture, index.copies_within(picture)))
            except ReadError as error:
                failures.append(Failure(error.path, error.reason, error.detail))
    if json:
        answered = [
            {**path_json(Path(picture)), "within": [found_json(piece) for piece in copies]}
            for picture, copies in answers
        ]
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "within", "queries": answered}))
    else:
        for picture, copies in answers:
            out(within_words(picture, copies))
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


def box_of(text: str) -> Box:
    """Read a box like ``120,40,200,300``.

    Raises
    ------
    SettingsError
        It is no box.
    """
    from dedupindex.errors import SettingsError

    try:
        top, left, height, width = (int(value) for value in text.split(","))
    except ValueError:
        top = left = height = width = -1
    if min(top, left) < 0 or min(height, width) < 1:
        raise SettingsError(f"box is {text!r}, must be TOP,LEFT,HEIGHT,WIDTH in pixels, e.g. 120,40,200,300")
    return top, left, height, width
