"""Routes that give pictures: by row id, with a tag that browsers keep them by."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi import Path as PathNumber
from fastapi.responses import Response

from dedupindex.index.overlays import jpeg, regions_on
from dedupindex.records import ImageRecord
from dedupindex.web.page.site import Site, site_of
from dedupindex.web.shared.api import picture_answer
from dedupindex.web.shared.pictures import SIDES, Picture, View
from dedupindex.web.shared.tiles import STEPS

router = APIRouter(include_in_schema=False)
LAST_ID = 2**63 - 1
LAST_TILE = 100_000


@router.get("/thumbnail/{image_id}.jpg")
def thumbnail(request: Request, image_id: int) -> Response:
    """Give the small picture that the database keeps of an image."""
    site = site_of(request)
    return picture_answer(request, site.pictures.thumbnail(known_image(site, image_id)))


@router.get("/picture/{image_id}.jpg")
def picture(request: Request, image_id: int, side: int = SIDES[0]) -> Response:
    """Give the picture of an image, encoded anew from its file."""
    if side not in SIDES:
        raise HTTPException(422, f"side is {side}, must be one of {SIDES}")
    site = site_of(request)
    return picture_answer(request, site.pictures.picture(known_image(site, image_id), side))


@router.get("/aligned/{group_id}/{number}/{view}.jpg")
def aligned(request: Request, group_id: str, number: int, view: View) -> Response:
    """Give a view of picture *number* of a group, laid over its first one."""
    site = site_of(request)
    group_list = site.group_lists.current()
    entry = group_list.group(group_id)
    if entry is None or not 2 <= number <= len(entry.group.members):
        raise HTTPException(404, "no such pictures")
    first, other = entry.group.members[0].image, entry.group.members[number - 1].image
    pair = group_list.pair(entry.group, first.id, other.id)
    if pair is None:
        raise HTTPException(404, "these two were not compared with one another")
    turned = pair.a.id != first.id
    changed = regions_on(pair, first)
    laid = site.pictures.laid(first, other, pair.verification.registration, turned=turned, changed=changed)
    return picture_answer(request, laid.get(view))


@router.get("/tiles/{image_id}/{level}/{row}/{column}")
def tile(
    request: Request,
    image_id: int,
    level: Annotated[int, PathNumber(ge=0, le=30)],
    row: Annotated[int, PathNumber(ge=0, le=LAST_TILE)],
    column: Annotated[int, PathNumber(ge=0, le=LAST_TILE)],
    low: Annotated[int, Query(ge=0, le=STEPS - 1)] = 0,
    high: Annotated[int, Query(ge=1, le=STEPS)] = STEPS,
) -> Response:
    """Give a piece of an image at the full size of its file (level 0), or at a half, a quarter ... of it."""
    if low >= high:
        raise HTTPException(422, f"low is {low}, must be below high, {high}")
    site = site_of(request)
    image = known_image(site, image_id)
    tag = f'"{image.key[:20]}-{image.frame}-{level}-{row}-{column}-{low}-{high}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    tiled = site.tiles.picture(image, low, high)
    data = tiled.tiles.get((level, row, column)) if tiled else None
    if tiled is None or data is None:
        raise HTTPException(404, "there is no such piece of it")
    return Response(data, media_type=tiled.kind, headers=headers)


@router.get("/query/{query_id}/picture.jpg")
def query_picture(request: Request, query_id: str) -> Response:
    """Give the uploaded picture."""
    query = site_of(request).queries.find(query_id)
    if query is None:
        raise HTTPException(404, "this query is not known any more")
    return picture_answer(request, Picture(jpeg(query.thumbnail.pixels), query_id))


@router.get("/query/{query_id}/{number}/{view}.jpg")
def query_aligned(request: Request, query_id: str, number: int, view: View) -> Response:
    """Give a view of match *number*, laid over the uploaded picture."""
    site = site_of(request)
    query = site.queries.find(query_id)
    if query is None or not 1 <= number <= len(query.matches):
        raise HTTPException(404, "this query is not known any more")
    match = query.matches[number - 1]
    laid = site.pictures.laid_on(query.thumbnail, query.image, match.image, match.registration)
    return picture_answer(request, laid.get(view))


def known_image(site: Site, image_id: int) -> ImageRecord:
    """Return an image by its row id.

    Raises
    ------
    HTTPException
        404, there is none.
    """
    image = site.index.image(image_id) if 0 < image_id <= LAST_ID else None
    if image is None:
        raise HTTPException(404, "no such picture")
    return image
