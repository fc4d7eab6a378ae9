import shutil

import pytest
from sqlalchemy import inspect, text

from dedupindex.errors import SchemaVersionError, StoreError
from dedupindex.store import catalog, migrate
from dedupindex.store.database import Database
from dedupindex.store.migrate import HEAD

pytestmark = pytest.mark.usefixtures("migrations_run")

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "HEAD"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("later", sa.Column("key", sa.String(), primary_key=True))
    {more}
"""


@pytest.fixture
def future(tmp_path, monkeypatch):
    """A later program that has one more migration."""

    def make(more: str = "pass") -> None:
        shutil.rmtree(tmp_path / "migrations", ignore_errors=True)
        shutil.copytree(migrate.migrations_folder(), tmp_path / "migrations", ignore=shutil.ignore_patterns("*.pyc"))
        later = tmp_path / "migrations" / "versions" / "next_later.py"
        later.write_text(NEXT.replace("HEAD", HEAD).format(more=more))
        monkeypatch.setattr(migrate, "HEAD", "next")
        monkeypatch.setattr(migrate, "migrations_folder", lambda: tmp_path / "migrations")

    return make


def test_an_older_database_is_upgraded_after_a_backup(file_database, future):
    with file_database.write() as connection:
        catalog.set_meta(connection, note="kept")
    future()
    with pytest.raises(SchemaVersionError, match="dedupindex upgrade"):
        migrate.prepare_schema(file_database, create=False)
    backup = migrate.upgrade(file_database).backup
    assert migrate.revision(file_database) == "next"
    migrate.prepare_schema(file_database, create=False)
    with file_database.read() as connection:
        assert catalog.get_meta(connection, "note") == "kept"
        assert connection.execute(text("SELECT count(*) FROM later")).scalar() == 0
    old = Database(backup)
    assert migrate.revision(old) == HEAD
    old.close()


def test_a_failed_upgrade_changes_nothing(database, future):
    future("raise ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(database, backed_up=True)
    assert migrate.revision(database) == HEAD
    with database.read() as connection:
        assert "later" not in inspect(connection).get_table_names()


@pytest.mark.postgres
def test_on_a_server_the_backup_is_left_to_people(server, tmp_path, future):
    database = Database(server(tmp_path / "a.db"))
    future()
    with pytest.raises(StoreError, match=r"pg_dump.*--backed-up"):
        migrate.upgrade(database)
    assert migrate.revision(database) == HEAD
    made = migrate.upgrade(database, backed_up=True)
    assert (made.done, made.before, made.backup) == (True, HEAD, None)
    migrate.prepare_schema(database, create=False)
    database.close()


def test_a_creation_that_was_cut_short_is_done_again(tmp_path):
    empty = tmp_path / "a.db"
    empty.touch()
    made = Database(empty)
    migrate.prepare_schema(made, create=True)
    assert migrate.revision(made) == migrate.HEAD
    made.close()
