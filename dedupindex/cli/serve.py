"""`serve`: the review page."""

from __future__ import annotations

from typing import Annotated

import typer

from dedupindex.cli.console import note, out
from dedupindex.cli.options import DONE, Session

NEEDED = ("fastapi", "uvicorn", "python_multipart")


def serve(
    session: Session,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 = a free one.")] = 8000,
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="Address to listen on.")] = "127.0.0.1",
    allow_apply: Annotated[
        bool, typer.Option("--allow-apply", help="Let the page carry out plans, which moves or removes files.")
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> int:
    """Review the groups in a browser, on this machine only.

    Prints the page's address, which carries the token of this start. Decisions are written to the database; pictures
    are only read unless --allow-apply is given. Ends when it is interrupted.
    """
    from importlib.util import find_spec

    from dedupindex.errors import SettingsError

    if any(find_spec(name) is None for name in NEEDED):
        raise SettingsError("the review page needs the extra 'web': pip install 'dedupindex[web]'")
    from dedupindex.web.serving import is_loopback
    from dedupindex.web.serving import serve as run

    def ready(address: str) -> None:
        out(address)
        if open_browser:
            import webbrowser

            webbrowser.open(address)

    if not is_loopback(host):
        note(f"listening on {host}: other machines can reach this page, and whoever has the token sees your pictures")
    with session.open() as index:
        if index.info()["unsearched"]:
            with session.progress() as progress:
                index.find_duplicates(progress=progress)
        run(index, host=host, port=port, allow_apply=allow_apply, ready=ready)
    return DONE
