"""Databases of tests: what each of hundreds would compute anew is computed once.

The tables of new ones are made from what one run of the migrations left, in a tenth of the time; tests of migrations
use the fixture `migrations_run`. All share one cache of compiled statements, which else begins empty with
every database that is opened.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dedupindex.store import migrate, sqlite
from dedupindex.store.database import Database

run_migrations = migrate._run_migrations


@cache
def statements() -> list[str]:
    """Statements that make a new database as the migrations do."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "new.db")
        with closing(Database(path, create=True)) as database:
            run_migrations(database)
        with closing(sqlite3.connect(path)) as connection:
            dumped = list(connection.iterdump())
    return [line for line in dumped if "sqlite_sequence" not in line][1:-1]  # without BEGIN and COMMIT


def make_tables(database: Database) -> None:
    """Do as `run_migrations`, which other databases than new SQLite files are left to."""
    newest = any(line.startswith('INSERT INTO "alembic_version"') and migrate.HEAD in line for line in statements())
    if database.shared or not newest or migrate.revision(database) is not None:
        run_migrations(database)
        return
    with database.write_schema() as connection:
        for statement in statements():
            connection.exec_driver_sql(statement)


@contextmanager
def databases_shared() -> Iterator[None]:
    """Let databases of this process and its forks be made and used so."""
    statements()
    create, compiled, dialects = sqlite.create_engine, {}, []

    def create_engine(*given: object, **named: object) -> Engine:
        engine = create(*given, **named)
        if not dialects:
            dialects.append(engine.dialect)
        engine.dialect = dialects[0]  # compiled statements belong to a dialect
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(migrate, "_run_migrations", make_tables)
        patched.setattr(sqlite, "create_engine", create_engine)
        yield
