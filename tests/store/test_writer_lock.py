import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dedupindex.errors import IndexBusyError
from dedupindex.store import sqlite as databases
from dedupindex.store import writer_lock
from dedupindex.store.database import Database
from dedupindex.store.filesystem import is_network, kind_of
from dedupindex.store.migrate import prepare_schema
from dedupindex.store.writer_lock import WriterLock, is_held, lock_path, owner

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from dedupindex.store.writer_lock import WriterLock
with WriterLock(Path(sys.argv[1]), 5).held():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `a.db`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "a.db")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_holds_it_is_written_down(tmp_path):
    lock = WriterLock(tmp_path / "a.db", 1)
    with lock.held():
        found = owner(lock.path)
        assert found is not None
        assert (found.pid, is_held(lock.path)) == (os.getpid(), True)
        assert found.host
        assert found.started <= found.since
    assert owner(lock.path) is None
    assert not is_held(lock.path)


def test_a_waiting_writer_says_for_whom_and_gives_up(holder, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(writer_lock, "SAY_AFTER", 0.05)
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(IndexBusyError, match=f"process {holder.pid} on .*writing since"),
        WriterLock(tmp_path / "a.db", 0.3).held(),
    ):
        pass
    assert f"waiting for process {holder.pid} on " in caplog.text
    assert owner(lock_path(tmp_path / "a.db")).pid == holder.pid  # giving up does not wipe out the holder's name


@pytest.mark.parametrize("stopped", [False, True])
def test_the_lock_of_a_dead_holder_is_free_at_once(holder, tmp_path, stopped):
    if stopped:
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(IndexBusyError), WriterLock(tmp_path / "a.db", 0.1).held():
            pass
    holder.kill()
    holder.wait()
    path = lock_path(tmp_path / "a.db")
    assert owner(path).pid == holder.pid  # left behind, and known to be stale
    assert not is_held(path)
    began = time.monotonic()
    with WriterLock(tmp_path / "a.db", 5).held():
        assert owner(path).pid == os.getpid()
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff" * 10_000])
def test_rubbish_in_the_lock_file_is_no_owner(tmp_path, content):
    lock = WriterLock(tmp_path / "a.db", 1)
    lock.path.write_bytes(content)
    assert owner(lock.path) is None
    with lock.held():
        assert owner(lock.path).pid == os.getpid()


def test_the_file_goes_with_the_last_one_and_never_under_a_waiting_writer(tmp_path):
    first, second = (WriterLock(tmp_path / "a.db", 5) for _ in range(2))
    order = []

    def wait():
        with second.held():
            order.append(owner(second.path).pid)
            first.tidy()
            assert second.path.exists()

    with first.held():
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)  # it waits for the file that goes away here
        first.path.unlink()
    thread.join()
    assert order == [os.getpid()]
    first.tidy()
    assert not first.path.exists()


def test_many_take_turns_though_the_file_comes_and_goes(tmp_path):
    inside, most = [], []

    def work():
        lock = WriterLock(tmp_path / "a.db", 20)
        for _ in range(30):
            with lock.held():
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()
            lock.tidy()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (180, 1)


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("precious")
    lock = WriterLock(tmp_path / "a.db", 1)
    lock.path.symlink_to(tmp_path / "precious")
    with pytest.raises(databases.StoreError, match=r"a\.db-lock"), lock.held():
        pass
    assert (tmp_path / "precious").read_text() == "precious"


def test_readers_do_not_wait_for_a_holder(tmp_path):
    made = Database(tmp_path / "a.db", create=True)
    prepare_schema(made, create=True)
    with made.write():
        other = Database(tmp_path / "a.db", read_only=True)
        began = time.monotonic()
        assert other.integrity() == []
        assert time.monotonic() - began < 1
        other.close()
    made.close()


MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:5 / /mnt/my\\040nas rw shared:3 - nfs4 nas:/export rw
24 23 0:6 / /mnt/my\\040nas/local rw - xfs /dev/sdb rw
25 22 0:7 / /mnt/far rw - fuse.sshfs me@far: rw
26 22 0:8 / /mnt/usb rw - fuseblk /dev/sdc rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/home/a.db", "ext4", False),
        ("/mnt/my nas/a.db", "nfs4", True),
        ("/mnt/my nas/local/a.db", "xfs", False),
        ("/mnt/my nasty/a.db", "ext4", False),
        ("/mnt/far/a.db", "fuse.sshfs", True),
        ("/mnt/usb/a.db", "fuseblk", False),
    ],
)
def test_file_systems(tmp_path, path, kind, network):
    (tmp_path / "mounts").write_text(MOUNTS)
    assert kind_of(Path(path), tmp_path / "mounts") == kind
    assert is_network(kind) is network


def test_no_list_of_mounts_is_no_network(tmp_path):
    assert kind_of(tmp_path, tmp_path / "nothing") == ""
    assert not is_network("")


def test_a_network_file_system_gets_a_rollback_journal(tmp_path, monkeypatch, caplog):
    made = Database(tmp_path / "a.db", create=True)
    prepare_schema(made, create=True)
    made.close()
    monkeypatch.setattr(databases, "kind_of", lambda path: "nfs4")
    with caplog.at_level(logging.WARNING):
        far = Database(tmp_path / "a.db")
    assert "network file system" in caplog.text
    with far.write() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    far.close()
    assert not (tmp_path / "a.db-wal").exists()
