"""Damaged files: a vector file is never used unless it is whole; no damaged database makes a verb crash."""

import contextlib
import json
import os
import random
import shutil
import sqlite3

import pytest

from dedupindex import Index
from dedupindex.errors import StoreError, VectorIndexError
from dedupindex.features import DESCRIPTOR_DIMENSIONS
from dedupindex.store import catalog, catalog_images
from dedupindex.store.sqlite import own_files, vector_directory
from dedupindex.vectors import SealedFile, VectorIndex
from tests.reliability.harness import Tally, answers
from tests.reliability.test_killed import copy_database

VERBS = (["check"], ["check", "--deep"], ["info"], ["report"], ["failures"], ["query", "PICTURE"], ["rebuild"],
         ["ingest", "PICTURE"], ["doctor"], ["forget", "PICTURE"], ["backup", "copy.db"], ["upgrade"])  # fmt: skip


def damage(data: bytes, rng: random.Random, other: bytes) -> tuple[str, bytes]:
    """One of the ways in which files go bad; never the same bytes."""
    kind = rng.choice(["flip", "flips", "zeroes", "cut", "longer", "swap", "other"])
    spoiled = bytearray(data)
    place = rng.randrange(len(data))
    if kind == "flip":
        spoiled[place] ^= 1 << rng.randrange(8)
    elif kind == "flips":
        for _ in range(rng.randrange(2, 30)):
            spoiled[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "zeroes":
        size = min(rng.choice([1, 16, 512, 4096]), len(data) - place)
        spoiled[place : place + size] = bytes(size)
    elif kind == "cut":
        del spoiled[place:]
    elif kind == "longer":
        spoiled += rng.randbytes(rng.randrange(1, 5000))
    elif kind == "swap":
        size = min(4096, len(data) // 4)
        first, second = sorted(rng.sample(range(len(data) - size), 2))
        spoiled[first : first + size], spoiled[second : second + size] = (
            data[second : second + size],
            data[first : first + size],
        )
    else:
        spoiled = bytearray(other)
    return (kind, bytes(spoiled)) if bytes(spoiled) != data else damage(data, rng, other)


@pytest.fixture
def sealed(made, tmp_path):
    """A copy of the sealed database; its vector file and what the database says of it."""
    path = tmp_path / "a.db"
    copy_database(made[0], path)
    with Index.open(path) as index, index._database.read() as connection:
        [row] = catalog.segments(connection)
    values = {name: getattr(row, name) for name in SealedFile.__dataclass_fields__}
    return path, vector_directory(path) / row.file, SealedFile(**values)


def any_seed():
    return int(os.environ.get("RELIABILITY_SEED") or random.SystemRandom().randrange(10**6))


def vector_files(sealed, times, seed):
    _, file, record = sealed
    whole = file.read_bytes()
    rng = random.Random(seed)
    older = VectorIndex(DESCRIPTOR_DIMENSIONS)  # a sound file of another generation
    with Index.open(sealed[0]) as index, index._database.read() as connection:
        ids, rows = catalog_images.descriptors(
            connection, catalog_images.indexable_ids(connection)[:9], DESCRIPTOR_DIMENSIONS
        )
    older.add(ids, rows)
    older.seal()
    name = older.save(0, file.parent, generation=1, fingerprint="").file
    other = (file.parent / name).read_bytes()
    (file.parent / name).unlink()

    def attempt(spoiled):
        file.write_bytes(spoiled)
        with pytest.raises(VectorIndexError):
            VectorIndex(DESCRIPTOR_DIMENSIONS).load(file.parent, record)

    tally = Tally(f"damaged vector files, seed {seed}")
    for _ in range(times):
        kind, spoiled = damage(whole, rng, other)
        tally.attempt(kind, attempt, spoiled)
    file.write_bytes(whole)
    VectorIndex(DESCRIPTOR_DIMENSIONS).load(file.parent, record)
    tally.finish()


def test_damaged_vector_files_are_never_loaded(sealed):
    vector_files(sealed, 500, 1)


@pytest.mark.slow
def test_many_damaged_vector_files_are_never_loaded(sealed):
    vector_files(sealed, 20_000, any_seed())


def test_a_damaged_vector_file_changes_no_answer(sealed, pictures):
    path, file, _ = sealed
    whole, rng = file.read_bytes(), random.Random(5)
    with Index.open(path, workers=1) as index:
        wanted = answers(index, pictures)
    for _ in range(6):
        _, spoiled = damage(whole, rng, b"")
        file.write_bytes(spoiled)
        with Index.open(path, read_only=True) as index:
            assert [problem.code for problem in index.check()] == ["vector_file_unusable"]
            assert answers(index, pictures) == wanted


def databases(made, pictures, run, folder, times, verbs, seed):
    """Damage databases; every verb must end by itself, and what differs from the sound one must be said by check."""
    rng = random.Random(seed)
    source = made[0]
    whole = source.read_bytes()
    undetected = 0
    tally = Tally(f"damaged databases, seed {seed}")
    sound = contents(source)

    def attempt(number):
        nonlocal undetected
        place = folder / str(number)
        place.mkdir()
        copy_database(source, place / "a.db")
        kind, spoiled = damage(whole, rng, b"SQLite format 3\0" + bytes(5000))
        (place / "a.db").write_bytes(spoiled)
        if rng.random() < 0.1:
            (place / "a.db-wal").write_bytes(rng.randbytes(5000))
        changed = contents(place / "a.db") != sound
        done = run("-d", "a.db", "check", "--deep", cwd=place)
        assert done.returncode in (0, 1, 2), done
        if done.returncode == 0:
            undetected += 1
            assert not changed, f"{kind}: other content, and check is content"
        for verb in rng.sample(VERBS, verbs):
            words = [str(pictures / "p3.png") if word == "PICTURE" else word for word in verb]
            done = run("-d", "a.db", *words, cwd=place)  # a traceback fails in there
            assert done.returncode in (0, 1, 2), (kind, verb, done)
            assert done.returncode == 0 or done.stdout or done.stderr
        shutil.rmtree(place)

    for number in range(times):
        tally.attempt(number, attempt, number)
    print(f"{undetected} of them had damage where nothing is stored, or that SQLite mends")
    tally.finish()


def contents(path):
    """Everything that can be read of a database; None where it cannot."""
    copy = path.with_name("look.db")
    shutil.copyfile(path, copy)
    try:
        connection = sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)
        connection.text_factory = bytes  # it may be text no more
        try:
            return [
                connection.execute(f"select {what} from {name} not indexed order by 1, 2").fetchall()
                for name, what in (
                    ("image", "sha256, frame, width, height, format"),
                    ("feature", "image_id, name, data"),
                )  # what has checksums; SQLite itself checks its structure only
            ]
        finally:
            connection.close()
    except (sqlite3.Error, UnicodeDecodeError):  # the latter where a message quotes a damaged schema
        return None
    finally:
        copy.unlink()


def test_damaged_databases_are_told(made, pictures, run, tmp_path):
    databases(made, pictures, run, tmp_path, 3, 1, 252008)


@pytest.mark.slow
def test_many_damaged_databases_are_told(made, pictures, run, tmp_path):
    databases(made, pictures, run, tmp_path, 200, int(os.environ.get("RELIABILITY_VERBS", "4")), any_seed())


def test_no_file_of_ours_is_a_crash_in_json(made, run, tmp_path):
    (tmp_path / "a.db").write_bytes(os.urandom(9000))
    assert json.loads(run("-d", "a.db", "doctor", "--json", cwd=tmp_path).stdout)
    assert run("-d", "a.db", "check", "--json", cwd=tmp_path).returncode in (1, 2)


NONSENSE = ("", "x", "{", "-1", "1e999", b"\0\xff", 10**15, -5, None, "/a\0b")


def nonsense(made, pictures, run, folder, chosen):
    """Values that mean nothing in any column: SQLite finds them sound, verbs must not crash on them."""
    tally = Tally("nonsense in columns")

    def attempt(table, column, value):
        path = folder / "a.db"
        for old in own_files(path):
            old.unlink(missing_ok=True)
        shutil.rmtree(vector_directory(path), ignore_errors=True)
        copy_database(made[0], path)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            try:
                connection.execute(
                    f"update {table} set {column} = ? where rowid = (select max(rowid) from {table})", (value,)
                )
            except sqlite3.IntegrityError:
                return
        for verb in (["check", "--deep"], ["report"], ["failures"], ["info"], ["query", str(pictures / "p3.png")],
                     ["ingest", str(pictures)], ["rebuild"]):  # fmt: skip
            done = run("-d", "a.db", *verb, cwd=folder)
            assert done.returncode in (0, 1, 2), (verb, done)

    for case in chosen:
        tally.attempt(case, attempt, *case)
    tally.finish()


def columns(made):
    with contextlib.closing(sqlite3.connect(made[0])) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return [
            (table, row[1], value)
            for table in tables
            if not table.startswith("sqlite")
            for row in connection.execute(f"pragma table_info({table})")
            for value in NONSENSE
        ]


def test_nonsense_in_some_columns(made, pictures, run, tmp_path):
    nonsense(made, pictures, run, tmp_path, columns(made)[203:204])


@pytest.mark.slow
def test_nonsense_in_any_column(made, pictures, run, tmp_path):
    cases = columns(made)
    nonsense(
        made,
        pictures,
        run,
        tmp_path,
        random.Random(1).sample(cases, int(os.environ.get("RELIABILITY_NONSENSE", "200"))),
    )


def test_a_damaged_feature_is_told(sealed):
    path, *_ = sealed
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        which = "from feature where name = 'thumbnail' and image_id = 2"
        data = bytearray(connection.execute(f"select data {which}").fetchone()[0])
        data[40] ^= 1
        connection.execute("update feature set data = ? where name = 'thumbnail' and image_id = 2", (bytes(data),))
        connection.execute("update image set width = width + 1 where id = 3")
    with Index.open(path, read_only=True) as index:
        with pytest.raises(
            StoreError, match=r"image 2: its stored thumbnail is damaged; `dedupindex rebuild --describe`"
        ):
            index.features_of(2)
        details = [problem.detail for problem in index.check(deep=True) if problem.code == "damaged_feature"]
    assert "image 2: thumbnail is not what was written" in details
    assert any(detail.startswith("image 3:") for detail in details)


def test_a_damaged_feature_is_mended_as_it_is_said(sealed, pictures):
    """Nothing is answered with it; the command that is named makes it anew."""
    path, *_ = sealed
    with Index.open(path, workers=1) as index:
        wanted = answers(index, pictures)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update feature set data = cast(substr(data, 1, 8) || x'55' || substr(data, 10) as blob)")
    with Index.open(path, workers=1) as index:
        with pytest.raises(StoreError, match="rebuild --describe"):
            index.query(pictures / "p7.png")
        index.rebuild(describe=True)
        assert index.check(deep=True) == []
        index.find_duplicates()
        assert answers(index, pictures) == wanted
