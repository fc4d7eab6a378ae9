"""A database on a PostgreSQL server, for catalogues that several processes and hosts share.

Writers take turns by an advisory lock, as they do on a SQLite file: the code that writes reads first, and relies on
nobody writing in between. Ids and generations are assigned under that lock, so a larger one is never committed first.
Batches are described before the lock is asked for, so it is held for a short time only.

Advisory locks belong to sessions: a pooler in front of the server has to keep sessions (PgBouncer: ``session`` mode).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dedupindex import durable
from dedupindex.errors import IndexBusyError, IndexNotFoundError, StoreError
from dedupindex.places import at_home
from dedupindex.store.backend import CATALOGUE, Purpose
from dedupindex.store.claims import Claims, RowClaims
from dedupindex.store.schema import Base
from dedupindex.store.writer_lock import SAY_AFTER, myself

log = logging.getLogger(__name__)

LOCKS = 0x64647870  # the first number of our advisory locks; the second is the purpose
LONGEST_PATH = 2600  # bytes: a row of an index has to fit a third of a page of 8 kB
CONNECTIONS = 60  # at most; a server has 100 by default
CONNECT_TIMEOUT = 10  # seconds
SAY_AGAIN = 60.0  # seconds
CACHE_VARIABLE = "DEDUPINDEX_CACHE"
_SHOWN = frozenset(("host", "hostaddr", "port", "user", "dbname", "service"))  # of a URL's query: no password
_LOCK_NOT_AVAILABLE, _READ_ONLY, _NO_DATABASE = "55P03", "25006", "3D000"
_SESSION = (
    "SET idle_in_transaction_session_timeout = 0",  # the transaction of a claim waits while its files are described
    "SET statement_timeout = 0",
    "SET tcp_keepalives_idle = 60",  # a host that is gone keeps its locks for two minutes, not for two hours
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 6",
)
_HOLDER = text(
    """
    SELECT a.application_name, a.pid, a.client_addr::text, coalesce(a.xact_start, a.state_change)::timestamptz(0)::text
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :locks AND l.objid = :purpose
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)


@dataclass(frozen=True, slots=True)
class ServerState:
    """The state of a server and of a catalogue on it."""

    version: str
    encoding: str
    round_trip: float  # seconds
    revision: str | None  # of the schema; None = no tables
    images: int
    bytes: int
    holders: dict[str, str]  # purpose -> process that holds its lock
    claims: dict[str, int]  # process -> files that it is reading, or was reading when it died
    connections: int
    most_connections: int


