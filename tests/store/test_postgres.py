"""What only a server can do: claims, locks between sessions, late commits, its own errors."""

import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from dedupindex import IndexNotFoundError, StoreError
from dedupindex.errors import IndexBusyError
from dedupindex.records import Decision
from dedupindex.store import catalog, catalog_decisions, catalog_images, claims
from dedupindex.store import postgres as postgres_module
from dedupindex.store.backend import Purpose
from dedupindex.store.database import Database
from dedupindex.store.migrate import HEAD, prepare_schema, revision
from dedupindex.store.schema import Base
from tests.store.samples import new_image
from tests.store.test_catalog_decisions import NOW

PATHS = [Path(f"/pictures/{number}.png") for number in range(5)]


@pytest.fixture
def place(server, tmp_path):
    return server(tmp_path / "a.db")


@pytest.fixture
def database(place):
    made = Database(place)
    yield made
    made.close()


@pytest.fixture
def other(place):
    """Another process, as far as the server can tell."""
    made = Database(place, busy_timeout=0.3)
    yield made
    made.close()


# ---------------------------------------------------------------------------------------------------- without one
@pytest.mark.parametrize(
    "url", ["postgresql://me:hush@127.0.0.1:1/none", "postgresql://127.0.0.1:1/none?password=hush"]
)
def test_a_server_that_is_not_there_is_named_without_the_password(url):
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=r"postgresql://.*127\.0\.0\.1:1/none.*refused") as caught:
        Database(url)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match="its extra 'postgres'"):
        Database("postgresql://host/name")


# -------------------------------------------------------------------------------------------------------- opening
@pytest.mark.postgres
def test_no_such_database(server):
    with pytest.raises(IndexNotFoundError, match=r"/nothing_of_that_name.*: there is no such database"):
        Database(server.url_of("nothing_of_that_name"))


@pytest.mark.postgres
def test_tables_are_made_in_an_empty_database_only_on_request(server):
    made = Database(server.empty())
    with pytest.raises(StoreError, match="empty database"):
        prepare_schema(made, create=False)
    prepare_schema(made, create=True)
    assert revision(made) == HEAD
    assert made.vectors.name.isalnum()
    with made.read() as connection:  # text is compared by its bytes, whatever the language of the server
        columns = "SELECT column_name, collation_name FROM information_schema.columns WHERE table_schema = 'public'"
        rows = connection.execute(
            text(f"{columns} AND data_type = 'character varying' AND table_name <> :mine"), {"mine": "alembic_version"}
        ).all()
        assert {collation for _, collation in rows} == {"C"}
        assert len(rows) > 20
        packed = "SELECT count(*) FROM pg_attribute WHERE attname = 'data' AND attstorage = 'e'"
        assert connection.execute(text(packed)).scalar() == 2
    made.close()


