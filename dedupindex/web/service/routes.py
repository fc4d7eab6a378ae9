"""Routes of the service: pictures in, matches, images and reports out, in the shapes of the command line."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Request, Response, UploadFile
from pydantic import BaseModel
from typing_extensions import TypedDict

from dedupindex.errors import ReadError
from dedupindex.records import DuplicatesSummary, ImageRecord, Relation
from dedupindex.records.decisions import KEY
from dedupindex.records.reports import FolderChoice, Selection
from dedupindex.reports.jsonfile import (
    SCHEMA_VERSION,
    failure_json,
    image_json,
    match_json,
    path_json,
    report_json,
)
from dedupindex.web.service import matching
from dedupindex.web.service.places import path_of, place_of
from dedupindex.web.service.reports import page_of
from dedupindex.web.service.site import Service, service_of
from dedupindex.web.service.tokens import Role, Token
from dedupindex.web.shared.api import Json, common_routes, picture_answer, private_file

router = APIRouter(prefix="/api")


class Refusal(BaseModel):
    """Why there is no answer."""

    error: str  # for people
    reason: str  # for programs; of a picture one of the reasons that `failures` knows


class Ingested(TypedDict):
    """Result of storing an uploaded picture."""

    schema: int
    kind: Literal["ingest"]
    path: str  # its place, as it stands in reports
    key: str  # of its (first) image
    new: bool  # this content was not stored before
    added: int  # images, of a file with several
    placed: int  # of them, at a place where another image or none was
    images: list[Json]
    failure: Json | None  # some of its frames gave nothing
    matches: list[Json] | None  # of the first image; null = not asked for


class Search(TypedDict):
    """A search for duplicates: begun, or what it did (null = nothing was new)."""

    schema: int
    kind: Literal["find"]
    state: Literal["begun", "done"]
    found: Json | None


class OneImage(TypedDict):
    """An image, in the shape that `report --json` has."""

    schema: int
    kind: Literal["image"]
    image: Json


class FailureList(TypedDict):
    """A page of files that an ingest could not read, in the shape that `failures --json` has."""

    schema: int
    kind: Literal["failures"]
    total: int
    failures: list[Json]


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    words = {400: "It means nothing", 404: "No such thing", 413: "Too large", 422: "No picture, or not a valid request"}
    limits = {401: "No token", 403: "The token may not", 429: "Too often", 503: "Busy, try again", 504: "Took too long"}
    return {status: {"model": Refusal, "description": (words | limits)[status]} for status in (*statuses, *limits)}


# ------------------------------------------------------------------------------------------------------ pictures
@router.post("/ingest", responses=_refusals(400, 413, 422))
def ingest(
    request: Request,
    image: UploadFile,
    place: Annotated[str, Form(description="What it is known by: upload:/name.jpg, s3://bucket/key. Never opened.")],
    find: Annotated[bool, Query(description="Give its confirmed matches, and store them soon.")] = False,
    limit: Annotated[int, Query(ge=1, le=100, description="Most matches.")] = 10,
) -> Ingested:
    """Store what an uploaded picture shows (a form with the file as `image`, and `place`). Twice is as good as once.

    A place that showed something else shows this from now on. The picture is found by queries at once, and stands in
    reports after the next search for duplicates, a few seconds later.
    """
    service = service_of(request)
    where = place_of(place, service.options.allow_roots)
    try:
        with private_file(where.name, image.file) as path:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").digest()
            taken = service.uploads.take(path, where, sha256, limit=limit if find else 0)
    except ReadError:
        service.measures.uploads.labels("refused").inc()
        raise
    service.measures.uploads.labels("added" if taken.added else "placed" if taken.placed else "unchanged").inc()
    if find:
        service.searcher.soon()
    elif taken.added:
        service.searcher.tell()
    return {
        "schema": SCHEMA_VERSION,
        "kind": "ingest",
        "path": path_json(where)["path"],
        "key": taken.images[0].key,
        "new": taken.added > 0,
        "added": taken.added,
        "placed": taken.placed,
        "images": [image_json(record) for record in taken.images],
        "failure": None if taken.failure is None else failure_json(taken.failure),
        "matches": [match_json(match) for match in taken.matches] if find else None,
    }


@router.post("/find", responses=_refusals())
def find(
    request: Request, response: Response, wait: Annotated[bool, Query(description="Until it is done.")] = False
) -> Search:
    """Search every image that is new for duplicates, in the background unless *wait* is given."""
    service = service_of(request)
    if wait:
        return {"schema": SCHEMA_VERSION, "kind": "find", "state": "done", "found": _summary(service.searcher.now())}
    service.searcher.soon()
    response.status_code = 202
    return {"schema": SCHEMA_VERSION, "kind": "find", "state": "begun", "found": None}


def _summary(summary: DuplicatesSummary | None) -> Json | None:
    if summary is None:
        return None
    return {name: getattr(summary, name) for name in DuplicatesSummary.__dataclass_fields__}


# ------------------------------------------------------------------------------------------------------- looking
@router.get("/report", responses=_refusals(400, 422))
def report(
    request: Request,
    since: Annotated[str | None, Query(description="A run, a date, a time ago (7d), or 'last'.")] = None,
    min_score: Annotated[float, Query(ge=0, le=1)] = 0.0,
    relation: Annotated[list[Relation] | None, Query(description="Only pairs with one of these.")] = None,
    not_relation: Annotated[list[Relation] | None, Query(description="No pairs with any of these.")] = None,
    path: Annotated[list[str] | None, Query(description="Only groups that touch one of these places.")] = None,
    across: Annotated[
        list[str] | None, Query(min_length=2, max_length=2, description="Twice: only pairs across these two.")
    ] = None,
    folder: Annotated[Literal["same", "other"] | None, Query(description="Only pairs within, or between.")] = None,
    decided: Annotated[bool, Query(description="Also pairs of which both are to be kept.")] = False,
    find: Annotated[bool, Query(description="Search images that are new first; needs the role write.")] = False,
    after: Annotated[str, Query(max_length=64, description="`next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Json:
    """Report the duplicate groups in the shape of `report --json`, a page at a time.

    Groups come by id; `total` counts them, `next` says after which the next page begins (null = that was the last).
    A group that is there all the time stands on exactly one page, whatever changes meanwhile.
    """
    service = service_of(request)
    if find:
        _require(request, Role.WRITE)
        service.searcher.now()
    selection = Selection(
        relations=tuple(relation or ()),
        not_relations=tuple(not_relation or ()),
        min_score=min_score,
        paths=tuple(path_of(text) for text in path or ()),
        across=(path_of(across[0]), path_of(across[1])) if across else None,
        folder=FolderChoice(folder or ""),
        decided=decided,
    )
    whole = service.reports.report(selection, since)
    page, following = page_of(whole, after, limit)
    return {**report_json(page), "total": len(whole.groups), "next": following or None}


@router.get("/images/{key}", responses=_refusals(404))
def image(request: Request, key: str) -> OneImage:
    """Give an image by its key (`#` of a later frame as %23)."""
    return {"schema": SCHEMA_VERSION, "kind": "image", "image": image_json(_image(service_of(request), key))}


@router.get(
    "/images/{key}/thumbnail.jpg",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **_refusals(404)},
)
def thumbnail(request: Request, key: str) -> Response:
    """Give the small picture that the catalogue keeps of an image."""
    service = service_of(request)
    return picture_answer(request, service.pictures.thumbnail(_image(service, key)))


@router.get("/failures", responses=_refusals(422))
def failures(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> FailureList:
    """List the files that an ingest of files could not read, by path. A refused upload leaves no trace."""
    failed = service_of(request).index.failures()
    shown = [failure_json(failure) for failure in failed[offset : offset + limit]]
    return {"schema": SCHEMA_VERSION, "kind": "failures", "total": len(failed), "failures": shown}


def _image(service: Service, key: str) -> ImageRecord:
    match = KEY.fullmatch(key)
    if match is not None and len(match["digits"]) == 64:
        known = service.index.images_of([match["digits"].lower() + f"#{match['frame'] or 0}"])
        if known:
            return next(iter(known.values()))
    raise HTTPException(404, "no such image")


def _require(request: Request, role: Role) -> None:
    owner: Token = request.state.token
    if not owner.allows(role):
        raise HTTPException(403, f"this needs a token with the role {role}")


routers = (router, matching.router, common_routes(_refusals))
