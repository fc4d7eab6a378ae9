"""The vectors of stored images: made or read where they are missing, and an index of them all."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import ReadError, Reason, SettingsError
from dedupindex.execution.contained import within_limits
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool, Single
from dedupindex.execution.progress import Progress
from dedupindex.features import unit
from dedupindex.places import absolute
from dedupindex.records import CodeArray
from dedupindex.search.embedding.model import codes, vector_of
from dedupindex.search.embedding.spec import Embedding
from dedupindex.search.embedding.vectors_file import names_of, read_vectors
from dedupindex.settings import Settings
from dedupindex.sources import decode_file, parse_address
from dedupindex.store import catalog_embeddings, catalog_images
from dedupindex.store.database import Database
from dedupindex.vectors import VectorIndex

log = logging.getLogger(__name__)
AT_ONCE = 256  # images of one transaction


@dataclass(frozen=True, slots=True)
class Embedded:
    """The images that have a vector, searchable.

    Attributes
    ----------
    embedding : Embedding
    ids : (N,) int64
        Rising.
    rows : (N, D) int8
    index : VectorIndex
        Of them; over the vectors alone, with no file of its own: it is made in a moment.
    """

    embedding: Embedding
    ids: NDArray[np.int64]
    rows: CodeArray
    index: VectorIndex

    def row_of(self, image: int) -> CodeArray | None:
        """The vector of an image, (D,) int8; None where it has none."""
        at = int(np.searchsorted(self.ids, image))
        return self.rows[at] if at < len(self.ids) and self.ids[at] == image else None


@dataclass(frozen=True, slots=True)
class _Task:
    image: int
    path: Path
    frame: int
    sha256: bytes
    settings: Settings
    embedding: Embedding


@dataclass(frozen=True, slots=True)
class _Result:
    image: int
    vector: CodeArray | None
    reason: str = ""  # of the model: it fails for every picture


def bring_up_to_date(database: Database, settings: Settings, embedding: Embedding, progress: Progress) -> int:
    """Make or read the vectors of all images that have none of this embedding; return how many were stored.

    Images whose file is not there, or has changed, stay without one.

    Parameters
    ----------
    database : Database
    settings : Settings
    embedding : Embedding
    progress : Progress

    Raises
    ------
    SettingsError
        The model or the file of vectors cannot be used.
    StoreError
    """
    with database.read() as connection:
        missing = catalog_embeddings.without_embedding(connection, embedding.fingerprint)
    if not missing:
        return 0
    return (
        _compute(database, settings, embedding, missing, progress)
        if embedding.is_model
        else _read(database, embedding, missing)
    )


def embedded(database: Database, embedding: Embedding) -> Embedded:
    """The vectors that are stored, with an index of them."""
    with database.read() as connection:
        ids, rows = catalog_embeddings.embeddings(connection, embedding.fingerprint)
    index = VectorIndex(rows.shape[1])
    if len(ids):
        index.add(ids, rows)
    return Embedded(embedding, ids, rows, index)


def vector_of_file(address: str, settings: Settings, embedding: Embedding) -> CodeArray | None:
    """The model's vector of a file that need not be stored, (D,) int8; decoded in a worker.

    Parameters
    ----------
    address : str
        A path, or ``path#frame=12``.
    settings : Settings
    embedding : Embedding
        With a model.

    Raises
    ------
    ReadError
        It cannot be read as a picture.
    SettingsError
        The model cannot be used.
    """
    path, number = parse_address(address)
    return within_limits(settings, absolute(path), _vector, absolute(path), number, settings, embedding, b"")


def _read(database: Database, embedding: Embedding, missing: Sequence[int]) -> int:
    known = read_vectors(embedding.path)
    stored = 0
    for start in range(0, len(missing), AT_ONCE):
        with database.read() as connection:
            images = catalog_images.by_id(connection, missing[start : start + AT_ONCE])
        vectors = {
            number: known[name]
            for number, image in images.items()
            for name in [next((one for one in names_of(image, embedding.path.parent) if one in known), None)]
            if name is not None
        }
        if vectors:
            with database.write() as connection:
                catalog_embeddings.put_embeddings(connection, vectors, embedding.fingerprint)
        stored += len(vectors)
    return stored


def _compute(
    database: Database, settings: Settings, embedding: Embedding, missing: Sequence[int], progress: Progress
) -> int:
    tasks: list[_Task] = []
    for start in range(0, len(missing), AT_ONCE):
        with database.read() as connection:
            images = catalog_images.by_id(connection, missing[start : start + AT_ONCE])
        for number, image in images.items():
            place = next((one for one in image.locations if not one.missing), None)
            if place is not None:
                tasks.append(_Task(number, place.path, place.frame, image.sha256, settings, embedding))
    progress.start(len(tasks), "embedding")
    pool = Pool(_embed_all, died=_died, workers=settings.workers, limits=limits_of(settings), single=Single.SHARED)
    ready: dict[int, CodeArray] = {}
    stored = 0
    try:
        for results in pool.map([task] for task in tasks):
            progress.advance(len(results))
            for result in results:
                if result.reason:
                    raise SettingsError(result.reason)
                if result.vector is not None:
                    ready[result.image] = result.vector
            if len(ready) >= AT_ONCE:
                stored += _store(database, ready, embedding)
        stored += _store(database, ready, embedding)
    finally:
        pool.close()
        progress.finish()
    if stored < len(missing):
        log.info(
            "%d pictures have no vector of the embedding: their files are gone or cannot be read", len(missing) - stored
        )
    return stored


def _store(database: Database, ready: dict[int, CodeArray], embedding: Embedding) -> int:
    """Store what is ready, and empty it."""
    if not ready:
        return 0
    with database.write() as connection:
        catalog_embeddings.put_embeddings(connection, ready, embedding.fingerprint)
    stored = len(ready)
    ready.clear()
    return stored


def _embed_all(tasks: Sequence[_Task]) -> list[_Result]:
    return [_embedded(task) for task in tasks]


def _embedded(task: _Task) -> _Result:
    try:
        vector = _vector(task.path, task.frame, task.settings, task.embedding, task.sha256)
    except ReadError:
        return _Result(task.image, None)
    except SettingsError as error:
        return _Result(task.image, None, str(error))
    return _Result(task.image, vector)


def _vector(
    path: Path, number: int | None, settings: Settings, embedding: Embedding, sha256: bytes
) -> CodeArray | None:
    """The vector of one frame of a file, in this process; None where the file holds other content than *sha256*."""
    decoded = decode_file(path, settings, min_side=max(embedding.options.size), frame=number)
    frames = [frame for frame in decoded.frames if number in (None, frame.number)]
    if not frames or (sha256 and decoded.sha256 != sha256):
        return None
    return codes(vector_of(frames[0].pixels, embedding))


def _died(task: _Task, reason: Reason) -> _Result:
    return _Result(task.image, None)


def as_probes(rows: CodeArray) -> NDArray[np.float32]:
    """Vectors (N, D) int8 as probes of the index: float32 of unit length."""
    return unit(rows)
