"""A stack: a group and the pictures beside it that show the same scene or template with other content.

All of it can be kept, it can be taken apart, or one picture can be chosen as the best. Then the others go into the plan
or to the trash, after it was said which files these are: no copy of them stays.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dedupindex import PlanOptions
from dedupindex.errors import PlanChangedError, SettingsError
from dedupindex.records import Decision, DecisionKind, DuplicateGroup, ImageRecord, LocationRecord, Pair
from dedupindex.records.plans import Action
from dedupindex.reports.page_environment import alternates_of
from dedupindex.web.page.group_lists import GroupList
from dedupindex.web.page.listed import Filter, ListedGroup
from dedupindex.web.page.overview import filter_of
from dedupindex.web.page.plans import allowed, to_the_trash
from dedupindex.web.page.review import StackChoice
from dedupindex.web.page.site import Site, site_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


class Way(StrEnum):
    """What becomes of the pictures that are not the best."""

    PLAN = "plan"
    TRASH = "trash"


@dataclass(frozen=True, slots=True)
class StackPicture:
    """A picture of a stack.

    Attributes
    ----------
    image : ImageRecord
    pair : Pair or None
        With a picture of the group; None: it stands for the group, as its no. 1.
    best : bool
        Somebody chose it.
    surplus : bool
        Somebody decided that it is not wanted.
    planned : bool
        It was put into the plan.
    """

    image: ImageRecord
    pair: Pair | None
    best: bool
    surplus: bool
    planned: bool


def stack_of(site: Site, group: DuplicateGroup) -> tuple[StackPicture, ...]:
    """Return the stack of a group, its no. 1 first; empty where nothing stands beside it."""
    beside = alternates_of(group)
    if not beside:
        return ()
    going = site.index.surplus()
    stay = set(going.values())
    return tuple(
        StackPicture(image, pair, image.key in stay, image.key in going, image.key in site.collected.surplus)
        for image, pair in ((group.members[0].image, None), *beside)
    )


def going_beside(group_list: GroupList, group: DuplicateGroup, best: str) -> list[ImageRecord]:
    """Return the pictures of a stack that are not wanted where one of it is the best.

    Parameters
    ----------
    group_list : GroupList
    group : DuplicateGroup
    best : str
        Content key of a picture of the group or beside it.

    Returns
    -------
    list of ImageRecord
        Where the best one is of the group, all that stand beside it. Else also all of the group; but copies of the best
        stay: they are in a group with it.

    Raises
    ------
    SettingsError
        It is no picture of the stack.
    """
    own = [member.image for member in group.members]
    beside = [image for image, _ in alternates_of(group)]
    if best in {image.key for image in own}:
        return beside
    chosen = next((image for image in beside if image.key == best), None)
    if chosen is None:
        raise SettingsError("that picture is not in this stack")
    with_it = {
        member.image.id
        for entry in group_list.entries
        if entry.group.alternates and any(member.image.id == chosen.id for member in entry.group.members)
        for member in entry.group.members
    }
    return [image for image in (*own, *beside) if image.id != chosen.id and image.id not in with_it]


@router.post("/groups/{group_id}/stack")
def decide(request: Request, group_id: str, do: Annotated[str, Form()]) -> Response:
    """Keep all pictures of a stack (``all``), take it apart, or say what it means to keep one (``best:KEY``)."""
    site, chosen = site_of(request), filter_of(request)
    group_list, entry = _entry(site, group_id)
    choice, _, best = do.partition(":")
    if choice not in set(StackChoice):
        raise HTTPException(422, f"do is {do!r}, must be one of {', '.join(StackChoice)}")
    if choice != StackChoice.BEST:
        site.review.act_on_stack(entry, StackChoice(choice))
        return _back(site, group_id, chosen)
    going = going_beside(group_list, entry.group, best)
    files = _files(going)
    return site.page(
        request,
        "stack.html.j2",
        entry=entry,
        best=_picture(entry.group, best),
        key=best,
        going=[image for image in going if _places(image)],
        files=len(files),
        bytes=sum(place.size for place in files),
        digest=_digest(best, files),
        chosen=chosen,
    )


@router.post("/groups/{group_id}/stack/do")
def act(
    request: Request,
    group_id: str,
    best: Annotated[str, Form()],
    way: Annotated[str, Form()],
    digest: Annotated[str, Form()],
) -> Response:
    """Keep one picture of a stack, and put the very files that were shown into the plan or into the trash."""
    site, chosen = site_of(request), filter_of(request)
    if way not in set(Way):
        raise HTTPException(422, f"way is {way!r}, must be one of {', '.join(Way)}")
    if way == Way.TRASH:
        allowed(request)
    group_list, entry = _entry(site, group_id)
    going = going_beside(group_list, entry.group, best)
    if digest != _digest(best, _files(going)):
        raise PlanChangedError("The files are not those that this was said of: look at the stack again.")
    keys = [image.key for image in going]
    site.review.act_on_stack(entry, StackChoice.BEST, keys, best)
    done = ""
    if way == Way.PLAN:
        site.collected.put_surplus(keys)
    else:
        options = PlanOptions(Action.TRASH, protect=tuple(sorted(site.collected.stays)))
        done = to_the_trash(site, site.index.plan_of([], options, alternates=keys))
    return _back(site, group_id, chosen, done=done)


def surplus_in(made: Iterable[Decision]) -> set[str]:
    """Return the content keys that decisions let go, to take them out of the plan where these are undone."""
    known = list(made)
    keepers = {decision.a for decision in known if decision.kind == DecisionKind.KEEPER}
    both = {key for d in known if d.kind == DecisionKind.KEEP_ONE for key in (d.a, d.b)}
    return both - keepers


def _entry(site: Site, group_id: str) -> tuple[GroupList, ListedGroup]:
    group_list = site.group_lists.current()
    entry = group_list.group(group_id)
    if entry is None:
        raise HTTPException(404, "There is no such group any more: it was decided on, or its pictures are gone.")
    return group_list, entry


def _picture(group: DuplicateGroup, key: str) -> ImageRecord:
    images = [*(member.image for member in group.members), *(image for image, _ in alternates_of(group))]
    return next(image for image in images if image.key == key)


def _places(image: ImageRecord) -> list[LocationRecord]:
    return [place for place in image.locations if not place.missing]


def _files(images: Iterable[ImageRecord]) -> list[LocationRecord]:
    return [place for image in images for place in _places(image)]


def _digest(best: str, files: Iterable[LocationRecord]) -> str:
    """A digest of what stays, and of the files that would go as they are known."""
    said = [f"{os.fsencode(place.path).hex()} {place.size} {place.mtime_ns}" for place in files]
    return hashlib.sha256("\n".join([best, *said]).encode()).hexdigest()


def _back(site: Site, group_id: str, chosen: Filter, *, done: str = "") -> RedirectResponse:
    """Back to the group, or to the list where the group went with its files."""
    query = chosen.query(**({"done": done} if done else {}))
    path = f"/groups/{group_id}" if site.group_lists.current().group(group_id) is not None else "/"
    return RedirectResponse(f"{path}?{query}" if query else path, 303)
