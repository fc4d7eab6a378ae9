"""Answers of photo servers as lists of pictures: Immich and PhotoPrism."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dedupindex.errors import SettingsError

MOST_DEPTH = 6  # of objects in which assets are looked for


class PhotoServer(StrEnum):
    """Whose answer it is."""

    IMMICH = "immich"
    PHOTOPRISM = "photoprism"


@dataclass(frozen=True, slots=True)
class ServerFile:
    """A picture of a photo server: its path as the server says it, and its id."""

    path: str
    id: str


def read_answer(path: Path, server: PhotoServer | None = None) -> tuple[PhotoServer, list[ServerFile]]:
    """Read the pictures that a server's answer names, each once, in their order.

    Parameters
    ----------
    path : Path
        JSON as the server sent it. Immich: assets (``originalPath``, ``id``), alone, in ``assets.items`` of a search,
        or in the groups of ``/duplicates``. PhotoPrism: photos of a search, with ``FileName`` or ``Files``.
    server : PhotoServer, optional
        Whose it is; by default found out.

    Returns
    -------
    server : PhotoServer
    files : list of ServerFile

    Raises
    ------
    SettingsError
        It cannot be read, or names no picture.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {getattr(error, 'strerror', None) or 'is no JSON'}") from error
    readers = {PhotoServer.IMMICH: _immich, PhotoServer.PHOTOPRISM: _photoprism}
    for one in PhotoServer if server is None else (server,):
        files = list(dict.fromkeys(readers[one](value, MOST_DEPTH)))
        if files:
            return one, files
    raise SettingsError(f"{path}: names no picture as {' or '.join(readers if server is None else [server])} would")


def mapped(path: str, rules: Sequence[tuple[str, str]]) -> str:
    """A path of the server as one of this machine: the first rule (prefix there, folder here) that fits counts.

    An empty prefix fits every relative path.
    """
    for there, here in rules:
        inside = there.rstrip("/")
        if not inside and not path.startswith("/"):
            return str(Path(here) / path)
        if inside and (path == inside or path.startswith(inside + "/")):
            return str(Path(here) / path[len(inside) :].lstrip("/"))
    return path


def _immich(value: Any, depth: int) -> Iterator[ServerFile]:
    if isinstance(value, list):
        for one in value if depth else ():
            yield from _immich(one, depth - 1)
    elif isinstance(value, Mapping):
        path, key = value.get("originalPath"), value.get("id")
        if isinstance(path, str) and isinstance(key, str):
            if path and value.get("type", "IMAGE") == "IMAGE" and not value.get("isTrashed"):
                yield ServerFile(path, key)
            return
        for name in ("assets", "items") if depth else ():
            yield from _immich(value.get(name), depth - 1)


def _photoprism(value: Any, depth: int) -> Iterator[ServerFile]:
    if isinstance(value, list):
        for one in value if depth else ():
            yield from _photoprism(one, depth - 1)
    elif isinstance(value, Mapping):
        files = value.get("Files")
        if isinstance(files, list) and files:
            for one in files:
                if isinstance(one, Mapping) and not one.get("Video") and one.get("Root", "/") == "/":
                    yield from _named(one.get("Name"), one.get("UID"))
        elif value.get("FileRoot", "/") == "/" and value.get("Type", "image") != "video":
            yield from _named(value.get("FileName"), value.get("FileUID") or value.get("UID"))


def _named(name: Any, key: Any) -> Iterator[ServerFile]:
    if isinstance(name, str) and name and isinstance(key, str):
        yield ServerFile(name, key)
