"""What a power cut would find: synced before it is renamed, its folder after; writers take their turn at once."""

import os
import sqlite3
from pathlib import Path

import pytest

from dedupindex import Index, durable
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema
from tests.reliability.machine import seal
from tests.reliability.test_killed import copy_database


@pytest.fixture
def watched(monkeypatch):
    """Every fsync and rename of this process, in order: ("sync", inode, size), ("rename", inode, size, path)."""
    seen = []
    fsync, replace = os.fsync, Path.replace

    def sync(handle):
        found = os.fstat(handle)
        seen.append(("sync", found.st_ino, found.st_size))
        fsync(handle)

    def rename(self, target):
        found = self.stat()
        seen.append(("rename", found.st_ino, found.st_size, Path(target)))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", rename)
    return seen


def check_order(seen):
    renames = [number for number, event in enumerate(seen) if event[0] == "rename"]
    assert renames
    for number in renames:
        _, inode, size, path = seen[number]
        assert ("sync", inode, size) in seen[:number], f"{path.name} was put in place before it was synced"
        folder = path.parent.stat().st_ino
        assert any(event[:2] == ("sync", folder) for event in seen[number:]), (
            f"the folder of {path.name} was not synced"
        )


def test_files_are_synced_before_they_are_put_in_place(watched, tmp_path):
    durable.write_whole(tmp_path / "a", b"abc")
    check_order(watched)


def test_vector_files_backups_and_restores_too(watched, made, tmp_path):
    path = tmp_path / "a.db"
    copy_database(made[0], path)
    with Index.open(path, workers=1) as index:
        index.rebuild()
        seal(index)
        check_order(watched)
        watched.clear()
        index.backup(tmp_path / "b.db")
        check_order(watched)
    assert sum(event[0] == "rename" for event in watched) == 2  # the vector file and the database
    watched.clear()
    Index.restore(tmp_path / "b.db", tmp_path / "c.db")
    check_order(watched)


def test_a_copy_is_only_put_in_place_if_it_is_whole(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with pytest.raises(ValueError, match="digest"):
        durable.copy_whole(tmp_path / "a", tmp_path / "b", "0" * 64)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_writer_takes_its_turn_before_it_reads(tmp_path):
    """A deferred transaction that has read fails at once when somebody else wrote, whatever the timeout."""
    database = Database(tmp_path / "a.db", create=True)
    prepare_schema(database, create=True)
    other = sqlite3.connect(database.path, timeout=0, isolation_level=None)
    with database.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("begin immediate")  # another program, without our lock
    other.close()
    database.close()
