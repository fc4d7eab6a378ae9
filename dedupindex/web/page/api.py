"""JSON interface of the review page, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from dedupindex.records import Decision, Relation
from dedupindex.reports.jsonfile import SCHEMA_VERSION, group_json
from dedupindex.web.page.listed import Filter, ListOrder, ListState
from dedupindex.web.page.site import site_of
from dedupindex.web.shared.api import Json, common_routes

router = APIRouter(prefix="/api")


class Fault(BaseModel):
    """What went wrong."""

    error: str


class GroupList(TypedDict):
    """A page of groups, in the shape that `report --json` has."""

    schema: int
    kind: Literal["groups"]
    total: int
    groups: list[Json]


class DecisionList(TypedDict):
    """Decisions: kind, a, b (content keys; b is empty for a keeper), note, decided (UTC)."""

    schema: int
    kind: Literal["decisions"]
    decisions: list[Json]


class DecisionOrder(BaseModel):
    """What to remember of some pictures."""

    kind: Literal["not-duplicate", "keep-both", "keeper", "keep-one"]
    pictures: list[str] = Field(
        min_length=1,
        max_length=60,
        description="Content keys or paths; of two or more, every two are decided on; "
        "of keep-one, the first and each of the others.",
    )
    note: str = Field(default="", max_length=2000)


def _faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error answers of a route."""
    forbidden = {"model": Fault, "description": "No token, or a request from another origin"}
    return {403: forbidden, **{status: {"model": Fault} for status in statuses}}


@router.get("/groups", responses=_faults())
def groups(
    request: Request,
    relation: Annotated[Relation | None, Query(description="Only groups with such a pair.")] = None,
    min_score: Annotated[float, Query(ge=0, le=1, description="Of the weakest link.")] = 0.0,
    max_score: Annotated[float, Query(ge=0, le=1, description="Of the weakest link.")] = 1.0,
    state: Annotated[Literal["open", "kept", "all"], Query(description="kept: somebody chose a keeper.")] = "all",
    order: Annotated[Literal["largest", "freed", "doubtful", "newest", "name"], Query()] = "largest",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> GroupList:
    """List duplicate groups."""
    chosen = Filter(
        relation="" if relation is None else str(relation),
        least=min_score,
        most=max_score,
        state=ListState(state),
        order=ListOrder(order),
    )
    chosen_groups = site_of(request).group_lists.current().select(chosen)
    shown = [group_json(entry.group) for entry in chosen_groups[offset : offset + limit]]
    return {"schema": SCHEMA_VERSION, "kind": "groups", "total": len(chosen_groups), "groups": shown}


@router.get("/decisions", responses=_faults())
def decisions(request: Request) -> DecisionList:
    """List every decision, oldest first."""
    return _list(site_of(request).index.decisions())


@router.post("/decisions", responses=_faults(400))
def decide(request: Request, order: DecisionOrder) -> DecisionList:
    """Remember a decision; what was decided before on the same pictures is replaced."""
    site = site_of(request)
    made = site.index.decide(order.kind, order.pictures, order.note)
    site.group_lists.refresh()
    return _list(made.decisions)


def _list(decided: Sequence[Decision]) -> DecisionList:
    listed = [
        {
            "kind": decision.kind,
            "a": decision.a,
            "b": decision.b,
            "note": decision.note,
            "decided": decision.decided.isoformat(),
        }
        for decision in decided
    ]
    return {"schema": SCHEMA_VERSION, "kind": "decisions", "decisions": listed}


routers = (common_routes(_faults), router)
