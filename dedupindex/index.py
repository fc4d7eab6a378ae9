"""`Index`: the one facade over database, vectors and workflows."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex import __version__
from dedupindex.errors import SettingsError, SettingsMismatchError
from dedupindex.features import rounded, unpack, versions
from dedupindex.records import (
    Decision,
    DecodedFile,
    DuplicatesSummary,
    Failure,
    Features,
    Frame,
    ImageRecord,
    IngestSummary,
    Match,
    Pair,
    Problem,
    RunRecord,
)
from dedupindex.settings import Settings
from dedupindex.sources import decode_file, parse_address
from dedupindex.store import catalog, catalog_images
from dedupindex.store.database import Database, database_path, own_files
from dedupindex.store.migrate import HEAD, prepare_schema
from dedupindex.store.migrate import upgrade as upgrade_schema
from dedupindex.workflows import backup as backups
from dedupindex.workflows import check as checking
from dedupindex.workflows import decisions as deciding
from dedupindex.workflows import duplicates, planning, rebuild, search, standing
from dedupindex.workflows import forget as forgetting
from dedupindex.workflows import ingest as ingesting
from dedupindex.workflows import report as reporting
from dedupindex.workflows.arrays import frame_of_array
from dedupindex.workflows.engine import engine_for, work_folder
from dedupindex.workflows.opening import choose_settings, location_of, mismatch_words
from dedupindex.workflows.outcome import Report, Selection
from dedupindex.workflows.places import absolute
from dedupindex.workflows.plans import Plan
from dedupindex.workflows.portraits import Portrait, stored_portraits
from dedupindex.workflows.progress import SILENT, Progress
from dedupindex.workflows.settling import settle
from dedupindex.workflows.stages import describe_frames, new_image
from dedupindex.workflows.vector_cache import VectorCache, vector_directory

PathLike = str | os.PathLike[str]


class Index:
    """An image de-duplication index: a database, its vector files, and everything one does with them.

    Made by `Index.open`; use it as a context manager. Its methods may be called from several threads.

    Examples
    --------
    >>> with Index.open("photos.db", create=True) as index:            # doctest: +SKIP
    ...     summary = index.ingest(["~/Pictures"])
    ...     for group in index.report().groups:
    ...         print(group.id, [member.path for member in group.members])
    """

    def __init__(self, database: Database, settings: Settings, *, mismatch: str = "") -> None:
        self._database = database
        self._mismatch = mismatch
        self.settings = settings
        self.fingerprint = settings.fingerprint(versions(settings))
        self._vectors = VectorCache(database, self.fingerprint)
        self._engine = engine_for(settings, database.path)
        if not database.read_only:
            backups.remove_leftovers(database.path)

    # ------------------------------------------------------------------------------------------------- opening
    @classmethod
    def open(
        cls,
        path: PathLike,
        *,
        create: bool = False,
        settings: Settings | None = None,
        read_only: bool = False,
        allow_mismatch: bool = False,
        **overrides: Any,
    ) -> Index:
        """Open a database, or make one.

        Parameters
        ----------
        path : path or str
            Database file, or its SQLAlchemy URL.
        create : bool
            Make it when it is not there.
        settings : Settings, optional
            All settings. Without, those that shape features come from the database (of a new one: the defaults and
            the ``DEDUPINDEX_*`` environment), the others from the defaults and the environment.
        read_only : bool
            Write nothing.
        allow_mismatch : bool
            Open although the features were made with other settings, to look at it or to ``rebuild(describe=True)``.
        **overrides
            Single settings, by name; None = not given.

        Raises
        ------
        IndexNotFoundError
            There is no such database and *create* is false.
        SchemaVersionError
            It was made by an older or newer dedupindex.
        SettingsMismatchError
            Its features were made with other settings, or other versions of the features.
        SettingsError, StoreError
        """
        if create and read_only:
            raise SettingsError("a database cannot be created read-only")
        database = Database(location_of(path), create=create, read_only=read_only)
        try:
            prepare_schema(database, create=create)
            with database.read() as connection:
                stored = catalog.get_meta(connection, "settings")
                fingerprint = catalog.get_meta(connection, "fingerprint")
            chosen = choose_settings(settings, json.loads(stored) if stored else None, overrides)
            own = chosen.fingerprint(versions(chosen))
            mismatch = ""
            if fingerprint is None and not read_only:
                with database.write() as connection:
                    if catalog.get_meta(connection, "fingerprint") is None:  # nobody else was faster
                        catalog.remember_settings(connection, chosen.shaping(), own)
                        catalog.set_meta(connection, program=__version__)
            elif fingerprint is not None and fingerprint != own:
                mismatch = mismatch_words(database.path, chosen, json.loads(stored) if stored else {})
                if not allow_mismatch:
                    raise SettingsMismatchError(mismatch)
            return cls(database, chosen, mismatch=mismatch)
        except BaseException:
            database.close()
            raise

    @staticmethod
    def upgrade(path: PathLike) -> Path | None:
        """Bring an older database to this program's schema; the backup that was made first, or None if all was well.

        Raises
        ------
        StoreError
        """
        database = Database(location_of(path))
        try:
            return upgrade_schema(database)
        finally:
            database.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.close()
        self._database.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The database file."""
        return self._database.path

    @property
    def generation(self) -> int:
        """How many transactions have written: while it stays, so does everything that one reads."""
        with self._database.read() as connection:
            return catalog.generation(connection)

    # ------------------------------------------------------------------------------------------------ the work
    def ingest(
        self,
        paths: Sequence[PathLike],
        *,
        recursive: bool = True,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> IngestSummary:
        """Bring the database up to date with files and folders; idempotent, and bad files are collected, not raised.

        Raises
        ------
        StoreError
        """
        self._refuse_mismatch()
        if isinstance(paths, str | os.PathLike):
            raise TypeError("paths is one path, must be a sequence of paths")
        summary = ingesting.ingest(
            self._database,
            self.settings,
            [Path(path) for path in paths],
            recursive=recursive,
            dry_run=dry_run,
            exclude=[*own_files(self.path), vector_directory(self.path), work_folder(self.path)],
            progress=progress or SILENT,
            engine=self._engine,
        )
        if not dry_run:
            standing.remember(self._database, summary.run_id)
        return summary

    def find_duplicates(self, progress: Progress | None = None) -> DuplicatesSummary:
        """Search every image that is new for duplicates, and store the confirmed pairs.

        Raises
        ------
        StoreError
        """
        self._refuse_mismatch()
        found = duplicates.find_duplicates(
            self._database, self._vectors, self.settings, progress=progress or SILENT, engine=self._engine
        )
        standing.remember(self._database, found.run_id)
        return found

    def query(self, picture: PathLike | NDArray[Any], limit: int = 10) -> list[Match]:
        """Best confirmed matches of a picture that need not be stored.

        Parameters
        ----------
        picture : path, address or array
            A file, ``path#frame=12``, or pixels (H, W), (H, W, 3) or (H, W, 4) of any real dtype; NaN = no data.
        limit : int
            Most matches.

        Returns
        -------
        list of Match
            Best first; the query is *a*, the stored image *b*.

        Raises
        ------
        ReadError
            The file cannot be read as a picture.
        ValueError, TypeError
            The array is no picture.
        """
        self._refuse_mismatch()
        decoded = self._decode(picture)
        frame = decoded.frames[0]
        [(prepared, features)] = describe_frames([frame], self.settings)
        image = new_image(decoded, frame, prepared, features)
        index = self._vectors.current()
        return search.query(self._database, index, self.settings, image, rounded(features), limit=limit)

    def report(
        self,
        since: int | str | datetime | None = None,
        min_score: float | None = None,
        *,
        selection: Selection | None = None,
        find: bool = True,
        progress: Progress | None = None,
    ) -> Report:
        """Duplicate groups.

        Parameters
        ----------
        since : int, str or datetime, optional
            Only what is different from the groups as they stood after a run: its number; a time ("2026-11-01", "7d"
            ago), for the last run before it; "last", for the search for duplicates before the latest one.
        min_score : float, optional
            Leave out weaker pairs, 0..1; short for a selection that says so.
        selection : Selection, optional
            Which pairs and places the groups are made of.
        find : bool
            Search images that are new first (unless opened read-only).

        Raises
        ------
        StoreError
        SettingsError
            *since* is no run; the selection has no meaning, or goes across a path of which the index knows nothing.
        """
        if find and not self._database.read_only and self._has_unsearched(since == reporting.LAST):
            self.find_duplicates(progress)
        chosen = selection or Selection()
        if min_score is not None:
            chosen = dataclasses.replace(chosen, min_score=min_score)
        return reporting.report(self._database, chosen, since=since)

    # ------------------------------------------------------------------------------------------------- decisions
    def decide(self, kind: str, pictures: Sequence[PathLike], note: str = "") -> list[Decision]:
        """Remember "not-duplicate", "keep-both" (of every two *pictures*) or "keeper" (of each); see `decisions`."""
        return deciding.decide(self._database, kind, pictures, note)

    def undecide(self, pictures: Sequence[PathLike], kind: str | None = None) -> int:
        """Forget what was decided on one picture, or between several; how many decisions that were."""
        return deciding.undecide(self._database, pictures, kind)

    def decisions(self) -> list[Decision]:
        """Every decision, oldest first."""
        return deciding.decisions(self._database)

    def take_over(self, decisions: Iterable[Decision]) -> tuple[int, int]:
        """Bring in decisions from elsewhere, the later of two counts; how many were taken, and how many left."""
        return deciding.take_over(self._database, decisions)

    def images_of(self, keys: Collection[str]) -> dict[str, ImageRecord]:
        """The stored images among some content keys."""
        return deciding.images_of(self._database, keys)

    def plan(self, options: planning.PlanOptions | None = None, *, min_score: float | None = None) -> Plan:
        """What could be done about the duplicates; nothing is touched. See `plans` and `planning.PlanOptions`."""
        chosen = options or planning.PlanOptions()
        return planning.plan(self._database, self.settings, chosen, version=__version__, min_score=min_score)

    def settle(self, paths: Sequence[PathLike]) -> int:
        """Note of files that were acted upon whether they are still there; how many places changed."""
        return settle(self._database, [Path(path) for path in paths])

    # --------------------------------------------------------------------------------------------------- looking
    def pairs(self, min_score: float | None = None) -> list[Pair]:
        """Confirmed pairs of different images that are still somewhere, best first."""
        return reporting.present_pairs(self._database, min_score=min_score)

    def images(self) -> Iterator[ImageRecord]:
        """Every stored image."""
        with self._database.read() as connection:
            yield from catalog_images.all_images(connection)

    def image(self, image_id: int) -> ImageRecord | None:
        """The image of that id; None when there is none."""
        with self._database.read() as connection:
            return catalog_images.by_id(connection, [image_id]).get(image_id)

    def image_at(self, place: PathLike) -> ImageRecord | None:
        """The image that is, or was last seen, at a path or address (``path#frame=12``); None when there is none."""
        path, frame = parse_address(os.fspath(place))
        with self._database.read() as connection:
            return catalog_images.at_location(connection, absolute(path), frame or 0)

    def features_of(self, image_id: int) -> Features:
        """The stored features of an image.

        Raises
        ------
        KeyError
            No such image, or it has no features.
        """
        with self._database.read() as connection:
            return unpack(catalog_images.features(connection, [image_id])[image_id])

    def stored_portraits(self, ids: Iterable[int]) -> dict[int, Portrait]:
        """Small pictures of images as the database remembers them, by id; left out where it cannot."""
        return stored_portraits(self._database, ids)

    def failures(self, run: int | None = None) -> list[Failure]:
        """Files that gave no frame, and why; by path. Of one ingest: those that failed anew in it."""
        with self._database.read() as connection:
            return catalog.failures(connection, run=run)

    def runs(self, limit: int = 100) -> list[RunRecord]:
        """The latest finished runs, newest first."""
        with self._database.read() as connection:
            return catalog.runs(connection, limit=limit)

    def info(self) -> Mapping[str, int | float | str]:
        """Counts, sizes, versions and settings, by name."""
        with self._database.read() as connection:
            counts = catalog.counts(connection)
            segments = catalog.segments(connection)
            generation = catalog.generation(connection)
            program = catalog.get_meta(connection, "program") or ""
        log = self.path.with_name(self.path.name + "-wal")
        files = [self.path, log, *(vector_directory(self.path) / segment.file for segment in segments)]
        return {
            "path": str(self.path),
            **counts,
            "bytes": sum(file.stat().st_size for file in files if file.is_file()),
            "vector_files": len(segments),
            "generation": generation,
            "schema": HEAD,
            "created_by": program,
            "fingerprint": self.fingerprint,
            **{f"settings.{name}": json.dumps(value) for name, value in self.settings.shaping().items()},
        }

    def check(self, deep: bool = False, progress: Progress | None = None) -> list[Problem]:
        """Look for damage and disagreement; changes nothing. *deep* also reads every page and every file."""
        return checking.check(self._database, self.fingerprint, deep=deep, progress=progress or SILENT)

    def rebuild(self, describe: bool = False, progress: Progress | None = None) -> list[Failure]:
        """Make the vector files anew from the database; with *describe*, first the features anew from the files.

        Returns
        -------
        list of Failure
            Files that could not be described again.

        Raises
        ------
        StoreError, VectorIndexError
        """
        failures: list[Failure] = []
        if describe:
            failures = rebuild.describe_again(
                self._database, self.settings, self.fingerprint, progress=progress or SILENT
            )
            self._mismatch = ""
        self._refuse_mismatch()
        self._vectors.rebuild()
        return failures

    def backup(self, target: PathLike) -> backups.BackupSummary:
        """Copy the database and its vector files while others may be writing; verified, then put in place.

        Parameters
        ----------
        target : path
            The copy, a database of its own. An earlier backup there is replaced.

        Raises
        ------
        StoreError
            *target* is something else, is in use, or cannot be written; what was there stays.
        """
        return backups.backup(self.path, Path(target))

    @staticmethod
    def restore(source: PathLike, path: PathLike) -> backups.BackupSummary:
        """Let the database at *path* hold what a backup holds; what it held before is kept beside it.

        Raises
        ------
        StoreError
            The backup is damaged, or of a newer dedupindex; the database stays as it was then.
        """
        return backups.restore(Path(source), database_path(location_of(path)))

    def forget(self, paths: Sequence[PathLike], *, dry_run: bool = False) -> forgetting.ForgetSummary:
        """Take files, and folders with all below them, out of the index; the files themselves are never touched.

        Raises
        ------
        StoreError
        """
        if isinstance(paths, str | os.PathLike):
            raise TypeError("paths is one path, must be a sequence of paths")
        return forgetting.forget(self._database, [Path(path) for path in paths], dry_run=dry_run)

    # --------------------------------------------------------------------------------------------------- helpers
    def _decode(self, picture: PathLike | NDArray[Any]) -> DecodedFile:
        if isinstance(picture, np.ndarray):
            return frame_of_array(picture)
        path, frame = parse_address(os.fspath(picture))
        decoded = decode_file(path.expanduser(), self.settings, frame=frame)
        first: Frame = decoded.frames[0]
        if frame is not None:
            first = next((some for some in decoded.frames if some.number == frame), first)
        return DecodedFile(**{**_fields(decoded), "frames": (first,)})

    def _has_unsearched(self, or_ingested: bool) -> bool:
        with self._database.read() as connection:
            latest = catalog.runs(connection, limit=1) if or_ingested else []
            return bool(catalog_images.unsearched(connection, 1)) or any(run.kind == "ingest" for run in latest)

    def _refuse_mismatch(self) -> None:
        if self._mismatch:
            raise SettingsMismatchError(self._mismatch)


def _fields(decoded: DecodedFile) -> dict[str, Any]:
    return {name: getattr(decoded, name) for name in DecodedFile.__dataclass_fields__}
