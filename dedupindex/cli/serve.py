"""`serve`: the review page, or the service."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli import service
from dedupindex.cli.bank import ServiceBank
from dedupindex.cli.console import note, out
from dedupindex.cli.options import DONE, Session
from dedupindex.errors import IndexNotFoundError, SettingsError, chosen
from dedupindex.places import at_home

if TYPE_CHECKING:
    from dedupindex.index import Index
    from dedupindex.web.service.options import Options

NEEDED = ("fastapi", "uvicorn", "python_multipart")
SERVICE_NEEDED = ("prometheus_client",)


def serve(
    session: Session,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 = a free one.")] = 8000,
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="Address to listen on.")] = "127.0.0.1",
    allow_apply: Annotated[
        bool, typer.Option("--allow-apply", help="Let the page carry out plans, which moves or removes files.")
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    blur: service.BlurOption = False,
    api_only: service.ApiOnly = False,
    tokens: service.TokensOption = None,
    make_token: service.MakeToken = None,
    role: service.RoleOption = "write",
    create: service.Create = False,
    allow_host: service.AllowHost = None,
    allow_root: service.AllowRoot = None,
    proxy: service.Proxy = False,
    max_upload: service.MaxUpload = 100_000_000,
    concurrent: service.Concurrent = 16,
    rate: service.RateOption = "100/s",
    timeout: service.Timeout = 60.0,
    drain: service.Drain = 20.0,
    search_after: service.SearchAfter = 5.0,
    open_metrics: service.OpenMetrics = False,
    log_json: service.LogJson = False,
    log_names: service.LogNames = False,
    bank: ServiceBank = None,
) -> int:
    """Review the groups in a browser, on this machine only; or serve programs, with --api-only.

    Prints the page's address, which carries the token of this start. Decisions are written to the database; pictures
    are only read unless --allow-apply is given. Ends when it is interrupted.
    """
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in (*NEEDED, *(SERVICE_NEEDED if api_only else ()))):
        what = "service" if api_only else "review page"
        raise SettingsError(f"the {what} needs more packages: install dedupindex with its extra 'web'")
    if make_token is not None:
        print_token(make_token, role)
        return DONE
    if api_only and (allow_apply or open_browser):
        raise SettingsError("--api-only has no page: neither --allow-apply nor --open goes with it")
    options = options_of(
        allow_host=allow_host,
        allow_root=allow_root,
        proxy=proxy,
        max_upload=max_upload,
        concurrent=concurrent,
        rate=rate,
        timeout=timeout,
        drain=drain,
        search_after=search_after,
        open_metrics=open_metrics,
        log_json=log_json,
        log_names=log_names,
        bank=bank,
        blur=blur and api_only,
    )
    from dedupindex.web.service.options import Options
    from dedupindex.web.shared.serving import is_loopback

    roots = options.allow_roots
    if not api_only and (tokens is not None or create or replace(options, allow_roots=()) != Options()):
        raise SettingsError("options of the service were given: they go with --api-only")
    if not is_loopback(host) and not log_json:
        what, does = ("service", "may ask it for anything") if api_only else ("page", "sees your pictures")
        note(f"listening on {host}: other machines can reach this {what}, and whoever has the token {does}")
    if api_only:
        run_service(session, tokens, options, host=host, port=port, create=create)
    else:
        review_page(session, host, port, allow_apply=allow_apply, open_browser=open_browser, roots=roots, blur=blur)
    return DONE


def review_page(
    session: Session,
    host: str,
    port: int,
    *,
    allow_apply: bool,
    open_browser: bool,
    roots: tuple[Path, ...] = (),
    blur: bool = False,
) -> None:
    """Serve the review page until interrupted; print its address.

    Without a database the page begins with choosing folders, and makes the database with the first scan.

    Parameters
    ----------
    session : Session
    host : str
    port : int
        0 = one that is free.
    allow_apply : bool
        The page may change files.
    open_browser : bool
    blur : bool
        Blur all pictures.
    roots : tuple of Path
        At and below these the page may list folders and scan; empty = the usual ones.

    Raises
    ------
    DedupIndexError
        The database cannot be opened.
    OSError
        The port is taken, or the host is none of this machine's.
    """
    from dedupindex.web.page.running import serve as run

    def ready(address: str) -> None:
        out(address)
        if open_browser:
            import webbrowser

            webbrowser.open(address)

    def create(profile: str) -> Index:
        from dedupindex.index import Index

        overrides = session.overrides() | ({} if profile == "default" else {"profile": profile})
        return Index.open(session.location(), create=True, **overrides)

    overrides = session.overrides()
    try:
        opened = session.open()
    except IndexNotFoundError:
        note("there is no database yet: choose folders on the page")
        run(
            None,
            host=host,
            port=port,
            allow_apply=allow_apply,
            roots=roots,
            blur=blur,
            settings=overrides,
            create=create,
            ready=ready,
        )
        return
    with opened as index:
        if index.info()["unsearched"]:
            with session.progress() as progress:
                index.find_duplicates(progress=progress)
        run(
            index,
            host=host,
            port=port,
            allow_apply=allow_apply,
            roots=roots,
            blur=blur,
            settings=overrides,
            ready=ready,
        )


def options_of(
    *,
    allow_host: list[str] | None,
    allow_root: list[Path] | None,
    proxy: bool,
    max_upload: int,
    concurrent: int,
    rate: str,
    timeout: float,
    drain: float,
    search_after: float,
    open_metrics: bool,
    log_json: bool,
    log_names: bool,
    bank: list[Path] | None = None,
    blur: bool = False,
) -> Options:
    """Return what the flags of the service say.

    Parameters
    ----------
    allow_host : list of str or None
        Names by which clients may call the service.
    allow_root : list of Path or None
        Folders whose files may be named.
    proxy : bool
        A proxy stands in front; its headers count.
    max_upload : int
        Bytes.
    concurrent : int
        Most requests at a time.
    rate : str
        Like ``100/minute``.
    timeout, drain, search_after : float
        Seconds.
    open_metrics, log_json, log_names : bool
    bank : list of Path or None
        Files of hashes.
    blur : bool
        Blur all pictures.

    Returns
    -------
    Options

    Raises
    ------
    SettingsError
        One of them means nothing.
    """
    from dedupindex.web.service.options import Options, parse_rate

    return Options(
        hosts=frozenset(name.lower() for name in allow_host or ()),
        max_upload=max_upload,
        concurrent=concurrent,
        rate=parse_rate(rate),
        timeout=timeout,
        drain=drain,
        search_after=search_after,
        allow_roots=tuple(at_home(root).absolute() for root in allow_root or ()),
        proxy=proxy,
        open_metrics=open_metrics,
        log_json=log_json,
        log_names=log_names,
        banks=tuple(at_home(path) for path in bank or ()),
        blur=blur,
    )


def print_token(name: str, role: str) -> None:
    """Print the line of a fresh token, and for the eyes of whoever asked the token."""
    from dedupindex.web.service.tokens import Role, line_of, make_token

    role = chosen(role, Role)
    if role not in set(Role):
        raise SettingsError(f"role is {role!r}, must be one of {', '.join(Role)}")
    secret, token = make_token(name, Role(role))
    out(line_of(token))
    note(f"token of {name}, shown only now: {secret}")


def run_service(session: Session, file: Path | None, options: Options, *, host: str, port: int, create: bool) -> None:
    """Serve programs until interrupted; print the address, and how to bring the token where one was made.

    Parameters
    ----------
    session : Session
    file : Path or None
        File of tokens; None: one token is made for this start.
    options : Options
    host : str
    port : int
        0 = one that is free.
    create : bool
        Make the database where there is none.

    Raises
    ------
    DedupIndexError
        The database cannot be opened, or the tokens cannot be read.
    OSError
        The port is taken, or the host is none of this machine's.
    """
    from dedupindex.web.service.running import serve_api
    from dedupindex.web.service.tokens import Role, Tokens, make_token

    tokens = Tokens.load(file)
    lines: list[str] = []
    if tokens is None:
        secret, token = make_token("start", Role.WRITE)
        tokens, lines = Tokens((token,)), [f"Authorization: Bearer {secret}"]

    def ready(address: str) -> None:
        for line in (address, *lines):
            out(line)

    with session.open(create=create) as index:
        serve_api(index, tokens, options, host=host, port=port, ready=ready)
