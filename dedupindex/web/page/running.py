"""Running the review page on a port of this machine."""

from __future__ import annotations

from collections.abc import Callable

from dedupindex.index import Index
from dedupindex.web.page.app import create_app
from dedupindex.web.page.guard import Keys
from dedupindex.web.shared.gate import hosts_for
from dedupindex.web.shared.serving import listening, run, shown_host

WORKERS = 2  # processes that decode uploads of one user


def serve(
    index: Index,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_apply: bool = False,
    blur: bool = False,
    ready: Callable[[str], None],
) -> None:
    """Serve the review page until interrupted or terminated.

    Parameters
    ----------
    index : Index
    host, port : str, int
        Where to listen; port 0 takes a free one.
    ready : callable
        Is told the address with the token once the page answers.
    allow_apply : bool
        Let the page carry out plans.
    blur : bool
        Blur all pictures.

    Raises
    ------
    OSError
        The port is taken, or the host is none of this machine's.
    """
    with listening(host, port) as listener, index.uploads(WORKERS) as uploads:
        port = int(listener.getsockname()[1])
        keys = Keys(hosts_for(host, port))
        app = create_app(index, uploads, keys, allow_apply=allow_apply, blur=blur)
        app.state.site.group_lists.current()  # so that the first page is quick
        run(app, listener, lambda: ready(f"http://{shown_host(host)}:{port}/?token={keys.token}"))
