"""Two operations, the same on every backend: what they make, that they make it once, and what a lost worker costs."""

from collections import Counter
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedupindex.engines.executor import Executor
from dedupindex.engines.folder import WorkFolder
from dedupindex.engines.jobs import MapJob, put_part
from dedupindex.engines.local import LocalRunner
from dedupindex.errors import DedupIndexError
from dedupindex.settings import Settings
from tests.engines.stages import DieAlways, DieOnce, Double, Fail, Sum


def executor(folder, workers=1):
    return Executor(WorkFolder(str(folder)), LocalRunner(Settings(workers=workers)))


def table(keys, values):
    return pa.table({"key": pa.array(keys, pa.int64()), "value": pa.array(values, pa.int64())})


@pytest.fixture
def notes(tmp_path):
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def test_a_part_is_made_once(tmp_path, notes):
    work = executor(tmp_path / "w")
    parts = [put_part(work.folder, table([n], [n])) for n in range(4)]
    first = sorted(work.map_partitions(Double(str(notes)), parts))
    again = sorted(executor(tmp_path / "w").map_partitions(Double(str(notes)), parts))
    assert first == again
    assert len(list(notes.iterdir())) == 4
    assert sorted(int(work.folder.read(name)["value"][0].as_py()) for name in first) == [0, 2, 4, 6]
    other = sorted(work.map_partitions(Double(str(notes), version="2"), parts))
    assert not set(other) & set(first)


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: _flipped(data)])
def test_a_damaged_part_is_made_again(tmp_path, notes, damage):
    work = executor(tmp_path / "w")
    parts = [put_part(work.folder, table(range(1000), range(1000)))]
    [name] = work.map_partitions(Double(str(notes)), parts)
    path = tmp_path / "w" / name
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert [name] == list(work.map_partitions(Double(str(notes)), parts))
    assert path.read_bytes() == whole
    assert len(list(notes.iterdir())) == 2


def _flipped(data):
    middle = len(data) // 3
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    parts=st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(-99, 99)), max_size=12), min_size=1, max_size=4),
    buckets=st.integers(1, 4),
    most=st.integers(0, 6),
)
def test_groups_are_those_of_a_dict(tmp_path_factory, parts, buckets, most):
    work = executor(tmp_path_factory.mktemp("w"))
    names = [put_part(work.folder, table([k for k, _ in part], [v for _, v in part])) for part in parts]
    expected = Counter()
    for part in set(map(tuple, map(sorted, parts))) and parts:
        for key, value in part:
            expected[key] += value
    found = Counter()
    keys = []
    for grouped in work.group_apply(Sum(), "key", names, buckets=buckets, most=most):
        keys += grouped.keys
        rows = work.folder.read(grouped.part)
        for key, value in zip(rows["key"].to_pylist(), rows["sum"].to_pylist(), strict=True):
            found[key] += value
    assert dict(found) == dict(expected)
    if not most:
        assert sorted(keys) == sorted(expected)


def test_what_comes_before_grouping_is_applied(tmp_path, notes):
    work = executor(tmp_path / "w")
    names = [put_part(work.folder, table([1, 2], [10, 20])), put_part(work.folder, table([2], [3]))]
    grouped = list(work.group_apply(Sum(), "key", names, before=Double(str(notes)), buckets=2))
    found = [row for some in grouped for row in work.folder.read(some.part).to_pylist()]
    assert sorted((row["key"], row["sum"]) for row in found) == [(1, 20), (2, 46)]


def test_workers_on_other_processes_make_the_same(tmp_path, notes):
    here, there = executor(tmp_path / "a"), executor(tmp_path / "b", workers=2)
    for work in (here, there):
        parts = [put_part(work.folder, table([n % 3], [n])) for n in range(6)]
        list(work.group_apply(Sum(), "key", parts, before=Double(str(notes)), buckets=2))
        work.backend.close()
    assert here.folder.names() == there.folder.names()
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in here.folder.names())


def test_a_killed_worker_changes_nothing_and_two_are_too_many(tmp_path):
    work = executor(tmp_path / "w", workers=2)
    part = put_part(work.folder, table([1], [1]))
    [name] = work.map_partitions(DieOnce(str(tmp_path / "mark")), [part])
    assert work.folder.read(name).equals(table([1], [1]))
    with pytest.raises(DedupIndexError, match="killed, twice"):
        list(work.map_partitions(DieAlways(), [part]))
    lost = []
    assert list(work.map_partitions(DieAlways(), [part], lost=lambda *found: lost.append(found))) == []
    assert [name for name, _ in lost] == [part]
    with pytest.raises(ZeroDivisionError):
        list(work.map_partitions(Fail(), [part]))
    work.backend.close()


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (the extra 'ray')")
def test_ray_makes_the_same_and_outlives_a_killed_worker(tmp_path):
    """In a process of its own: Ray's warnings and threads are its own affair."""
    import subprocess
    import sys

    script = "import sys\nfrom tests.engines.test_executor import ray_round\nray_round(sys.argv[1])\n"
    home = tmp_path / "home"
    home.mkdir()
    import os
    from pathlib import Path

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HOME": str(home)},
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
    assert list(home.iterdir()) == []


def ray_round(root):
    from pathlib import Path

    from dedupindex.engines.ray_cluster import RayRunner

    (Path(root) / "notes").mkdir()
    here = executor(Path(root) / "a")
    there = Executor(WorkFolder(f"{root}/b"), RayRunner(Settings(workers=2), ""))
    for work in (here, there):
        parts = [put_part(work.folder, table([n % 3], [n])) for n in range(6)]
        list(work.group_apply(Sum(), "key", parts, before=Double(f"{root}/notes"), buckets=2))
    assert here.folder.names() == there.folder.names()
    [name] = there.map_partitions(DieOnce(f"{root}/mark"), parts[:1])
    assert there.folder.read(name).equals(there.folder.read(parts[0]))
    lost = []
    assert list(there.map_partitions(DieAlways(), parts[:1], lost=lambda *found: lost.append(found))) == []
    assert len(lost) == 1
    with pytest.raises(ZeroDivisionError):
        list(there.map_partitions(Fail(), parts[:1]))
    there.backend.close()


def test_an_order_travels(tmp_path):
    import pickle

    order = MapJob(WorkFolder(str(tmp_path)), Sum(), "part")
    assert pickle.loads(pickle.dumps(order)) == order
    assert np.unique([pickle.loads(pickle.dumps(order)).output, order.output]).size == 1
