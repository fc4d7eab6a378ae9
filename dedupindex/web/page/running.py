"""Running the review page on a port of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dedupindex import Uploads
from dedupindex.errors import SettingsError
from dedupindex.index import Index
from dedupindex.web.page.app import create_app
from dedupindex.web.page.guard import Keys
from dedupindex.web.page.starting import allowed_roots
from dedupindex.web.shared.gate import hosts_for
from dedupindex.web.shared.serving import listening, run, shown_host

WORKERS = 2  # processes that decode uploads of one user


def serve(
    index: Index | None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_apply: bool = False,
    blur: bool = False,
    roots: tuple[Path, ...] = (),
    settings: Mapping[str, Any] | None = None,
    create: Callable[[str], Index] | None = None,
    ready: Callable[[str], None],
) -> None:
    """Serve the review page until interrupted or terminated.

    Parameters
    ----------
    index : Index or None
        None: there is no database yet; the page begins with choosing folders.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    allow_apply : bool
        Let the page carry out plans.
    blur : bool
        Blur all pictures.
    roots : tuple of Path
        At and below these the page may list folders and scan; empty = the user's folder, the current one, and those
        that the index was told to look into.
    settings : mapping, optional
        Single settings by name, for scans.
    create : callable, optional
        Makes the database with the profile of that name.
    ready : callable
        Is told the address with the token once the page answers.

    Raises
    ------
    OSError
        The port is taken, or the host is none of this machine's.
    """
    with listening(host, port) as listener, ExitStack() as open_:
        port = int(listener.getsockname()[1])
        keys = Keys(hosts_for(host, port))
        uploads = None if index is None else open_.enter_context(index.uploads(WORKERS))

        def make(profile: str) -> tuple[Index, Uploads]:
            if create is None:
                raise SettingsError("there is no database, and this start may not make one")
            made = open_.enter_context(create(profile))
            return made, open_.enter_context(made.uploads(WORKERS))

        known = () if index is None else tuple(root.path for root in index.roots())
        app = create_app(
            index,
            uploads,
            keys,
            allow_apply=allow_apply,
            blur=blur,
            roots=allowed_roots(roots, known),
            settings=settings,
            make=make,
        )
        if index is not None:
            app.state.site.group_lists.current()  # so that the first page is quick
        scans = app.state.start.scans
        open_.callback(scans.end)
        address = f"http://{shown_host(host)}:{port}/?token={keys.token}"
        run(app, listener, lambda: ready(address), ending=scans.end)
