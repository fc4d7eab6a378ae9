"""One catalogue on a server, used by several processes and hosts at once."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text, update

from dedupindex import Index
from dedupindex.errors import StoreError
from dedupindex.ingest.ingest import _Writer
from dedupindex.search import duplicates, vector_cache
from dedupindex.search.vector_cache import VectorCache
from dedupindex.store import catalog
from dedupindex.store.database import Database
from dedupindex.store.schema import SegmentPart
from dedupindex.vectors import VectorIndex
from tests.ingest.test_ingest import content
from tests.pictures import half, make_tree, picture, save
from tests.search.test_vector_cache import FINGERPRINT, descriptor, files, nearest, put, rows

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[2]
INGEST = """
import json, sys
from dedupindex import Index
from dedupindex.store import claims
claims.RowClaims.at_once = 4
with Index.open(sys.argv[1], create=True, workers=1, batch=4) as index:
    print("open", flush=True)
    sys.stdin.readline()
    summary = index.ingest([sys.argv[2]])
    print(json.dumps([summary.found, summary.read, summary.added, summary.known, len(summary.failures)]))
"""


@pytest.fixture
def database(server, tmp_path):
    made = Database(server(tmp_path / "shared.db"))
    yield made
    made.close()


@pytest.fixture
def other(database):
    made = Database(database.location)
    yield made
    made.close()


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = make_tree(tmp_path_factory.mktemp("shared") / "pictures", 9)
    for number in range(20, 40):
        save(root / "more" / f"{number}.png", picture(number, 48, 64))
    return root


@pytest.fixture(scope="module")
def alone(tree, tmp_path_factory):
    """What one process makes of the folder, in a file."""
    with Index.open(tmp_path_factory.mktemp("alone") / "a.db", create=True, workers=1) as index:
        summary = index.ingest([tree])
        index.find_duplicates()
        return summary, content(index, tree)


def start(location, tree):
    command = [sys.executable, "-c", INGEST, location, str(tree)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def let_go(processes):
    for process in processes:
        assert process.stdout.readline() == "open\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()


def test_four_ingest_every_picture_once(database, tree, alone):
    summary, expected = alone
    processes = [start(database.location, tree) for _ in range(4)]
    let_go(processes)
    told = []
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        told.append(json.loads(out))
    found, read, added, known, _ = zip(*told, strict=True)
    assert set(found) == {summary.found}  # each knows of all of them when it ends
    assert (sum(read), sum(added), sum(known)) == (summary.read, summary.added, summary.known)
    assert sum(number > 0 for number in read) > 1, "one was quicker than all others: make the folder larger"
    with Index.open(database.location, workers=1) as index:
        index.find_duplicates()
        assert content(index, tree) == expected
        assert index.check(deep=True) == []
        assert index.ingest([tree]).read == 0


def test_one_of_four_is_killed_half_way(database, tree, alone):
    summary, expected = alone
    processes = [start(database.location, tree) for _ in range(4)]
    let_go(processes)
    while images(database) < 8:
        time.sleep(0.01)
    processes[1].send_signal(signal.SIGSTOP)  # in the middle of something: what it holds keeps the others waiting
    time.sleep(0.2)
    processes[1].kill()
    told = []
    for process in processes:
        out, errors = process.communicate(timeout=120)
        if process is not processes[1]:
            assert (process.returncode, errors) == (0, "")
            told.append(json.loads(out))
    assert {found for found, *_ in told} == {summary.found}  # nothing is left to another run
    with Index.open(database.location, workers=1) as index:
        index.find_duplicates()
        assert content(index, tree) == expected
        assert index.ingest([tree]).read == 0
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM claim")).scalar() == 0


def images(database) -> int:
    with database.read() as connection:
        return catalog.counts(connection)["images"]


def test_what_others_hold_is_waited_for(database, other, tree, alone):
    """A process holds two files and ends without reading one of them: the ingest reads that one."""
    summary, _ = alone
    held = [tree / "p2.png", tree / "more" / "20.png"]
    holding, read = threading.Event(), threading.Event()

    def hold() -> None:
        with other.claims() as claims:
            assert claims.take(held) == set(held)
            holding.set()
            read.wait(30)
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(30)
    write = _Writer.write

    def watch(self) -> None:
        write(self)
        if images(database) >= summary.added - 2:
            read.set()

    with pytest.MonkeyPatch.context() as patch, Index.open(database.location, workers=1) as index:
        patch.setattr(_Writer, "write", watch)
        done = index.ingest([tree])
    thread.join()
    assert (done.read, done.added, done.unchanged) == (summary.read, summary.added, 0)


def test_an_interrupt_gives_claims_back(database, other, tree, monkeypatch):
    def interrupt(self, result):
        raise KeyboardInterrupt

    monkeypatch.setattr(_Writer, "take", interrupt)
    with Index.open(database.location, workers=1) as index, pytest.raises(KeyboardInterrupt):
        index.ingest([tree])
    with other.claims() as claims:
        assert claims.take([tree / "p2.png"]) == {tree / "p2.png"}


@pytest.mark.parametrize("away", [False, True])
def test_a_server_lost_in_the_middle_of_an_ingest(database, tree, server, alone, monkeypatch, away):
    """Sessions that end are begun again; a server that lets nobody in ends the run, and the next one goes on."""
    name = server.name_of(database.location)
    write, written = _Writer.write, []

    def lose(self) -> None:
        write(self)
        written.append(images(database))
        if len(written) == 2:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {not away}')
            server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    with Index.open(database.location, workers=1, batch=5) as index:
        monkeypatch.setattr(_Writer, "write", lose)
        if away:
            with pytest.raises(StoreError, match="not currently accepting connections"):
                index.ingest([tree])
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            assert images(database) == written[-1] > 0
        index.ingest([tree])
        monkeypatch.undo()
        index.find_duplicates()
        assert content(index, tree) == alone[1]


def test_a_path_that_no_index_holds_costs_one_file(database, tmp_path, monkeypatch):
    from dedupindex.store import postgres

    save(tmp_path / "in" / ("long" * 20 + ".png"), picture(1))
    save(tmp_path / "in" / "short.png", picture(2))
    monkeypatch.setattr(postgres.PostgresServer, "longest_path", len(str(tmp_path)) + 40)
    with Index.open(database.location, workers=1) as index:
        summary = index.ingest([tmp_path / "in"])
    assert (summary.added, [f.reason for f in summary.failures]) == (1, ["unreadable"])


def test_two_searches_at_once_search_every_image_once(database, tree, monkeypatch):
    with Index.open(database.location, workers=1) as index:
        index.ingest([tree])
    searched = []
    proposals = duplicates._proposals

    def slowly(*arguments):
        time.sleep(0.3)
        return proposals(*arguments)

    monkeypatch.setattr(duplicates, "_proposals", slowly)

    def search() -> None:
        with Index.open(database.location, workers=1) as index:
            searched.append(index.find_duplicates().searched)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(searched) == [0, images(database)]


# ------------------------------------------------------------------------------------------------------- vectors
def test_a_late_commit_with_a_smaller_id_is_not_missed(database):
    """Ids that were given out before those of a transaction that commits first."""
    cache = VectorCache(database, FINGERPRINT)
    known = put(database, range(3))
    assert len(cache.current()) == 3
    with database._backend._engine.connect() as late, late.begin():  # a program that does not wait for its turn
        run = late.execute(
            text("INSERT INTO run (kind, started, summary) VALUES ('x', '', '{}') RETURNING id")
        ).scalar()
        columns = (
            "sha256, frame, format, width, height, bits, channels, valid_share, low_information, scaling, lossless"
        )
        more = "metadata_count, frame_count, pixel_sha256, added_run"
        values = "'\\x01', 0, 'PNG', 1, 1, 8, 1, 1.0, false, '', true, 0, 1, '\\x02'"
        insert = f"INSERT INTO image ({columns}, {more}) VALUES ({values}, :run) RETURNING id"
        smaller = late.execute(text(insert), {"run": run}).scalar()
        blob = {"image": smaller, "data": descriptor(99).tobytes()}
        late.execute(text("INSERT INTO feature VALUES (:image, 'descriptor', '1', :data, NULL)"), blob)
        larger = put(database, [50])[50]
        assert larger > smaller
        assert set(cache.current().ids()) == {*known.values(), larger}
        late.execute(text("UPDATE meta SET value = (value::bigint + 1)::text WHERE key = 'generation'"))
    assert set(cache.current().ids()) == {*known.values(), larger, smaller}
    assert nearest(cache, 99) == smaller


def test_generations_come_in_the_order_of_commits(database, other):
    seen = []

    def write(which: Database) -> None:
        for _ in range(20):
            with which.write() as connection:
                run = catalog.start_run(connection, "x")
                seen.append((catalog.generation(connection), run))

    threads = [threading.Thread(target=write, args=[which]) for which in (database, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [number for number, _ in seen] == list(range(40))
    assert [run for _, run in seen] == sorted(run for _, run in seen)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """elsewhere(name): from here on this is another host."""

    def go(name: str) -> None:
        monkeypatch.setenv("DEDUPINDEX_CACHE", str(tmp_path / name))

    return go


def test_another_host_fetches_sealed_files(database, other, elsewhere, monkeypatch):
    elsewhere("one")
    one = VectorCache(database, FINGERPRINT, flat_limit=10)
    ids = put(database, range(30))
    one.current()
    one.save()
    [row] = rows(database)
    elsewhere("two")
    monkeypatch.setattr(VectorIndex, "seal", None)  # nothing is clustered there
    two = VectorCache(other, FINGERPRINT, flat_limit=10)
    assert two.directory != one.directory
    assert all(nearest(two, n) == image for n, image in ids.items())
    assert files(two) == files(one) == {row.file}
    assert (two.directory / row.file).read_bytes() == (one.directory / row.file).read_bytes()
    (two.directory / row.file).write_bytes(b"rubbish")
    again = VectorCache(other, FINGERPRINT, flat_limit=10)
    assert nearest(again, 7) == ids[7]
    assert (two.directory / row.file).read_bytes() == (one.directory / row.file).read_bytes()


def test_large_files_go_in_parts_and_damaged_parts_are_not_used(database, elsewhere, monkeypatch, caplog):
    monkeypatch.setattr("dedupindex.durable._CHUNK", 1000)
    elsewhere("one")
    one = VectorCache(database, FINGERPRINT, flat_limit=10)
    ids = put(database, range(30))
    one.current()
    one.save()
    [row] = rows(database)
    with database.read() as connection:
        parts = list(catalog.parts(connection, row.id))
    assert len(parts) > 3
    assert b"".join(parts) == (one.directory / row.file).read_bytes()
    with database.write() as connection:
        connection.execute(update(SegmentPart).where(SegmentPart.number == 1).values(data=b"rubbish"))
    elsewhere("two")
    two = VectorCache(database, FINGERPRINT, flat_limit=10)
    assert nearest(two, 7) == ids[7]
    assert "its digest is not the one in the database" in caplog.text
    assert not [path for path in two.directory.iterdir() if path.name == row.file]
    two.save()  # heals it, for all
    assert rows(database)[0].file != row.file
    with database.read() as connection:
        assert {number for (number,) in connection.execute(text("SELECT segment_id FROM segment_part"))} == {
            rows(database)[0].id
        }


def test_what_one_host_seals_or_merges_others_follow(database, other, elsewhere, monkeypatch):
    elsewhere("one")
    one = VectorCache(database, FINGERPRINT, flat_limit=10)
    elsewhere("two")
    two = VectorCache(other, FINGERPRINT, flat_limit=10)
    ids: dict[int, int] = {}
    sealed = []
    seal = VectorIndex.seal
    for start in range(0, 120, 6):
        ids |= put(database, range(start, start + 6))
        elsewhere("one")
        one.current()
        one.save()
        elsewhere("two")
        monkeypatch.setattr(VectorIndex, "seal", lambda self: sealed.append(seal(self)))
        assert len(two.current()) == len(ids)
        monkeypatch.setattr(VectorIndex, "seal", seal)
    assert sealed == []  # clusters are only made by the one that writes them down
    elsewhere("one")
    one.rebuild()
    elsewhere("two")
    ids |= put(database, range(200, 212))
    assert len(two.current()) == len(ids)
    assert np.mean([nearest(two, n) == image for n, image in ids.items()]) > 0.99


def test_sealing_by_two_at_once_leaves_the_files_of_one(database, other, elsewhere):
    put(database, range(40))
    caches = [VectorCache(which, FINGERPRINT, flat_limit=10) for which in (database, other)]
    for cache in caches:
        cache.current()
    barrier = threading.Barrier(2)

    def save_one(cache: VectorCache) -> None:
        barrier.wait()
        cache.save()

    threads = [threading.Thread(target=save_one, args=[cache]) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [row] = rows(database)
    assert files(caches[0]) == {row.file}
    for cache in caches:
        assert len(cache.current()) == 40
        assert cache.current().unsaved() == []


def test_check_looks_at_what_is_handed_out(server, tmp_path, elsewhere, monkeypatch):
    monkeypatch.setattr(vector_cache, "FLAT_LIMIT", 4)
    for number in range(6):
        save(tmp_path / "in" / f"{number}.png", picture(number))
        save(tmp_path / "in" / f"half{number}.png", half(picture(number)))
    elsewhere("one")
    with Index.open(server(tmp_path / "c.db"), create=True, workers=1) as index:
        index._vectors.flat_limit = 4
        index.ingest([tmp_path / "in"])
        index.find_duplicates()
        place = index.location
        assert index.info()["vector_files"] == 1
        with pytest.raises(StoreError, match="pg_dump"):
            index.backup(tmp_path / "b.db")
        assert index.beside("-plan.json").parent.is_dir()
    elsewhere("two")
    with Index.open(place, workers=1, read_only=True) as index:
        assert index.check(deep=True) == []
        assert index.query(tmp_path / "in" / "half3.png")[0].score == 1.0
    with Index.open(place, workers=1) as index:
        with index._database.write() as connection:
            connection.execute(text("DELETE FROM segment_part"))
        assert [problem.code for problem in index.check(deep=True)] == ["vector_file_unusable"]
        index.rebuild()
        assert index.check(deep=True) == []
