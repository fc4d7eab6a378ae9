"""What ingest and the search for duplicates need done, and the embedded way of doing it.

An engine describes files, proposes candidates and verifies pairs. The embedded one has a pool of processes and the
vector index; `dedupindex.workflows.engines` holds the one that works by parts, here or on a cluster. The very same
functions run in all of them, and only the program itself writes to the database.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import numpy as np

from dedupindex.errors import SettingsError
from dedupindex.features import DESCRIPTOR_DIMENSIONS, unit
from dedupindex.records import Candidate
from dedupindex.settings import Settings
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from dedupindex.workflows.pool import Pool, limits_of
from dedupindex.workflows.search import radius_for, stored_candidates
from dedupindex.workflows.stages import (
    FileResult,
    FileTask,
    PairResult,
    PairTask,
    describe_files,
    died,
    pairs_died,
    verify_pairs,
)
from dedupindex.workflows.vector_cache import VectorCache

RANKED_AT_ONCE = 2_000
WORK = ".work"  # where an engine keeps parts, unless told: ``NAME.db.work`` beside the database
_Item = TypeVar("_Item", contravariant=True)
_Result = TypeVar("_Result", covariant=True)


class Mapper(Protocol[_Item, _Result]):
    """Maps a function over tasks (sequences of items), somewhere."""

    @property
    def started(self) -> bool:
        """Whether workers are there already; starting them takes a second or more."""

    def map(self, tasks: Iterable[Sequence[_Item]]) -> Iterator[Sequence[_Result]]:
        """Results as they get ready; *tasks* is drawn from as workers get free, and asked again after every result."""


class Proposer(Protocol):
    """Where the candidates of images that are stored come from.

    Attributes
    ----------
    radius : float
        Largest distance of a candidate.
    """

    radius: float

    def near(self, ids: Sequence[int]) -> Mapping[int, tuple[list[Candidate], bool]]:
        """Candidates of each image that is described, nearest first, and whether there were more than are kept."""

    def ranked(self, todo: Sequence[int], deadline: float) -> list[int]:
        """Order images by the distance to their nearest neighbour, as many as can be asked until *deadline*."""


class Engine(Protocol):
    """Does the heavy work of a database; `Embedded` or a `dedupindex.workflows.engines.parted.PartedEngine`."""

    def describing(self, settings: Settings) -> AbstractContextManager[Mapper[FileTask, FileResult]]:
        """Workers that describe files."""

    def verifying(self, settings: Settings) -> AbstractContextManager[Mapper[PairTask, PairResult]]:
        """Workers that verify pairs; candidates are proposed inside."""

    def proposer(self, database: Database, vectors: VectorCache, settings: Settings, todo: Sequence[int]) -> Proposer:
        """Candidates for images that were not searched yet."""

    def close(self) -> None:
        """End what was started."""


class Embedded:
    """A pool of processes a task, and the vector index."""

    def describing(self, settings: Settings) -> Pool[FileTask, FileResult]:
        """Workers that describe files."""
        return Pool(describe_files, died=died, workers=settings.workers, limits=limits_of(settings))

    def verifying(self, settings: Settings) -> Pool[PairTask, PairResult]:
        """Workers that verify pairs."""
        return Pool(verify_pairs, died=pairs_died, workers=settings.workers, limits=limits_of(settings))

    def proposer(
        self, database: Database, vectors: VectorCache, settings: Settings, todo: Sequence[int]
    ) -> IndexProposer:
        """Candidates from the vector index."""
        return IndexProposer(database, vectors, settings)

    def close(self) -> None:
        """Nothing: its pools end with their work."""


class IndexProposer:
    """Searches the vector index, as it is when this is made."""

    def __init__(self, database: Database, vectors: VectorCache, settings: Settings) -> None:
        vectors.current()
        vectors.save()  # first of all: clusters that took minutes to make outlive an interrupt
        self._database, self._settings, self._index = database, settings, vectors.current()
        self.radius = radius_for(settings, len(self._index))

    def near(self, ids: Sequence[int]) -> Mapping[int, tuple[list[Candidate], bool]]:
        """Candidates of each image that is described."""
        return stored_candidates(self._database, self._index, self._settings, ids)

    def ranked(self, todo: Sequence[int], deadline: float) -> list[int]:
        """Order images by the distance to their nearest neighbour, as many as can be asked until *deadline*."""
        nearest: dict[int, float] = {}
        for start in range(0, len(todo), RANKED_AT_ONCE):
            if start and time.monotonic() > deadline:
                break
            some = np.array(todo[start : start + RANKED_AT_ONCE], np.int64)
            with self._database.read() as connection:
                ids, rows = catalog_images.descriptors(connection, some, DESCRIPTOR_DIMENSIONS)
            shown = rows.any(axis=1)
            ids, found = ids[shown], self._index.search(unit(rows[shown]), self._settings.radius, 2)
            for image, near in zip(ids.tolist(), found, strict=True):
                others = near.distances[near.ids != image]
                nearest[image] = float(others[0]) if len(others) else 2.0
        return sorted(todo, key=lambda image: (nearest.get(image, 2.0), image))


def engine_for(settings: Settings, database: Database) -> Engine:
    """The engine that the settings name, for a database.

    Raises
    ------
    SettingsError
        There is no such engine, or what it needs is not installed.
    """
    if not settings.engine:
        return Embedded()
    from importlib.util import find_spec

    kind, _, address = settings.engine.partition("://")
    needed = ("pyarrow", "fsspec") if kind == "local" else ("pyarrow", "fsspec", "ray")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise SettingsError(f"engine {settings.engine} needs {' and '.join(missing)}: pip install 'dedupindex[ray]'")
    from dedupindex.workflows.engines.parted import PartedEngine

    return PartedEngine(settings.work or str(database.beside(WORK)), address=address if kind == "ray" else None)
