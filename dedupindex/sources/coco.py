"""COCO annotation files: the pictures they name, and the same file for a part of the pictures."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dedupindex.errors import SettingsError

MOST_BYTES = 4_000_000_000  # of an annotation file; the largest in use has half a gigabyte
_START = 4096  # bytes in which the first key must be seen
_FOLDERS = ("", "images", "../images", "..", "../../images")


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A COCO annotation file.

    Attributes
    ----------
    path : Path
    document : mapping
        The whole file.
    files : mapping of picture id to Path
        Where each picture lies, absolute. Ids are integers or texts.
    """

    path: Path
    document: Mapping[str, Any]
    files: Mapping[int | str, Path]


def is_coco(path: Path) -> bool:
    """Whether a JSON file may be a COCO file, by its beginning."""
    try:
        with path.open("rb") as file:
            start = file.read(_START).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return False
    return start.startswith(b"{")


def read_coco(path: Path, images: Path | None = None) -> CocoFile:
    """Read a COCO annotation file.

    Parameters
    ----------
    path : Path
    images : Path, optional
        Folder that ``file_name`` is relative to. Without, the first of these in which the first picture lies: the
        folder of the file, ``images`` in it, ``images`` beside it, the folder above it.

    Returns
    -------
    CocoFile

    Raises
    ------
    SettingsError
        It cannot be read, is no COCO file, or an entry has no id or name.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SettingsError(f"{path}: has more than {MOST_BYTES:,} bytes")
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        words = getattr(error, "strerror", None) or "is no JSON"
        raise SettingsError(f"{path}: {words}") from error
    listed = document.get("images") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise SettingsError(f"{path}: is no COCO file, it has no list of images")
    names: dict[int | str, str] = {}
    for number, entry in enumerate(listed):
        known = entry if isinstance(entry, dict) else {}
        name, key = known.get("file_name"), known.get("id")
        if not isinstance(name, str) or not name or "\0" in name or not isinstance(key, int | str):
            raise SettingsError(f"{path}: entry {number} of images has no id or no file_name")
        if key in names:
            raise SettingsError(f"{path}: two images have the id {key}")
        names[key] = name
    base = _folder(path, images, next(iter(names.values()), ""))
    return CocoFile(path, document, {key: _absolute(base / name) for key, name in names.items()})


def coco_rows(path: Path, images: Path | None = None) -> Iterator[tuple[int, str, str]]:
    """Yield number, path and id of the pictures of a COCO file.

    Raises
    ------
    SettingsError
    """
    for number, (key, file) in enumerate(read_coco(path, images).files.items(), 1):
        yield number, str(file), str(key)


def part_document(coco: CocoFile, wanted: Collection[Path]) -> dict[str, Any]:
    """A COCO document with only these pictures and their annotations; everything else stays as it is.

    Parameters
    ----------
    coco : CocoFile
    wanted : collection of Path
        As they stand in `CocoFile.files`.

    Returns
    -------
    dict
        Ready for JSON.
    """
    keys = {key for key, file in coco.files.items() if file in wanted}
    document = dict(coco.document)
    document["images"] = [entry for entry in coco.document["images"] if entry["id"] in keys]
    if isinstance(annotations := coco.document.get("annotations"), list):
        document["annotations"] = [one for one in annotations if isinstance(one, dict) and one.get("image_id") in keys]
    return document


def _folder(path: Path, images: Path | None, first: str) -> Path:
    """Folder that names of pictures are relative to."""
    if images is not None:
        if not images.is_dir():
            raise SettingsError(f"{images}: no such folder of pictures")
        return images
    for folder in _FOLDERS:
        if (path.parent / folder / first).is_file():
            return path.parent / folder
    return path.parent


def _absolute(path: Path) -> Path:
    """A path as an ingest stores it: absolute, without ``..``, links kept."""
    path = path.absolute()
    return path if ".." not in path.parts else path.parent.resolve() / path.name
