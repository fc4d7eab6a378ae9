"""Which pairs and places a report is made of. A selection is applied before groups are built."""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupindex.errors import SettingsError, nearest
from dedupindex.places import place_of
from dedupindex.records import ImageRecord, Pair, Relation
from dedupindex.records.reports import FolderChoice, Selection
from dedupindex.records.selected_places import Where, fits, side


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
        meant = nearest(unknown[0], Relation)
        raise SettingsError(f"no relation {', '.join(unknown)}; there are: {', '.join(Relation)}{meant}")
    if selection.folder not in set(FolderChoice):
        named = " or ".join(repr(choice.value) for choice in FolderChoice if choice)
        raise SettingsError(f"folder is {selection.folder!r}, must be {named}")
    across = selection.across
    if across is not None:
        if isinstance(across, str | os.PathLike) or len(across) != 2:
            raise SettingsError(f"across is {across!r}, must be two places")
        across = (_place(across[0]), _place(across[1]))
        if across[0] == across[1]:
            raise SettingsError(f"{across[0]} and {across[1]} are one place, must be two")
    return dataclasses.replace(
        selection,
        relations=tuple(Relation(relation) for relation in selection.relations),
        not_relations=tuple(Relation(relation) for relation in selection.not_relations),
        paths=tuple(_place(path) for path in selection.paths),
        across=across,
        folder=FolderChoice(selection.folder),
    )


def _place(place: str | os.PathLike[str]) -> Path:
    try:
        return place_of(place)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{place!r} is no place: {error}") from error


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

    Returns
    -------
    list of Selected
        Each makes groups of its own: one, or one a folder where only pairs of the same folder are asked for.
    """
    pairs = [pair for pair in pairs if selection.wants(pair.relations)]
    if not selection.wants_copies:
        copies = ()
    slices = (
        _by_folder(pairs, copies) if selection.folder == FolderChoice.SAME else [Selected(tuple(pairs), tuple(copies))]
    )
    if selection.across is not None or selection.folder == FolderChoice.OTHER:
        slices = [_crossing(selection, part) for part in slices]
    return slices


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
    return [Selected(tuple(chosen), tuple(alone), folder) for folder, (chosen, alone) in sorted(folders.items())]


def _within(image: ImageRecord, folder: Path) -> ImageRecord:
    return dataclasses.replace(image, locations=tuple(p for p in image.locations if p.path.parent == folder))


def _crossing(selection: Selection, part: Selected) -> Selected:
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
    for pair in part.pairs:
        fitting = [(one, other) for one in of(pair.a) for other in of(pair.b) if fits(selection, one, other)]
        if fitting:
            pairs.append(pair)
            kept[pair.a.id].update(one for one, _ in fitting)
            kept[pair.b.id].update(other for _, other in fitting)
    alone = []
    for image in part.alone:
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
    return Selected(tuple(replaced), tuple(trimmed(image) for image in alone), part.folder)
