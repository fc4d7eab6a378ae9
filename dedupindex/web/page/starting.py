"""Start here: choose folders, scan them, watch how far it is. All of it works without a database yet."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from dedupindex.errors import IndexBusyError, SettingsError
from dedupindex.web.page.folders import Listing
from dedupindex.web.page.scans import Job
from dedupindex.web.page.site import Site, render
from dedupindex.web.page.start import Start

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
EVENT_SECONDS = 1.0  # between two events at most, while a scan runs
STREAM_SECONDS = 25.0  # after which a stream ends; the browser opens the next one by itself
PROFILES = {
    "default": "Thorough: finds crops, turned and edited copies too",
    "fast": "Fast: smaller pictures, no keypoints; finds whole copies",
}
MOST_CHOSEN = 50  # folders


@router.get("/scan")
def scan(
    request: Request, at: str = "", path: Annotated[list[str] | None, Query(max_length=MOST_CHOSEN)] = None
) -> Response:
    """Show how far the scan is, and the folders that can be scanned."""
    start: Start = request.app.state.start
    site: Site | None = request.app.state.site
    chosen, wrong = [], ""
    known = [str(root.path) for root in site.index.roots()] if site and path is None else []
    for text in dict.fromkeys(path or known):
        try:
            chosen.append(start.folders.checked(text))
        except SettingsError as error:
            wrong = wrong or (str(error) if path else "")
    listing: Listing | None = None
    try:
        listing = start.folders.listing(at) if at else None
    except SettingsError as error:
        wrong = str(error)
    return render(
        request,
        "scan.html.j2",
        status=400 if wrong else 200,
        site=site,
        state=start.scans.state,
        told=start.scans.state.told(time.monotonic()),
        job=start.scans.job,
        listing=listing,
        roots=start.folders.roots,
        chosen=chosen,
        error=wrong,
        profiles=PROFILES,
    )


@router.post("/scan")
def begin(
    request: Request,
    path: Annotated[list[str] | None, Form(max_length=MOST_CHOSEN)] = None,
    exclude: Annotated[str, Form(max_length=10_000)] = "",
    profile: Annotated[str, Form()] = "default",
    recursive: Annotated[str, Form()] = "",
) -> Response:
    """Start a scan of folders; without a database, make it first."""
    start: Start = request.app.state.start
    folders = tuple(start.folders.checked(text) for text in dict.fromkeys(path or ()))
    if not folders:
        raise SettingsError("choose a folder first")
    patterns = [line.strip() for line in exclude.splitlines() if line.strip()]
    if profile not in PROFILES:
        raise SettingsError(f"profile is {profile!r}, must be one of {', '.join(PROFILES)}")
    if start.scans.state.running:
        raise IndexBusyError("a scan is running; stop it, or wait until it is done")
    if request.app.state.site is None:
        start.make(profile)
    _start(request, Job(folders, bool(recursive), {"exclude": patterns} if patterns else {}))
    return RedirectResponse("/scan", 303)


@router.post("/scan/stop")
def stop(request: Request) -> Response:
    """Stop the scan; what was committed stays."""
    start: Start = request.app.state.start
    start.scans.stop()
    return RedirectResponse("/scan", 303)


@router.post("/scan/again")
def again(request: Request) -> Response:
    """Go on with the scan that was stopped, or do it again."""
    start: Start = request.app.state.start
    if start.scans.job is None or request.app.state.site is None:
        raise SettingsError("there was no scan since the start of this page")
    for folder in start.scans.job.paths:
        start.folders.checked(str(folder))
    _start(request, start.scans.job)
    return RedirectResponse("/scan", 303)


@router.get("/scan/events")
def events(request: Request) -> Response:
    """Give the progress of the scan as server-sent events."""
    start: Start = request.app.state.start

    def lines() -> Iterator[str]:
        until, number = time.monotonic() + STREAM_SECONDS, -1
        yield "retry: 500\n\n"
        while time.monotonic() < until and not start.scans.ended:
            state = start.scans.wait(number, EVENT_SECONDS)
            number = state.number
            yield f"data: {json.dumps(state.told(time.monotonic()))}\n\n"
            if not state.running:
                return

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _start(request: Request, job: Job) -> None:
    start: Start = request.app.state.start
    site: Site = request.app.state.site
    start.scans.start(site.index.location, job, done=site.group_lists.refresh)


def allowed_roots(given: tuple[Path, ...], known: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders at and below which the page may look.

    Parameters
    ----------
    given : tuple of Path
        By the option ``--allow-root``; where there are some, no others are.
    known : tuple of Path
        That the index was told to look into before.

    Returns
    -------
    tuple of Path
    """
    return given or (Path.home(), Path.cwd(), *(path for path in known if path.is_absolute()))
