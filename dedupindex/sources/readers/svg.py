"""SVG and SVGZ through resvg: rendered small, from the file's own text alone.

Nothing outside of the file is looked at: references to anything but the file's own parts and data in it are emptied
before the renderer sees them, and no font of the machine is used, so text is not drawn and the picture is the same
everywhere.
"""

from __future__ import annotations

import io
import re
import zlib

from PIL import Image

from dedupindex.errors import LimitExceededError, ReadError, Reason
from dedupindex.sources.content import DecodedContent, Source, check_frame, choose_frames, make_frame
from dedupindex.sources.pictures import PLUGINS, pillow_limits, to_array
from dedupindex.sources.readers.packages import package

LEAST_SIDE, MOST_SIDE = 256, 1024  # pixels of the longest side; between them a drawing has its own size
MOST_TEXT = 1 << 24  # bytes, unpacked
_GZIP = b"\x1f\x8b"
_ROOT = re.compile(r"<(?:[\w.-]+:)?svg\b([^>]*)>", re.DOTALL)
_LENGTH = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(px|pt|pc|mm|cm|in|)\s*")
_NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?")
_PIXELS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
_DEFAULT = 100.0  # side of a drawing that does not say how large it is
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(?:\[(?P<inside>.*?)\]\s*)?>", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"<!ENTITY\s+([\w.-]{1,60})\s+([\"'])([^<&%\"']{0,500})\2\s*>")
_MOST_ENTITIES = 200
_REFERENCE = re.compile(r"(\b(?:[\w.-]+:)?href\s*=\s*)([\"'])(?!\s*(?:#|data:))[^\"']*\2", re.IGNORECASE)
_BASE = re.compile(r"\bxml:base\s*=\s*([\"'])[^\"']*\1", re.IGNORECASE)


def read_svg(source: Source) -> DecodedContent:
    """Render a drawing in its own size, within `LEAST_SIDE` and `MOST_SIDE`.

    What it leaves transparent is no data, as in a PNG.

    Raises
    ------
    ReadError
        The extra is missing, it is no SVG, or larger or narrower than the limits allow.
    """
    resvg = package(source, "resvg_py", "SVG", "svg")
    choose_frames(source, 1, stack=False)
    text = harmless(_text(source))
    height, width = _size(source, text)
    check_frame(source, height, width, 4)
    try:
        data = bytes(resvg.svg_to_bytes(svg_string=text, width=width, height=height, dpi=96.0, skip_system_fonts=True))
    except MemoryError:
        raise
    except (Exception, BaseException) as error:  # a panic of the renderer is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise ReadError(source.path, Reason.DAMAGED, "the drawing cannot be rendered") from error
    with pillow_limits(source.settings.max_pixels), Image.open(io.BytesIO(data), formats=PLUGINS["PNG"]) as image:
        check_frame(source, image.size[1], image.size[0], 4)
        image.load()
        pixels, mask, bits = to_array(image)
    return DecodedContent("SVG", (make_frame(source, pixels, mask=mask, bits=bits),), 1, 0, lossless=True)


def harmless(text: str) -> str:
    """The text of a drawing without anything that leads out of it.

    Plain entities (Illustrator names its namespaces so) are put in, the document type goes, and references to anything
    but parts of the drawing (``#part``) and data in it (``data:``) are emptied.

    Raises
    ------
    ValueError
        It grows beyond `MOST_TEXT`.
    """
    if (kind := _DOCTYPE.search(text)) is not None:
        entities = {name: value for name, _, value in _ENTITY.findall(kind["inside"] or "")[:_MOST_ENTITIES]}
        text = text[: kind.start()] + text[kind.end() :]
        if entities:
            known = re.compile("&(" + "|".join(map(re.escape, entities)) + ");")
            growth = sum(len(entities[match[1]]) for match in known.finditer(text))
            if len(text) + growth > MOST_TEXT:
                raise ValueError("its entities make it too large")
            text = known.sub(lambda match: entities[match[1]], text)
    return _BASE.sub("", _REFERENCE.sub(r"\1\2\2", text))


def _text(source: Source) -> str:
    data = source.data
    if data.startswith(_GZIP):
        unpacker = zlib.decompressobj(31)
        data = unpacker.decompress(data, MOST_TEXT + 1)
    if len(data) > MOST_TEXT:
        detail = f"a drawing of more than {MOST_TEXT:,} bytes of text"
        raise LimitExceededError(source.path, Reason.TOO_LARGE, detail)
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if wide else "utf-8-sig")


def _size(source: Source, text: str) -> tuple[int, int]:
    """Height and width at which a drawing is rendered, pixels."""
    root = _ROOT.search(text)
    if root is None:
        raise ReadError(source.path, Reason.DAMAGED, "no drawing is in it")
    box = re.search(r"\bviewBox\s*=\s*[\"']([^\"']*)[\"']", root[1])
    numbers = (
        [float(number) for number in re.findall(r"[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?", box[1])] if box else []
    )
    inside = (numbers[3], numbers[2]) if len(numbers) == 4 and min(numbers[2:]) > 0 else None
    sides = [_length(root[1], "height"), _length(root[1], "width")]
    if inside is not None:
        if sides[0] is None and sides[1] is None:
            sides = list(inside)
        elif sides[0] is None and sides[1] is not None:
            sides[0] = sides[1] * inside[0] / inside[1]
        elif sides[1] is None and sides[0] is not None:
            sides[1] = sides[0] * inside[1] / inside[0]
    height, width = (_DEFAULT if side is None else side for side in sides)
    longest = max(height, width)
    scale = min(max(longest, LEAST_SIDE), MOST_SIDE) / longest
    if min(height, width) * source.settings.max_aspect < max(height, width):
        detail = f"a drawing of {width:g} x {height:g}; max_aspect is {source.settings.max_aspect:g}"
        raise LimitExceededError(source.path, Reason.TOO_LARGE, detail)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _length(attributes: str, name: str) -> float | None:
    match = re.search(rf"(?<![\w:-]){name}\s*=\s*[\"']([^\"']*)[\"']", attributes)
    length = _LENGTH.fullmatch(match[1]) if match else None
    value = float(length[1]) * _PIXELS[length[2]] if length else 0.0
    return value if 0 < value < 1e9 else None