class PostgresServer:
    """A database on a server.

    Parameters
    ----------
    url : URL
    busy_timeout : float
        Seconds to wait for another writer.

    Raises
    ------
    IndexNotFoundError
        The server has no such database.
    StoreError
        The driver is not installed, the server does not answer or refuses access, or its text is not UTF-8.
    """

    shared = True
    errors: tuple[type[Exception], ...] = (SQLAlchemyError,)
    longest_path = LONGEST_PATH

    def __init__(self, url: URL, *, busy_timeout: float) -> None:
        if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
            raise StoreError(f"{url.drivername} is not supported; use postgresql+psycopg")
        shown = {key: value for key, value in url.query.items() if key in _SHOWN}
        place = URL.create("postgresql", url.username, None, url.host, url.port, url.database, shown)
        self.name = place.render_as_string()  # opens the database again where the password is in ~/.pgpass
        self._secrets = [str(secret) for secret in (url.password, url.query.get("password")) if secret]
        self._database = url.database or url.query.get("dbname") or ""
        self._mark = Path(str(self._database) or "postgres")  # what `durable.point` announces
        self._busy_timeout = busy_timeout
        self._catalogue = ""
        me = myself()
        self._holder = f"process {me.pid} on {me.host} (`{me.command}`)"
        self._engine = _engine(url, f"dedupindex {me.pid} on {me.host}: {me.command}"[:63])
        try:
            with self._translated(), self.reading() as connection:
                encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
            if encoding != "UTF8":
                raise StoreError(f"{self.name} holds text as {encoding}; make a database with ENCODING 'UTF8'")
        except BaseException:
            self.close()
            raise

    # --------------------------------------------------------------------------------------------- transactions
    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        with self._engine.connect() as connection:
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The only transaction that writes, all or nothing."""
        with self._engine.connect() as connection:
            with self._turn(connection):
                yield connection
                durable.point("commit", self._mark)
            durable.point("committed", self._mark)

    def _turn(self, connection: Connection) -> RootTransaction:
        """Wait for the writers' lock, and begin a transaction that holds it."""
        until = time.monotonic() + self._busy_timeout
        patience = min(SAY_AFTER, self._busy_timeout)
        while True:
            transaction = connection.begin()
            try:
                _wait_at_most(connection, patience)
                connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCKS}, {Purpose.WRITE.value})"))
                _wait_at_most(connection, self._busy_timeout)
                return transaction
            except BaseException as error:
                transaction.rollback()
                if _state_of(error) != _LOCK_NOT_AVAILABLE:
                    raise
            with connection.begin():
                who = self._holder_of(connection, Purpose.WRITE) or "another one"
            patience = until - time.monotonic()
            if patience <= 0:
                words = f"{self.name}: another process is writing ({who}); try again when it has finished"
                raise IndexBusyError(words)
            log.warning("waiting for %s", who)

    @contextmanager
    def alone(self, purpose: Purpose) -> Iterator[None]:
        """Hold a lock while the block runs. The server releases it when its holder ends."""
        lock = f"({LOCKS}, {purpose.value})"
        with self._translated(), self._engine.connect() as connection:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            patience = SAY_AFTER
            while True:
                connection.execute(text(f"SET lock_timeout = {int(patience * 1000)}"))
                try:
                    connection.execute(text(f"SELECT pg_advisory_lock{lock}"))
                    break
                except DBAPIError as error:
                    if _state_of(error) != _LOCK_NOT_AVAILABLE:
                        raise
                who = self._holder_of(connection, purpose) or "another process"
                log.warning("waiting for %s to end its %s", who, purpose.name.lower())
                patience = SAY_AGAIN
            connection.execute(text("SET lock_timeout = 0"))
            try:
                yield
            finally:
                connection.execute(text(f"SELECT pg_advisory_unlock{lock}"))

    @contextmanager
    def claims(self) -> Iterator[Claims]:
        """Claims of files, given back at the end of the block."""
        with self._translated():
            claims = RowClaims(self._engine, self._holder)
            try:
                yield claims
            finally:
                claims.close()

    # ---------------------------------------------------------------------------------------------------- places
    @property
    def vectors(self) -> Path:
        """The folder of this host's vector files."""
        return cache_folder(self._id())

    @property
    def own_files(self) -> list[Path]:
        """Files and folders of this host that belong to it and are no pictures."""
        return [cache_folder(self._id()), state_folder(self._id())]

    def beside(self, tail: str) -> Path:
        """A name for a file of this host that belongs to it."""
        folder = state_folder(self._id())
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"catalogue{tail}"

    def _id(self) -> str:
        if not self._catalogue:
            with self.reading() as connection:
                stored = connection.execute(
                    text("SELECT value FROM meta WHERE key = :key"), {"key": CATALOGUE}
                ).scalar()
            if not stored or not str(stored).isalnum():
                raise StoreError(f"{self.name} is damaged: it has no id")
            self._catalogue = str(stored)
        return self._catalogue

    # ------------------------------------------------------------------------------------------------------ care
    def size(self) -> int:
        """Bytes of the tables with their indexes."""
        tables = ", ".join(f"'{table.name}'" for table in Base.metadata.sorted_tables)
        query = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c"
        query += f" WHERE c.relnamespace = current_schema()::regnamespace AND c.relname IN ({tables})"
        with self.reading() as connection:
            return int(connection.execute(text(query)).scalar() or 0)

    def backup(self, target: Path) -> None:
        """Always an error: servers have better tools.

        Raises
        ------
        StoreError
            It names these tools.
        """
        raise StoreError(
            f"{self.name} is on a server: copy it with `pg_dump --format=custom --file={target.name} DATABASE`, "
            "and bring it back with `pg_restore --clean --if-exists --dbname=DATABASE FILE`"
        )

    def integrity(self) -> list[str]:
        """Nothing: the server checks pages and references itself (``pg_amcheck`` checks all of them)."""
        return []

    def state(self) -> ServerState:
        """The state of the server and of the catalogue.

        Raises
        ------
        StoreError
            The server does not answer.
        """
        with self._translated(), self.reading() as connection:
            began = time.monotonic()
            version, encoding = connection.execute(
                text("SELECT current_setting('server_version'), current_setting('server_encoding')")
            ).one()
            took = time.monotonic() - began
            ours = connection.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL")).scalar_one()
            revision, images, claims = None, 0, {}
            if ours:
                revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
                images = connection.execute(text("SELECT count(*) FROM image")).scalar_one()
                if connection.execute(text("SELECT to_regclass('claim') IS NOT NULL")).scalar_one():
                    rows = connection.execute(text("SELECT host, count(*) FROM claim GROUP BY host"))
                    claims = {str(host): int(files) for host, files in rows}
            used, most = connection.execute(
                text("SELECT (SELECT count(*) FROM pg_stat_activity), current_setting('max_connections')::int")
            ).one()
            holders = {
                purpose.name.lower(): who for purpose in Purpose if (who := self._holder_of(connection, purpose))
            }
        return ServerState(
            version, encoding, took, revision, images, self.size(), holders, claims, int(used), int(most)
        )

    def translate(self, error: Exception) -> StoreError:
        """Our error for one of the driver: one line, without a password."""
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        words = " ".join(str(cause).split())
        for secret in self._secrets:
            words = words.replace(secret, "***")
        state = _state_of(error)
        if state == _LOCK_NOT_AVAILABLE:
            return IndexBusyError(f"{self.name}: another process is writing ({words}); try again when it has finished")
        if state == _NO_DATABASE or ("database" in words and "does not exist" in words):
            return IndexNotFoundError(f"{self.name}: there is no such database; make one with `createdb`, empty")
        if state == _READ_ONLY:
            return StoreError(f"{self.name}: {words}; is it a standby? It can be read with --read-only verbs alone")
        if isinstance(error, DBAPIError) and (error.connection_invalidated or (state or "").startswith(("08", "57P"))):
            return StoreError(
                f"{self.name}: the connection was lost ({words}); what was committed before is safe, run again"
            )
        if state == "53100":
            return StoreError(f"{self.name}: {words}; what was committed before is safe, free some space and run again")
        return StoreError(f"{self.name}: {words}")

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self.errors as error:
            raise self.translate(error) from error

    def _holder_of(self, connection: Connection, purpose: Purpose) -> str:
        """Name of the process that holds a lock; empty when there is none."""
        row = connection.execute(_HOLDER, {"locks": LOCKS, "purpose": purpose.value}).first()
        if row is None:
            return ""
        name, pid, address, since = row
        where = f" at {address}" if address else ""
        return f"{name or 'a program without a name'}{where}, session {pid}, since {since}"


