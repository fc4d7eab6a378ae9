import os
import sqlite3
import threading
from pathlib import Path

import pytest

from dedupindex import Index, durable
from dedupindex.errors import SchemaVersionError, StoreError
from dedupindex.store.sqlite import vector_directory
from tests.ingest.test_ingest import content
from tests.pictures import make_tree, picture, save


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("backup") / "pictures", 4)


@pytest.fixture(scope="module")
def made(tree, tmp_path_factory):
    """A database with a sealed vector file, only read."""
    path = tmp_path_factory.mktemp("made") / "a.db"
    with Index.open(path, create=True, workers=1) as index:
        index.ingest([tree])
        index.find_duplicates()
        seal(index)
    return path


def seal(index):
    """Make the index write a vector file although it is small."""
    index._vectors.forget()
    index._vectors.flat_limit = 0
    index._vectors.current()
    index._vectors.save()
    index._vectors.flat_limit = 50_000


def whole(path, tree):
    with Index.open(path, workers=1) as index:
        assert index.check(deep=True) == []
        return content(index, tree)


@pytest.fixture
def live(made, tree, tmp_path):
    """A writable database like `made`."""
    path = tmp_path / "live" / "live.db"
    path.parent.mkdir()
    with Index.open(made, read_only=True) as index:
        index.backup(path)
    return path


def leftovers(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if "copy-" in file.name or "tmp-" in file.name]


def test_a_backup_is_a_database_with_its_vector_files(made, tree, tmp_path):
    with Index.open(made, read_only=True) as index:
        done = index.backup(tmp_path / "b.db")
        generation = index.info()["generation"]
    assert (done.images, done.vector_files, done.left_out, done.generation) == (7, 1, (), generation)
    assert whole(tmp_path / "b.db", tree) == whole(made, tree)
    names = {file.name for file in vector_directory(made).iterdir()}
    assert {file.name for file in vector_directory(tmp_path / "b.db").iterdir()} == names
    assert not leftovers(tmp_path)


def test_a_later_backup_replaces_the_earlier_one_whole(live, tree, tmp_path):
    with Index.open(live, workers=1) as index:
        index.backup(tmp_path / "b.db")
        before = set(vector_directory(tmp_path / "b.db").iterdir())
        index.forget([tree / "p3.png"])
        index.rebuild()
        seal(index)
        index.backup(tmp_path / "b.db")
        assert whole(tmp_path / "b.db", tree) == content(index, tree)
    assert not before & set(vector_directory(tmp_path / "b.db").iterdir())


def test_a_damaged_vector_file_is_left_out_and_said(live, tree, tmp_path, caplog):
    [file] = vector_directory(live).iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with Index.open(live, read_only=True) as index:
        done = index.backup(tmp_path / "b.db")
    assert done.left_out == (file.name,)
    assert "left out" in caplog.text
    assert whole(tmp_path / "b.db", tree)