@pytest.mark.postgres
def test_foreign_tables_and_other_encodings_are_refused(server):
    psycopg = pytest.importorskip("psycopg")
    foreign = server.empty()
    with psycopg.connect(foreign, autocommit=True) as connection:
        connection.execute("CREATE TABLE songs (name text)")
    made = Database(foreign, create=True)
    with pytest.raises(StoreError, match="not one of dedupindex"):
        prepare_schema(made, create=True)
    made.close()
    latin = server.empty("ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with pytest.raises(StoreError, match="LATIN1"):
        Database(latin)


@pytest.mark.postgres
def test_several_that_make_the_tables_at_once_make_them_once(server):
    place, errors = server.empty(), []

    def make() -> None:
        made = Database(place, create=True)
        try:
            prepare_schema(made, create=True)
        except StoreError as error:
            errors.append(error)
        finally:
            made.close()

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    made = Database(place)
    assert revision(made) == HEAD
    made.close()


@pytest.mark.postgres
def test_models_and_migrations_agree(database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.postgres
def test_what_text_cannot_hold_becomes_escapes(database):
    with database.write() as connection:
        catalog.set_meta(connection, odd="a\x00b\udcffc")
        catalog_decisions.put_decisions(connection, [Decision("keeper", "a", "", "\x00 is no text", NOW)])
    with database.read() as connection:
        assert catalog.get_meta(connection, "odd") == "a\\x00b\\udcffc"
        assert catalog_decisions.decisions(connection)[0].note == "\\x00 is no text"


@pytest.mark.postgres
def test_backups_are_the_servers_business(database, tmp_path):
    with pytest.raises(StoreError, match="pg_dump"):
        database.backup(tmp_path / "b.db")
    with pytest.raises(StoreError, match="on a server"):
        _ = database.path
    assert database.size() > 10_000


# ---------------------------------------------------------------------------------------------------------- locks
@pytest.mark.postgres
def test_who_keeps_others_waiting_is_named(database, other, caplog, monkeypatch):
    monkeypatch.setattr(postgres_module, "SAY_AFTER", 0.05)
    words = r"another process is writing \(dedupindex \d+ on "
    with database.write(), pytest.raises(IndexBusyError, match=words), other.write():
        pass
    assert "waiting for dedupindex" in caplog.text
    with other.write() as connection:  # the connection that gave up is as good as new
        catalog.set_meta(connection, after="yes")


@pytest.mark.postgres
def test_only_one_does_it_at_a_time_and_others_wait(database, other, caplog, monkeypatch):
    monkeypatch.setattr(postgres_module, "SAY_AFTER", 0.05)
    order, inside = [], threading.Event()

    def first() -> None:
        with database.alone(Purpose.SEARCH):
            inside.set()
            time.sleep(0.4)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with other.alone(Purpose.SEAL):  # something else waits for nobody
        order.append("other")
    with other.alone(Purpose.SEARCH):
        order.append("second")
    thread.join()
    assert order == ["other", "first", "second"]
    assert "to end its search" in caplog.text


@pytest.mark.postgres
def test_the_lock_of_a_lost_session_is_free(database, other, server):
    def lose() -> None:
        with database.alone(Purpose.SEARCH):
            ours = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"  # tests share the server
            query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            with other.read() as connection:
                connection.execute(text(f"{query} AND {ours} AND pid <> pg_backend_pid()"))
            with other.alone(Purpose.SEARCH):
                pass

    with pytest.raises(StoreError, match="connection was lost"):
        lose()
    with database.read() as connection:  # broken connections are not handed out again
        assert catalog.generation(connection) == 0


@pytest.mark.postgres
def test_a_server_that_goes_away_keeps_what_was_committed(database, server):
    with database.write() as connection:
        catalog.set_meta(connection, kept="yes")

    def lose() -> None:
        with database.write() as connection:
            catalog.set_meta(connection, lost="yes")
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            server.execute(f"SELECT pg_terminate_backend({pid})")
            time.sleep(0.1)
            catalog.set_meta(connection, more="yes")

    with pytest.raises(StoreError, match=r"the connection was lost.*what was committed before is safe"):
        lose()
    with database.write() as connection:
        assert catalog.get_meta(connection, "kept") == "yes"
        assert catalog.get_meta(connection, "lost") is None


# ----------------------------------------------------------------------------------------------------- visibility
@pytest.mark.postgres
def test_a_reader_sees_one_state_and_cannot_write(database, other):
    with database.read() as connection:
        assert catalog.generation(connection) == 0
        with other.write() as writer:
            catalog.set_meta(writer, a="1")
        assert catalog.generation(connection) == 0
        assert catalog.get_meta(connection, "a") is None
        with pytest.raises(Exception, match="read-only"):
            catalog.set_meta(connection, b="2")


@pytest.mark.postgres
def test_ids_are_skipped_after_a_rollback_and_never_used_again(database):
    def put(name: str) -> int:
        with database.write() as connection:
            run = catalog.start_run(connection, "ingest")
            [image] = catalog_images.put_images(connection, [new_image(name)], {}, run)[0].values()
            if name == "lost":
                raise ZeroDivisionError
        return image

    first = put("a")
    with pytest.raises(ZeroDivisionError):
        put("lost")
    assert put("b") > first + 1
    with database.read() as connection:
        assert len(catalog_images.indexable_ids(connection)) == 2


def test_rows_that_stand_there_are_replaced_and_the_last_of_two_counts(database_of_both):
    with database_of_both.write() as connection:
        made = [Decision("keeper", "a", "", note, NOW) for note in ("one", "two")]
        catalog_decisions.put_decisions(connection, made)
        assert catalog_decisions.decisions(connection) == [made[1]]
        catalog_decisions.put_decisions(connection, made[:1])
        assert catalog_decisions.decisions(connection) == [made[0]]


@pytest.fixture
def database_of_both(catalogue, tmp_path):
    made = Database(catalogue(tmp_path / "both.db"), create=True)
    prepare_schema(made, create=True)
    yield made
    made.close()


# --------------------------------------------------------------------------------------------------------- claims
@pytest.mark.postgres
def test_a_file_is_claimed_once_until_it_is_done(database, other):
    with database.claims() as ours, other.claims() as theirs:
        assert ours.take(PATHS[:3]) == set(PATHS[:3])
        assert theirs.take(PATHS) == set(PATHS[3:])
        assert ours.take(PATHS) == set()
        ours.done(PATHS[:2])
        assert theirs.take(PATHS[:3]) == set()  # the third is not done: a claim ends as a whole
        ours.done(PATHS[2:3])
        assert theirs.take(PATHS[:3]) == set(PATHS[:3])
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM claim")).scalar() == 0


@pytest.mark.postgres
def test_what_a_lost_session_had_claimed_is_free(database, other, server):
    with database.claims() as ours:
        ours.take(PATHS)
        with other.claims() as theirs:
            assert theirs.take(PATHS) == set()
            query = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
            with other.read() as connection:
                connection.execute(text(f"{query} WHERE c.relname = 'claim' AND l.pid <> pg_backend_pid()"))
            until = time.monotonic() + 5
            while not (got := theirs.take(PATHS)) and time.monotonic() < until:
                time.sleep(0.02)
            assert got == set(PATHS)


@pytest.mark.postgres
def test_claims_at_once_are_shared_out(database, other):
    """Two that ask for the same files in other orders get each of them once, and none waits for the other."""
    paths = [Path(f"/{number}") for number in range(200)]
    got = []

    def take(which: Database, mine: list[Path]) -> None:
        with which.claims() as own:
            for start in range(0, len(mine), 10):
                got.extend(own.take(mine[start : start + 10]))
            done.wait(10)

    done = threading.Barrier(2)
    threads = [threading.Thread(target=take, args=some) for some in ((database, paths), (other, paths[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(paths)


@pytest.mark.postgres
def test_many_claims_need_few_connections(database, other):
    paths = [Path(f"/{number:03}") for number in range(100)]
    with database.claims() as ours:
        for path in paths:
            assert ours.take([path]) == {path}
        with database.read() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            assert connection.execute(text(query)).scalar_one() <= claims.MOST_LEASES + 3
        ours.done(paths[:-1])
        with other.claims() as theirs:
            assert paths[-1] not in theirs.take(paths)
        ours.done(paths[-1:])
        with other.claims() as theirs:
            assert theirs.take(paths) == set(paths)


@pytest.mark.postgres
def test_rows_that_were_left_go_with_the_next_one(database):
    with database.write() as connection:
        connection.execute(text("INSERT INTO claim VALUES ('\\x61', 'dead', '2020')"))
    with database.claims() as ours:
        assert ours.take([Path("a")]) == {Path("a")}
        ours.done([Path("a")])
    with database.write() as connection:
        connection.execute(text("INSERT INTO claim VALUES ('\\x62', 'dead', '2020')"))
    with database.claims():
        pass
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM claim")).scalar() == 0
