"""Opening, upgrading and closing an index."""

from __future__ import annotations

import os
import threading
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dedupindex import __version__
from dedupindex.errors import SettingsError, SettingsMismatchError
from dedupindex.settings import Settings
from dedupindex.store import catalog
from dedupindex.store.database import Database, parsed
from dedupindex.store.migrate import Upgrade, prepare_schema
from dedupindex.store.migrate import upgrade as upgrade_schema
from dedupindex.upkeep import backup as backups
from dedupindex.upkeep.opening import location_of, settle_settings
from dedupindex.versions import versions

if TYPE_CHECKING:
    from dedupindex.execution.engine import Engine
    from dedupindex.search.piece_cache import PieceCache
    from dedupindex.search.vector_cache import VectorCache

PathLike = str | os.PathLike[str]


class OpenIndex:
    """An open database with its vector index and its engine; see `Index`."""

    def __init__(self, database: Database, settings: Settings, *, mismatch: str = "") -> None:
        self._database = database
        self._mismatch = mismatch
        self.settings = settings
        self.fingerprint = settings.fingerprint(versions(settings))
        self._making = threading.RLock()  # two threads must not make one of the following at once
        if settings.engine:
            _ = self._engine  # says now if it cannot be used
        if not database.read_only and not database.shared:
            backups.remove_leftovers(database.path)

    # A report of what is known needs none of these, and they load NumPy, OpenCV, FAISS and what stands on them.
    @property
    def _vectors(self) -> VectorCache:
        with self._making:
            return self._vector_cache

    @property
    def _pieces(self) -> PieceCache:
        with self._making:
            return self._piece_cache

    @property
    def _engine(self) -> Engine:
        with self._making:
            return self._chosen_engine

    @cached_property
    def _vector_cache(self) -> VectorCache:
        from dedupindex.search.vector_cache import VectorCache

        return VectorCache(self._database, self.fingerprint)

    @cached_property
    def _piece_cache(self) -> PieceCache:
        from dedupindex.search.piece_cache import PieceCache

        return PieceCache(self._database, self.fingerprint)

    @cached_property
    def _chosen_engine(self) -> Engine:
        from dedupindex.engines.choosing import engine_for

        return engine_for(self.settings, self._database)

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
    ) -> Self:
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

        Returns
        -------
        Index
            A context manager.

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
        if create and settings is None and isinstance(place := parsed(location_of(path)), Path) and not place.exists():
            Settings.load(**overrides)  # what has no meaning must not leave a new database behind
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

    @staticmethod
    def own_files(path: PathLike) -> list[Path]:
        """The database file at a path or SQLite URL, and its folder of vectors; none where it is on a server.

        Raises
        ------
        StoreError
            A URL of another kind of database, or one without a file.
        """
        database = parsed(location_of(path))
        return [database, database.with_name(f"{database.name}.vectors")] if isinstance(database, Path) else []

    def close(self) -> None:
        """Close the database."""
        if "_chosen_engine" in self.__dict__:
            self._engine.close()
        self._database.close()

    def __enter__(self) -> Self:
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
        """Number of transactions that have written; while it is the same, so are all answers."""
        with self._database.read() as connection:
            return catalog.generation(connection)

    def _refuse_mismatch(self) -> None:
        if self._mismatch:
            raise SettingsMismatchError(self._mismatch)
