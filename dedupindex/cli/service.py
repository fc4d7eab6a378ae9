"""The options of `serve` that belong to the service (`--api-only`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from dedupindex.cli.choices import ROLES, completer, one_of

PANEL = "Service (--api-only)"

ApiOnly: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--api-only", help="No pages: the JSON interface alone, as one of any replicas.", rich_help_panel=PANEL
    ),
]
TokensOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--tokens",
        metavar="FILE",
        help="Lines NAME ROLE SHA256; else $DEDUPINDEX_TOKENS; else a token is made for this start.",
        rich_help_panel=PANEL,
    ),
]
MakeToken: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--make-token",
        metavar="NAME",
        help="Print the line of a fresh token for the token file, the token itself on stderr, and stop.",
        rich_help_panel=PANEL,
    ),
]
RoleOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--role",
        metavar=one_of(ROLES),
        help="Of --make-token.",
        rich_help_panel=PANEL,
        autocompletion=completer(ROLES),
    ),
]
Create: TypeAlias = Annotated[
    bool, typer.Option("--create", help="Make the database when it is not there.", rich_help_panel=PANEL)
]
AllowHost: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="NAME",
        help="Answer under this name too, with or without a port; several times; * = any.",
        rich_help_panel=PANEL,
    ),
]
AllowRoot: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-root",
        metavar="DIR",
        help="Uploads may be named as files below this folder, which are not opened; without --api-only, the page may "
        "list and scan folders below it, and no others. Several times.",
        rich_help_panel=PANEL,
    ),
]
Proxy: TypeAlias = Annotated[
    bool,
    typer.Option("--proxy", help="Log the address that a proxy saw (X-Forwarded-For).", rich_help_panel=PANEL),
]
MaxUpload: TypeAlias = Annotated[
    int, typer.Option("--max-upload", metavar="N", min=1, help="Largest upload, bytes.", rich_help_panel=PANEL)
]
Concurrent: TypeAlias = Annotated[
    int,
    typer.Option(
        "--concurrent", metavar="N", min=1, help="Most requests at once; others get 503.", rich_help_panel=PANEL
    ),
]
RateOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--rate", metavar="N/s", help="Most requests a token, e.g. 10/s, 600/m; others get 429.", rich_help_panel=PANEL
    ),
]
Timeout: TypeAlias = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", help="Most time for an answer.", rich_help_panel=PANEL),
]
Drain: TypeAlias = Annotated[
    float,
    typer.Option(
        "--drain", metavar="SECONDS", help="Most time for requests in flight at the end.", rich_help_panel=PANEL
    ),
]
SearchAfter: TypeAlias = Annotated[
    float,
    typer.Option(
        "--search-after",
        metavar="SECONDS",
        min=0,
        help="How long new pictures wait to be searched for; 0 = only by POST /api/find.",
        rich_help_panel=PANEL,
    ),
]
OpenMetrics: TypeAlias = Annotated[
    bool,
    typer.Option("--open-metrics", help="/metrics without a token (as always on loopback).", rich_help_panel=PANEL),
]
LogJson: TypeAlias = Annotated[
    bool, typer.Option("--log-json", help="Log as JSON lines on stderr, one a request.", rich_help_panel=PANEL)
]
BlurOption: TypeAlias = Annotated[
    bool, typer.Option("--blur", help="Show every picture blurred: colours and large forms only.")
]
LogNames: TypeAlias = Annotated[
    bool, typer.Option("--log-names", help="Log what was asked for too, names included.", rich_help_panel=PANEL)
]