def test_what_is_no_backup_is_not_replaced(live, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("precious")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as songs:
        songs.execute("create table songs (name text)")
    songs.close()
    with Index.open(live, read_only=True) as index:
        for target in (note, other, live, tmp_path, tmp_path / "no" / "b.db"):
            with pytest.raises(StoreError):
                index.backup(target)
        index.backup(tmp_path / "b.db")
        (tmp_path / "b.db-wal").write_bytes(b"a log that would be taken for this database's")
        with pytest.raises(StoreError, match="in use"):
            index.backup(tmp_path / "b.db")
    assert note.read_text() == "precious"


def test_restore_into_nothing_and_over_something(made, live, tree, tmp_path):
    new = tmp_path / "new.db"
    done = Index.restore(live, new)
    assert (done.images, done.before) == (7, None)
    assert whole(new, tree) == whole(made, tree)
    with Index.open(new, workers=1) as index:
        index.forget([tree])
    done = Index.restore(live, new)
    assert whole(new, tree) == whole(made, tree)
    with Index.open(done.before) as before:
        assert before.info()["images"] == 0


def test_what_others_hold_in_memory_is_not_taken_for_current_after_a_restore(live, tmp_path):
    save(tmp_path / "x.png", picture(50))
    save(tmp_path / "y.png", picture(51))
    with Index.open(live, workers=1) as index, Index.open(live, workers=1) as other:
        other.backup(tmp_path / "b.db")
        index.ingest([tmp_path / "x.png"])
        x = index.image_at(tmp_path / "x.png")
        generation = index.info()["generation"]
        assert other.query(tmp_path / "x.png")  # both know x now
        Index.restore(tmp_path / "b.db", live)
        assert other.info()["generation"] > generation
        assert other.query(tmp_path / "x.png") == []
        index.ingest([tmp_path / "y.png"])
        assert index.image_at(tmp_path / "y.png").id > x.id  # numbers of images are never used again
        assert other.query(tmp_path / "y.png")[0].relation.startswith("same")
        assert other.query(tmp_path / "x.png") == []


def test_readers_meanwhile_see_the_old_or_the_new(live, tree, tmp_path):
    with Index.open(live, workers=1) as index:
        index.backup(tmp_path / "full.db")
        index.forget([tree])
        index.backup(tmp_path / "empty.db")
    seen, stop, errors = set(), threading.Event(), []

    def read():
        try:
            with Index.open(live, read_only=True) as reader:
                while not stop.is_set():
                    counts = reader.info()
                    seen.add((counts["images"], counts["locations"]))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(3):
        Index.restore(tmp_path / "full.db", live)
        Index.restore(tmp_path / "empty.db", live)
    stop.set()
    thread.join()
    assert errors == []
    assert seen <= {(7, 9), (0, 0)}


@pytest.mark.parametrize("damage", ["header", "middle", "cut", "empty"])
def test_restore_over_a_damaged_database(made, live, tree, tmp_path, damage):
    with Index.open(live, read_only=True) as index:
        index.backup(tmp_path / "b.db")
    data = bytearray(live.read_bytes())
    if damage == "header":
        data[:100] = os.urandom(100)
    elif damage == "middle":
        data[4096:-4096] = bytes(len(data) - 8192)
    live.write_bytes(b"" if damage == "empty" else data[: len(data) // 3] if damage == "cut" else data)
    Index.restore(tmp_path / "b.db", live)
    assert whole(live, tree) == whole(made, tree)


def test_a_damaged_or_newer_backup_is_refused(live, tree, tmp_path):
    before = whole(live, tree)
    with Index.open(live, read_only=True) as index:
        index.backup(tmp_path / "b.db")
    data = bytearray((tmp_path / "b.db").read_bytes())
    for start in range(4096, len(data), 8192):
        data[start : start + 64] = os.urandom(64)
    (tmp_path / "damaged.db").write_bytes(data)
    with sqlite3.connect(tmp_path / "b.db") as newer:
        newer.execute("update alembic_version set version_num = '9999'")
    newer.close()
    with pytest.raises(StoreError):
        Index.restore(tmp_path / "damaged.db", live)
    with pytest.raises(SchemaVersionError, match="update dedupindex"):
        Index.restore(tmp_path / "b.db", live)
    for source in (tmp_path / "nothing.db", live):
        with pytest.raises(StoreError):
            Index.restore(source, live)
    assert whole(live, tree) == before


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_failing_disk_leaves_what_was_there(live, tree, tmp_path, error):
    with Index.open(live, workers=1) as index:
        index.backup(tmp_path / "b.db")
        before = whole(tmp_path / "b.db", tree)
        index.forget([tree / "p3.png"])
        now = content(index, tree)
        for number in range(1, 30):
            fault = durable._Fault(f"{error}:{number}+")
            durable.listen(fault)
            said = ""
            try:
                index.backup(tmp_path / "b.db")
            except (StoreError, OSError) as caught:
                said = str(caught)
            finally:
                durable.listen(None)
            assert not leftovers(tmp_path)
            assert whole(tmp_path / "b.db", tree) in (before, now)
            if not said:
                break
            assert "No space" in said or "Input/output" in said
    assert number > 4
    assert whole(tmp_path / "b.db", tree) == now


def test_forgetting_takes_places_and_lonely_images(live, tree):
    with Index.open(live, workers=1) as index:
        assert index.forget([tree / "copies"], dry_run=True).locations == 4
        done = index.forget([tree / "copies", tree / "nothing"])
        # two byte copies and two smaller pictures; the byte copies' images are elsewhere too
        assert (done.locations, done.images, done.failures) == (4, 2, 0)
        assert done.unknown == (tree / "nothing",)
        assert index.pairs() == []
        assert index.check(deep=True) == []
        assert index.forget([tree / "broken.jpg"]).failures == 1
        with pytest.raises(TypeError):
            index.forget("p0.png")
        assert all((tree / name).exists() for name in ("copies/small0.jpg", "broken.jpg"))
        assert index.ingest([tree]).added == 2  # what lies there is taken in again
        index.find_duplicates()
        assert len(index.pairs()) == 2


def test_a_name_is_not_a_prefix(live, tree):
    with Index.open(live, workers=1) as index:
        assert index.forget([tree / "p"]).unknown == (tree / "p",)
        assert index.forget([tree.parent]).images == 7
