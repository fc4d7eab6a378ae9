"""The application: routes behind the guard."""

from __future__ import annotations

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from dedupindex import Uploads, __version__
from dedupindex.errors import DedupIndexError
from dedupindex.index import Index
from dedupindex.web.page import api, pages, plans, views
from dedupindex.web.page.guard import Guard, Keys
from dedupindex.web.page.site import Site, site_of
from dedupindex.web.shared.faults import fault_of
from dedupindex.web.shared.gate import SAFE, same

UPLOADS = ("/query", "/api/query")
LARGEST_UPLOAD = 500_000_000  # bytes; the setting max_bytes holds too
DESCRIPTION = """Duplicate groups, queries by picture, and decisions.

Programs bring the token that `dedupindex serve` prints as `Authorization: Bearer TOKEN` (or `X-Dedupindex-Token`).
Errors are `{"error": "..."}`."""


def create_app(index: Index, uploads: Uploads, keys: Keys, *, allow_apply: bool = False, blur: bool = False) -> FastAPI:
    """Return the application over an open index.

    Parameters
    ----------
    index : Index
        Open for as long as the application runs, as are its *uploads*.
    keys : Keys
        Secrets and host names of this start.
    allow_apply : bool
        Let the page carry out plans, which moves or removes files.
    blur : bool
        Blur all pictures.
    uploads : Uploads
        Describes uploaded pictures.

    Returns
    -------
    FastAPI
    """
    app = FastAPI(
        title="dedupindex",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's own page loads scripts from elsewhere
        redoc_url=None,
        dependencies=[Depends(our_own)],
    )
    app.state.site = app.state.face = Site.over(index, uploads, keys, allow_apply=allow_apply, blur=blur)
    app.include_router(pages.router)
    app.include_router(plans.router)
    app.include_router(views.router)
    for router in api.routers:
        app.include_router(router)
    app.mount("/static", StaticFiles(packages=[("dedupindex.web.page", "static")]), name="static")
    app.add_middleware(
        Guard, keys=keys, uploads=UPLOADS, largest=min(LARGEST_UPLOAD, index.settings.max_bytes + 1_000_000)
    )
    app.add_exception_handler(DedupIndexError, _refused)
    app.add_exception_handler(StarletteHTTPException, _refused)
    return app


async def our_own(request: Request) -> None:
    """Refuse a change that came by cookie without the secret of our own pages."""
    if request.method in SAFE:
        return
    keys = site_of(request).keys
    if keys.is_token(request.headers):
        return
    given = request.headers.get("x-csrf-token", "")
    if not given and request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        given = str((await request.form()).get("csrf", ""))
    if not same(given, keys.form):
        raise HTTPException(403, "this form is not from this start of the page; load the page again")


async def _refused(request: Request, error: Exception) -> Response:
    fault = fault_of(error, strangers=False)
    return _answer(request, fault.status, fault.words)


def _answer(request: Request, status: int, words: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": words.encode("utf-8", "backslashreplace").decode()}, status)
    if not request.headers.get("accept", "").startswith("text/html"):
        return PlainTextResponse(words.encode("utf-8", "backslashreplace"), status)
    return site_of(request).page(request, "error.html.j2", status=status, code=status, words=words)
