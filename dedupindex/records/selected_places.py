"""Which places of images a selection asks for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import combinations, product
from pathlib import Path

from dedupindex.records.answers import ImageRecord, LocationRecord, Pair
from dedupindex.records.reports import FolderChoice, Selection

Where = tuple[int | None, Path]  # side (0, 1, None = neither), folder: places of one kind are selected alike
Places = tuple[LocationRecord, LocationRecord]
MOST_PLACES = 16  # of an image, each paired with each: a thousand places of two images would make a million pairs


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
    numbers = [number for number, root in enumerate(selection.across) if below(path, root)]
    if len(numbers) < 2:
        return numbers[0] if numbers else None
    return max(numbers, key=lambda number: len(os.fspath(selection.across[number])) if selection.across else 0)


def fits(selection: Selection, one: Where, other: Where) -> bool:
    """Whether a selection asks for pairs of places of these two kinds.

    Parameters
    ----------
    selection : Selection
    one, other : (side, folder)
        Side of `Selection.across` (0, 1, None = neither) and folder of each place.

    Returns
    -------
    bool
    """
    if selection.across is not None and {one[0], other[0]} != {0, 1}:
        return False
    if selection.folder == FolderChoice.SAME:
        return one[1] == other[1]
    return selection.folder != FolderChoice.OTHER or one[1] != other[1]


def shown_places(selection: Selection, pair: Pair) -> tuple[LocationRecord, LocationRecord]:
    """The two places that are shown for a pair, one of each image."""
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
    pairs = []
    earlier: dict[Where, LocationRecord] = {}
    waiting: list[tuple[Where, LocationRecord]] = []
    for place in image.locations:
        where = _where(selection, place)
        partner = next((first for other, first in earlier.items() if fits(selection, where, other)), None)
        if partner is not None:
            pairs.append((partner, place))
        elif earlier:
            waiting.append((where, place))
        earlier.setdefault(where, place)
    for where, place in waiting:
        partner = next((first for other, first in earlier.items() if fits(selection, where, other)), None)
        if partner is not None and (partner, place) not in pairs and (place, partner) not in pairs:
            pairs.append((place, partner))
    return pairs


def place_pairs(selection: Selection, pair: Pair) -> list[Places]:
    """Pairs of places that are asked for, one of each image; the one of `shown_places` first.

    Of an image at many places the first `MOST_PLACES` count; places that are gone only where there is no other one.
    """
    ends = product(_present(pair.a), _present(pair.b))
    chosen = [(a, b) for a, b in ends if fits(selection, _where(selection, a), _where(selection, b))]
    shown = shown_places(selection, pair)
    return [shown, *(ends for ends in chosen if ends != shown)]


def copy_pairs(selection: Selection, image: ImageRecord) -> list[Places]:
    """Pairs of an image's own places that are asked for: those of `copies_of`, and each of the first ones with each."""
    first = copies_of(selection, image)
    if not selection.wants_copies:
        return first
    known = {frozenset((a.address, b.address)) for a, b in first}
    more = [
        (a, b)
        for a, b in combinations(_present(image), 2)
        if fits(selection, _where(selection, a), _where(selection, b)) and {a.address, b.address} not in known
    ]
    return [*first, *more]


def _present(image: ImageRecord) -> Sequence[LocationRecord]:
    there = [place for place in image.locations if not place.missing]
    return (there or list(image.locations))[:MOST_PLACES]


def _where(selection: Selection, place: LocationRecord) -> Where:
    return side(selection, place.path), place.path.parent


def _first_by_where(selection: Selection, image: ImageRecord) -> dict[Where, LocationRecord]:
    by_where: dict[Where, LocationRecord] = {}
    for place in image.locations:
        by_where.setdefault(_where(selection, place), place)
    return by_where
