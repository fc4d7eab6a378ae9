"""The engine that works by parts: files, candidates and pairs go through an executor."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dedupindex.engines.embedded import IndexProposer
from dedupindex.engines.executor import Executor, JobRunner
from dedupindex.engines.folder import WorkFolder
from dedupindex.engines.local import LocalRunner
from dedupindex.engines.mapping import Each, PartMapper
from dedupindex.engines.proposing import JoinProposer
from dedupindex.execution.engine import Mapper, Proposer, VectorSource
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
from dedupindex.ingest.describing import describe_files, died
from dedupindex.search.pair_stages import pairs_died, verify_pairs
from dedupindex.search.piece_stages import pieces_died, pieces_of_pairs
from dedupindex.search.proof_stages import proofs_died, prove_pairs
from dedupindex.settings import Settings
from dedupindex.sources import decoder_fingerprint
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from dedupindex.versions import versions

FILES_A_PART, MOST_FILES = 32, 128  # on average, at most
PROOF_TASKS_A_PART = 2  # each a few pairs, whose files have to be read
PAIR_TASKS_A_PART = 4  # each some dozen pairs, or some thousand that are only vetted: 10 MB
FEW_NEW = 0.02  # share of new images below which the vector index proposes: a join reads every image


class PartedEngine:
    """Works by parts, in a process pool or on Ray.

    Parameters
    ----------
    folder : str
        Work folder, a path or URL; on a cluster, one that every node reaches.
    address : str, optional
        Of a Ray cluster (``auto``, ``HOST:PORT``); empty = Ray on this machine alone, None = without Ray.
    """

    def __init__(self, folder: str, *, address: str | None = None) -> None:
        self._folder, self._address = WorkFolder(folder), address
        self._executor: Executor | None = None

    @contextmanager
    def describing(self, settings: Settings) -> Iterator[Mapper[FileTask, FileResult]]:
        """Workers that describe files; the parts are removed when all went well."""
        version = f"{sorted(versions(settings).items())} {decoder_fingerprint(settings)}"
        stage = Each(describe_files, FileTask, FileResult, settings, version)
        executor = self._started(settings)
        yield PartMapper[FileTask, FileResult](executor, stage, died=died, ends=_ends, most=MOST_FILES)
        executor.folder.clear()

    @contextmanager
    def verifying(self, settings: Settings) -> Iterator[Mapper[PairTask, PairResult]]:
        """Workers that verify pairs; the parts are removed when all went well, those of candidates included."""
        from dedupindex.verify.verification import VERSION

        stage = Each(verify_pairs, PairTask, PairResult, settings, VERSION)
        executor = self._started(settings)
        yield PartMapper[PairTask, PairResult](
            executor, stage, died=pairs_died, ends=lambda _: False, most=PAIR_TASKS_A_PART
        )
        executor.folder.clear()

    @contextmanager
    def proving(self, settings: Settings) -> Iterator[Mapper[ProofTask, ProofResult]]:
        """Workers that compare the files of pairs."""
        from dedupindex.verify.proof.thresholds import VERSION

        stage = Each(prove_pairs, ProofTask, ProofResult, settings, f"{VERSION} {decoder_fingerprint(settings)}")
        executor = self._started(settings)
        yield PartMapper[ProofTask, ProofResult](
            executor, stage, died=proofs_died, ends=lambda _: False, most=PROOF_TASKS_A_PART
        )
        executor.folder.clear()

    @contextmanager
    def piecing(self, settings: Settings) -> Iterator[Mapper[PieceTask, PieceResult]]:
        """Workers that look for pieces in pairs."""
        from dedupindex.verify.pieces.confirmation import VERSION

        stage = Each(pieces_of_pairs, PieceTask, PieceResult, settings, VERSION)
        executor = self._started(settings)
        yield PartMapper[PieceTask, PieceResult](
            executor, stage, died=pieces_died, ends=lambda _: False, most=PAIR_TASKS_A_PART
        )
        executor.folder.clear()

    def proposer(self, database: Database, vectors: VectorSource, settings: Settings, todo: Sequence[int]) -> Proposer:
        """Candidates by a join; for few new images among many, from the vector index.

        Parameters
        ----------
        database : Database
        vectors : VectorSource
        settings : Settings
        todo : sequence of int
            Images that were not searched yet.

        Returns
        -------
        Proposer
        """
        with database.read() as connection:
            images = len(catalog_images.indexable_ids(connection))
        if len(todo) < FEW_NEW * images:
            return IndexProposer(database, vectors, settings)
        return JoinProposer(self._started(settings), database, settings, todo)

    def close(self) -> None:
        """End the workers."""
        if self._executor is not None:
            self._executor.backend.close()
            self._executor = None

    def _started(self, settings: Settings) -> Executor:
        if self._executor is None:
            self._executor = Executor(self._folder, self._backend(settings))
        return self._executor

    def _backend(self, settings: Settings) -> JobRunner:
        if self._address is None:
            return LocalRunner(settings)
        from dedupindex.engines.ray_cluster import RayRunner

        return RayRunner(settings, self._address)


def _ends(task: FileTask) -> bool:
    """Whether a part of files ends here. Depends on the path alone: an interrupted run makes the same parts again."""
    return zlib.crc32(str(task.state.path).encode("utf-8", "surrogateescape")) % FILES_A_PART == 0
