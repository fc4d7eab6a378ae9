"""Which files of a folder belong to which picture, from their names alone.

A *unit* is a picture with its companions. A raw file and the JPEG or HEIC of one stem are companions of each other; the
JPEG or HEIC *leads* that unit. What belongs to one of them belongs to the unit.

Names are compared without regard to case, as cameras and phones write them; a companion whose stem fits one picture to
the letter belongs to that one alone.

Google Takeout cuts the names of its JSON files at 46 characters before ``.json`` and moves the number of a repeated
name to the end: ``IMG(1).jpg`` has ``IMG.jpg(1).json`` or ``IMG.jpg.supplemental-metadata(1).json``.
"""

from __future__ import annotations

import bisect
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from dedupindex.records.companions import CompanionKind
from dedupindex.sources.files import mask_name_matcher
from dedupindex.sources.sniff import IMAGE_SUFFIXES, RAW_SUFFIXES

RENDERED_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".heic", ".heif", ".hif"})
VIDEO_SUFFIXES = frozenset({".mov", ".mp4"})
EDIT_SUFFIXES = frozenset({".xmp", ".aae", ".pp3", ".dop", ".arp", ".vrd", ".on1"})
SOUND_SUFFIXES = frozenset({".wav"})
_PIXEL_VIDEO = ".mp"  # PXL_1.MP belongs to PXL_1.MP.jpg
_JSON = ".json"
_COMPANION_SUFFIXES = RAW_SUFFIXES | VIDEO_SUFFIXES | EDIT_SUFFIXES | SOUND_SUFFIXES | {_PIXEL_VIDEO, _JSON}
_SUPPLEMENT = "supplemental-metadata"
_CUT = 45  # characters from which on the name of a Takeout JSON may have been cut
_EDITED = "-edited"  # Takeout's edited picture, which has no JSON of its own
_NUMBERED = re.compile(r"(?P<name>.+)(?P<number>\(\d+\))")
_SUPPLEMENTED = re.compile(r"(?P<name>.+)\.(?P<part>[a-z-]*)")
_APPLE_ORIGINAL = re.compile(r"(?P<before>img_)o(?P<number>\d+)", re.IGNORECASE)  # IMG_O1234.AAE of IMG_1234
_DARKTABLE_VERSION = re.compile(r"(?P<stem>.+)_\d\d(?P<suffix>\.[^.]+)")  # IMG_01.CR2.xmp of IMG.CR2
_ICLOUDPD = re.compile(r"(?P<stem>.+)_hevc", re.IGNORECASE)  # IMG_1_HEVC.MOV of IMG_1.HEIC


@dataclass(frozen=True, slots=True)
class FolderUnits:
    """The units of one folder, by names.

    Attributes
    ----------
    companions : mapping
        Picture -> its companions and what they are to it; pictures without any are left out.
    owners : mapping
        Companion -> the pictures that have to go before it goes. A raw file with a JPEG or HEIC owns nothing, they do.
    bound : mapping
        Raw file -> the JPEGs and HEICs of the same shot, with which alone it goes.
    """

    companions: Mapping[str, Mapping[str, CompanionKind]]
    owners: Mapping[str, frozenset[str]]
    bound: Mapping[str, tuple[str, ...]]


NO_UNITS = FolderUnits({}, {}, {})


