"""`backup`, `restore`, `forget`, `doctor`."""

import json
import os
from pathlib import Path

import pytest

from dedupindex.store import health
from dedupindex.store.writer_lock import WriterLock
from dedupindex.upkeep.doctor import doctor
from tests.pictures import make_tree


@pytest.fixture
def small(run, tmp_path):
    make_tree(tmp_path / "pictures", 2)
    run("ingest", "pictures", cwd=tmp_path, code=1)
    return tmp_path


def images(run, folder, database="dedupindex.db"):
    return json.loads(run("-d", database, "info", "--json", cwd=folder, code=0).stdout)["images"]


def test_backup_and_restore(run, small):
    done = run("backup", "b.db", cwd=small, code=0)
    assert "b.db holds 5 pictures" in done.stdout
    assert images(run, small, "b.db") == 5
    run("forget", "pictures", cwd=small, code=0)
    assert images(run, small) == 0
    done = run("restore", "b.db", cwd=small, code=0)
    assert "holds 5 pictures again" in done.stdout
    assert "dedupindex.db.before-restore" in done.stdout
    assert images(run, small) == 5
    assert "all is well" in run("check", "--deep", cwd=small, code=0).stdout
    run("restore", "nothing.db", cwd=small, code=2)
    run("backup", "pictures/p0.png", cwd=small, code=2)


def test_forget(run, small):
    done = run("forget", "pictures/p0.png", "--dry-run", cwd=small, code=0)
    assert "1 file would be forgotten" in done.stdout
    done = run("forget", "pictures/copies", "pictures/broken.jpg", "elsewhere\x1b[31m", cwd=small, code=1)
    assert "4 files and 1 failed file forgotten; 2 pictures lay nowhere else" in done.stdout
    assert "elsewhere\\x1b[31m: the index knows nothing there" in done.stderr
    assert (small / "pictures" / "copies" / "same0.png").exists()


def test_doctor(run, small):
    done = run("doctor", cwd=small, code=0)
    assert "sqlite" in done.stdout
    assert "5 images" in done.stdout
    found = json.loads(run("doctor", "--json", cwd=small, code=0).stdout)
    assert found["kind"] == "doctor"
    topics = {finding["topic"] for finding in found["findings"]}
    assert {"sqlite", "pillow", "faiss-cpu", "file system", "space", "writer", "extra science"} <= topics


def by_topic(path: Path, topic: str):
    return [finding for finding in doctor(path) if finding.topic == topic]


def test_doctor_of_what_is_not_there_or_damaged(tmp_path, run):
    assert by_topic(tmp_path / "a.db", "database")[0].level == "ok"
    assert by_topic(tmp_path / "no" / "a.db", "database")[0].level == "problem"
    (tmp_path / "a.db").write_bytes(os.urandom(5000))
    [finding] = by_topic(tmp_path / "a.db", "database")
    assert (finding.level, "restore" in finding.advice) == ("problem", True)
    run("-d", "a.db", "doctor", cwd=tmp_path, code=1)


def test_doctor_sees_links_locks_and_network(small, monkeypatch):
    path = small / "dedupindex.db"
    (small / "second.db").hardlink_to(path)
    assert by_topic(path, "database")[0].level == "problem"
    lock = WriterLock(path, 1)
    with lock.held():
        assert f"process {os.getpid()} on" in by_topic(path, "writer")[0].state
        left = lock.path.read_bytes()
    lock.path.write_bytes(left)
    assert "died while it wrote" in by_topic(path, "writer")[0].state
    monkeypatch.setattr(health, "kind_of", lambda path: "cifs")
    assert by_topic(path, "file system")[0].level == "warning"
    monkeypatch.setattr(health, "LEAST_FREE", 1 << 62)
    assert by_topic(path, "space")[0].level == "warning"


@pytest.mark.parametrize(
    ("version", "bad"),
    [((3, 6, 23), False), ((3, 7, 0), True), ((3, 40, 1), True), ((3, 51, 2), True), ((3, 51, 3), False)],
)
def test_versions_with_the_wal_reset_bug(version, bad):
    assert health.has_wal_reset_bug(version) is bad
