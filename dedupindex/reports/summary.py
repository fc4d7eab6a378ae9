"""What a report holds in a few numbers: groups and files by relation, and what could be freed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dedupindex.places import is_local
from dedupindex.records import DuplicateGroup, ImageRecord, Link, LocationRecord, Pair, Relation
from dedupindex.records.companions import CompanionKind
from dedupindex.records.proofs import DIRECT
from dedupindex.records.reports import Report

THROUGH_ANOTHER = "through another"  # no confirmed pair with the first picture of the group
_RAW, _RENDERED = "RAW", ("JPEG", "HEIF")  # formats of one shot, as cameras write it
_NEVER = (Relation.EDITED, Relation.SHIFTED_OVERLAP)  # each of the two shows something of its own


@dataclass(frozen=True, slots=True)
class RelationCount:
    """How many files stand in one relation to the first picture of their group."""

    relation: str  # names joined by `+`, or THROUGH_ANOTHER
    groups: int
    files: int


@dataclass(frozen=True, slots=True)
class Freed:
    """What would be freed at most; a plan looks closer and may take less."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: Freed) -> Freed:
        return Freed(self.files + other.files, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """A report in numbers."""

    groups: int
    files: int  # in the groups
    relations: tuple[RelationCount, ...]  # most files first
    exact: Freed  # all but one of the files with the same bytes
    copies: Freed  # besides these: one file of each picture that is a proven copy of one that ranks before it
    unproven: int  # pairs

    @classmethod
    def of(cls, report: Report) -> ReportSummary:
        """Count what a report holds.

        Parameters
        ----------
        report : Report

        Returns
        -------
        ReportSummary
        """
        groups: Counter[str] = Counter()
        files: Counter[str] = Counter()
        exact, copies = Freed(), Freed()
        for group in report.groups:
            own = Counter[str]()
            for number, member in enumerate(group.members):
                if number:
                    own[member.relation or THROUGH_ANOTHER] += 1
                own[str(Relation.SAME_BYTES)] += len(files_of((member.image,))) - 1
            own = +own
            files += own
            groups.update(own.keys())
            more_exact, more_copies = _freed(group)
            exact, copies = exact + more_exact, copies + more_copies
        rows = [RelationCount(name, groups[name], number) for name, number in files.most_common()]
        return cls(
            groups=len(report.groups),
            files=len({path for group in report.groups for path in files_of(m.image for m in group.members)}),
            relations=tuple(rows),
            exact=exact,
            copies=copies,
            unproven=report.unproven,
        )


def files_of(images: Iterable[ImageRecord]) -> set[str]:
    """Return the files in which images lie; of a file with several frames each place has the same path."""
    return {str(place.path) for image in images for place in image.locations}


def freed_by(group: DuplicateGroup) -> int:
    """Return how many bytes a group would free at most: copies with the same bytes, and proven ones.

    A raw file and the JPEG or HEIC of the same shot are no copies of each other here: no plan lets one go for the
    other.
    """
    return freed_of(group).bytes


def freed_of(group: DuplicateGroup) -> Freed:
    """Return what a group would free at most; see `freed_by`."""
    exact, copies = _freed(group)
    return exact + copies


def _freed(group: DuplicateGroup) -> tuple[Freed, Freed]:
    """Return what would be freed by copies with the same bytes, and besides by proven copies of better pictures."""
    exact, copies = Freed(), Freed()
    proven = _proven(group)
    for member in group.members:
        places = _movable(member.image)
        exact += Freed(len(places[1:]), sum(place.size for place in places[1:]))
        if member.image.id in proven and places and not any(_has_rendered(place) for place in places):
            copies += Freed(1, places[0].size)
    return exact, copies


def _movable(image: ImageRecord) -> list[LocationRecord]:
    """Return the places whose files could go: here, and not one of several frames."""
    if image.is_in_stack or image.is_further_picture:
        return []
    return [place for place in image.locations if is_local(place.path) and not place.missing]


def _has_rendered(place: LocationRecord) -> bool:
    """Whether a file is a raw file with a JPEG or HEIC of the same shot: it goes with that one alone."""
    return any(companion.kind is CompanionKind.RENDERED for companion in place.companions)


def _proven(group: DuplicateGroup) -> set[int]:
    """Return the ids of the images that are proven copies of one that ranks before them in their group."""
    rank = {member.image.id: number for number, member in enumerate(group.members)}
    return {
        max(pair.a.id, pair.b.id, key=rank.__getitem__)
        for pair in group.pairs
        if pair.link is Link.COPY
        and (DIRECT.intersection(pair.relations) or not set(_NEVER) & set(pair.relations))
        and not _is_one_shot(pair)
    }


def _is_one_shot(pair: Pair) -> bool:
    """Whether all places of a pair are a raw file and the JPEG or HEIC of the same shot, by their names."""
    raw, rendered = (pair.a, pair.b) if pair.a.format == _RAW else (pair.b, pair.a)
    if raw.format != _RAW or rendered.format not in _RENDERED:
        return False
    stems = {place.path.stem.casefold() for image in (raw, rendered) for place in image.locations}
    return len(stems) == 1
