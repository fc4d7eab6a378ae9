import shutil

import pytest
from sqlalchemy import text

from dedupindex.errors import SchemaVersionError
from dedupindex.store import catalog, migrate
from dedupindex.store.database import Database
from dedupindex.store.migrate import HEAD

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


def test_an_older_database_is_upgraded_after_a_backup(database, future):
    with database.write() as connection:
        catalog.set_meta(connection, note="kept")
    future()
    with pytest.raises(SchemaVersionError, match="dedupindex upgrade"):
        migrate.prepare_schema(database, create=False)
    backup = migrate.upgrade(database).backup
    assert migrate.revision(database) == "next"
    migrate.prepare_schema(database, create=False)
    with database.read() as connection:
        assert catalog.get_meta(connection, "note") == "kept"
        assert connection.execute(text("SELECT count(*) FROM later")).scalar() == 0
    old = Database(backup)
    assert migrate.revision(old) == HEAD
    old.close()


def test_a_failed_upgrade_changes_nothing(database, future):
    future("raise ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(database)
    assert migrate.revision(database) == HEAD
    with database.read() as connection:
        tables = connection.execute(text("SELECT name FROM sqlite_master WHERE name = 'later'")).all()
    assert tables == []


def test_a_creation_that_was_cut_short_is_done_again(tmp_path):
    empty = tmp_path / "a.db"
    empty.touch()
    made = Database(empty)
    migrate.prepare_schema(made, create=True)
    assert migrate.revision(made) == migrate.HEAD
    made.close()
