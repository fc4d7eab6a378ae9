"""`import-list`: the pictures of a photo server as a list."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import typer

from dedupindex.cli.choices import SERVERS, completer, one_of
from dedupindex.cli.console import note, out_bytes
from dedupindex.cli.options import DONE, Session
from dedupindex.errors import SettingsError, chosen, nearest
from dedupindex.places import at_home


def import_list(
    session: Session,
    answer: Annotated[
        Path, typer.Argument(metavar="ANSWER.json", help="What the server's API sent.", show_default=False)
    ],
    server: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar=one_of(SERVERS),
            help="Whose answer it is. [default: found out]",
            show_default=False,
            autocompletion=completer(SERVERS),
        ),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="THERE=HERE",
            help="What the server knows below THERE lies here below HERE; =HERE for relative paths; several times.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="LIST.csv", help="The list. [default: stdout]")
    ] = None,
) -> int:
    """Make a list of the pictures of an Immich or PhotoPrism server, with their ids.

    Give the list to `ingest --list LIST.csv --id-column id`; `report --format immich` then names assets by their ids.
    """
    from dedupindex import PhotoServer, mapped, read_answer
    from dedupindex.cli.outputs import require_folders
    from dedupindex.durable import output_path, write_whole

    require_folders(output)
    wanted = None if server is None else chosen(server, SERVERS)
    if wanted is not None and wanted not in SERVERS:
        raise SettingsError(f"no server {wanted}; there are: {', '.join(SERVERS)}{nearest(wanted, SERVERS)}")
    pairs = [rule.partition("=") for rule in rules or ()]
    if any(not separator or not here for _, separator, here in pairs):
        raise SettingsError("--map must be like /usr/src/app/upload=/srv/immich, or =/srv/originals")
    kind, files = read_answer(at_home(answer), None if wanted is None else PhotoServer(wanted))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "id"))
    folders = [(there, str(at_home(Path(here)).absolute())) for there, _, here in pairs]
    missing = 0
    for file in files:
        path = mapped(file.path, folders)
        missing += not Path(path).exists()
        writer.writerow((path, file.id))
    data = text.getvalue().encode("utf-8", "surrogateescape")
    if output is None:
        out_bytes(data)
    else:
        write_whole(output_path(output), data)
    if not session.quiet:
        gone = f", {missing:,} of them are not there: say with --map where they lie" if missing else ""
        note(f"{len(files):,} pictures of {kind}{gone}")
    return DONE
