"""What a file says of how its picture was made: when, with which camera, how it is rated, how finely it is compressed.

For display only: nothing is decided by it, and a file that says nothing, or nonsense, gives empty facts.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from dedupindex.records.pictures import FileFacts
from dedupindex.settings import Settings
from dedupindex.sources.pictures import PLUGINS, pillow_limits
from dedupindex.sources.reading import read_bytes
from dedupindex.sources.sniff import HEAD_BYTES, format_of

_MAKE, _MODEL, _SOFTWARE, _CHANGED, _RATING = 0x010F, 0x0110, 0x0131, 0x0132, 0x4746
_EXIF, _TAKEN = 0x8769, 0x9003
_HEAD = 262_144  # bytes in which XMP is looked for
_LONGEST = 80  # characters of a text that is shown
_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d)[ T](\d\d):(\d\d):(\d\d)")
_XMP_RATING = re.compile(rb"""xmp:Rating(?:="|>)([0-5])["<]""")
# Luminance steps of the JPEG standard (ITU T.81, table K.1), which most programs scale by their quality; row by row.
_STANDARD = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


def read_facts(path: Path, settings: Settings) -> FileFacts:
    """Read what a file says of itself; its pixels are not decoded.

    Raises
    ------
    ReadError
        It cannot be read.
    """
    data, _ = read_bytes(path, settings.max_bytes)
    plugins = PLUGINS.get(format_of(data[:HEAD_BYTES], path) or "")
    if plugins is None:
        return FileFacts()
    facts = FileFacts()
    with (
        suppress(Exception),  # whatever a decoder raises on a damaged head: then the file says nothing
        pillow_limits(settings.max_pixels),
        Image.open(io.BytesIO(data), formats=plugins) as image,
    ):
        facts = _facts(image, data)
    return facts


def _facts(image: Image.Image, data: bytes) -> FileFacts:
    exif = image.getexif()
    inner: Mapping[int, Any] = exif.get_ifd(_EXIF)
    make, model = _text(exif.get(_MAKE)), _text(exif.get(_MODEL))
    camera = model if make and model.casefold().startswith(make.split()[0].casefold()) else f"{make} {model}".strip()
    tables = getattr(image, "quantization", None)
    return FileFacts(
        taken=_moment(inner.get(_TAKEN)) or _moment(exif.get(_CHANGED)),
        camera=camera,
        rating=_rating(exif.get(_RATING), data),
        software=_text(exif.get(_SOFTWARE)),
        quality=jpeg_quality(tables[0]) if isinstance(tables, dict) and 0 in tables else None,
    )


def jpeg_quality(steps: Sequence[int]) -> int | None:
    """Return the quality, 1..100, whose steps of the standard table come nearest to those of a file.

    Parameters
    ----------
    steps : sequence of int
        64 steps of the luminance table, row by row.

    Returns
    -------
    int or None
        None where it is no table.
    """
    if len(steps) != len(_STANDARD):
        return None

    def off(quality: int) -> int:
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        return sum(
            abs(step - min(255, max(1, (standard * scale + 50) // 100)))
            for step, standard in zip(steps, _STANDARD, strict=True)
        )

    return min(range(1, 101), key=off)


def _text(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""
    return text.replace("\0", " ").strip()[:_LONGEST]


def _moment(value: object) -> str:
    match = _TIME.match(_text(value))
    if match is None or match[1] == "0000":
        return ""
    year, month, day, hour, minute, second = match.groups()
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}"


def _rating(value: object, data: bytes) -> int | None:
    if isinstance(value, int) and 0 <= value <= 5:
        return value
    match = _XMP_RATING.search(data, 0, _HEAD)
    return int(match[1]) if match else None
