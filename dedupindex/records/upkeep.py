"""Results of merging, forgetting and backing up, and the state of a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MergeSummary:
    """Result of a merge."""

    run_id: int
    source: str  # the other catalogue, for people
    images: int = 0  # that were new here
    known: int = 0  # that were here already
    undescribed: int = 0  # left out: without features there, or with damaged ones
    places: int = 0  # locations that are new or in another state
    missing: int = 0  # locations on the volume that are gone
    pairs: int = 0  # confirmed ones that were new here
    pairs_left: int = 0  # of another decision rule, or below our threshold: the next search finds them again
    decisions: int = 0
    failures: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ForgetSummary:
    """What was removed from the index; no file was changed."""

    locations: int
    images: int  # that were at no other place
    failures: int
    unknown: tuple[Path, ...] = ()  # paths of which the index knew nothing


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds, or what was restored."""

    path: Path
    images: int
    generation: int
    vector_files: int
    left_out: tuple[str, ...] = ()  # vector files that were missing or damaged: made anew when they are needed
    before: Path | None = None  # after a restore: where the database that it replaced is kept


@dataclass(frozen=True, slots=True)
class Vitals:
    """State of an index in service.

    Attributes
    ----------
    generation : int
        Of the database.
    vectors : int
        Images in the vector index of this process, which has caught up with the database.
    counts : mapping of str to int
        As `Index.info` has them.
    ingested, searched : datetime or None
        When the last ingest, and the last search for duplicates, ended.
    """

    generation: int
    vectors: int
    counts: Mapping[str, int]
    ingested: datetime | None
    searched: datetime | None
