"""Which part of a data set a file belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dedupindex.errors import SettingsError
from dedupindex.places import place_of
from dedupindex.records.splits import Part
from dedupindex.sources.coco import is_coco
from dedupindex.sources.lists import Row, SourceList, read_list

LISTS = (".csv", ".tsv", ".parquet", ".pq", ".txt", ".json")


@dataclass(slots=True)
class Membership:
    """Looks up the parts of files.

    A file that is listed belongs to the parts that list it; any other one to the part with the innermost root.
    """

    parts: tuple[Part, ...]
    _listed: dict[str, list[str]] = field(default_factory=dict)
    _roots: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for part in self.parts:
            for path in dict.fromkeys(part.files):
                self._listed.setdefault(os.fspath(path), []).append(part.name)
            self._roots += [(os.fspath(root).rstrip("/"), part.name) for root in part.roots]
        self._roots.sort(key=lambda one: -len(one[0]))

    def of(self, path: Path) -> Sequence[str]:
        """Names of the parts of a file; none where it is in no part."""
        name = os.fspath(path)
        listed = self._listed.get(name)
        if listed is not None:
            return listed
        for root, part in self._roots:
            if name == root or name.startswith(root + "/"):
                return (part,)
        return ()

    def shared(self) -> list[Path]:
        """Files that several parts list."""
        return [Path(name) for name, parts in self._listed.items() if len(parts) > 1]


def part_of(name: str, given: Iterable[str | os.PathLike[str]], *, images: Path | None = None) -> Part:
    """Read what belongs to a part.

    Parameters
    ----------
    name : str
    given : iterable of path or str
        Folders, pictures, and lists of pictures: ``.csv``, ``.tsv``, ``.parquet``, ``.txt``, COCO ``.json``.
    images : Path, optional
        Folder of the pictures that a COCO file names.

    Returns
    -------
    Part

    Raises
    ------
    SettingsError
        A list cannot be read, or a place has no meaning.
    """
    roots, lists = sources_of(given, images=images)
    files = [row.place for source in lists for row in read_list(source) if isinstance(row, Row)]
    return Part(name, tuple(roots), tuple(files))


def is_list(place: Path) -> bool:
    """Whether a place is a file with a list of pictures in it."""
    return place.suffix.lower() in LISTS and place.is_file() and (place.suffix.lower() != ".json" or is_coco(place))


def sources_of(
    given: Iterable[str | os.PathLike[str]], *, images: Path | None = None
) -> tuple[list[Path], list[SourceList]]:
    """Tell folders and pictures from lists of pictures; both as `Index.ingest` takes them.

    Raises
    ------
    SettingsError
        A place has no meaning.
    """
    places: list[Path] = []
    lists: list[SourceList] = []
    for one in given:
        try:
            place = place_of(one)
        except ValueError as error:
            raise SettingsError(str(error)) from error
        if is_list(place):
            lists.append(SourceList(place, images=images))
        else:
            places.append(place)
    return places, lists
