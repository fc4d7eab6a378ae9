"""`Index`: the one facade over database, vectors and workflows."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from dedupindex import __version__
from dedupindex.actions import planning
from dedupindex.engines.choosing import engine_for
from dedupindex.errors import SettingsError, SettingsMismatchError
from dedupindex.execution.engine import WORK
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.features import unpack, versions
from dedupindex.groups import decisions as deciding
from dedupindex.groups import report as reporting
from dedupindex.groups.thumbnails import stored_thumbnails
from dedupindex.ingest import forget as forgetting
from dedupindex.ingest import ingest as ingesting
from dedupindex.ingest import merge as merging
from dedupindex.ingest.query_pictures import describe_picture
from dedupindex.ingest.settling import settle
from dedupindex.places import absolute
from dedupindex.records import (
    Decision,
    DuplicatesSummary,
    Failure,
    Features,
    ImageRecord,
    IngestSummary,
    Match,
    Pair,
    Problem,
    RunRecord,
)
from dedupindex.records.pictures import Thumbnail
from dedupindex.records.plans import Plan
from dedupindex.records.reports import Overview, Report, Selection
from dedupindex.records.upkeep import BackupSummary, ForgetSummary, MergeSummary, Vitals
from dedupindex.search import candidates, duplicates
from dedupindex.search.uploads import Uploads
from dedupindex.search.vector_cache import VectorCache
from dedupindex.settings import Settings
from dedupindex.sources import SourceList, parse_address
from dedupindex.store import catalog, catalog_images
from dedupindex.store.database import Database, database_path
from dedupindex.store.migrate import Upgrade, prepare_schema
from dedupindex.store.migrate import upgrade as upgrade_schema
from dedupindex.upkeep import backup as backups
from dedupindex.upkeep import check as checking
from dedupindex.upkeep import info as describing
from dedupindex.upkeep import rebuild
from dedupindex.upkeep.opening import location_of, opened, places_of, settle_settings
from dedupindex.upkeep.vitals import pulse, vitals

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
        self._engine = engine_for(settings, database)
        if not database.read_only and not database.shared:
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
            Database file, or its SQLAlchemy URL: ``sqlite:///FILE``, ``postgresql://USER@HOST/NAME``.
        create : bool
            Make it when it is not there; on a server, the tables in an empty database.
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
            chosen, mismatch = settle_settings(database, settings, overrides, program=__version__)
            if mismatch and not allow_mismatch:
                raise SettingsMismatchError(mismatch)
            return cls(database, chosen, mismatch=mismatch)
        except BaseException:
            database.close()
            raise

    @staticmethod
    def upgrade(path: PathLike, *, backed_up: bool = False) -> Upgrade:
        """Bring an older database to this program's schema; what was done, and the backup that was made first.

        Parameters
        ----------
        backed_up : bool
            You have a backup of a database on a server, of which none is made here.

        Raises
        ------
        StoreError
        """
        database = Database(location_of(path))
        try:
            return upgrade_schema(database, backed_up=backed_up)
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
    def name(self) -> str:
        """The database for people: its path, or its URL without the password."""
        return self._database.name

    @property
    def location(self) -> Path | str:
        """What opens the same database again; of a server with the password, so not for people."""
        return self._database.location

    @property
    def path(self) -> Path:
        """The database file.

        Raises
        ------
        StoreError
            It is on a server.
        """
        return self._database.path

    def beside(self, tail: str) -> Path:
        """A name for a file that belongs to the index: beside the database, or where this machine keeps its own."""
        return self._database.beside(tail)

    @property
    def generation(self) -> int:
        """How many transactions have written: while it stays, so does everything that one reads."""
        with self._database.read() as connection:
            return catalog.generation(connection)

    # ------------------------------------------------------------------------------------------------ the work
    def ingest(
        self,
        paths: Sequence[PathLike] = (),
        *,
        lists: Sequence[SourceList | PathLike] = (),
        recursive: bool = True,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> IngestSummary:
        """Bring the database up to date with files and folders; idempotent, and bad files are collected, not raised.

        Parameters
        ----------
        paths : sequence of path or str
            Files, folders, tar shards; URLs of objects and prefixes in object stores (``s3://bucket/prefix``).
        lists : sequence of SourceList or path
            Lists with a path or URL a row.

        Raises
        ------
        StoreError
        SettingsError
            A URL or list has no meaning, or a package is missing.
        """
        self._refuse_mismatch()
        return ingesting.ingest(
            self._database,
            self.settings,
            places_of(paths),
            lists=[some if isinstance(some, SourceList) else SourceList(Path(some)) for some in lists],
            recursive=recursive,
            dry_run=dry_run,
            exclude=[*self._database.own_files, self._database.beside(WORK)],
            progress=progress or SILENT,
            engine=self._engine,
        )

    def find_duplicates(self, progress: Progress | None = None) -> DuplicatesSummary:
        """Search every image that is new for duplicates, and store the confirmed pairs.

        Raises
        ------
        StoreError
        """
        self._refuse_mismatch()
        return duplicates.find_duplicates(
            self._database, self._vectors, self.settings, progress=progress or SILENT, engine=self._engine
        )

    def query(self, picture: PathLike | NDArray[Any], limit: int = 10) -> list[Match]:
        """Best confirmed matches of a picture that need not be stored.

        Parameters
        ----------
        picture : path, address or array
            A file or URL, ``path#frame=12``, or pixels (H, W), (H, W, 3) or (H, W, 4) of any real dtype; NaN = no data.
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
        image, features = describe_picture(picture, self.settings)
        return candidates.query(self._database, self._vectors.current(), self.settings, image, features, limit=limit)

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
        if (
            find
            and not self._database.read_only
            and duplicates.is_due(self._database, after_any=since == reporting.LAST)
        ):
            self.find_duplicates(progress)
        chosen = selection or Selection()
        if min_score is not None:
            chosen = dataclasses.replace(chosen, min_score=min_score)
        with self._database.read() as connection:
            return reporting.report(connection, chosen, since=since)

    def overview(self, runs: int = 8) -> Overview:
        """The report of everything, with counts and the latest *runs*, of one state; nothing is searched for."""
        with self._database.read() as connection:
            return describing.overview(connection, runs)

    def uploads(self) -> Uploads:
        """What takes pictures that somebody hands in; a context manager, because it has worker processes."""
        self._refuse_mismatch()
        return Uploads(self._database, self._vectors, self.settings)

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
        with self._database.read() as connection:
            return reporting.present_pairs(connection, min_score=min_score)

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

    def stored_thumbnails(self, ids: Iterable[int]) -> dict[int, Thumbnail]:
        """Small pictures of images as the database remembers them, by id; left out where it cannot."""
        return stored_thumbnails(self._database, ids)

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
        return describing.info(self._database, self.settings, self.fingerprint)

    def pulse(self) -> int:
        """The generation, once the database has answered with the right schema and the vector index has caught up."""
        return pulse(self._database, self._vectors)

    def vitals(self) -> Vitals:
        """What is worth watching of an index in service."""
        return vitals(self._database, self._vectors)

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

    def backup(self, target: PathLike) -> BackupSummary:
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
        if self._database.shared:
            self._database.backup(Path(target))  # says what to use
        return backups.backup(self.path, Path(target))

    @staticmethod
    def restore(source: PathLike, path: PathLike) -> BackupSummary:
        """Let the database at *path* hold what a backup holds; what it held before is kept beside it.

        Raises
        ------
        StoreError
            The backup is damaged, or of a newer dedupindex; the database stays as it was then.
        """
        return backups.restore(Path(source), database_path(location_of(path)))

    def merge(self, other: PathLike, *, volume: str = "", progress: Progress | None = None) -> MergeSummary:
        """Bring in a catalogue that was made elsewhere, without describing anything again; see `workflows.merge`.

        With *volume*, its own paths are known here as ``VOLUME:/path``; without, it is of this machine.

        Raises
        ------
        SettingsError, StoreError
        """
        self._refuse_mismatch()
        with opened(location_of(other)) as theirs:
            return merging.merge(
                self._database, theirs, self.settings, self.fingerprint, volume=volume, progress=progress or SILENT
            )

    def forget(self, paths: Sequence[PathLike], *, dry_run: bool = False) -> ForgetSummary:
        """Take files, and folders with all below them, out of the index; the files themselves are never touched.

        Raises
        ------
        StoreError
        """
        return forgetting.forget(self._database, places_of(paths), dry_run=dry_run)

    # --------------------------------------------------------------------------------------------------- helpers
    def _refuse_mismatch(self) -> None:
        if self._mismatch:
            raise SettingsMismatchError(self._mismatch)
