"""Store pictures that are no files under places of their own."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dedupindex.errors import Reason, SettingsError
from dedupindex.execution.engine import Engine, Mapper
from dedupindex.execution.progress import Progress
from dedupindex.execution.tasks import FileResult, FileTask
from dedupindex.ingest.picture_sources import GivenPicture
from dedupindex.ingest.query_pictures import describe_array
from dedupindex.records import Failure, IngestSummary
from dedupindex.settings import Settings
from dedupindex.store import catalog, catalog_images, catalog_locations
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState, NewImage
from dedupindex.versions import versions

AT_ONCE = 64  # pictures that are in memory together
NO_FILE = "the database holds hashes only: pairs are compared from files, so pictures without a file are not taken"


@dataclasses.dataclass(slots=True)
class _Counts:
    read: int = 0
    added: int = 0
    placed: int = 0
    unchanged: int = 0
    bytes_read: int = 0
    failures: list[Failure] = dataclasses.field(default_factory=list)


def ingest_pictures(
    database: Database, settings: Settings, pictures: Iterable[GivenPicture], *, engine: Engine, progress: Progress
) -> IngestSummary:
    """Describe and store pictures; those that are stored with the same content and place already are left.

    Encoded pictures are decoded in workers, as files are. Their bytes are not kept, so their pairs cannot be proven at
    full resolution, and stay `unproven`.

    Parameters
    ----------
    database : Database
    settings : Settings
    pictures : iterable of GivenPicture
    engine : Engine
    progress : Progress

    Returns
    -------
    IngestSummary

    Raises
    ------
    SettingsError
        The database holds hashes only.
    StoreError
    TypeError, ValueError
        An array is no picture; what came before it is stored.
    """
    if settings.hash_only:
        raise SettingsError(NO_FILE)
    began = time.monotonic()
    with database.write() as connection:
        run = catalog.start_run(connection, catalog.RunKind.INGEST)
    counts, number = _Counts(), 0
    progress.start(None, "pictures")
    pictures = iter(pictures)
    try:
        with engine.describing(settings) as pool, tempfile.TemporaryDirectory(prefix="dedupindex-") as folder:
            while batch := list(itertools.islice(pictures, AT_ONCE)):
                number += len(batch)
                _take(database, settings, pool, Path(folder), batch, run, counts)
                progress.advance(len(batch))
    finally:
        progress.finish()
    summary = IngestSummary(
        run_id=run,
        found=number,
        unchanged=counts.unchanged,
        read=counts.read,
        added=counts.added,
        known=max(0, counts.placed - counts.added),
        failures=tuple(counts.failures),
        seconds=time.monotonic() - began,
        bytes_read=counts.bytes_read,
    )
    with database.write() as connection:
        names = ("found", "unchanged", "read", "added", "known", "bytes_read", "seconds")
        catalog.finish_run(connection, run, {name: getattr(summary, name) for name in names})
    return summary


def _take(
    database: Database,
    settings: Settings,
    pool: Mapper[FileTask, FileResult],
    folder: Path,
    batch: Sequence[GivenPicture],
    run: int,
    counts: _Counts,
) -> None:
    """Describe and store one batch in one transaction."""
    images: dict[Path, tuple[FileState, tuple[NewImage, ...]]] = {}
    tasks: dict[Path, tuple[GivenPicture, FileTask]] = {}
    known = _known(database, batch)
    fresh = [given for given in batch if given.place not in known]
    counts.unchanged += len(batch) - len(fresh)
    for number, given in enumerate(fresh):
        if given.pixels is not None:
            state = FileState(given.place, given.pixels.nbytes, time.time_ns(), 0)
            images[given.place] = (state, (describe_array(given.pixels, settings),))
            continue
        file = given.place
        if given.encoded is not None:
            file = folder / str(number)
            file.write_bytes(given.encoded)
        tasks[file] = (given, FileTask(_state_of(file), settings))
    for results in pool.map([task] for _, task in tasks.values()):
        for result in results:
            given, _ = tasks[result.task.state.path]
            failure = result.failure
            if result.rest:
                words = "it has more frames than are taken at once; ingest it as a file"
                failure = Failure(given.place, Reason.TOO_MANY_FRAMES, words)
            elif failure is not None:
                detail = failure.detail.replace(os.fspath(result.task.state.path), os.fspath(given.place))
                failure = Failure(given.place, failure.reason, detail)
            if failure is not None:
                counts.failures.append(failure)
            if result.images and not result.rest:
                size = len(given.encoded or b"") or result.state.size
                own = given.encoded is None
                state = dataclasses.replace(
                    result.state,
                    path=given.place,
                    size=size,
                    mtime_ns=result.state.mtime_ns if own else time.time_ns(),
                    inode=result.state.inode if own else 0,
                )
                images[given.place] = (state, result.images)
    counts.read += len(fresh)
    counts.bytes_read += sum(state.size for state, _ in images.values())
    labels = {given.place: given.label for given in batch if given.place in images or given.place in known}
    _store(database, settings, images, labels, run, counts)
    for file in folder.iterdir():
        file.unlink()


def _state_of(file: Path) -> FileState:
    try:
        status = file.stat()
    except OSError:
        return FileState(file, 0, 0, 0)  # the worker says why it cannot be read
    return FileState(file, status.st_size, status.st_mtime_ns, status.st_ino)


def _known(database: Database, batch: Sequence[GivenPicture]) -> set[Path]:
    """Places whose encoded content is stored there already."""
    keys = {given.place: (hashlib.sha256(given.encoded).digest(), 0) for given in batch if given.encoded is not None}
    if not keys:
        return set()
    with database.read() as connection:
        ids = catalog_images.ids_of_content(connection, list(keys.values()))
        rows = catalog_locations.places_at(connection, list(keys))
        described = catalog_images.described(connection, ids.values())
    there = {(row.state.path, row.image) for row in rows if not row.missing}
    return {place for place, key in keys.items() if key in ids and ids[key] in described and (place, ids[key]) in there}


def _store(
    database: Database,
    settings: Settings,
    images: Mapping[Path, tuple[FileState, tuple[NewImage, ...]]],
    labels: Mapping[Path, str],
    run: int,
    counts: _Counts,
) -> None:
    with database.read() as connection:
        labels = catalog_locations.changed_labels(connection, labels) | {
            p: label for p, label in labels.items() if p in images
        }
    if not images and not labels:
        return
    with database.write() as connection:
        every = [image for _, frames in images.values() for image in frames]
        ids, added = catalog_images.put_images(connection, every, versions(settings), run)
        places = [(state, image.frame, ids[image.key]) for state, frames in images.values() for image in frames]
        counts.placed += catalog_locations.put_locations(connection, places, run)
        catalog_locations.drop_other_frames(connection, list(images), run)
        catalog.clear_failures(connection, list(images))
        catalog_locations.put_labels(connection, labels)
        counts.added += added
