"""The JSON interface that the review page and the service have in common: what is there, a group, a query by picture.

Each application includes these routes with what it says of refusals, and brings a `Face`: where groups are looked up,
what is told of the index, what is counted.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, Protocol, TypeAlias

from fastapi import APIRouter, HTTPException, Query, Request, UploadFile
from fastapi.responses import Response
from typing_extensions import TypedDict

from dedupindex import Uploads
from dedupindex.errors import ReadError
from dedupindex.records import DuplicateGroup, Match
from dedupindex.reports.jsonfile import SCHEMA_VERSION, group_json, match_json
from dedupindex.reports.names import shown
from dedupindex.web.shared.pictures import Picture

Json: TypeAlias = dict[str, Any]
Refusals: TypeAlias = Callable[..., dict[int | str, dict[str, Any]]]  # further statuses -> `responses` of a route
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


class Info(TypedDict):
    """Counts, sizes, versions and settings, by name."""

    schema: int
    kind: Literal["info"]
    info: Json


class OneGroup(TypedDict):
    """A group, in the shape that `report --json` has."""

    schema: int
    kind: Literal["group"]
    group: Json


class Matches(TypedDict):
    """Confirmed matches, best first, in the shape that `query --json` has."""

    schema: int
    kind: Literal["query"]
    name: str
    matches: list[Json]


class Face(Protocol):
    """What an application brings; `request.app.state.face`."""

    @property
    def uploads(self) -> Uploads:
        """Describes uploaded pictures."""

    def told(self) -> Mapping[str, int | float | str]:
        """Return what may be told of the index."""

    def group(self, group_id: str) -> DuplicateGroup | None:
        """Return the group of that id as it is now."""

    def answered(self, matches: Sequence[Match]) -> None:
        """Count an answer to a query."""


def face_of(request: Request) -> Face:
    """Return what the application of a request brings."""
    face: Face | None = request.app.state.face
    if face is None:
        raise HTTPException(409, "there is no database yet: scan first")
    return face


def common_routes(refusals: Refusals) -> APIRouter:
    """Return the routes, described with an application's own refusals."""
    router = APIRouter(prefix="/api")
    router.add_api_route("/info", info, methods=["GET"], responses=refusals())
    router.add_api_route("/groups/{group_id}", group, methods=["GET"], responses=refusals(404))
    router.add_api_route("/query", query, methods=["POST"], responses=refusals(413, 422))
    return router


def info(request: Request) -> Info:
    """Tell what the index holds."""
    return {"schema": SCHEMA_VERSION, "kind": "info", "info": dict(face_of(request).told())}


def group(request: Request, group_id: str) -> OneGroup:
    """Give one group with its pairs and their evidence."""
    one = face_of(request).group(group_id)
    if one is None:
        raise HTTPException(404, f"no group {group_id}")
    return {"schema": SCHEMA_VERSION, "kind": "group", "group": group_json(one)}


def query(request: Request, image: UploadFile, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> Matches:
    """Find the stored pictures that show what an uploaded one shows (a form with the file as `image`).
    \f

    Parameters
    ----------
    request : Request
    image : UploadFile
        The picture.
    limit : int
        Most matches, 1..100.

    Returns
    -------
    Matches
    """  # noqa: D301  (FastAPI shows what stands before the form feed)
    face = face_of(request)
    name = image.filename or "picture"
    with private_file(name, image.file) as path:
        confirmed = face.uploads.matches(path, Path(shown(name)), limit)
    face.answered(confirmed)
    matches = [match_json(match) for match in confirmed]
    return {"schema": SCHEMA_VERSION, "kind": "query", "name": shown(name), "matches": matches}


def picture_answer(request: Request, picture: Picture | None) -> Response:
    """Give a picture, with a tag that browsers keep it by.

    Raises
    ------
    HTTPException
        404, there is none.
    """
    if picture is None:
        raise HTTPException(404, "there is no picture of it")
    headers = {"ETag": f'"{picture.tag}"', "Cache-Control": "private, max-age=3600"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type="image/jpeg", headers=headers)


@contextmanager
def private_file(name: str, data: BinaryIO) -> Iterator[Path]:
    """Give an upload as a private file that is removed afterwards."""
    suffix = Path(name).suffix
    with tempfile.TemporaryDirectory(prefix="dedupindex-query-") as folder:
        path = Path(folder) / f"picture{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        with path.open("wb") as file:
            shutil.copyfileobj(data, file)
        try:
            yield path
        except ReadError as error:
            raise type(error)(Path(name), error.reason, error.detail) from error
