import sqlite3
import threading

import pytest
from sqlalchemy import text

from dedupindex.errors import IndexBusyError, IndexNotFoundError, SchemaVersionError, StoreError
from dedupindex.store import catalog
from dedupindex.store.database import Database, database_path
from dedupindex.store.migrate import HEAD, prepare_schema, revision, upgrade


def test_missing_database_is_named(tmp_path):
    with pytest.raises(IndexNotFoundError, match=r"nothing\.db"):
        Database(tmp_path / "nothing.db")
    with pytest.raises(StoreError, match="not a file"):
        Database(tmp_path)
    with pytest.raises(StoreError, match="make it first"):
        Database(tmp_path / "no" / "a.db", create=True)


def test_urls(tmp_path):
    assert database_path(f"sqlite:///{tmp_path}/a.db") == tmp_path / "a.db"
    with pytest.raises(StoreError, match=r"on a server.*pg_restore"):
        database_path("postgresql://host/name")
    for kind in ("mysql://host/name", "postgresql+asyncpg://host/name"):
        with pytest.raises(StoreError, match=r"not supported.*postgresql"):
            Database(kind)
    with pytest.raises(StoreError, match="not a database URL") as caught:
        Database("postgresql://me:secret@host:port/name")
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreError, match="memory"):
        database_path("sqlite:///:memory:")


def test_odd_file_names(tmp_path):
    for name in ("a?b#c %20.db", "ä\n.db"):
        made = Database(tmp_path / name, create=True)
        prepare_schema(made, create=True)
        made.close()
        assert (tmp_path / name).is_file()


def test_every_write_raises_the_generation(database):
    with database.write() as connection:
        catalog.set_meta(connection, a="1")

    def fail() -> None:
        with database.write() as connection:
            catalog.set_meta(connection, a="2")
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.read() as connection:
        assert catalog.generation(connection) == 1
        assert catalog.get_meta(connection, "a") == "1"


def test_writers_wait_for_each_other_and_lose_nothing(database):
    def work() -> None:
        for _ in range(25):
            with database.write() as connection:
                value = int(catalog.get_meta(connection, "n") or 0)
                catalog.set_meta(connection, n=str(value + 1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert catalog.get_meta(connection, "n") == "100"


def test_busy_is_said_so(database):
    hasty = Database(database.location, busy_timeout=0.05)
    try:
        with database.write(), pytest.raises(IndexBusyError, match="another process"), hasty.write():
            pass
        with database.write() as connection:
            catalog.set_meta(connection, seen="no")
            with hasty.read() as reader:
                assert catalog.get_meta(reader, "seen") is None  # readers neither wait nor see half of it
    finally:
        hasty.close()


def test_read_only_refuses_to_write(database):
    reader = Database(database.location, read_only=True)
    with pytest.raises(StoreError, match="read-only"), reader.write():
        pass
    with reader.read() as connection:
        assert catalog.generation(connection) == 0
    reader.close()


def test_disk_full_keeps_the_first_error_and_the_old_rows(file_database):
    with file_database.write() as connection:
        catalog.set_meta(connection, kept="yes")

    def fill() -> None:
        with file_database.write() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            for number in range(100):
                catalog.set_meta(connection, **{f"big{number}": "x" * 100_000})

    with pytest.raises(StoreError, match="disk is full"):
        fill()
    with file_database.read() as connection:
        assert catalog.get_meta(connection, "kept") == "yes"
        assert catalog.get_meta(connection, "big0") is None


def test_damaged_file_is_a_store_error(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"no database at all" * 500)
    with pytest.raises(StoreError, match="not a database"):
        prepare_schema(Database(path), create=False)


def test_a_schema_that_is_no_text_is_a_store_error(tmp_path):
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE picture (id INTEGER)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET name = CAST(X'DF41' AS TEXT), sql = CAST(X'DFFF' AS TEXT)")
    connection.close()
    with pytest.raises(UnicodeDecodeError):  # what sqlite3 makes of it
        sqlite3.connect(path).execute("SELECT * FROM picture")
    with pytest.raises(StoreError, match="malformed"):
        prepare_schema(Database(path, read_only=True), create=False)


def test_foreign_database_is_refused(tmp_path):
    path = tmp_path / "a.db"
    foreign = sqlite3.connect(path)
    foreign.execute("create table songs (name text)")
    foreign.close()
    with pytest.raises(StoreError, match="not one of dedupindex"):
        prepare_schema(Database(path), create=True)


def test_older_and_newer_schemas_name_the_command(database):
    def pretend(number: str) -> None:
        with database.write_schema() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :n"), {"n": number})

    pretend("9999")
    with pytest.raises(SchemaVersionError, match="update dedupindex") as caught:
        prepare_schema(database, create=True)
    assert (caught.value.current, caught.value.head) == ("9999", HEAD)
    with pytest.raises(SchemaVersionError):
        upgrade(database)


def test_upgrade_of_a_current_database_does_nothing(database):
    assert not upgrade(database).done
    assert revision(database) == HEAD


def test_backup_is_a_whole_database(file_database, tmp_path):
    with file_database.write() as connection:
        catalog.set_meta(connection, a="1")
    file_database.backup(tmp_path / "copy.db")
    copy = Database(tmp_path / "copy.db")
    with copy.read() as connection:
        assert catalog.get_meta(connection, "a") == "1"
    copy.close()
    with pytest.raises(StoreError, match="never overwrites"):
        file_database.backup(tmp_path / "copy.db")


def test_integrity_of_a_sound_database(database):
    assert database.integrity() == []
