"""Which pairs and places a report is made of. A selection acts before groups are built, so that groups hold to it."""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupindex.errors import SettingsError
from dedupindex.groups.report_records import OTHER_FOLDER, SAME_FOLDER, Selection
from dedupindex.places import absolute
from dedupindex.records import ImageRecord, LocationRecord, Pair, Relation

Where = tuple[int | None, Path]  # side (0, 1, None = neither), folder: places of one kind are selected alike


@dataclass(frozen=True, slots=True)
class Selected:
    """Pairs and images at several places that may make groups with each other."""

    pairs: tuple[Pair, ...]
    alone: tuple[ImageRecord, ...]
    folder: Path | None = None  # within which they lie, where only pairs of one folder are asked for


def settled(selection: Selection) -> Selection:
    """The selection with absolute paths.

    Raises
    ------
    SettingsError
        Something in it has no meaning.
    """
    unknown = [str(r) for r in (*selection.relations, *selection.not_relations) if str(r) not in set(Relation)]
    if unknown:
        raise SettingsError(f"no relation {', '.join(unknown)}; there are: {', '.join(Relation)}")
    if selection.folder not in ("", SAME_FOLDER, OTHER_FOLDER):
        raise SettingsError(f"folder is {selection.folder!r}, must be {SAME_FOLDER!r} or {OTHER_FOLDER!r}")
    across = selection.across
    if across is not None:
        across = (absolute(across[0]), absolute(across[1]))
        if across[0] == across[1]:
            raise SettingsError(f"{across[0]} and {across[1]} are one place, must be two")
    return dataclasses.replace(
        selection,
        relations=tuple(Relation(some) for some in selection.relations),
        not_relations=tuple(Relation(some) for some in selection.not_relations),
        paths=tuple(absolute(path) for path in selection.paths),
        across=across,
    )


def select(selection: Selection, pairs: Sequence[Pair], copies: Sequence[ImageRecord]) -> list[Selected]:
    """Pairs and copies that are asked for, each image with those of its places that are.

    Parameters
    ----------
    selection : Selection
        As `settled` gives it. Its `paths` are about groups (`touches`).
    pairs : sequence of Pair
        Of present images, best first.
    copies : sequence of ImageRecord
        Images at several present places.
    """
    pairs = [pair for pair in pairs if selection.wants(pair.relations)]
    if not selection.wants_copies:
        copies = ()
    slices = _by_folder(pairs, copies) if selection.folder == SAME_FOLDER else [Selected(tuple(pairs), tuple(copies))]
    if selection.across is not None or selection.folder == OTHER_FOLDER:
        slices = [_crossing(selection, some) for some in slices]
    return slices


def touches(selection: Selection, places: Iterable[LocationRecord]) -> bool:
    """Whether a group at these places is asked for."""
    return not selection.paths or any(below(place.path, path) for place in places for path in selection.paths)


def below(path: Path, root: Path) -> bool:
    """Whether a path is inside a folder, or equal to it."""
    name, start = os.fspath(path), os.fspath(root).rstrip("/")
    return name == start or name.startswith(start + "/") or not start


def side(selection: Selection, path: Path) -> int | None:
    """On which side of a selection across two paths a place lies: 0, 1, or None; the inner one counts."""
    if selection.across is None:
        return None
    found = [number for number, root in enumerate(selection.across) if below(path, root)]
    if len(found) < 2:
        return found[0] if found else None
    return max(found, key=lambda number: len(os.fspath(selection.across[number])) if selection.across else 0)


def fits(selection: Selection, one: Where, other: Where) -> bool:
    """Whether a pair of places of these kinds is asked for."""
    if selection.across is not None and {one[0], other[0]} != {0, 1}:
        return False
    if selection.folder == SAME_FOLDER:
        return one[1] == other[1]
    return selection.folder != OTHER_FOLDER or one[1] != other[1]


def shown_places(selection: Selection, pair: Pair) -> tuple[LocationRecord, LocationRecord]:
    """The places that stand for a pair where only one of each image can be shown."""
    ends = _first_by_where(selection, pair.a), _first_by_where(selection, pair.b)
    for one, a in ends[0].items():
        for other, b in ends[1].items():
            if fits(selection, one, other):
                return a, b
    return pair.a.locations[0], pair.b.locations[0]


