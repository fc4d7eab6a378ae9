"""The application of the service: routes behind the middleware, and error answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException as StarletteHTTPException

from dedupindex import Uploads, __version__
from dedupindex.errors import DedupIndexError
from dedupindex.index import Index
from dedupindex.reports.names import shown
from dedupindex.web.service import health, routes
from dedupindex.web.service.middleware import Middleware
from dedupindex.web.service.options import Options
from dedupindex.web.service.site import Service
from dedupindex.web.service.tokens import Tokens
from dedupindex.web.shared.faults import fault_of

log = logging.getLogger(__name__)

SPARE_THREADS = 8  # for health and metrics, when every place is taken
TRY_AGAIN = 2.0  # seconds between attempts to get ready
DESCRIPTION = """Pictures in, duplicates out.

Programs bring their token as `Authorization: Bearer TOKEN`. Errors are `{"error": "...", "reason": "..."}`; 429 and 503
come with `Retry-After`."""


def create_service(index: Index, uploads: Uploads, tokens: Tokens, options: Options) -> FastAPI:
    """Return the application over an open index.

    Parameters
    ----------
    index : Index
        Open for as long as the application runs, as are its *uploads*.
    uploads : Uploads
        Describes uploaded pictures.
    tokens : Tokens
        Who may do what.
    options : Options

    Returns
    -------
    FastAPI
    """
    app = FastAPI(
        title="dedupindex",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # would name a host
        lifespan=_lifespan,
    )
    service = app.state.service = app.state.face = Service.over(index, uploads, options)
    for router in routes.routers:
        app.include_router(router, dependencies=[Depends(HTTPBearer(auto_error=False))])  # for the document
    app.include_router(health.router)
    known = (*routes.routers, health.router)
    endpoints = frozenset(getattr(route, "path", "") for router in known for route in router.routes)
    app.add_middleware(Middleware, tokens=tokens, options=options, measures=service.measures, endpoints=endpoints)
    for kind in (DedupIndexError, RequestValidationError, StarletteHTTPException):
        app.add_exception_handler(kind, _refused)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    anyio.to_thread.current_default_thread_limiter().total_tokens = service.options.concurrent + SPARE_THREADS
    end = threading.Event()
    threading.Thread(target=_get_ready, args=(service, end), name="get-ready", daemon=True).start()
    service.searcher.start()
    try:
        yield
    finally:
        end.set()
        await anyio.to_thread.run_sync(service.searcher.stop)


def _get_ready(service: Service, end: threading.Event) -> None:
    """Load the vector index and start the workers, however often it takes."""
    while not end.is_set():
        try:
            service.uploads.warm()
            service.index.pulse()
        except DedupIndexError as error:
            if not end.is_set():
                log.warning("not ready yet: %s", error)
            end.wait(TRY_AGAIN)
        else:
            service.warm.set()
            return


async def _refused(request: Request, error: Exception) -> Response:
    fault = fault_of(error, strangers=True)
    return JSONResponse({"error": shown(fault.words), "reason": fault.reason}, fault.status, dict(fault.headers))
