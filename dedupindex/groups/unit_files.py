"""Companions of files as they lie in their folders now, and pairs and groups with the companions of their places.

The names in a folder tell. Files are only read, and only their heads, where a video of a Live Photo's size belongs to
no picture by its name: then Apple's content identifiers may tell.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from dedupindex.groups.companions import NO_UNITS, FolderUnits, pictures_without_video, units_of, videos_alone
from dedupindex.places import is_local
from dedupindex.records import DuplicateGroup, ImageRecord, LocationRecord, Pair
from dedupindex.records.companions import Companion, CompanionKind, Units
from dedupindex.sources.content_ids import content_id


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
        apart = self.units is Units.APART
        units = units_of(names, self._mask_pattern, apart=apart)
        identifiers = _content_ids(folder, names, units)
        return units_of(names, self._mask_pattern, apart=apart, content_ids=identifiers) if identifiers else units


def _content_ids(folder: Path, names: Sequence[str], units: FolderUnits) -> dict[str, str]:
    """Apple's content identifiers, where a video that belongs to no picture by its name has one."""
    videos = {name: content_id(folder / name) for name in videos_alone(names, units)}
    wanted = {identifier for identifier in videos.values() if identifier}
    if not wanted:
        return {}
    pictures = {name: content_id(folder / name) for name in pictures_without_video(names, units)}
    return {name: identifier for name, identifier in (videos | pictures).items() if identifier in wanted}


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def with_companions(
    pairs: Sequence[Pair], images: Sequence[ImageRecord], finder: UnitFinder
) -> tuple[list[Pair], list[ImageRecord]]:
    """Pairs and images, each present place with its companions.

    Parameters
    ----------
    pairs : sequence of Pair
    images : sequence of ImageRecord
    finder : UnitFinder

    Returns
    -------
    pairs : list of Pair
    images : list of ImageRecord
    """
    known: dict[int, ImageRecord] = {}

    def image(of: ImageRecord) -> ImageRecord:
        if of.id not in known:
            known[of.id] = image_with_companions(of, finder)
        return known[of.id]

    made: list[Pair] = []
    for pair in pairs:
        a, b = image(pair.a), image(pair.b)
        made.append(pair if a is pair.a and b is pair.b else dataclasses.replace(pair, a=a, b=b))
    return made, [image(one) for one in images]


def group_with_companions(
    group: DuplicateGroup, finder: UnitFinder, without: Collection[CompanionKind] = ()
) -> DuplicateGroup:
    """A group in which each present place of a member has its companions.

    Parameters
    ----------
    group : DuplicateGroup
    finder : UnitFinder
    without : collection of CompanionKind
        Companions of these kinds are left out, so that they do not count in the ranking.

    Returns
    -------
    DuplicateGroup
        The same one where that changes nothing.
    """
    members = tuple(
        dataclasses.replace(member, image=image_with_companions(member.image, finder, without))
        for member in group.members
    )
    return group if members == group.members else dataclasses.replace(group, members=members)


def image_with_companions(
    image: ImageRecord, finder: UnitFinder, without: Collection[CompanionKind] = ()
) -> ImageRecord:
    """An image whose present places have their companions.

    Parameters
    ----------
    image : ImageRecord
    finder : UnitFinder
    without : collection of CompanionKind
        Companions of these kinds are left out; without embedded ones the image counts as the only one of its file.

    Returns
    -------
    ImageRecord
        The same one where that changes nothing.
    """
    places = tuple(
        place if place.missing else _with_companions(place, finder.companions(place.path), without)
        for place in image.locations
    )
    if CompanionKind.EMBEDDED in without and image.further_pictures:
        image = dataclasses.replace(image, frame_count=1)
    return image if places == image.locations else dataclasses.replace(image, locations=places)


def _with_companions(
    place: LocationRecord, companions: tuple[Companion, ...], without: Collection[CompanionKind]
) -> LocationRecord:
    if without:
        companions = tuple(companion for companion in companions if companion.kind not in without)
    return place if companions == place.companions else dataclasses.replace(place, companions=companions)
