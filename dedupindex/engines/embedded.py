"""The embedded engine: a pool of processes for each kind of task, and the vector index."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from dedupindex.execution.engine import VectorSource
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool, Single
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
from dedupindex.features import DESCRIPTOR_DIMENSIONS, unit
from dedupindex.ingest.describing import describe_files, died
from dedupindex.records import Candidate
from dedupindex.search.candidates import radius_for, stored_candidates
from dedupindex.search.pair_stages import pairs_died, verify_pairs
from dedupindex.search.piece_stages import pieces_died, pieces_of_pairs
from dedupindex.search.proof_stages import proofs_died, prove_pairs
from dedupindex.settings import Settings
from dedupindex.store import catalog_images
from dedupindex.store.database import Database

RANKED_AT_ONCE = 2_000


class Embedded:
    """A pool of processes for each kind of task, and the vector index."""

    def describing(self, settings: Settings) -> Pool[FileTask, FileResult]:
        """Workers that describe files."""
        return Pool(describe_files, died=died, workers=settings.workers, limits=limits_of(settings))

    def verifying(self, settings: Settings) -> Pool[PairTask, PairResult]:
        """Workers that verify pairs."""
        limits = limits_of(settings)
        return Pool(verify_pairs, died=pairs_died, workers=settings.workers, limits=limits, single=Single.HERE)

    def proving(self, settings: Settings) -> Pool[ProofTask, ProofResult]:
        """Workers that compare the files of pairs."""
        return Pool(prove_pairs, died=proofs_died, workers=settings.workers, limits=limits_of(settings))

    def piecing(self, settings: Settings) -> Pool[PieceTask, PieceResult]:
        """Workers that look for pieces in pairs."""
        limits = limits_of(settings)
        return Pool(pieces_of_pairs, died=pieces_died, workers=settings.workers, limits=limits, single=Single.HERE)

    def proposer(
        self, database: Database, vectors: VectorSource, settings: Settings, todo: Sequence[int]
    ) -> IndexProposer:
        """Candidates from the vector index.

        Parameters
        ----------
        database : Database
        vectors : VectorSource
        settings : Settings
        todo : sequence of int
            Not used: the index proposes for any image.

        Returns
        -------
        IndexProposer
        """
        return IndexProposer(database, vectors, settings)

    def close(self) -> None:
        """Nothing to end: each pool ends with its work."""


class IndexProposer:
    """Searches the vector index in the state it has when this object is made."""

    def __init__(self, database: Database, vectors: VectorSource, settings: Settings) -> None:
        vectors.current()
        vectors.save()  # first: new cells take long to make, and survive an interrupt then
        self._database, self._settings, self._index = database, settings, vectors.current()
        self.radius = radius_for(settings, len(self._index))

    def near(self, ids: Sequence[int]) -> Mapping[int, tuple[list[Candidate], bool]]:
        """Candidates of each described image, and whether there were more than are kept."""
        return stored_candidates(self._database, self._index, self._settings, ids)

    def ranked(self, todo: Sequence[int], deadline: float) -> list[int]:
        """Order images by the distance to their nearest neighbour.

        Images that are not reached before *deadline* (`time.monotonic`) come last, by id.
        """
        nearest: dict[int, float] = {}
        for start in range(0, len(todo), RANKED_AT_ONCE):
            if start and time.monotonic() > deadline:
                break
            batch = np.array(todo[start : start + RANKED_AT_ONCE], np.int64)
            with self._database.read() as connection:
                ids, rows = catalog_images.descriptors(connection, batch, DESCRIPTOR_DIMENSIONS)
            shown = rows.any(axis=1)
            ids, neighbours = ids[shown], self._index.search(unit(rows[shown]), self._settings.radius, 2)
            for image, near in zip(ids.tolist(), neighbours, strict=True):
                others = near.distances[near.ids != image]
                nearest[image] = float(others[0]) if len(others) else 2.0
        return sorted(todo, key=lambda image: (nearest.get(image, 2.0), image))