def units_of(
    names: Iterable[str],
    mask_pattern: str = "",
    *,
    apart: bool = False,
    content_ids: Mapping[str, str] | None = None,
) -> FolderUnits:
    """Find the units among the files of a folder.

    Parameters
    ----------
    names : iterable of str
        Of all regular files in one folder.
    mask_pattern : str
        Name of the mask file beside a picture, with ``{stem}``; "" = there are none.
    apart : bool
        A raw file and the JPEG or HEIC of one stem are pictures of their own, and each has its companions.
    content_ids : mapping, optional
        Apple's content identifiers of pictures and videos, by name: those with the same one belong together.

    Returns
    -------
    FolderUnits
    """
    listed = sorted(set(names))
    masks = _masks(listed, mask_pattern)
    if not masks and not content_ids and not any(_split(name)[1] in _COMPANION_SUFFIXES for name in listed):
        return NO_UNITS
    direct = _direct(listed, masks, content_ids or {})
    bound: dict[str, tuple[str, ...]] = {}
    if apart:
        pictures = {p: {c: k for c, k in beside.items() if k not in _MATES} for p, beside in direct.items()}
    else:
        mates = {
            picture: {name: kind for name, kind in beside.items() if kind in _MATES}
            for picture, beside in direct.items()
        }
        bound = {p: tuple(leads) for p, leads in mates.items() if CompanionKind.RENDERED in leads.values()}
        pictures = {
            picture: beside
            | {
                name: kind
                for mate in mates[picture]
                for name, kind in direct[mate].items()
                if kind not in _MATES and name != picture
            }
            for picture, beside in direct.items()
        }
    owners: dict[str, set[str]] = defaultdict(set)
    for picture, beside in pictures.items():
        for name in beside:
            if picture not in bound:
                owners[name].add(picture)
    return FolderUnits(
        {picture: beside for picture, beside in pictures.items() if beside},
        {name: frozenset(leads) for name, leads in owners.items()},
        bound,
    )


_MATES = frozenset({CompanionKind.RAW, CompanionKind.RENDERED})


def videos_alone(names: Iterable[str], units: FolderUnits) -> list[str]:
    """Videos of a folder that belong to no picture by their names, in the order of their names."""
    return sorted(name for name in names if _split(name)[1] in VIDEO_SUFFIXES and name not in units.owners)


def pictures_without_video(names: Iterable[str], units: FolderUnits) -> list[str]:
    """JPEGs and HEICs of a folder to which no video belongs by its name, in the order of their names."""
    return sorted(
        name
        for name in names
        if _split(name)[1] in RENDERED_SUFFIXES and CompanionKind.VIDEO not in units.companions.get(name, {}).values()
    )


def is_mate(one: PurePath, other: PurePath) -> bool:
    """Whether two pictures are a raw file and the JPEG or HEIC of one stem, whatever folders they lie in."""
    suffixes = (one.suffix.lower(), other.suffix.lower())
    return one.stem.casefold() == other.stem.casefold() and (
        (suffixes[0] in RAW_SUFFIXES and suffixes[1] in RENDERED_SUFFIXES)
        or (suffixes[1] in RAW_SUFFIXES and suffixes[0] in RENDERED_SUFFIXES)
    )


class _Names:
    """Pictures of a folder, looked up by name or stem."""

    def __init__(self, names: Sequence[str]) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._names = names
        self._sorted: list[tuple[str, str]] | None = None
        for name in names:
            folded = name.casefold()
            self._by_name[folded].append(name)
            self._by_stem[_split(folded)[0]].append(name)

    def named(self, name: str) -> list[str]:
        """Pictures of that name."""
        same = self._by_name.get(name.casefold(), [])
        return [name] if name in same else same

    def of_stem(self, stem: str) -> list[str]:
        """Pictures of that stem."""
        same = self._by_stem.get(stem.casefold(), [])
        if len(same) < 2:
            return same
        return [name for name in same if _split(name)[0] == stem] or same

    def beginning(self, start: str) -> list[str]:
        """Pictures whose names begin so."""
        start = start.casefold()
        if self._sorted is None:  # rarely asked for
            self._sorted = sorted((name.casefold(), name) for name in self._names)
        first = bisect.bisect_left(self._sorted, (start, ""))
        beginning: list[str] = []
        for folded, name in self._sorted[first:]:
            if not folded.startswith(start):
                break
            beginning.append(name)
        return beginning


