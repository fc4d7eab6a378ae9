"""Routes for operators: alive, ready, metrics."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from dedupindex.errors import DedupIndexError, IndexBusyError, SchemaVersionError
from dedupindex.web.service.measures import CONTENT_TYPE
from dedupindex.web.service.site import service_of

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Say that the process lives; nothing else is looked at."""
    return "alive\n"


@router.get("/readyz", responses={503: {"description": "Not ready, with the reason"}})
def readyz(request: Request) -> Response:
    """Say whether requests can be answered: the catalogue answers, its schema fits, the vector index is loaded."""
    service = service_of(request)
    if not service.warm.is_set():
        return _unready("loading", "the vector index is being loaded")
    try:
        generation = service.index.pulse()
    except SchemaVersionError as error:
        return _unready("schema", f"the catalogue has schema {error.current}, this program {error.head}")
    except IndexBusyError:
        return _unready("busy", "the catalogue is busy")
    except DedupIndexError as error:
        log.warning("not ready: %s", error)
        return _unready("catalogue", "the catalogue does not answer")
    return JSONResponse({"ready": True, "generation": generation})


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Give measures in Prometheus' text format; without a token where the start allowed it, or on loopback."""
    return Response(service_of(request).measures.text(), media_type=CONTENT_TYPE)


def _unready(reason: str, words: str) -> JSONResponse:
    return JSONResponse({"ready": False, "reason": reason, "error": words}, 503)
