"""Safe display of file names, which may hold any bytes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dedupindex.places import text_of

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def shown(name: str | os.PathLike[str]) -> str:
    r"""Return a name for people; control codes and bytes that are no text become ``\n``, ``\x1b``, ``\xff``.

    Control characters, bytes that are not UTF-8, and characters that turn or hide text (bidirectional overrides, zero
    width) become escapes; everything else stays. Not for machines: a backslash in a name stays as it is.
    """
    return _UNPRINTABLE.sub(_escaped, name if isinstance(name, str) else text_of(name))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, as os.fsdecode keeps it
        return f"\\x{code - 0xDC00:02x}"
    short = {9: "\\t", 10: "\\n", 13: "\\r"}
    return short.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def for_spreadsheet(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe before ``=``, ``+``, ``-``, ``@``, tab."""
    return "'" + text if text.startswith(_FORMULA) else text


def is_text(name: str | os.PathLike[str]) -> bool:
    """Whether a name is UTF-8 text."""
    try:
        os.fspath(name).encode()
    except UnicodeEncodeError:
        return False
    return True


def short(path: Path, base: Path | None) -> str:
    """Return a path for people, relative to *base* where it lies below it."""
    if base is not None and path.is_relative_to(base):
        return shown(path.relative_to(base))
    return shown(path)
