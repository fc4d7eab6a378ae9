import os
import subprocess
import sys
import textwrap
import threading
import time
from collections import deque
from pathlib import Path

import pytest

from dedupindex.errors import DedupIndexError, Reason
from dedupindex.execution import limits as limits_module
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool
from dedupindex.execution.worker import Limits
from dedupindex.settings import Settings

ROOT = Path(__file__).parents[2]


def double(items):
    return [2 * item for item in items]


def deadly(items):
    if 13 in items:
        os._exit(1)
    return [2 * item for item in items]


def threads(items):
    return [os.environ.get("OMP_NUM_THREADS") for _ in items]


def minus(item, reason):
    return -item


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_has_a_result(workers):
    with Pool(double, died=minus, workers=workers) as pool:
        found = [r for results in pool.map([[n, n + 1] for n in range(0, 20, 2)]) for r in results]
    assert sorted(found) == [2 * n for n in range(20)]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_may_lead_to_further_tasks(workers):
    class Queue:
        def __init__(self):
            self.tasks = deque([[1]])

        def __iter__(self):
            return self

        def __next__(self):
            if not self.tasks:
                raise StopIteration
            return self.tasks.popleft()

    queue, found = Queue(), []
    with Pool(double, died=minus, workers=workers) as pool:
        for [result] in pool.map(queue):
            found.append(result)
            if result < 20:
                queue.tasks.append([result])
    assert found == [2, 4, 8, 16, 32]


def test_a_dying_worker_costs_one_item():
    with Pool(deadly, died=minus, workers=2) as pool:
        found = [r for results in pool.map([list(range(n, n + 4)) for n in range(0, 40, 4)]) for r in results]
    assert sorted(found) == sorted([-13] + [2 * n for n in range(40) if n != 13])


def test_an_error_in_a_worker_is_raised_here():
    with Pool(double, died=minus, workers=2) as pool, pytest.raises(TypeError):
        list(pool.map([[None]]))


def test_workers_use_one_thread_and_the_parent_keeps_its_own(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with Pool(threads, died=minus, workers=2) as pool:
        assert [r for results in pool.map([[1], [2]]) for r in results] == ["1", "1"]
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_script_without_main_guard_is_not_run_again(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from tests.execution.test_pool import double, minus
            from dedupindex.execution.pool import Pool
            print("begins")
            with Pool(double, died=minus, workers=2) as pool:
                print(sorted(r for results in pool.map([[1], [2]]) for r in results))
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    assert done.stdout.split("\n")[:2] == ["begins", "[2, 4]"], done.stderr
    assert done.stderr == ""


def test_workers_end_with_a_killed_parent(tmp_path):
    script = (
        "import os, signal, time\n"
        "from dedupindex.execution.pool import Pool\n"
        "from tests.execution.test_pool import minus, pids_of\n"
        "with Pool(pids_of, died=minus, workers=2) as pool:\n"
        "    for results in pool.map([[1], [2], [3], [4]]):\n"
        "        print(*results, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    workers = {int(word) for word in found.stdout.split()}
    assert workers
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/stat").exists() and _alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.05)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def pids_of(items):
    time.sleep(0.05)
    return [os.getpid() for _ in items]


def naughty(items):
    return [misbehave(item) for item in items]


def misbehave(what):
    if what == "sleep":
        time.sleep(60)
    if what == "compute":
        while True:
            pass
    if what == "memory":
        try:
            return len(bytes(10**10))
        except MemoryError:
            return "no memory"
    if isinstance(what, Path) and not what.exists():  # dies the first time only
        what.touch()
        os._exit(1)
    return what


def fate(item, reason):
    return (item, reason)


@pytest.mark.parametrize(("what", "seconds"), [("sleep", 0.15), ("compute", 0.5)])
def test_a_hanging_worker_is_replaced_and_costs_one_item(what, seconds):
    task = ["a", what, "b", "c"]
    began = time.monotonic()
    with Pool(naughty, died=fate, workers=2, limits=Limits(seconds=seconds)) as pool:
        found = sorted(map(str, (r for results in pool.map([task, ["d"], ["e"]]) for r in results)))
    assert found == sorted([*"abcde", str((what, Reason.TIMED_OUT))])
    assert time.monotonic() - began < 30


def test_who_dies_once_is_tried_again(tmp_path):
    with Pool(naughty, died=fate, workers=2) as pool:
        assert list(pool.map([["a", tmp_path / "x", "b"]])) == [["a", tmp_path / "x", "b"]]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
def test_memory_is_limited():
    with Pool(naughty, died=fate, workers=2, limits=Limits(memory=2_000_000_000)) as pool:
        assert list(pool.map([["memory", "a"]])) == [["no memory", "a"]]


class Fatal:
    """Ends the process that unpickles it."""

    def __call__(self, items):
        return items

    def __reduce__(self):
        return os._exit, (1,)


def test_workers_that_cannot_start_are_an_error():
    with Pool(Fatal(), died=fate, workers=2) as pool, pytest.raises(DedupIndexError, match="cannot be started"):
        list(pool.map([[1]]))


def test_leaving_in_the_middle_ends_the_workers():
    began = time.monotonic()
    with Pool(naughty, died=fate, workers=2) as pool:
        results = pool.map([["a"], ["sleep"], ["sleep"]])
        assert next(results) == ["a"]
    assert time.monotonic() - began < 20


def test_threads_share_the_workers():
    """Tasks that come one by one from several threads use every worker, and all is answered."""
    found, pids = [], set()

    def ask(pool, number):
        [results] = pool.map([[number]])
        found.append(number)
        pids.update(results)

    with Pool(pids_of, died=minus, workers=2) as pool:
        threads = [threading.Thread(target=ask, args=(pool, number)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(pool._keepers) == 2
    assert sorted(found) == list(range(12))
    assert 1 <= len(pids) <= 2
    assert os.getpid() not in pids


def test_who_waits_while_the_pool_is_closed_is_told():
    said = []

    def ask(pool):
        try:
            said.append(list(pool.map([["sleep"]])))
        except DedupIndexError as error:
            said.append(str(error))

    pool = Pool(naughty, died=fate, workers=2)
    threads = [threading.Thread(target=ask, args=(pool,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    while pool._ready.qsize() < 3:
        time.sleep(0.05)
    pool.close()
    for thread in threads:
        thread.join(30)
    assert len(said) == 5
    assert sum("ended meanwhile" in some for some in said) >= 3


def test_limits_follow_the_machine(monkeypatch):
    assert limits_of(Settings(worker_memory=10**9, max_seconds=7)) == Limits(10**9, 7)
    for memory, least in ((0, 2_000_000_000), (1 << 50, 8_000_000_000), (9_000_000_000, 3_000_000_000)):
        monkeypatch.setattr(limits_module, "machine_memory", lambda memory=memory: memory)
        assert limits_of(Settings(workers=3)).memory == least
