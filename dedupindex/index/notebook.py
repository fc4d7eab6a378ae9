"""Gives records their faces: HTML with thumbnails in notebooks, and tables. Imported with `Index`."""

from __future__ import annotations

import base64

from dedupindex.records import ImageRecord
from dedupindex.records.faces import show_with, tabulate_with
from dedupindex.settings import Settings

SIDE, QUALITY = 96, 70  # pixels, of WebP
MOST_BYTES = 50_000_000  # larger files are not read for a thumbnail


def install() -> None:
    """Let notebooks show records, and reports become tables."""
    from dedupindex.reports.exchange.parquetfile import pairs_table

    show_with(_html)
    tabulate_with(pairs_table)


def _html(record: object) -> str:
    from dedupindex.reports.exchange.notebook import notebook_html

    return notebook_html(record, _picture)


def _picture(image: ImageRecord) -> str | None:
    """A thumbnail from the image's file, as a data URI; None where no file holds the image any more."""
    from dedupindex.groups.thumbnails import from_file
    from dedupindex.index.overlays import webp

    thumbnail = from_file(image, Settings(), SIDE, max_bytes=MOST_BYTES)
    if thumbnail is None:
        return None
    return "data:image/webp;base64," + base64.b64encode(webp(thumbnail.pixels, QUALITY)).decode("ascii")
