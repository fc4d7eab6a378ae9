"""A sheet of pictures: every leak as a row, both pictures side by side."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dedupindex.records import ByteArray
from dedupindex.records.pictures import Thumbnail
from dedupindex.records.splits import Leak
from dedupindex.reports.names import short

SIDE = 128  # pixels: of a thumbnail
COLUMNS = 3  # leaks beside each other
_GAP, _LINE, _LETTERS = 8, 14, 46
_GROUND, _INK, _EMPTY = (255, 255, 255), (30, 30, 30), (225, 225, 225)


def leak_sheet(leaks: Sequence[Leak], thumbnails: Mapping[int, Thumbnail], base: Path | None = None) -> bytes:
    """Draw leaks as a PNG: on the left the picture that leaked, on the right the one it is a copy of.

    Parameters
    ----------
    leaks : sequence of Leak
        As many as are to be drawn, at least one.
    thumbnails : mapping of image id to Thumbnail
        A picture without one becomes a grey field.
    base : Path, optional
        Paths below it are shown relative to it.

    Returns
    -------
    bytes
    """
    width, height = 2 * SIDE + 3 * _GAP, SIDE + 3 * _LINE + 2 * _GAP
    rows = -(-len(leaks) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width, rows * height), _GROUND)
    draw = ImageDraw.Draw(sheet)
    for number, leak in enumerate(leaks):
        left, top = number % COLUMNS * width + _GAP, number // COLUMNS * height + _GAP
        for image, x in ((leak.image, left), (leak.source_image, left + SIDE + _GAP)):
            drawn = _drawn(thumbnails.get(image))
            sheet.paste(drawn, (x + (SIDE - drawn.width) // 2, top + (SIDE - drawn.height) // 2))
        words = (
            f"{leak.part}: {short(leak.place.path, base)}",
            f"{leak.source_part}: {short(leak.source.path, base)}",
            f"{'+'.join(leak.relations)}, {leak.score:.3f}",
        )
        for line, text in enumerate(words):
            draw.text((left, top + SIDE + 2 + line * _LINE), _cut(text), fill=_INK)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _drawn(thumbnail: Thumbnail | None) -> Image.Image:
    if thumbnail is None:
        return Image.new("RGB", (SIDE, SIDE), _EMPTY)
    pixels: ByteArray = thumbnail.pixels
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    image = Image.fromarray(np.where(thumbnail.mask[:, :, None], pixels, np.uint8(_EMPTY[0])))
    image.thumbnail((SIDE, SIDE))
    return image


def _cut(text: str) -> str:
    """Shorten a text in its middle to what fits below the pictures, in letters that the built-in font has."""
    text = text.encode("ascii", "replace").decode()
    return text if len(text) <= _LETTERS else f"{text[:10]}...{text[13 - _LETTERS :]}"