def _engine(url: URL, application: str) -> Engine:
    given = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT}
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            max_overflow=CONNECTIONS - 5,
            connect_args={"client_encoding": "utf8", "application_name": application, **given},
        )
    except ImportError as error:
        words = f"PostgreSQL needs more packages: install dedupindex with its extra 'postgres' ({error})"
        raise StoreError(words) from error
    event.listen(engine, "connect", _configure)
    return engine


def _configure(connection: Any, _record: Any) -> None:
    """Settings of every session."""
    before = connection.autocommit
    connection.autocommit = True
    for words in _SESSION:
        connection.execute(words)
    connection.autocommit = before


def _wait_at_most(connection: Connection, seconds: float) -> None:
    milliseconds = str(max(1, int(seconds * 1000)))
    connection.execute(text("SELECT set_config('lock_timeout', :milliseconds, true)"), {"milliseconds": milliseconds})


def _state_of(error: BaseException) -> str | None:
    """The SQLSTATE of an error of the driver."""
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def cache_folder(catalogue: str) -> Path:
    """Where this machine keeps copies of a catalogue's vector files. What is removed there is fetched again."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (at_home(Path(chosen)).absolute() if chosen else _home("XDG_CACHE_HOME", ".cache")) / catalogue


def state_folder(catalogue: str) -> Path:
    """Where this machine keeps what cannot be made again: plans that were applied, and their journals."""
    return _home("XDG_STATE_HOME", ".local/state") / catalogue


def _home(variable: str, default: str) -> Path:
    chosen = Path(os.environ.get(variable, ""))
    return (chosen if chosen.is_absolute() else Path.home() / default) / "dedupindex"
