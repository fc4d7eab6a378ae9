"""Uploaded pictures: searched for, or stored in the database under a given place.

Uploads are not trusted, so they are decoded and described in worker processes with limits, never in this one. Their
content is stored, no file is kept. A refused upload changes nothing, and neither does one that comes a second time. A
stored picture is found by the next query of every process on the same database.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupindex.errors import DedupIndexError, ReadError, Reason, SettingsError
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool, Single
from dedupindex.execution.tasks import FileResult, FileTask, PreviewResult, PreviewTask, ProofResult
from dedupindex.features import unpack
from dedupindex.ingest.describing import CHUNK
from dedupindex.ingest.pictures import NO_FILE
from dedupindex.records import Failure, ImageRecord, Match
from dedupindex.records.pictures import Thumbnail
from dedupindex.search import candidates
from dedupindex.search.match_proofs import task_of, with_proofs
from dedupindex.search.upload_work import Result, Task, died, work
from dedupindex.search.vector_cache import VectorCache
from dedupindex.settings import ProofMode, Settings
from dedupindex.store import catalog, catalog_images, catalog_locations
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState, NewImage
from dedupindex.versions import versions

MOST_FRAMES = CHUNK  # frames of one upload: as many as are described, and stored, at once


@dataclass(frozen=True, slots=True)
class Taken:
    """Result of storing an uploaded picture.

    Attributes
    ----------
    images : tuple of ImageRecord
        Its frames as they are stored now, in their order.
    added : int
        How many of them were new.
    placed : int
        Places that are new, or show another image than before.
    failure : Failure or None
        Set where some of its frames could not be read.
    matches : tuple of Match
        Other stored images that show what the first frame shows, where that was asked for.
    """

    images: tuple[ImageRecord, ...]
    added: int
    placed: int
    failure: Failure | None = None
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """An uploaded picture with its matches.

    Attributes
    ----------
    image : ImageRecord
        Its description; not stored, so without id and locations.
    thumbnail : Thumbnail
        Of its (first) frame.
    matches : tuple of Match
        Confirmed, best first.
    """

    image: ImageRecord
    thumbnail: Thumbnail
    matches: tuple[Match, ...]


class Uploads:
    """Describes uploaded files; a context manager, because it has worker processes.

    Its methods may be called in several threads.
    """

    def __init__(self, database: Database, vectors: VectorCache, settings: Settings, *, workers: int = 0) -> None:
        self._database, self._vectors = database, vectors
        self._settings = dataclasses.replace(settings, max_frames=min(settings.max_frames, MOST_FRAMES))
        self._closed = False
        self._pool = upload_workers(settings, workers)

    def __enter__(self) -> Uploads:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes; waiting and later calls raise `DedupIndexError`."""
        self._closed = True
        self._pool.close()

    def warm(self) -> None:
        """Start every worker process, so that the first uploads do not wait for that."""
        nothing = FileState(Path("/nonexistent/picture"), 0, 0, 0)
        for _ in self._pool.map([FileTask(nothing, self._settings)] for _ in range(self._pool.workers)):
            pass

    def matches(self, file: Path, name: Path, limit: int = 10) -> list[Match]:
        """Best confirmed matches of the (first) picture in a file, as `Index.query` gives them.

        Parameters
        ----------
        file : Path
            Where it is stored temporarily.
        name : Path
            Its name in errors.
        limit : int
            Most matches.

        Returns
        -------
        list of Match
            Best first.

        Raises
        ------
        ReadError
            It cannot be read as a picture, or reading it broke the limits.
        StoreError
        """
        return self._search(self._describe(file, name, frames=1).images[0], file, name, limit)

    def ask(self, file: Path, name: Path, *, limit: int, side: int) -> Asked:
        """Search for the (first) picture in a file, and make its thumbnail; it is decoded once.

        Parameters
        ----------
        file, name, limit
            As `matches` takes them.
        side : int
            Longest side of the thumbnail, pixels.

        Returns
        -------
        Asked

        Raises
        ------
        ReadError
            It cannot be read as a picture, or reading it broke the limits.
        StoreError
        """
        result = self._ask(PreviewTask(self._task(file, frames=1), side))
        assert isinstance(result, PreviewResult)
        image = _usable(result.described, file, name, frames=1).images[0]
        assert result.thumbnail is not None
        return Asked(_record(image), result.thumbnail, tuple(self._search(image, file, name, limit)))

    def take(self, file: Path, place: Path, sha256: bytes, *, limit: int = 0) -> Taken:
        """Store what a file shows under a place.

        Parameters
        ----------
        file : Path
            Where it is stored temporarily.
        place : Path
            The location under which it is stored; not opened. It replaces another picture at that place.
        sha256 : bytes
            Digest of the file: content that is stored already is not described again.
        limit : int
            Most matches to give; 0 = do not search.

        Returns
        -------
        Taken

        Raises
        ------
        ReadError
            It cannot be read as a picture; nothing was changed.
        SettingsError
            The database holds hashes only.
        StoreError
            It could not be stored; nothing was changed.
        """
        if self._settings.hash_only:
            raise SettingsError(NO_FILE)
        size = file.stat().st_size
        if not limit and (known := self._recognise(place, sha256, size)) is not None:
            return known
        described = self._describe(file, place)
        taken = self._store(place, size, described.images)
        others: list[Match] = []
        if limit:
            own = taken.images[0].id
            matches = self._search(described.images[0], file, place, limit + 1)
            others = [match for match in matches if match.image.id != own][:limit]
        return dataclasses.replace(taken, failure=described.failure, matches=tuple(others))

    def _describe(self, file: Path, name: Path, frames: int = 0) -> FileResult:
        result = self._ask(self._task(file, frames))
        assert isinstance(result, FileResult)
        return _usable(result, file, name, frames)

    def _task(self, file: Path, frames: int) -> FileTask:
        return FileTask(FileState(file, 0, 0, 0), self._settings, count=frames)

    def _ask(self, task: Task) -> Result:
        results = [] if self._closed else [result for batch in self._pool.map([[task]]) for result in batch]
        if not results:
            raise DedupIndexError("the worker processes were ended")
        return results[0]

    def _search(self, image: NewImage, file: Path, name: Path, limit: int) -> list[Match]:
        index = self._vectors.current()
        features = unpack(image.features)
        matches = candidates.query(self._database, index, self._settings, image, features, limit=limit)
        if self._settings.proof is not ProofMode.FULL:
            return matches
        task = task_of(self._database, self._settings, file, image, matches)
        if task is None:
            return matches
        result = self._ask(task)
        assert isinstance(result, ProofResult)
        return with_proofs(matches, result, {str(file): str(name)})

    def _recognise(self, place: Path, sha256: bytes, size: int) -> Taken | None:
        """Put a picture that is stored already at a place; None where it has to be described."""
        with self._database.read() as connection:
            ids = list(catalog_images.ids_of_content(connection, [(sha256, 0)]).values())
            known = catalog_images.by_id(connection, ids)
        if not known or known[ids[0]].frame_count > 1:
            return None
        if any(location.path == place and not location.missing for location in known[ids[0]].locations):
            return Taken((known[ids[0]],), 0, 0)
        try:
            return self._store(place, size, known=ids[0])
        except KeyError:  # forgotten meanwhile
            return None

    def _store(self, place: Path, size: int, images: Sequence[NewImage] = (), *, known: int = 0) -> Taken:
        """Make a place hold these images and no others, or the stored image *known*, in one transaction.

        Raises
        ------
        KeyError
            The stored image was removed meanwhile.
        """
        state = FileState(place, size, time.time_ns(), 0)
        with self._database.write() as connection:
            if known and not catalog_images.described(connection, [known]):
                raise KeyError(known)
            run = catalog.start_run(connection, catalog.RunKind.INGEST)
            ids, added = catalog_images.put_images(connection, images, versions(self._settings), run)
            frames = [(image.frame, ids[image.key]) for image in images] or [(0, known)]
            placed = catalog_locations.put_locations(connection, [(state, *frame) for frame in frames], run)
            catalog_locations.drop_other_frames(connection, [place], run)
            catalog.clear_failures(connection, [place])
            # the same names as an ingest of files uses
            numbers = {"found": 1, "read": 1, "added": added, "known": max(0, placed - added), "bytes_read": size}
            catalog.finish_run(connection, run, numbers)
            stored = catalog_images.by_id(connection, [image for _, image in frames])
        return Taken(tuple(stored[image] for _, image in frames), added, placed)


