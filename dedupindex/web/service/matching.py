"""The route that asks banks of hashes: is this picture, or this hash, among those that are known?"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Request, UploadFile
from typing_extensions import TypedDict

from dedupindex import BankMatch, SignalKind, match_pdq, signal_of
from dedupindex.reports.exchange.bankmatches import bank_match_json
from dedupindex.reports.jsonfile import SCHEMA_VERSION
from dedupindex.web.service.site import Service, service_of
from dedupindex.web.shared.api import Json, private_file


class Matched(TypedDict):
    """Hashes of banks that are near a picture or a hash."""

    schema: int
    kind: Literal["match"]
    signals: dict[str, str]  # of the picture: its PDQ in hexadecimal digits
    quality: int | None  # of that, 0..100; below 50 nothing matches
    banks: list[str]  # in which there is a match
    matches: list[Json]  # each bank, id, signal_type, distance


router = APIRouter(prefix="/api")


@router.post("/match")
def match(
    request: Request,
    image: UploadFile | None = None,
    signal_type: Annotated[str, Form(max_length=64, description="In place of an image: pdq.")] = "pdq",
    signal: Annotated[str, Form(max_length=128, description="The hash, 64 hexadecimal digits.")] = "",
) -> Matched:
    """Ask the banks of this service (`--bank`) for a picture (a form with the file as `image`), or for a hash.

    Nothing is stored. Matches are near hashes; no picture confirms them.
    """
    service = service_of(request)
    if not service.banks:
        raise HTTPException(404, "this service has no bank; start it with --bank FILE")
    if image is not None and image.filename:
        with private_file(image.filename, image.file) as path:
            hashed = service.index.hash_picture(path)
        [own] = [one for one in hashed.signals if one.kind is SignalKind.PDQ]
        return _answer(own.value.hex(), own.quality, service.index.match_hashed(hashed, service.banks))
    return _by_hash(service, signal_type, signal)


def _by_hash(service: Service, kind: str, value: str) -> Matched:
    try:
        asked = signal_of(kind, value)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    if asked is None or asked.kind is not SignalKind.PDQ:
        raise HTTPException(400, f"signal_type is {kind!r}, must be pdq")
    return _answer(asked.value.hex(), None, [near for bank in service.banks for near in match_pdq(bank, asked)])


def _answer(digits: str, quality: int | None, matches: list[BankMatch]) -> Matched:
    return {
        "schema": SCHEMA_VERSION,
        "kind": "match",
        "signals": {"pdq": digits},
        "quality": quality,
        "banks": list(dict.fromkeys(near.bank for near in matches)),
        "matches": [bank_match_json(near) for near in matches],
    }
