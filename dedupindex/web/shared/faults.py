"""Error answers: a status, a reason for programs, words for people."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from dedupindex.errors import DedupIndexError, IndexBusyError, PlanChangedError, ReadError, Reason, SettingsError

log = logging.getLogger(__name__)
REASONS = {400: "request", 403: "role", 404: "not_found", 405: "method", 408: "slow", 413: "too_large"}


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer in place of what was asked for."""

    status: int
    reason: str
    words: str
    headers: Mapping[str, str] = field(default_factory=dict)


def fault_of(error: Exception, *, strangers: bool) -> Fault:
    """Return what an error becomes.

    Parameters
    ----------
    error : Exception
        A `DedupIndexError`, or what FastAPI raises where a request means nothing.
    strangers : bool
        Those who ask need not know what stands in an error of the catalogue itself: it is for the log alone, and they
        are told to try again. Else the user of this machine asks, who may read it.

    Raises
    ------
    Exception
        It is no such error.
    """
    if isinstance(error, HTTPException):
        return Fault(error.status_code, REASONS.get(error.status_code, "request"), str(error.detail))
    if isinstance(error, RequestValidationError):
        faults = [f"{'.'.join(str(part) for part in fault['loc'][1:])}: {fault['msg']}" for fault in error.errors()]
        return Fault(422, "request", "; ".join(faults))
    if not isinstance(error, DedupIndexError):
        raise error
    if isinstance(error, SettingsError):
        return Fault(400, "request", str(error))
    if isinstance(error, PlanChangedError):
        return Fault(409, "changed", str(error))
    if isinstance(error, ReadError) and error.reason != Reason.INTERNAL:
        return Fault(422, str(error.reason), str(error))
    if not strangers:
        return Fault(503 if isinstance(error, IndexBusyError) else 500, "internal", str(error))
    if isinstance(error, IndexBusyError):
        return Fault(503, "busy", "the catalogue is busy", {"Retry-After": "1"})
    log.error("%s", error)
    if isinstance(error, ReadError):
        return Fault(500, "internal", f"{error.path}: a fault of dedupindex")
    return Fault(503, "catalogue", "the catalogue cannot be used at the moment", {"Retry-After": "5"})
