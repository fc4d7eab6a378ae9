"""The schema of a database, and upgrading it to this program's.

Tables are only ever made by the Alembic revisions in ``migrations/``, so a new database and an upgraded one are alike.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect, text

from dedupindex.errors import SchemaVersionError, StoreError
from dedupindex.store.backend import CATALOGUE
from dedupindex.store.catalog import get_meta, set_meta
from dedupindex.store.database import Database

HEAD = "0005"  # newest revision; a test holds it against migrations/, which are slow to read on every open


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did."""

    before: str | None  # revision; None = no tables
    backup: Path | None  # a copy of the database as it was; None for servers, and where there was nothing to do

    @property
    def done(self) -> bool:
        """Whether the database had another schema."""
        return self.before != HEAD


def migrations_folder() -> Path:
    """Where the Alembic scripts are: inside the installed package, else beside it in the source tree.

    Raises
    ------
    StoreError
        Neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise StoreError("the migration scripts are missing from this installation of dedupindex; install it again")


def revision(database: Database) -> str | None:
    """The schema revision of *database*; None when it has no tables at all.

    Raises
    ------
    StoreError
        It holds tables of some other program.
    """
    with database.read() as connection:
        tables = set(inspect(connection).get_table_names())
        if not tables:
            return None
        if "alembic_version" not in tables or "image" not in tables:
            raise StoreError(f"{database.name} is a database, but not one of dedupindex")
        stored = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(stored) if stored is not None else None


def prepare_schema(database: Database, *, create: bool) -> None:
    """Make the tables of a new database, or check that those of an old one are this program's.

    Raises
    ------
    SchemaVersionError
        The database is older (run ``dedupindex upgrade``) or newer (update dedupindex).
    StoreError
        It has no tables and *create* is false, or those of another program.
    """
    current = revision(database)
    if current == HEAD:
        return
    if current is not None:
        raise _version_error(database.name, current)
    if not create:
        raise StoreError(f"{database.name} is an empty database")
    _run_migrations(database)


def upgrade(database: Database, *, backed_up: bool = False) -> Upgrade:
    """Bring an older database to this program's schema, after a backup copy beside it.

    Parameters
    ----------
    backed_up : bool
        A backup exists already. Needed for a database on a server, of which no copy is made here.

    Returns
    -------
    Upgrade

    Raises
    ------
    SchemaVersionError
        The database is newer than this program.
    StoreError
        It is on a server, and *backed_up* is false.
    """
    current = revision(database)
    if current == HEAD:
        return Upgrade(HEAD, None)
    if current is not None and not _is_older(current):
        raise _version_error(database.name, current)
    if database.shared:
        if not backed_up:
            raise StoreError(
                f"{database.name} is on a server, where no backup is made before an upgrade: make one with pg_dump, "
                "then run `dedupindex upgrade --backed-up`"
            )
        _run_migrations(database)
        return Upgrade(current, None)
    number = 1
    backup = database.beside(f".before-{HEAD}")
    while backup.exists():
        backup, number = database.beside(f".before-{HEAD}.{number}"), number + 1
    database.backup(backup)
    _run_migrations(database)
    return Upgrade(current, backup)


def is_known(revision: str) -> bool:
    """Whether this program can use a database of that schema, if need be after an upgrade."""
    return revision == HEAD or _is_older(revision)


def _run_migrations(database: Database) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    # One transaction around all of it: a process that dies half-way leaves the database as it was.
    with database.write_schema() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if database.shared and get_meta(connection, CATALOGUE) is None:
            set_meta(connection, **{CATALOGUE: secrets.token_hex(8)})


def _is_older(current: str) -> bool:
    return (migrations_folder() / "versions").is_dir() and any(
        (migrations_folder() / "versions").glob(f"{current}_*.py")
    )


def _version_error(name: str, current: str) -> SchemaVersionError:
    if _is_older(current):
        words = (
            f"{name} was made by an older dedupindex (schema {current}, this one has {HEAD}); run `dedupindex upgrade`"
        )
    else:
        words = f"{name} was made by a newer dedupindex (schema {current}, this one has {HEAD}); update dedupindex"
    return SchemaVersionError(words, current=current, head=HEAD)
