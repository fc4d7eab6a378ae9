"""The application: routes behind the guard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from dedupindex import Uploads, __version__
from dedupindex.errors import DedupIndexError, said
from dedupindex.index import Index
from dedupindex.web.page import api, overview, pages, parts, plans, stacks, starting, views
from dedupindex.web.page.folders import Folders
from dedupindex.web.page.guard import Guard, Keys
from dedupindex.web.page.scans import Scans
from dedupindex.web.page.site import Site, render
from dedupindex.web.page.start import NoIndexError, Start
from dedupindex.web.shared.faults import fault_of
from dedupindex.web.shared.gate import SAFE, same

UPLOADS = ("/query", "/api/query")
LARGEST_UPLOAD = 500_000_000  # bytes; the setting max_bytes holds too
DESCRIPTION = """Duplicate groups, queries by picture, and decisions.

Programs bring the token that `dedupindex serve` prints as `Authorization: Bearer TOKEN` (or `X-Dedupindex-Token`).
Errors are `{"error": "..."}`."""


def create_app(
    index: Index | None,
    uploads: Uploads | None,
    keys: Keys,
    *,
    allow_apply: bool = False,
    blur: bool = False,
    roots: Sequence[Path] = (),
    settings: Mapping[str, Any] | None = None,
    make: Callable[[str], tuple[Index, Uploads]] | None = None,
) -> FastAPI:
    """Return the application over an open index, or over none yet.

    Parameters
    ----------
    index : Index or None
        Open for as long as the application runs, as are its *uploads*. None: there is no database, and the page begins
        with choosing folders.
    uploads : Uploads or None
        Describes uploaded pictures.
    keys : Keys
        Secrets and host names of this start.
    allow_apply : bool
        Let the page carry out plans, which moves or removes files.
    blur : bool
        Blur all pictures.
    roots : sequence of Path
        At and below these the page may list folders and scan.
    settings : mapping, optional
        Single settings by name, for scans.
    make : callable, optional
        Makes the database with the profile of that name, where there is none; returns it open.

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
    making = threading.Lock()

    def show(opened: Index, describing: Uploads) -> None:
        app.state.site = app.state.face = Site.over(opened, describing, keys, allow_apply=allow_apply, blur=blur)

    def made(profile: str) -> None:
        with making:
            if app.state.site is None:
                if make is None:
                    raise NoIndexError
                show(*make(profile))

    app.state.site = app.state.face = None
    if index is not None and uploads is not None:
        show(index, uploads)
    app.state.start = Start(keys, Folders(roots), Scans(settings), made)
    for part in (overview, pages, stacks, parts, plans, views, starting):
        app.include_router(part.router)
    for router in api.routers:
        app.include_router(router)
    app.mount("/static", StaticFiles(packages=[("dedupindex.web.page", "static")]), name="static")
    largest = LARGEST_UPLOAD if index is None else min(LARGEST_UPLOAD, index.settings.max_bytes + 1_000_000)
    app.add_middleware(Guard, keys=keys, uploads=UPLOADS, largest=largest)
    app.add_exception_handler(DedupIndexError, _refused)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(NoIndexError, _nothing_yet)
    app.add_exception_handler(OSError, _failed)
    return app


async def our_own(request: Request) -> None:
    """Refuse a change that came by cookie without the secret of our own pages."""
    if request.method in SAFE:
        return
    keys = request.app.state.start.keys
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


async def _failed(request: Request, error: Exception) -> Response:
    """Say what the system refused: a full disk, a folder without rights."""
    assert isinstance(error, OSError)
    return _answer(request, 500, said(error))


async def _nothing_yet(request: Request, error: Exception) -> Response:
    """Without a database all pages lead to where one begins."""
    if request.method in SAFE and not request.url.path.startswith("/api/"):
        return RedirectResponse("/scan", 303)
    return _answer(request, 409, "There is no database yet: choose folders and scan them first.")


def _answer(request: Request, status: int, words: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": words.encode("utf-8", "backslashreplace").decode()}, status)
    if not request.headers.get("accept", "").startswith("text/html"):
        return PlainTextResponse(words.encode("utf-8", "backslashreplace"), status)
    site: Site | None = request.app.state.site
    return render(request, "error.html.j2", status=status, site=site, code=status, words=words)