def _split(name: str) -> tuple[str, str]:
    """Stem and suffix, the latter in small letters; a dot at the beginning begins no suffix."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, f".{suffix.lower()}") if dot and stem else (name, "")


def _direct(
    names: Sequence[str], masks: Mapping[str, str], content_ids: Mapping[str, str]
) -> dict[str, dict[str, CompanionKind]]:
    """Companions of each picture, without those of its raw file or its JPEG."""
    pictures = [name for name in names if _split(name)[1] in IMAGE_SUFFIXES and name not in masks]
    every = _Names(pictures)
    rendered = _Names([name for name in pictures if _split(name)[1] in RENDERED_SUFFIXES])
    beside: dict[str, dict[str, CompanionKind]] = {name: {} for name in pictures}
    for name in names:
        stem, suffix = _split(name)
        if name in masks:
            for picture in every.of_stem(masks[name]):
                beside[picture][name] = CompanionKind.MASK
        elif suffix in RAW_SUFFIXES:
            for picture in rendered.of_stem(stem):
                beside[picture][name] = CompanionKind.RAW
                beside[name][picture] = CompanionKind.RENDERED
        elif suffix in VIDEO_SUFFIXES or suffix == _PIXEL_VIDEO:
            for picture in _with_video(name, rendered):
                beside[picture][name] = CompanionKind.VIDEO
        elif suffix in EDIT_SUFFIXES:
            for picture in _edited(stem, every):
                beside[picture][name] = CompanionKind.EDITS
        elif suffix in SOUND_SUFFIXES:
            for picture in every.of_stem(stem):
                beside[picture][name] = CompanionKind.SOUND
        elif suffix == _JSON:
            for picture in _described(stem, every):
                beside[picture][name] = CompanionKind.METADATA
    by_id: dict[str, list[str]] = defaultdict(list)
    for name, content_id in content_ids.items():
        by_id[content_id].append(name)
    for same in by_id.values():
        for picture in same:
            if picture in beside:
                videos = (name for name in same if _split(name)[1] in VIDEO_SUFFIXES)
                beside[picture] |= dict.fromkeys(videos, CompanionKind.VIDEO)
    return beside


def _masks(names: Sequence[str], pattern: str) -> dict[str, str]:
    """Mask files, each with the stem of its picture; a file is a mask only where there is such a picture."""
    matcher = mask_name_matcher(pattern) if pattern else None
    if matcher is None:
        return {}
    stems = {_split(name)[0]: name for name in names if _split(name)[1] in IMAGE_SUFFIXES}
    matches = ((name, matcher.fullmatch(name)) for name in names)
    masks = {name: match["stem"] for name, match in matches if match is not None}
    return {name: stem for name, stem in masks.items() if stem in stems and stems[stem] != name}


def _with_video(name: str, rendered: _Names) -> list[str]:
    stem, suffix = _split(name)
    if suffix == _PIXEL_VIDEO:
        return rendered.of_stem(name) or rendered.of_stem(stem)
    owners = rendered.of_stem(stem) or rendered.named(stem)
    other = _ICLOUDPD.fullmatch(stem)
    return owners or (rendered.of_stem(other["stem"]) if other else [])


def _edited(stem: str, pictures: _Names) -> list[str]:
    owners = pictures.named(stem) or pictures.of_stem(stem)
    if not owners and (original := _APPLE_ORIGINAL.fullmatch(stem)):
        owners = pictures.of_stem(original["before"] + original["number"])
    if not owners and (version := _DARKTABLE_VERSION.fullmatch(stem)):
        owners = pictures.named(version["stem"] + version["suffix"])
    return owners


def _described(stem: str, pictures: _Names) -> list[str]:
    """Pictures that a JSON file of Google Takeout describes, from its name without ``.json``."""
    owners = next((named for name in _without_supplement(stem) if (named := pictures.named(name))), [])
    if not owners and (numbered := _NUMBERED.fullmatch(stem)):
        for name in _without_supplement(numbered["name"]):
            before, suffix = _split(name)
            end = name[len(before) :] if suffix else ""
            owners = owners or pictures.named(f"{before}{numbered['number']}{end}")
    if not owners:
        owners = pictures.of_stem(stem)
    if not owners and len(stem) >= _CUT:
        owners = pictures.beginning(stem)
    edited = (_edited_name(name) for name in owners)
    return [*owners, *(other for name in edited for other in pictures.named(name) if other not in owners)]


def _without_supplement(stem: str) -> Iterator[str]:
    """The name as it is, and without the whole, or a cut, ``.supplemental-metadata``."""
    yield stem
    match = _SUPPLEMENTED.fullmatch(stem)
    if match is not None and _SUPPLEMENT.startswith(match["part"]):
        yield match["name"]


def _edited_name(name: str) -> str:
    stem, suffix = _split(name)
    return f"{stem}{_EDITED}{name[len(stem) :]}" if suffix else f"{name}{_EDITED}"
