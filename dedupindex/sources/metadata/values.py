"""Values of metadata as EXIF, IPTC and XMP write them, and limits on what is taken from them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace

from dedupindex.records.metadata import PictureMetadata

MOST_KEYWORDS = 500  # of a picture
LONGEST_KEYWORD = 200  # characters
LONGEST_DESCRIPTION = 4000  # characters
_NO_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold
_TIME = re.compile(
    r"(?P<date>\d{4}[:-]\d\d[:-]\d\d)(?:[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(?P<offset>Z|[+-]\d\d:\d\d)?)?"
)
_DEGREES = re.compile(
    r"(?P<degrees>\d{1,3}),(?P<minutes>\d{1,2}(?:\.\d+)?)(?:,(?P<seconds>\d{1,2}(?:\.\d+)?))?(?P<side>[NSEW])"
)
# What cameras and scanners write into the description by themselves.
_BY_CAMERAS = re.compile(
    r"(?:olympus digital camera|samsung(?: camera pictures)?|sony dsc|minolta digital camera|kodak digital still camera"
    r"|konica minolta digital camera|default|digital camera|dcim\\.*|screenshot|<digimax.*>|dav|oznor|edf|hdr|rhdr|nor"
    r"|created by .*|exif_.*|jpeg picture|untitled)",
    re.IGNORECASE,
)


def text_of(value: object, longest: int = LONGEST_DESCRIPTION) -> str:
    """Text of a value, without what no XML can hold; empty where it is none."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    text = _NO_TEXT.sub("", value.split("\0", 1)[0])
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()[:longest].strip()  # as every reader of XML gives it


def description_of(value: object) -> str:
    """A description that somebody wrote; empty where a camera did."""
    text = text_of(value)
    return "" if _BY_CAMERAS.fullmatch(text) else text


def keywords_of(values: Iterable[object]) -> tuple[str, ...]:
    """Keywords without empty and repeated ones, in their order."""
    words = (" ".join(text_of(value, LONGEST_KEYWORD).split()) for value in values)
    return tuple(dict.fromkeys(word for word in words if word))[:MOST_KEYWORDS]


def rating_of(value: object) -> int | None:
    """A rating: 1..5, or -1 = rejected; None where it is none, or 0."""
    if isinstance(value, int):
        rating = value
    else:
        try:
            rating = int(float(text_of(value)))
        except (ValueError, OverflowError):
            return None
    return rating if rating in (-1, 1, 2, 3, 4, 5) else None


def taken_of(value: object, offset: object = "") -> str:
    """An ISO time from one of EXIF or XMP; empty where it is none."""
    match = _TIME.fullmatch(text_of(value, 40))
    if match is None or match["date"].startswith("0000"):
        return ""
    date, time = match["date"].replace(":", "-"), match["time"]
    if time is None:
        return date
    seconds = time if len(time) == 8 else f"{time}:00"
    known = match["offset"] or text_of(offset, 10)
    return f"{date}T{seconds}{known if re.fullmatch(r'Z|[+-][0-9]{2}:[0-9]{2}', known) else ''}"


def position_of(latitude: float, longitude: float) -> tuple[float, float] | None:
    """A position, degrees; None where it is none, or the origin that empty fields give."""
    position = round(latitude, 6), round(longitude, 6)  # 10 cm
    if not all(math.isfinite(degrees) for degrees in position) or position == (0, 0):
        return None
    return None if abs(latitude) > 90 or abs(longitude) > 180 else position


def degrees_of(text: str) -> float:
    """Degrees from XMP's ``48,51.51N`` or ``48,51,30N``; not a number where it is none."""
    match = _DEGREES.fullmatch(text.strip())
    if match is None:
        return math.nan
    size = float(match["degrees"]) + float(match["minutes"]) / 60 + float(match["seconds"] or 0) / 3600
    return -size if match["side"] in "SW" else size


def degrees_text(degrees: float, sides: str) -> str:
    """Degrees as XMP writes them.

    Parameters
    ----------
    degrees : float
    sides : str
        Letters of positive and negative degrees: ``NS`` or ``EW``.
    """
    whole, part = divmod(abs(degrees), 1)
    return f"{int(whole)},{part * 60:.6f}{sides[degrees < 0]}"


def cleaned(said: PictureMetadata) -> PictureMetadata:
    """What is said without what no XML can hold, and within the limits of this module."""
    return replace(
        said,
        keywords=keywords_of(said.keywords),
        hierarchy=keywords_of(said.hierarchy),
        description=text_of(said.description),
        position=None if said.position is None else position_of(*said.position),
        taken=taken_of(said.taken),
    )
