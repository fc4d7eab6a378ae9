"""Dividing a data set into parts so that pictures that show the same are never in two of them.

Files that are joined by confirmed pairs (copies, alternates, pieces), by one content at several places, or by being
frames of one file make a *unit*. A unit goes into one part as a whole. Units are dealt by a digest of the seed and
their content, largest first, each to the part that lacks most: the shares come out as exactly as the units allow, and
do not depend on the order of files, on names, or on the number of workers.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupindex.curation.parts import Membership
from dedupindex.errors import SettingsError
from dedupindex.groups.decisions import decided_pairs, sift
from dedupindex.groups.joining import join, root_of
from dedupindex.groups.report import present_pairs
from dedupindex.records.splits import DEFAULT_RATIOS, Part, Split, SplitFile
from dedupindex.store import catalog_decisions, catalog_images
from dedupindex.store.database import Connection

DIGITS = 12  # of a unit's name


@dataclass(frozen=True, slots=True)
class _Unit:
    name: str  # the smallest content key in it, shortened
    key: str  # that key
    files: tuple[str, ...]


def parse_ratios(text: str) -> dict[str, float]:
    """Read shares like ``train=0.8,val=0.1,test=0.1``; they are scaled to a sum of 1.

    Raises
    ------
    SettingsError
    """
    ratios: dict[str, float] = {}
    for word in text.split(","):
        name, _, share = word.partition("=")
        name = name.strip()
        try:
            ratios[name] = float(share)
        except ValueError as error:
            raise SettingsError(f"parts are {text!r}, must be like train=0.8,val=0.1,test=0.1") from error
        if not name or not (math.isfinite(ratios[name]) and ratios[name] >= 0):
            raise SettingsError(f"parts are {text!r}: each needs a name and a share that is not negative")
    if len(ratios) < len(text.split(",")):
        raise SettingsError(f"parts are {text!r}: two have one name")
    total = sum(ratios.values())
    if not total > 0:
        raise SettingsError(f"parts are {text!r}: one share must be above 0")
    return {name: share / total for name, share in ratios.items()}


def split(
    connection: Connection,
    wanted: Part,
    ratios: Mapping[str, float] = DEFAULT_RATIOS,
    *,
    seed: int = 0,
    existing: Sequence[Part] = (),
    drop: bool = False,
) -> Split:
    """Divide the stored pictures of a data set into parts.

    Parameters
    ----------
    connection : Connection
        In a read transaction.
    wanted : Part
        Which files to divide.
    ratios : mapping of str to float
        Shares of the parts, not negative, of which the sum is 1; of files, not of units.
    seed : int
    existing : sequence of Part
        What lies in a part already stays there, and draws what belongs to it.
    drop : bool
        Of a unit that lies in several parts already, only the files in the last of these parts stay; the others are
        left out of the split. Without, they stay where they are, and the unit is told as torn.

    Returns
    -------
    Split

    Raises
    ------
    SettingsError
        There is nothing to divide; a part of *existing* has no share; a file stands in two existing parts.
    """
    strange = [part.name for part in existing if part.name not in ratios]
    if strange:
        raise SettingsError(f"no share is given for {', '.join(strange)}; there are: {', '.join(ratios)}")
    scope, held = Membership((wanted,)), Membership(tuple(existing))
    units, labels = _units(connection, scope, held)
    if not any(scope.of(Path(path)) for unit in units for path in unit.files):
        raise SettingsError("the index knows no picture to divide there; ingest it first")
    counts = dict.fromkeys(ratios, 0)
    files: list[SplitFile] = []
    torn: list[str] = []
    free: list[_Unit] = []
    for unit in units:
        known = {path: _held_in(held, path) for path in unit.files}
        parts = sorted({part for part in known.values() if part}, key=list(ratios).index)
        if not parts:
            free.append(unit)
            continue
        if len(parts) > 1:
            torn.append(unit.name)
        for path in unit.files:
            part = known[path] or parts[-1]
            if drop and part != parts[-1]:
                part = ""
            files.append(SplitFile(Path(path), part, unit.name, labels.get(path), kept=bool(known[path])))
            counts[part] = counts.get(part, 0) + 1
    counts.pop("", None)
    dealt = deal({unit.key: len(unit.files) for unit in free}, ratios, counts, seed=seed)
    for unit in free:
        files += [SplitFile(Path(path), dealt[unit.key], unit.name, labels.get(path)) for path in unit.files]
    files.sort(key=lambda file: os.fsencode(file.path))
    return Split(dict(ratios), tuple(files), len(units), tuple(sorted(torn)), seed)


def _held_in(held: Membership, path: str) -> str:
    parts = held.of(Path(path))
    if len(parts) > 1:
        raise SettingsError(f"{path}: stands in several parts, {', '.join(parts)}")
    return parts[0] if parts else ""


def deal(
    sizes: Mapping[str, int], ratios: Mapping[str, float], counts: Mapping[str, int], *, seed: int
) -> dict[str, str]:
    """Deal units to parts: the largest first, equal ones by a digest, each to the part that lacks most.

    Parameters
    ----------
    sizes : mapping of str to int
        Files of each unit, by its key.
    ratios : mapping of str to float
        Wanted shares, not negative, of which one is above 0.
    counts : mapping of str to int
        Files that are in each part already.
    seed : int

    Returns
    -------
    dict of str to str
        Part of each unit; the order of *sizes* does not matter.
    """
    held = dict(counts)
    dealt: dict[str, str] = {}
    for key in sorted(sizes, key=lambda key: (-sizes[key], _drawn(seed, key))):
        dealt[key] = _neediest(held, ratios, sizes[key])
        held[dealt[key]] += sizes[key]
    return dealt


def _drawn(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed} {key}".encode()).digest()


def _neediest(counts: Mapping[str, int], ratios: Mapping[str, float], more: int) -> str:
    """The part that is furthest below its share once *more* files are dealt; the first of equal ones."""
    total = sum(counts.values()) + more
    open_parts = [name for name, share in ratios.items() if share > 0]
    return max(open_parts, key=lambda name: ratios[name] * total - counts[name])


def _units(connection: Connection, scope: Membership, held: Membership) -> tuple[list[_Unit], dict[str, str]]:
    """Units of the files in either of two scopes, and labels by path."""
    parent: dict[int, int] = {}
    numbers: dict[str, int] = {}  # of files
    keys: dict[str, str] = {}  # smallest content key by file
    labels: dict[str, str] = {}

    def number_of(path: str) -> int:
        number = numbers.setdefault(path, len(numbers))
        parent.setdefault(number, number)
        return number

    def join_all(paths: Iterable[str]) -> None:
        joined = [number_of(path) for path in paths]
        for number in joined[1:]:
            join(parent, joined[0], number)

    for image in catalog_images.all_images(connection):
        places = [place for place in image.locations if not place.missing]
        paths = [os.fspath(place.path) for place in places]
        join_all(paths)
        for place, path in zip(places, paths, strict=True):
            keys[path] = min(image.key, keys.get(path, image.key))
            if place.label is not None:
                labels[path] = place.label
    decided = decided_pairs(catalog_decisions.decisions(connection))
    for pair in sift(present_pairs(connection), decided, show_kept=True):
        join_all(os.fspath(place.path) for image in (pair.a, pair.b) for place in image.locations)
    members: dict[int, list[str]] = defaultdict(list)
    for path, number in numbers.items():
        if scope.of(Path(path)) or held.of(Path(path)):
            members[root_of(parent, number)].append(path)
    units = []
    for paths in members.values():
        key = min(keys[path] for path in paths)
        units.append(_Unit(key[:DIGITS], key, tuple(sorted(paths))))
    return sorted(units, key=lambda unit: unit.key), labels
