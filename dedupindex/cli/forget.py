"""`forget`: take places out of the index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.console import complain, out
from dedupindex.cli.options import DONE, FOUND, Session
from dedupindex.errors import SettingsError


def forget(
    session: Session,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="Files and folders.", show_default=False)
    ] = None,
    missing_for: Annotated[
        str,
        typer.Option(
            "--missing-for",
            metavar="TIME",
            help="Only places whose files have been gone for so long, e.g. 90d; without PATH, all of these.",
            show_default=False,
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be forgotten.")] = False,
) -> int:
    """Take files, or folders with all below them, out of the index. The files themselves are never touched.

    With --missing-for, only what scans have found gone for so long. Exit code 1 when the index knew nothing of one of
    the paths.
    """
    from dedupindex.places import text_of
    from dedupindex.reports.amounts import count

    if not paths and not missing_for:
        raise SettingsError("nothing to forget: give paths, or --missing-for")
    with session.open(allow_mismatch=True) as index:
        done = index.forget(paths or (), missing_for=missing_for or None, dry_run=dry_run)
    failed = f" and {count(done.failures, 'failed file')}" if done.failures else ""
    would = "would be forgotten" if dry_run else "forgotten"
    images = count(done.images, "picture")
    out(f"{count(done.locations, 'file')}{failed} {would}; {images} lay nowhere else")
    for path in done.unknown:
        complain(f"{text_of(path)}: the index knows nothing there")
    return FOUND if done.unknown else DONE
