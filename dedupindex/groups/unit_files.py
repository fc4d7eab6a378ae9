"""Companions of files as they lie in their folders now, and groups with the companions of their places.

Only the names in a folder are read, never a file.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from dedupindex.groups.companions import NO_UNITS, FolderUnits, units_of
from dedupindex.places import is_local
from dedupindex.records import DuplicateGroup, ImageRecord, Pair
from dedupindex.records.companions import Companion, Units
from dedupindex.records.reports import Report


class UnitFinder:
    """Units of files, each folder listed once and remembered.

    Parameters
    ----------
    mask_pattern : str
        Name of the mask file beside a picture, with ``{stem}``; "" = there are none.
    units : Units
        Whether a raw file and the JPEG or HEIC of one shot are one unit.
    """

    def __init__(self, mask_pattern: str = "", units: Units = Units.TOGETHER) -> None:
        self.units = units
        self._mask_pattern = mask_pattern
        self._folders: dict[Path, FolderUnits] = {}

    def companions(self, path: Path) -> tuple[Companion, ...]:
        """Files that belong to a picture, by name; none where its folder cannot be listed."""
        kinds = self._folder(path).companions.get(path.name, {})
        return tuple(Companion(path.with_name(name), kind) for name, kind in sorted(kinds.items()))

    def owners(self, path: Path) -> tuple[Path, ...]:
        """Pictures that all have to go before a companion goes, by name."""
        return tuple(path.with_name(name) for name in sorted(self._folder(path).owners.get(path.name, ())))

    def leads(self, path: Path) -> tuple[Path, ...]:
        """JPEGs and HEICs of the same shot as a raw file, with which alone it goes; none for all other files."""
        return tuple(path.with_name(name) for name in self._folder(path).bound.get(path.name, ()))

    def _folder(self, path: Path) -> FolderUnits:
        folder = path.parent
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = self._listed(folder)
        return known

    def _listed(self, folder: Path) -> FolderUnits:
        if not is_local(folder):
            return NO_UNITS
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries if _is_file(entry)]
        except OSError:  # gone, or a member of an archive
            return NO_UNITS
        return units_of(names, self._mask_pattern, apart=self.units is Units.APART)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def with_companions(report: Report, mask_pattern: str = "") -> Report:
    """A report in which every present place of a group has its companions.

    Parameters
    ----------
    report : Report
    mask_pattern : str
        As for `UnitFinder`.

    Returns
    -------
    Report
        The same one where there are none.
    """
    finder = UnitFinder(mask_pattern)
    images = {member.image.id: member.image for group in report.groups for member in group.members}
    for pair in report.pairs:  # alternates are in no group
        images.setdefault(pair.a.id, pair.a)
        images.setdefault(pair.b.id, pair.b)
    changed = {number: whole for number, image in images.items() if (whole := _image(image, finder)) is not image}
    if not changed:
        return report
    groups = {id(group): _group(group, changed) for group in report.groups}
    changes = report.changes
    if changes is not None:
        changes = tuple(
            one if one.group is None else dataclasses.replace(one, group=groups.get(id(one.group), one.group))
            for one in changes
        )
    return dataclasses.replace(
        report,
        groups=tuple(groups[id(group)] for group in report.groups),
        pairs=_pairs(report.pairs, changed),
        changes=changes,
    )


def _image(image: ImageRecord, finder: UnitFinder) -> ImageRecord:
    places = tuple(
        place if place.missing or not (companions := finder.companions(place.path))
        else dataclasses.replace(place, companions=companions)
        for place in image.locations
    )  # fmt: skip
    return image if places == image.locations else dataclasses.replace(image, locations=places)


def _pairs(pairs: Iterable[Pair], changed: dict[int, ImageRecord]) -> tuple[Pair, ...]:
    return tuple(
        dataclasses.replace(pair, a=changed.get(pair.a.id, pair.a), b=changed.get(pair.b.id, pair.b))
        if pair.a.id in changed or pair.b.id in changed
        else pair
        for pair in pairs
    )


def _group(group: DuplicateGroup, changed: dict[int, ImageRecord]) -> DuplicateGroup:
    if not any(member.image.id in changed for member in group.members):
        return group
    members = tuple(
        dataclasses.replace(member, image=changed.get(member.image.id, member.image)) for member in group.members
    )
    weakest = None if group.weakest is None else _pairs([group.weakest], changed)[0]
    return dataclasses.replace(
        group,
        members=members,
        pairs=_pairs(group.pairs, changed),
        weakest=weakest,
        alternates=_pairs(group.alternates, changed),
    )
