"""What a report is made of, and its contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from dedupindex.records.answers import Decision, DuplicateGroup, LocationRecord, Pair, RunRecord, Series
from dedupindex.records.faces import Face, Tabular
from dedupindex.records.files import Failure
from dedupindex.records.links import Link
from dedupindex.records.pieces import Piece
from dedupindex.records.verdicts import Relation


class FolderChoice(StrEnum):
    """Which pairs a report shows, by the folders of their two places."""

    ANY = ""
    SAME = "same"  # both places in one folder
    OTHER = "other"  # places in different folders


class ChangeKind(StrEnum):
    """How a group differs from the groups of an earlier run, in the order in which reports list them."""

    NEW = "new"  # none of its images was in a group
    GROWN = "grown"  # more images or places, or several groups joined
    SHRUNK = "shrunk"  # only fewer images or places
    RESOLVED = "resolved"  # none of its images is in a group any more


@dataclass(frozen=True, slots=True)
class Selection:
    """Which confirmed pairs, and which places of their images, a report is made of.

    Attributes
    ----------
    relations : tuple of Relation
        Only pairs with one of these; empty = all. Copies of one file count as ``same_bytes``.
    not_relations : tuple of Relation
        No pairs with any of these.
    min_score : float
        Leave out weaker pairs, 0..1.
    paths : tuple of Path
        Only groups with a place at or below one of these; empty = all.
    across : (Path, Path) or None
        Only pairs of a place at or below the first and one at or below the second. Of two that lie inside one another
        the inner one counts.
    folder : FolderChoice
        Only pairs of two places in the same folder, or in different ones.
    decided : bool
        Show pairs of which somebody decided to keep both.
    groups : tuple of str
        Only the groups with these ids; empty = all.
    """

    relations: tuple[Relation, ...] = ()
    not_relations: tuple[Relation, ...] = ()
    min_score: float = 0.0
    paths: tuple[Path, ...] = ()
    across: tuple[Path, Path] | None = None
    folder: FolderChoice = FolderChoice.ANY
    decided: bool = False
    groups: tuple[str, ...] = ()

    def wants(self, relations: tuple[Relation, ...]) -> bool:
        """Whether a pair with these relations is asked for."""
        if any(relation in self.not_relations for relation in relations):
            return False
        return not self.relations or any(relation in self.relations for relation in relations)

    @property
    def wants_copies(self) -> bool:
        """Whether one image at several places is asked for."""
        return self.wants((Relation.SAME_BYTES,)) and self.min_score <= 1.0


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which files below one path have a duplicate below another."""

    source: Path
    target: Path
    places: int  # present places at or below the source
    exact: int  # those of them with a duplicate of the same bytes or pixels
    uncovered: tuple[LocationRecord, ...]  # those of them without a duplicate in the target, by path
    unread: tuple[Failure, ...] = ()  # files of the source that could not be read
    unproven: int = 0  # places whose only duplicates are not proven


@dataclass(frozen=True, slots=True)
class Change:
    """How a group differs from the groups of an earlier run."""

    kind: ChangeKind
    id: str  # of the group now; of a resolved one, as it was
    group: DuplicateGroup | None  # as it is now; None where it was resolved
    before: tuple[str, ...] = ()  # ids of the groups then that it is made of
    added: tuple[LocationRecord, ...] = ()  # places that were in none of those
    removed: tuple[LocationRecord, ...] = ()  # places of those that are not in it any more; missing = the file is gone


@dataclass(frozen=True, slots=True)
class Report(Face, Tabular):
    """Duplicate groups with the run they belong to."""

    run: RunRecord | None  # the latest search for duplicates
    groups: tuple[DuplicateGroup, ...]
    pairs: tuple[Pair, ...]  # confirmed pairs of different images, alternates too, best first
    images: int  # stored images
    locations: int  # present locations
    failures: tuple[Failure, ...] = ()
    selection: Selection = Selection()
    decisions: tuple[Decision, ...] = ()  # on images of these groups
    hidden: int = 0  # pairs left out because of decisions
    since: RunRecord | None = None  # the run to whose groups these were compared
    changes: tuple[Change, ...] | None = None  # where changes were asked for: the groups are the changed ones
    coverage: Coverage | None = None  # where the selection goes across two paths
    generation: int = field(default=0, compare=False)  # of the database state that all of this was read from
    series: tuple[Series, ...] = ()  # alternates, largest series first; none where changes were asked for
    files: int = 0  # that are there; one with several frames counts once
    pieces: tuple[Piece, ...] = ()  # parts of pictures in others, surest first; in no group

    def __repr__(self) -> str:
        return f"Report({len(self.groups):,} groups, {len(self.pairs):,} pairs, {self.images:,} images)"

    @property
    def unproven(self) -> int:
        """How many of the pairs are not proven."""
        return sum(pair.link is Link.UNPROVEN for pair in self.pairs)


@dataclass(frozen=True, slots=True)
class Overview:
    """A report of everything with counts and runs, all read from one state of the database."""

    report: Report
    counts: Mapping[str, int]  # as `Index.info` has them
    runs: tuple[RunRecord, ...]  # the latest finished ones, newest first
