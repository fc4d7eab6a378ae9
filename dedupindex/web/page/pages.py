"""The pages for people."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dedupindex.errors import ReadError
from dedupindex.records import Relation
from dedupindex.reports.text import pairs_with
from dedupindex.web.page.group_lists import ORDERS, PAGE, STATES, Filter, ListOrder, ListState, neighbours
from dedupindex.web.page.review import Choice
from dedupindex.web.page.site import site_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
MEMBERS = 60  # pictures of a group on a page


def chosen_filter(
    relation: str = "", least: str = "", most: str = "", state: str = ListState.OPEN, order: str = ListOrder.LARGEST
) -> Filter:
    """Return the filter that an address asks for; what means nothing counts as not given.

    Parameters
    ----------
    relation : str
        Value of a `Relation`; "" = any.
    least, most : str
        Range of the score of the weakest link, 0..1.
    state : str
        Value of a `ListState`.
    order : str
        Value of a `ListOrder`.

    Returns
    -------
    Filter
    """
    return Filter(
        relation if relation in set(Relation) else "",
        _share(least, 0.0),
        _share(most, 1.0),
        ListState(state) if state in set(ListState) else ListState.OPEN,
        ListOrder(order) if order in set(ListOrder) else ListOrder.LARGEST,
    )


def filter_of(query: str) -> Filter:
    """Return the filter that the query part of an address asks for."""
    known = dict(parse_qsl(query))
    return chosen_filter(**{name: known[name] for name in Filter.__dataclass_fields__ if name in known})


@router.get("/")
def overview(request: Request, page: int = 1) -> Response:
    """Show counts, runs and the list of groups."""
    site = site_of(request)
    chosen = filter_of(request.url.query)
    group_list = site.group_lists.current()
    entries = group_list.select(chosen)
    pages = max(1, -(-len(entries) // PAGE))
    page = min(max(1, page), pages)
    return site.page(
        request,
        "overview.html.j2",
        counts=group_list.overview.counts,
        runs=group_list.overview.runs,
        group_list=group_list,
        chosen=chosen,
        entries=entries[(page - 1) * PAGE : page * PAGE],
        total=len(entries),
        page=page,
        pages=pages,
        states=STATES,
        orders=ORDERS,
        relations=list(Relation),
    )


@router.get("/groups/{group_id}")
def group(request: Request, group_id: str, show: Annotated[int, Query(alias="with")] = 2, start: int = 0) -> Response:
    """Show a group for review."""
    site = site_of(request)
    chosen = filter_of(request.url.query)
    group_list = site.group_lists.current()
    entry = group_list.group(group_id)
    if entry is None:
        raise HTTPException(404, "There is no such group any more: it was decided on, or its pictures are gone.")
    entries = group_list.select(chosen)
    place, before, after = neighbours(entries, group_id)
    members = entry.group.members
    start = max(0, min(start, len(members) - 1))
    with_first = pairs_with(members[0], entry.group.pairs)
    compared = [number for number, member in enumerate(members[1:], 2) if member.image.id in with_first]
    return site.page(
        request,
        "group.html.j2",
        entry=entry,
        group=entry.group,
        members=list(enumerate(members, 1))[start : start + MEMBERS],
        start=start,
        step=MEMBERS,
        with_first=with_first,
        compared=compared,
        stage=show if show in compared else (compared[0] if compared else 0),
        chosen=chosen,
        place=place,
        total=len(entries),
        before=before,
        after=after,
        last=site.review.last,
    )


@router.post("/groups/{group_id}")
def decide(request: Request, group_id: str, do: Annotated[str, Form()]) -> Response:
    """Write down what was decided on a group (``keep:KEY``, ``both``, ``apart``, ``out:KEY``); go to the next one."""
    site = site_of(request)
    chosen = filter_of(request.url.query)
    group_list = site.group_lists.current()
    entry = group_list.group(group_id)
    if entry is None:
        raise HTTPException(404, "There is no such group any more: it was decided on, or its pictures are gone.")
    _, before, after = neighbours(group_list.select(chosen), group_id)
    choice, _, key = do.partition(":")
    site.review.act(entry, choice, key)
    following = after or before
    if choice == Choice.OUT:  # what is left of the group, if anything; its name may be another one now
        rest = {member.image.id for member in entry.group.members if member.image.key != key}
        left = site.group_lists.current().entries
        following = next((e.id for e in left if any(m.image.id in rest for m in e.group.members)), following)
    path = f"/groups/{following}" if following else "/"
    return _on(path, chosen)


@router.post("/undo")
def undo(request: Request) -> Response:
    """Take the latest decision back, and show its group."""
    site = site_of(request)
    act = site.review.undo()
    chosen = filter_of(request.url.query)
    if act is None:
        return _on("/", chosen)
    there = site.group_lists.current().group(act.group) is not None
    return _on(f"/groups/{act.group}" if there else "/", chosen)


@router.get("/query")
def ask(request: Request) -> Response:
    """Show the upload form."""
    return site_of(request).page(request, "query.html.j2", error="")


@router.post("/query")
def answer(request: Request, picture: UploadFile) -> Response:
    """Search for an uploaded picture."""
    site = site_of(request)
    if not picture.filename:
        return site.page(request, "query.html.j2", status=422, error="Choose a picture first.")
    try:
        query = site.queries.ask(picture.filename, picture.file)
    except ReadError as error:
        return site.page(
            request, "query.html.j2", status=422, error=f"{error.reason.replace('_', ' ')}: {error.detail}"
        )
    return RedirectResponse(f"/query/{query.id}", 303)


@router.get("/query/{query_id}")
def answers(request: Request, query_id: str) -> Response:
    """Show the matches of an uploaded picture."""
    site = site_of(request)
    query = site.queries.find(query_id)
    if query is None:
        raise HTTPException(404, "This query is not known any more: hand the picture in again.")
    return site.page(request, "answers.html.j2", query=query)


@router.get("/decisions")
def decisions(request: Request) -> Response:
    """Show every decision, newest first."""
    site = site_of(request)
    newest_first = list(reversed(site.index.decisions()))
    shown = newest_first[:500]
    images = site.index.images_of({key for decision in shown for key in (decision.a, decision.b) if key})
    return site.page(request, "decisions.html.j2", decisions=shown, total=len(newest_first), images=images)


@router.post("/decisions/forget")
def forget(request: Request, a: Annotated[str, Form()], b: Annotated[str, Form()] = "") -> Response:
    """Forget one decision."""
    site = site_of(request)
    kinds = [decision.kind for decision in site.index.decisions() if (decision.a, decision.b) == (a, b)]
    for kind in kinds:
        site.index.undecide([a, b] if b else [a], kind)
    site.group_lists.refresh()
    return RedirectResponse("/decisions", 303)


@router.get("/failures")
def failures(request: Request) -> Response:
    """Show the files that could not be read."""
    site = site_of(request)
    return site.page(request, "failures.html.j2", failures=site.index.failures())


@router.get("/api/")
@router.get("/api")
def documentation(request: Request) -> Response:
    """Show the JSON interface for people."""
    return site_of(request).page(request, "api.html.j2", document=request.app.openapi())


def _on(path: str, chosen: Filter) -> RedirectResponse:
    query = chosen.query()
    return RedirectResponse(f"{path}?{query}" if query else path, 303)


def _share(text: str, default: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return default
    return value if 0 <= value <= 1 else default
