"""`forget`: take places out of the index."""

from __future__ import annotations

from typing import Annotated

import typer

from dedupindex.cli.console import complain, out
from dedupindex.cli.options import DONE, FOUND, Paths, Session


def forget(
    session: Session,
    paths: Paths,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be forgotten.")] = False,
) -> int:
    """Take files, or folders with all below them, out of the index. The files themselves are never touched.

    Exit code 1 when the index knew nothing of one of them.
    """
    from dedupindex.places import text_of
    from dedupindex.reports.text import count

    with session.open(allow_mismatch=True) as index:
        done = index.forget(paths, dry_run=dry_run)
    failed = f" and {count(done.failures, 'failed file')}" if done.failures else ""
    would = "would be forgotten" if dry_run else "forgotten"
    images = count(done.images, "picture")
    out(f"{count(done.locations, 'file')}{failed} {would}; {images} lay nowhere else")
    for path in done.unknown:
        complain(f"{text_of(path)}: the index knows nothing there")
    return FOUND if done.unknown else DONE
