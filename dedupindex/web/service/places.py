"""Places that clients name: looked up and stored as names, never opened or fetched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dedupindex.errors import SettingsError
from dedupindex.places import name_of

LONGEST = 2_000  # bytes
_LOGIN = re.compile(r"/?[^/]*:[^/@]*@")
LOCAL = ("file", "local", "data", "javascript")  # schemes that name no place elsewhere


def place_of(text: str, roots: Sequence[Path]) -> Path:
    """Return the place under which an uploaded picture is stored.

    Parameters
    ----------
    text : str
        ``SCHEME:/NAME`` or ``SCHEME://HOST/NAME``, such as ``upload:/name.jpg`` or ``s3://bucket/key``; or a path of
        the file system below one of *roots*.

    Raises
    ------
    SettingsError
        It is neither.
    """
    path = _checked(text)
    if name_of(path):
        return path
    if any(root in path.parents for root in roots):
        return path
    raise SettingsError("place must be like upload:/name.jpg or s3://bucket/key; --allow-root lets paths be named too")


def path_of(text: str) -> Path:
    """Return a place that is asked about: elsewhere, or a whole path. Nothing is looked up in the file system.

    Raises
    ------
    SettingsError
        It is none.
    """
    return _checked(text)


def _checked(text: str) -> Path:
    if not text or len(text.encode("utf-8", "surrogateescape")) > LONGEST:
        raise SettingsError(f"a place has 1 to {LONGEST:,} bytes")
    if not text.isprintable():
        raise SettingsError("a place has no control characters")
    name, separator, rest = text.partition(":/")
    if separator and "/" not in name:
        text = f"{name.lower()}:/{rest.removeprefix('/')}"
        if name.lower() in LOCAL:
            raise SettingsError(f"a place cannot begin with {name}:")
        if _LOGIN.match(rest):
            raise SettingsError("no password belongs in the name of a place")
    path = Path(text)
    if not (path.is_absolute() or (name_of(path) and len(path.parts) > 1)):
        raise SettingsError("a place is whole: upload:/name.jpg, s3://bucket/key, /folder/name.jpg")
    if any(part in ("", ".", "..") for part in text.split("/")[1:]):
        raise SettingsError("a place has no empty parts, and none that are . or ..")
    return path
