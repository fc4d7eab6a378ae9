"""`info`: what is in the database, or what is in a file."""

from __future__ import annotations

from json import dumps, loads
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, JsonOption, Session

if TYPE_CHECKING:
    from dedupindex.index import Index
    from dedupindex.settings import Settings

SETTING = "settings."  # before the names of settings in `Index.info`
SHOWN_FRAMES = 20


def info(
    session: Session,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A picture, or PATH#frame=N; without, the database.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Say what the database holds, or what a file holds.

    Of a file: format, size, depth, share of no data, and how its depth is scaled.
    """
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, to_json
    from dedupindex.reports.names import shown

    if file is None:
        with session.open(read_only=True, allow_mismatch=True) as index:
            facts = database_info(index)
    else:
        facts = file_info(file, session.settings())
    if json:
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "info", **facts}))
        return DONE
    frames, settings = facts.pop("frames", []), facts.pop("settings", {})
    for name, value in facts.items():
        for item in value if isinstance(value, list) else [value]:
            out(f"{name.replace('_', ' '):<24} {shown(str(item))}")
    if settings:
        out("\nsettings that shape what is stored")
    for name, value in settings.items():
        out(f"{name:<24} {shown(dumps(value))}")
    for frame in frames[:SHOWN_FRAMES]:
        out("")
        for name, value in frame.items():
            out(f"{name.replace('_', ' '):<24} {value}")
    if len(frames) > SHOWN_FRAMES:
        out(f"\nand {len(frames) - SHOWN_FRAMES:,} more frames; --json shows them all")
    return DONE


def database_info(index: Index) -> dict[str, Any]:
    """Return what the database holds; the settings that shape features as values of their own."""
    from dedupindex.reports.names import shown

    listed = index.info()
    counts = {name: value for name, value in listed.items() if not name.startswith(SETTING)}
    settings = {name.removeprefix(SETTING): loads(str(value)) for name, value in listed.items() if name not in counts}
    roots = {"scanned": index.roots(), "references": [root for root in index.roots() if root.reference]}
    names = {name: sorted({shown(root.path) for root in named}) for name, named in roots.items()}
    return {**counts, **names, "settings": settings}


def file_info(address: str, settings: Settings) -> dict[str, Any]:
    """Return what a file holds, as it would be ingested."""
    from dedupindex import read_file
    from dedupindex.index import fork_workers_here
    from dedupindex.places import DOCUMENTS, FIRST_PANEL, VIDEOS, fragment_of
    from dedupindex.reports.jsonfile import path_json
    from dedupindex.reports.names import shown

    fork_workers_here()
    read = read_file(address, settings)
    decoded = read.decoded
    by_page_or_time = decoded.path.suffix.lower() in DOCUMENTS | VIDEOS
    return {
        **path_json(decoded.path),
        "sha256": decoded.sha256.hex(),
        "bytes": decoded.size,
        "format": decoded.format,
        "frame_count": decoded.frame_count,
        "lossless": decoded.lossless,
        "metadata_fields": decoded.metadata_count,
        "warnings": [shown(warning) for warning in decoded.warnings],
        "frames": [
            {
                "frame": frame.number,
                **(
                    {"address": fragment_of(decoded.path, frame.number)}
                    if by_page_or_time or frame.number >= FIRST_PANEL
                    else {}
                ),
                "size": f"{made.full_shape[1]} x {made.full_shape[0]}",
                "channels": made.channels,
                "bits": made.bits,
                "sample_type": str(frame.pixels.dtype),
                "no_data_share": round(1 - made.valid_share, 6),
                "scaling": made.scaling,
                "content_box": "top {}, left {}, height {}, width {}".format(*made.box),
                "low_information": made.low_information,
            }
            for frame, made in zip(read.frames, read.prepared, strict=True)
        ],
    }