def copies_of(selection: Selection, image: ImageRecord) -> list[tuple[LocationRecord, LocationRecord]]:
    """Pairs of an image's places that are asked for: each further place with the first one that fits."""
    if not selection.wants_copies:
        return []
    found = []
    earlier: dict[Where, LocationRecord] = {}
    waiting: list[tuple[Where, LocationRecord]] = []
    for place in image.locations:
        where = (side(selection, place.path), place.path.parent)
        partner = next((first for other, first in earlier.items() if fits(selection, where, other)), None)
        if partner is not None:
            found.append((partner, place))
        elif earlier:
            waiting.append((where, place))
        earlier.setdefault(where, place)
    for where, place in waiting:
        partner = next((first for other, first in earlier.items() if fits(selection, where, other)), None)
        if partner is not None and (partner, place) not in found and (place, partner) not in found:
            found.append((place, partner))
    return found


def _first_by_where(selection: Selection, image: ImageRecord) -> dict[Where, LocationRecord]:
    found: dict[Where, LocationRecord] = {}
    for place in image.locations:
        found.setdefault((side(selection, place.path), place.path.parent), place)
    return found


def _by_folder(pairs: Sequence[Pair], copies: Sequence[ImageRecord]) -> list[Selected]:
    """A slice for every folder: images in several folders stand in several slices, with their places there."""
    folders: dict[Path, tuple[list[Pair], list[ImageRecord]]] = defaultdict(lambda: ([], []))
    for pair in pairs:
        for folder in sorted({p.path.parent for p in pair.a.locations} & {p.path.parent for p in pair.b.locations}):
            a, b = _within(pair.a, folder), _within(pair.b, folder)
            folders[folder][0].append(dataclasses.replace(pair, a=a, b=b))
    for image in copies:
        for folder in sorted({place.path.parent for place in image.locations}):
            there = _within(image, folder)
            if len(there.locations) > 1:
                folders[folder][1].append(there)
    return [Selected(tuple(some), tuple(alone), folder) for folder, (some, alone) in sorted(folders.items())]


def _within(image: ImageRecord, folder: Path) -> ImageRecord:
    return dataclasses.replace(image, locations=tuple(p for p in image.locations if p.path.parent == folder))


def _crossing(selection: Selection, some: Selected) -> Selected:
    """Leave out pairs of which no two places fit, and of every image the places that are in no such two."""
    kept: dict[int, set[Where]] = defaultdict(set)
    wheres: dict[int, dict[Where, int]] = {}

    def of(image: ImageRecord) -> dict[Where, int]:
        if image.id not in wheres:
            counted: dict[Where, int] = defaultdict(int)
            for place in image.locations:
                counted[side(selection, place.path), place.path.parent] += 1
            wheres[image.id] = dict(counted)
        return wheres[image.id]

    pairs = []
    for pair in some.pairs:
        fitting = [(one, other) for one in of(pair.a) for other in of(pair.b) if fits(selection, one, other)]
        if fitting:
            pairs.append(pair)
            kept[pair.a.id].update(one for one, _ in fitting)
            kept[pair.b.id].update(other for _, other in fitting)
    alone = []
    for image in some.alone:
        there = of(image)
        fitting = [(one, other) for one in there for other in there if fits(selection, one, other)]
        fitting = [(one, other) for one, other in fitting if one != other or there[one] > 1]
        if fitting:
            alone.append(image)
            kept[image.id].update(where for both in fitting for where in both)

    def trimmed(image: ImageRecord) -> ImageRecord:
        places = (p for p in image.locations if (side(selection, p.path), p.path.parent) in kept[image.id])
        return dataclasses.replace(image, locations=tuple(places))

    replaced = (dataclasses.replace(pair, a=trimmed(pair.a), b=trimmed(pair.b)) for pair in pairs)
    return Selected(tuple(replaced), tuple(trimmed(image) for image in alone), some.folder)
