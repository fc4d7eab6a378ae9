"""What a picture file says of its picture in EXIF, IPTC and XMP. Pixels are not decoded."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageFile, IptcImagePlugin

from dedupindex.records.metadata import PictureMetadata, joined
from dedupindex.settings import Settings
from dedupindex.sources.metadata import values
from dedupindex.sources.metadata.xmp import MOST_BYTES, XmpError, read_xmp
from dedupindex.sources.pictures import PLUGINS, pillow_limits
from dedupindex.sources.sniff import HEAD_BYTES, format_of
from dedupindex.system import READ_NO_LINK

_EXIF, _GPS = 0x8769, 0x8825
_DESCRIPTION, _RATING, _XMP = 0x010E, 0x4746, 0x02BC
_XP_COMMENT, _XP_KEYWORDS = 0x9C9C, 0x9C9E  # Windows: UTF-16, keywords between semicolons
_TAKEN, _TAKEN_OFFSET = 0x9003, 0x9011
_IPTC_KEYWORDS, _IPTC_CAPTION = (2, 25), (2, 120)
_IPTC_DATE, _IPTC_TIME = (2, 55), (2, 60)  # 20240501, 120000+0200
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")  # under which Pillow's plugins have the packet


def read_metadata(path: Path, settings: Settings) -> PictureMetadata:
    """What a picture file says of its picture.

    Parameters
    ----------
    path : Path
    settings : Settings
        Its limit of pixels.

    Returns
    -------
    PictureMetadata
        Empty where the format is none that Pillow reads here, or the head is damaged.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with os.fdopen(os.open(path, READ_NO_LINK), "rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        plugins = PLUGINS.get(format_of(head, path) or "")
        known = PictureMetadata()
        if plugins is not None:
            with suppress(Exception):  # whatever a decoder raises on a damaged head: then the file says nothing
                known = _read(file, plugins, settings)
    return known


def _read(file: BinaryIO, plugins: tuple[str, ...], settings: Settings) -> PictureMetadata:
    with pillow_limits(settings.max_pixels), Image.open(file, formats=plugins) as image:
        known = PictureMetadata()
        for source in (_xmp, _iptc, _exif):  # what people write with programs of today stands in the first
            with suppress(Exception):  # one of them being damaged says nothing of the others
                known = joined(known, source(image))
    return known


def _xmp(image: Image.Image) -> PictureMetadata:
    packet: object = next((image.info[key] for key in _XMP_KEYS if key in image.info), None)
    if packet is None and image.format == "TIFF":
        packet = image.getexif().get(_XMP)
    data = packet.encode() if isinstance(packet, str) else packet
    if not isinstance(data, bytes) or len(data) > MOST_BYTES:
        return PictureMetadata()
    try:
        return read_xmp(data)
    except XmpError:
        return PictureMetadata()


def _iptc(image: Image.Image) -> PictureMetadata:
    if not isinstance(image, ImageFile.ImageFile):
        return PictureMetadata()
    records = IptcImagePlugin.getiptcinfo(image) or {}
    keywords = records.get(_IPTC_KEYWORDS, [])
    date, time = (values.text_of(_one(records.get(key, b"")), 20) for key in (_IPTC_DATE, _IPTC_TIME))
    taken = f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 else ""
    if taken and len(time) >= 6:
        offset = f"{time[6:9]}:{time[9:11]}" if len(time) == 11 else ""
        taken += f"T{time[:2]}:{time[2:4]}:{time[4:6]}{offset}"
    return PictureMetadata(
        keywords=values.keywords_of(keywords if isinstance(keywords, list) else [keywords]),
        description=values.description_of(_one(records.get(_IPTC_CAPTION, b""))),
        taken=values.taken_of(taken),
    )


def _exif(image: Image.Image) -> PictureMetadata:
    exif = image.getexif()
    inner: Mapping[int, Any] = exif.get_ifd(_EXIF)
    words, comment = (_utf16(exif.get(tag)) for tag in (_XP_KEYWORDS, _XP_COMMENT))
    return PictureMetadata(
        rating=values.rating_of(exif.get(_RATING, 0)),
        keywords=values.keywords_of(words.split(";")),
        description=values.description_of(exif.get(_DESCRIPTION)) or values.description_of(comment),
        position=_position(exif.get_ifd(_GPS)),
        taken=values.taken_of(inner.get(_TAKEN), inner.get(_TAKEN_OFFSET, "")),
    )


def _one(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _utf16(value: object) -> str:
    data = bytes(value) if isinstance(value, bytes | tuple) else b""
    return data.decode("utf-16-le", "replace").rstrip("\0")


def _position(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    latitude, longitude = _degrees(gps, 1, "S"), _degrees(gps, 3, "W")
    if math.isnan(latitude) or math.isnan(longitude):
        return None
    return values.position_of(latitude, longitude)


def _degrees(gps: Mapping[int, Any], tag: int, negative: str) -> float:
    """Degrees from a reference (``N``) and three rational numbers behind it."""
    parts = gps.get(tag + 1)
    if not isinstance(parts, tuple) or len(parts) != 3:
        return math.nan
    degrees, minutes, seconds = (float(part) for part in parts)
    size = degrees + minutes / 60 + (0.0 if math.isnan(seconds) else seconds / 3600)
    return -size if values.text_of(gps.get(tag, ""), 2).upper().startswith(negative) else size
