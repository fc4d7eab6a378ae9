"""The pages for people: a group and what is decided on it, queries, decisions, failures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dedupindex.errors import ReadError, SettingsError
from dedupindex.places import at_home
from dedupindex.reports.laid_pairs import pairs_with
from dedupindex.web.page.comparing import lying, stage, table
from dedupindex.web.page.group_lists import neighbours
from dedupindex.web.page.language import LANGUAGES
from dedupindex.web.page.listed import Filter, ListedGroup
from dedupindex.web.page.overview import filter_of
from dedupindex.web.page.plans import allowed, trash_the_rest
from dedupindex.web.page.review import Choice
from dedupindex.web.page.site import LANGUAGE, Site, site_of
from dedupindex.web.page.stacks import stack_of, surplus_in

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
MEMBERS = 60  # pictures of a group on a page
LANGUAGE_SECONDS = 365 * 86_400  # for which a chosen language is remembered


@router.get("/groups/{group_id}")
def group(
    request: Request,
    group_id: str,
    right: Annotated[int, Query(alias="with")] = 2,
    left: int = 1,
    start: int = 0,
) -> Response:
    """Show a group for review: two of its pictures beside one another, what differs, what is suggested."""
    site = site_of(request)
    chosen = filter_of(request)
    group_list = site.group_lists.current()
    entry = _entry(site, group_id)
    listing = group_list.listing(chosen)
    place, before, after = neighbours(listing, entry)
    members = entry.group.members
    count = len(members)
    start = max(0, min(start, count - 1))
    left = left if 1 <= left <= count else 1
    right = right if 1 <= right <= count and right != left else next((n for n in (2, 1) if n != left and n <= count), 0)
    one = members[left - 1].image
    other = members[right - 1].image if right else None
    lies = None if other is None else lying(entry.group, one.id, other.id)
    return site.page(
        request,
        "group.html.j2",
        entry=entry,
        group=entry.group,
        members=list(enumerate(members, 1))[start : start + MEMBERS],
        begin=start,
        step=MEMBERS,
        with_first=pairs_with(members[0], entry.group.pairs),
        left=left,
        right=right,
        one=members[left - 1],
        other=members[right - 1] if right else None,
        rows=() if other is None else table(one, other, site.tiles.facts),
        alone=site.tiles.facts(one) if other is None else None,
        lies=lies,
        stage=None if other is None else stage(one, other, lies),
        chosen=chosen,
        place=place,
        total=len(listing.entries),
        open=len(group_list.listing(Filter()).entries),
        before=before,
        after=after,
        last=site.review.last,
        stack=stack_of(site, entry.group),
    )


@router.post("/groups/{group_id}")
def decide(request: Request, group_id: str, do: Annotated[str, Form()]) -> Response:
    """Do something with a group, and go on.

    ``keep:KEY``, ``both``, ``apart``, ``out:KEY`` are written down; ``trash:KEY`` also moves the rest to the trash;
    ``skip`` goes to the next group; ``collect`` and ``uncollect`` put it into the plan and take it out; ``stay:PATH``
    chooses the place of equal files that stays.
    """
    site = site_of(request)
    chosen = filter_of(request)
    entry = _entry(site, group_id)
    listing = site.group_lists.current().listing(chosen)
    _, before, after = neighbours(listing, entry)
    choice, _, key = do.partition(":")
    here = f"/groups/{group_id}"
    if choice == "stay":
        path = Path(key)
        if not any(place.path == path for member in entry.group.members for place in member.image.locations):
            raise SettingsError("that file is not in this group")
        site.collected.choose(entry.group, path)
        return _on(here, chosen)
    if choice in ("collect", "uncollect"):
        (site.collected.put if choice == "collect" else site.collected.take)([group_id])
        return _on(f"/groups/{after}" if after and choice == "collect" else here, chosen)
    if choice == "skip":
        site.review.skipped.add(group_id)
        return _on(f"/groups/{after}" if after else "/", chosen)
    following = after or before
    done = ""
    if choice == "trash":
        allowed(request)
        done = trash_the_rest(site, entry, key)
    else:
        site.review.act(entry, choice, key)
    if choice == Choice.OUT:  # what is left of the group, if anything; its name may be another one now
        rest = {member.image.id for member in entry.group.members if member.image.key != key}
        left = site.group_lists.current().entries
        following = next((e.id for e in left if any(m.image.id in rest for m in e.group.members)), following)
    return _on(f"/groups/{following}" if following else "/", chosen, done=done)


@router.post("/undo")
def undo(request: Request, list: Annotated[str, Form()] = "") -> Response:
    """Take the latest decision back, and show its group, or the *list* where that was asked for."""
    site = site_of(request)
    act = site.review.undo()
    if act is not None:
        site.collected.take_surplus(surplus_in(act.made))
    chosen = filter_of(request)
    if act is None or list:
        return _on("/", chosen)
    there = site.group_lists.current().group(act.group) is not None
    return _on(f"/groups/{act.group}" if there else "/", chosen)


@router.post("/language")
def speak(code: Annotated[str, Form()], back: Annotated[str, Form()] = "/") -> Response:
    """Remember the reader's language in a cookie, and go back."""
    if code not in LANGUAGES:
        raise HTTPException(422, f"there is no language {code!r}; there are: {', '.join(LANGUAGES)}")
    answer = RedirectResponse("/" + quote(back.lstrip("/\\")), 303)  # never to another host
    answer.set_cookie(LANGUAGE, code, max_age=LANGUAGE_SECONDS, httponly=True, samesite="strict", path="/")
    return answer


@router.get("/query")
def ask(request: Request) -> Response:
    """Show the upload form."""
    return site_of(request).page(request, "query.html.j2", error="", place="")


@router.post("/query")
def answer(request: Request, picture: UploadFile) -> Response:
    """Search for an uploaded picture."""
    site = site_of(request)
    if not picture.filename:
        return _search(request, "Choose a picture first.")
    try:
        query = site.queries.ask(picture.filename, picture.file)
    except ReadError as error:
        return _search(request, f"{error.reason.replace('_', ' ')}: {error.detail}")
    return RedirectResponse(f"/query/{query.id}", 303)


@router.post("/query/place")
def answer_place(request: Request, place: Annotated[str, Form()]) -> Response:
    """Search for a picture that the index knows, by its path or URL; no other file is opened."""
    site = site_of(request)
    text = place.strip()
    try:
        image = site.index.image_at(text if "://" in text else at_home(Path(text))) if text else None
    except ValueError as error:
        return _search(request, str(error), text)
    if image is None:
        return _search(request, "The index knows no picture at that place.", text)
    query = site.queries.ask_known(image)
    if query is None:
        return _search(request, "The file is not there any more, or has changed.", text)
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


def _search(request: Request, error: str, place: str = "") -> Response:
    return site_of(request).page(request, "query.html.j2", status=422, error=error, place=place)


def _entry(site: Site, group_id: str) -> ListedGroup:
    entry = site.group_lists.current().group(group_id)
    if entry is None:
        raise HTTPException(404, "There is no such group any more: it was decided on, or its pictures are gone.")
    return entry


def _on(path: str, chosen: Filter, *, done: str = "") -> RedirectResponse:
    query = chosen.query(**({"done": done} if done else {}))
    return RedirectResponse(f"{path}?{query}" if query else path, 303)
