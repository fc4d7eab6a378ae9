"""The catalogue's database for the rest of the program: transactions, names, and our own errors.

What differs between kinds of database is behind `Backend`: a SQLite file (`sqlite`), a PostgreSQL server (`postgres`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import Connection as Connection  # those who read in one transaction pass it on
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from dedupindex.errors import StoreError
from dedupindex.places import at_home
from dedupindex.store.backend import Backend, Purpose
from dedupindex.store.claims import Claims
from dedupindex.store.sqlite import BUSY_TIMEOUT, SqliteFile

_RAISE_GENERATION = text("UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'generation'")


class Database:
    """A connection pool on one database.

    Parameters
    ----------
    location : Path or str
        File path, or a SQLAlchemy URL (``sqlite:///photos.db``, ``postgresql+psycopg://user@host/photos``).
    create : bool
        Make the file when there is none (its tables come from `dedupindex.store.migrate`). Databases of a server are
        made there.
    read_only : bool
        Refuse to write.
    busy_timeout : float
        Seconds to wait for another writer.

    Raises
    ------
    IndexNotFoundError
        There is no such database and *create* is false, or its server has none of that name.
    StoreError
        The URL names a kind of database that is not supported, or the database cannot be opened.
    """

    def __init__(
        self,
        location: Path | str,
        *,
        create: bool = False,
        read_only: bool = False,
        busy_timeout: float = BUSY_TIMEOUT,
    ) -> None:
        self.location = location
        self.read_only = read_only
        self._backend = _backend(location, create, read_only, busy_timeout)

    # ------------------------------------------------------------------------------------------- what and where
    @property
    def name(self) -> str:
        """The database's name for people: its path, or its URL without the password."""
        return self._backend.name

    @property
    def shared(self) -> bool:
        """Whether it is on a server, for several hosts: files are claimed, vector files are handed out through it."""
        return self._backend.shared

    @property
    def path(self) -> Path:
        """The database file.

        Raises
        ------
        StoreError
            It is on a server.
        """
        if not isinstance(self._backend, SqliteFile):
            raise StoreError(f"{self.name} is on a server, not in a file")
        return self._backend.path

    @property
    def vectors(self) -> Path:
        """The folder of this machine's vector files."""
        with self._translated():
            return self._backend.vectors

    @property
    def own_files(self) -> list[Path]:
        """Files and folders of this machine that belong to the database and are no pictures."""
        with self._translated():
            return self._backend.own_files

    @property
    def longest_path(self) -> int:
        """Bytes of the longest path that it can store."""
        return self._backend.longest_path

    def beside(self, tail: str) -> Path:
        """A name for a file that belongs to the database: ``NAME.db`` and *tail*; of a server, in a local folder."""
        with self._translated():
            return self._backend.beside(tail)

    def size(self) -> int:
        """Bytes that the database takes."""
        with self._translated():
            return self._backend.size()

    # --------------------------------------------------------------------------------------------- transactions
    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state of the database, never waiting for a writer."""
        with self._translated(), self._backend.reading() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction: all or nothing; raises the database's generation by one.

        There is one at a time, over all processes and hosts. So generations come in the order of commits.

        Raises
        ------
        IndexBusyError
            Another process kept writing for longer than the busy timeout.
        StoreError
            Anything else, e.g. a full disk; nothing was written then.
        """
        if self.read_only:
            raise StoreError(f"{self.name} was opened read-only")
        with self.write_schema() as connection:
            yield connection
            connection.execute(_RAISE_GENERATION)

    @contextmanager
    def write_schema(self) -> Iterator[Connection]:
        """A write transaction that may change tables, and does not count as a generation."""
        with self._translated(), self._backend.writing() as connection:
            yield connection

    def alone(self, purpose: Purpose) -> AbstractContextManager[None]:
        """Be the only process that does something, on a server. Waits for another one without limit."""
        return self._backend.alone(purpose)

    def claims(self) -> AbstractContextManager[Claims]:
        """Claims of files that this process reads, on a server; given back at the end of the block."""
        return self._backend.claims()

    # ----------------------------------------------------------------------------------------------------- care
    def backup(self, target: Path) -> None:
        """Copy the database into *target*, consistently while others write.

        Raises
        ------
        StoreError
            *target* exists or cannot be written; or the database is on a server, which has its own tools.
        """
        if target.exists():
            raise StoreError(f"{target} exists; a backup never overwrites")
        with self._translated():
            self._backend.backup(target)

    def integrity(self) -> list[str]:
        """Complaints of the database's own checks; empty when all is well."""
        try:
            with self._translated():
                return self._backend.integrity()
        except StoreError as error:
            return [str(error)]

    def close(self) -> None:
        """Close every connection."""
        self._backend.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._backend.errors as error:
            raise self._backend.translate(error) from error


def parsed(location: Path | str) -> Path | URL:
    """The file behind a path or a ``sqlite:///`` URL, or the URL of a server.

    Raises
    ------
    StoreError
        A URL of another kind of database, or one without a file.
    """
    if isinstance(location, Path) or "://" not in location:
        return at_home(Path(location)).absolute()
    kind = location.partition("://")[0]
    try:
        url = make_url(location)
    except (ArgumentError, ValueError) as error:  # their words would show a password
        raise StoreError(
            f"what follows {kind}:// is not a database URL: it must be like postgresql://USER@HOST/NAME or sqlite:///FILE"
        ) from error
    if url.get_backend_name() in ("postgresql", "postgres"):
        return url
    if url.get_backend_name() != "sqlite":
        raise StoreError(f"{kind} databases are not supported, only sqlite:///FILE and postgresql://HOST/NAME")
    if not url.database or url.database == ":memory:":
        raise StoreError("a database in memory cannot be shared with workers; name a file")
    return at_home(Path(url.database)).absolute()


def database_path(location: Path | str) -> Path:
    """The file behind a path or a ``sqlite:///`` URL.

    Raises
    ------
    StoreError
        The database is in no file.
    """
    place = parsed(location)
    if isinstance(place, URL):
        raise StoreError("a database on a server is copied with pg_dump, and brought back with pg_restore")
    return place


def _backend(location: Path | str, create: bool, read_only: bool, busy_timeout: float) -> Backend:
    place = parsed(location)
    if isinstance(place, Path):
        return SqliteFile(place, create=create, read_only=read_only, busy_timeout=busy_timeout)
    from dedupindex.store.postgres import PostgresServer  # its driver is an extra

    return PostgresServer(place, busy_timeout=busy_timeout)
