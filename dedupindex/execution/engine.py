"""The protocol of an engine: the work of ingest and of the search for duplicates that is done by workers.

An engine describes files, proposes candidates, verifies pairs and proves them. `dedupindex.engines` holds the engines.
All engines run the same functions, and only the main process writes to the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar

from dedupindex.execution.tasks import (
    FileResult,
    FileTask,
    PairResult,
    PairTask,
    PieceResult,
    PieceTask,
    ProofResult,
    ProofTask,
)
from dedupindex.records import Candidate
from dedupindex.settings import Settings
from dedupindex.store.database import Database

if TYPE_CHECKING:
    from dedupindex.vectors import VectorIndex

WORK = ".work"  # tail of an engine's work folder, by default: ``NAME.db.work`` beside the database
_Item = TypeVar("_Item", contravariant=True)
_Result = TypeVar("_Result", covariant=True)


class Mapper(Protocol[_Item, _Result]):
    """Maps a function over tasks (sequences of items)."""

    @property
    def started(self) -> bool:
        """Whether workers are running already; starting them takes time."""

    def map(self, tasks: Iterable[Sequence[_Item]]) -> Iterator[Sequence[_Result]]:
        """Results as they get ready, in any order.

        *tasks* is drawn from as workers get free, and asked again after every result.
        """


class VectorSource(Protocol):
    """The vector index of a database."""

    def current(self) -> VectorIndex:
        """The index, brought up to date with the database."""

    def save(self) -> None:
        """Write the index to its files."""


class Proposer(Protocol):
    """Proposes candidates for stored images.

    Attributes
    ----------
    radius : float
        Largest distance of a candidate.
    """

    radius: float

    def near(self, ids: Sequence[int]) -> Mapping[int, tuple[list[Candidate], bool]]:
        """Candidates of each described image, nearest first, and whether there were more than are kept."""

    def ranked(self, todo: Sequence[int], deadline: float) -> list[int]:
        """Order images by the distance to their nearest neighbour.

        Images that are not reached before *deadline* (`time.monotonic`) come last, by id.
        """


class Engine(Protocol):
    """Runs the heavy work of a database."""

    def describing(self, settings: Settings) -> AbstractContextManager[Mapper[FileTask, FileResult]]:
        """Workers that describe files."""

    def verifying(self, settings: Settings) -> AbstractContextManager[Mapper[PairTask, PairResult]]:
        """Workers that verify pairs. Candidates are proposed while these workers run."""

    def proving(self, settings: Settings) -> AbstractContextManager[Mapper[ProofTask, ProofResult]]:
        """Workers that compare the files of pairs."""

    def piecing(self, settings: Settings) -> AbstractContextManager[Mapper[PieceTask, PieceResult]]:
        """Workers that look for pieces in pairs."""

    def proposer(self, database: Database, vectors: VectorSource, settings: Settings, todo: Sequence[int]) -> Proposer:
        """A proposer of candidates for images that were not searched yet.

        Parameters
        ----------
        database : Database
        vectors : VectorSource
        settings : Settings
        todo : sequence of int
            Ids of these images.

        Returns
        -------
        Proposer
        """

    def close(self) -> None:
        """End what was started."""
