"""The application of the service: routes behind the door, and what errors become."""

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
from dedupindex.errors import DedupIndexError, IndexBusyError, ReadError, Reason, SettingsError
from dedupindex.index import Index
from dedupindex.reports.names import shown
from dedupindex.web.service import health, routes
from dedupindex.web.service.middleware import Middleware
from dedupindex.web.service.options import Options
from dedupindex.web.service.site import Service
from dedupindex.web.service.tokens import Tokens

log = logging.getLogger(__name__)

SPARE_THREADS = 8  # for health and metrics, when every place is taken
TRY_AGAIN = 2.0  # seconds between attempts to get ready
REASONS = {400: "request", 403: "role", 404: "not_found", 405: "method", 408: "slow", 413: "too_large"}
DESCRIPTION = """Pictures in, duplicates out.

Programs bring their token as `Authorization: Bearer TOKEN`. Errors are `{"error": "...", "reason": "..."}`; 429 and 503
come with `Retry-After`."""


def create_service(index: Index, uploads: Uploads, tokens: Tokens, options: Options) -> FastAPI:
    """Return the application over an open index.

    Parameters
    ----------
    index : Index
        Open for as long as the application runs, as are its *uploads*.
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
    service = app.state.service = Service.over(index, uploads, options)
    app.include_router(routes.router, dependencies=[Depends(HTTPBearer(auto_error=False))])  # for the document
    app.include_router(health.router)
    endpoints = frozenset(getattr(route, "path", "") for route in (*routes.router.routes, *health.router.routes))
    app.add_middleware(Middleware, tokens=tokens, options=options, measures=service.measures, endpoints=endpoints)
    app.add_exception_handler(DedupIndexError, _said)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _http)
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


async def _said(request: Request, error: Exception) -> Response:
    """Answer what was raised on purpose; what stands in it of the catalogue itself is for the log alone."""
    if isinstance(error, SettingsError):
        return _answer(400, "request", str(error))
    if isinstance(error, ReadError) and error.reason != Reason.INTERNAL:
        return _answer(422, str(error.reason), str(error))
    if isinstance(error, ReadError):
        log.error("%s", error)
        return _answer(500, "internal", f"{error.path}: a fault of dedupindex")
    if isinstance(error, IndexBusyError):
        return _answer(503, "busy", "the catalogue is busy", {"Retry-After": "1"})
    log.error("%s", error)
    return _answer(503, "catalogue", "the catalogue cannot be used at the moment", {"Retry-After": "5"})


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [f"{'.'.join(str(part) for part in fault['loc'][1:])}: {fault['msg']}" for fault in error.errors()]
    return _answer(422, "request", "; ".join(faults))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, StarletteHTTPException):
        raise error
    return _answer(error.status_code, REASONS.get(error.status_code, "request"), str(error.detail))


def _answer(status: int, reason: str, words: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": shown(words), "reason": reason}, status, headers)
