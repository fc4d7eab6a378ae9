"""The same for programs, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, UploadFile
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from dedupindex.records import Decision, Relation
from dedupindex.reports.jsonfile import SCHEMA_VERSION, group_json, match_json
from dedupindex.reports.names import shown
from dedupindex.web.page.group_lists import Filter
from dedupindex.web.page.site import site_of

router = APIRouter(prefix="/api")
Json = dict[str, Any]


class Fault(BaseModel):
    """What went wrong."""

    error: str


class Info(TypedDict):
    """Counts, sizes, versions and settings, by name."""

    schema: int
    kind: Literal["info"]
    info: Json


class GroupList(TypedDict):
    """A page of groups, in the shape that `report --json` has."""

    schema: int
    kind: Literal["groups"]
    total: int
    groups: list[Json]


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


class DecisionList(TypedDict):
    """Decisions: kind, a, b (content keys; b is empty for a keeper), note, decided (UTC)."""

    schema: int
    kind: Literal["decisions"]
    decisions: list[Json]


class DecisionOrder(BaseModel):
    """What to remember of some pictures."""

    kind: Literal["not-duplicate", "keep-both", "keeper"]
    pictures: list[str] = Field(
        min_length=1, max_length=60, description="Content keys or paths; of two or more, every two are decided on."
    )
    note: str = Field(default="", max_length=2000)


FAULTS: dict[int | str, dict[str, Any]] = {
    403: {"model": Fault, "description": "No token, or a request from another origin"}
}


@router.get("/info", responses=FAULTS)
def info(request: Request) -> Info:
    """Tell what the database holds."""
    return {"schema": SCHEMA_VERSION, "kind": "info", "info": dict(site_of(request).index.info())}


@router.get("/groups", responses=FAULTS)
def groups(
    request: Request,
    relation: Annotated[Relation | None, Query(description="Only groups with such a pair.")] = None,
    min_score: Annotated[float, Query(ge=0, le=1, description="Of the weakest link.")] = 0.0,
    max_score: Annotated[float, Query(ge=0, le=1, description="Of the weakest link.")] = 1.0,
    state: Annotated[Literal["open", "kept", "all"], Query(description="kept: somebody chose a keeper.")] = "all",
    order: Annotated[Literal["largest", "doubtful"], Query()] = "largest",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> GroupList:
    """List duplicate groups."""
    chosen = Filter("" if relation is None else str(relation), min_score, max_score, state, order)
    found = site_of(request).group_lists.current().select(chosen)
    some = [group_json(entry.group) for entry in found[offset : offset + limit]]
    return {"schema": SCHEMA_VERSION, "kind": "groups", "total": len(found), "groups": some}


@router.get("/groups/{group_id}", responses={**FAULTS, 404: {"model": Fault}})
def group(request: Request, group_id: str) -> OneGroup:
    """Give one group with its pairs and their evidence."""
    entry = site_of(request).group_lists.current().group(group_id)
    if entry is None:
        raise HTTPException(404, f"no group {group_id}")
    return {"schema": SCHEMA_VERSION, "kind": "group", "group": group_json(entry.group)}


@router.post("/query", responses={**FAULTS, 413: {"model": Fault}, 422: {"model": Fault}})
def query(request: Request, image: UploadFile, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> Matches:
    """Find the stored pictures that show what an uploaded one shows (a form with the file as `image`)."""
    name = image.filename or "picture"
    found = site_of(request).queries.matches(name, image.file, limit)
    return {
        "schema": SCHEMA_VERSION,
        "kind": "query",
        "name": shown(name),
        "matches": [match_json(match) for match in found],
    }


@router.get("/decisions", responses=FAULTS)
def decisions(request: Request) -> DecisionList:
    """List every decision, oldest first."""
    return _list(site_of(request).index.decisions())


@router.post("/decisions", responses={**FAULTS, 400: {"model": Fault}})
def decide(request: Request, order: DecisionOrder) -> DecisionList:
    """Remember a decision; what was decided before on the same pictures is replaced."""
    site = site_of(request)
    made = site.index.decide(order.kind, order.pictures, order.note)
    site.group_lists.refresh()
    return _list(made.decisions)


def _list(found: Sequence[Decision]) -> DecisionList:
    listed = [
        {"kind": some.kind, "a": some.a, "b": some.b, "note": some.note, "decided": some.decided.isoformat()}
        for some in found
    ]
    return {"schema": SCHEMA_VERSION, "kind": "decisions", "decisions": listed}
