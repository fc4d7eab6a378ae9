"""Rebuilds what can be rebuilt: features from the files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.execution.tasks import FileResult, FileTask
from dedupindex.ingest.describing import describe_files, died, take_task
from dedupindex.records import Failure
from dedupindex.settings import Settings
from dedupindex.store import catalog, catalog_images, catalog_locations, catalog_pairs, checksums
from dedupindex.store.database import Database
from dedupindex.versions import versions


def describe_again(
    database: Database, settings: Settings, fingerprint: str, *, progress: Progress = SILENT
) -> list[Failure]:
    """Describe every stored image again with these settings.

    All features and pairs are deleted first, in one transaction that also stores the settings; where these are as they
    were, only the features of images of which one is damaged. Then features are made file by file. After an interrupted
    run the next one continues: it describes what has no features yet. Images whose file is missing or has changed stay,
    without features and so without matches, until an ingest meets their content again.

    Parameters
    ----------
    database : Database
    settings : Settings
    fingerprint : str
        Of these settings and the feature versions.
    progress : Progress
        Told of every file.

    Returns
    -------
    list of Failure
        Files that could not be read.
    """
    with database.write() as connection:
        if catalog.get_meta(connection, "fingerprint") != fingerprint:
            catalog_pairs.clear_pairs(connection)
            catalog_images.drop_features(connection)
            catalog.delete_segments(connection, [segment.id for segment in catalog.segments(connection)])
            catalog.remember_settings(connection, settings.shaping(), fingerprint)
        else:
            damaged = {image for image, _ in checksums.damaged_features(connection)}
            catalog_images.drop_features_of(connection, damaged)
    failures: dict[Path, Failure] = {}
    tried: set[Path] = set()
    while True:
        with database.read() as connection:
            undescribed = catalog_locations.undescribed(connection)
        once = {sha256: state for state, sha256 in reversed(undescribed) if state.path not in tried}
        if not once:
            return [failures[path] for path in sorted(failures)]
        tried.update(state.path for state in once.values())
        queue = _Queue([FileTask(state, settings, sha256=sha256) for sha256, state in once.items()])
        progress.start(len(once), "describe")
        with Pool(describe_files, died=died, workers=settings.workers, limits=limits_of(settings)) as pool:
            for results in pool.map(queue):
                for result in results:
                    if result.failure is not None:
                        failures[result.state.path] = result.failure
                    queue.tasks.extend(result.rest)
                    progress.advance(result.task.first == 0)
                _store(database, settings, results)
        progress.finish()


class _Queue:
    """Tasks; further ones may be appended while they are worked on."""

    def __init__(self, tasks: Sequence[FileTask]) -> None:
        self.tasks = deque(tasks)

    def __iter__(self) -> Iterator[Sequence[FileTask]]:
        return self

    def __next__(self) -> Sequence[FileTask]:
        if not self.tasks:
            raise StopIteration
        return take_task(self.tasks)


def _store(database: Database, settings: Settings, results: Sequence[FileResult]) -> None:
    images = {image.key: image for result in results for image in result.images}
    with database.write() as connection:
        ids = catalog_images.ids_of_content(connection, list(images))
        without = set(catalog_images.without_features(connection, list(ids.values())))
        for key, image_id in ids.items():
            if image_id in without:
                catalog_images.redescribe(connection, image_id, images[key], versions(settings))
