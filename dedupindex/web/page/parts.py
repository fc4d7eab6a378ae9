"""Search for a part of a picture: a region that somebody draws on a picture of the index, or on an uploaded one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dedupindex.errors import ReadError, SettingsError
from dedupindex.records import ImageRecord
from dedupindex.web.page.queries import Query
from dedupindex.web.page.site import Site, site_of
from dedupindex.web.page.views import known_image

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
LARGEST = 1_000_000  # pixels of a side; larger ones are no pictures that are read


@router.get("/part")
def choose(request: Request, image: int = 0, query: str = "") -> Response:
    """Show a picture to draw a region on: the one of an image id, or that of an earlier search."""
    site = site_of(request)
    shown, asked = _picture(site, image, query)
    return _page(request, site, shown, asked)


@router.post("/part")
def search(
    request: Request,
    top: Annotated[int, Form(ge=0, le=LARGEST)],
    left: Annotated[int, Form(ge=0, le=LARGEST)],
    height: Annotated[int, Form(ge=1, le=LARGEST)],
    width: Annotated[int, Form(ge=1, le=LARGEST)],
    image: Annotated[int, Form()] = 0,
    query: Annotated[str, Form()] = "",
) -> Response:
    """Search for a region of a picture, in its pixels."""
    site = site_of(request)
    shown, asked = _picture(site, image, query)
    box = (top, left, height, width)
    try:
        if asked is not None:
            answer = site.queries.ask_part(asked, box)
        else:
            answer = site.queries.ask_part_of(shown, site.pictures.base(shown), box)
    except (ReadError, SettingsError) as error:
        words = f"{error.reason.replace('_', ' ')}: {error.detail}" if isinstance(error, ReadError) else str(error)
        return _page(request, site, shown, asked, box=box, error=words)
    if answer is None:
        return _page(request, site, shown, asked, box=box, error="The file is not there any more, or has changed.")
    return RedirectResponse(f"/query/{answer.id}", 303)


def _picture(site: Site, image: int, query: str) -> tuple[ImageRecord, Query | None]:
    if not query:
        return known_image(site, image), None
    asked = site.queries.find(query)
    if asked is None:
        raise HTTPException(404, "This query is not known any more: hand the picture in again.")
    return asked.image, asked


def _page(
    request: Request,
    site: Site,
    image: ImageRecord,
    asked: Query | None,
    *,
    box: tuple[int, int, int, int] | None = None,
    error: str = "",
) -> Response:
    address = f"/picture/{image.id}.jpg?side=1600" if asked is None else f"/query/{asked.id}/picture.jpg"
    return site.page(
        request,
        "part.html.j2",
        status=422 if error else 200,
        image=image,
        query=asked,
        name=asked.name if asked is not None else image.locations[0].path.name if image.locations else image.key[:12],
        address=address,
        box=box,
        error=error,
        pieces=site.queries.in_parts,
    )