def _record(image: NewImage) -> ImageRecord:
    """An image that is not stored as a record."""
    return ImageRecord(
        id=0,
        sha256=image.sha256,
        frame=image.frame,
        format=image.format,
        width=image.width,
        height=image.height,
        bits=image.bits,
        channels=image.channels,
        valid_share=image.valid_share,
        low_information=image.low_information,
        scaling=image.scaling,
        frame_count=image.frame_count,
        lossless=image.lossless,
        metadata_count=image.metadata_count,
    )


def _usable(result: FileResult, file: Path, name: Path, frames: int) -> FileResult:
    """The result under the name that users know; *frames* of it are enough, 0 = all.

    Raises
    ------
    ReadError
        No frame could be read, or there are more than are taken at once.
    """
    failure = result.failure
    if failure is not None:
        failure = Failure(name, failure.reason, failure.detail.replace(str(file), str(name)))
    if not result.images:
        assert failure is not None
        raise ReadError(failure.path, failure.reason, failure.detail)
    if result.rest and not frames:
        raise ReadError(name, Reason.TOO_MANY_FRAMES, "it has more frames than are taken at once; ingest it as a file")
    return dataclasses.replace(result, failure=failure)


def upload_workers(settings: Settings, workers: int = 0) -> Pool[Task, Result]:
    """Return worker processes that describe and compare uploads, within limits; 0 = as many as the settings say."""
    count = workers or settings.workers
    return Pool(work, died=died, workers=count, limits=limits_of(settings), single=Single.OWN)
