"""The command line with an engine says what it says without, also when a worker is killed in the middle."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from dedupindex import Index
from dedupindex.engines import parted, proposing
from dedupindex.engines.choosing import engine_for
from dedupindex.engines.embedded import IndexProposer
from dedupindex.errors import SettingsError
from dedupindex.reports.exchange.csvfile import pair_lines
from dedupindex.settings import Settings
from dedupindex.store.database import Database
from tests.pictures import half, make_tree, picture, save

SCRIPT = Path(sys.executable).parent / "dedupindex"
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (the extra 'ray')")


def scan(folder, tree, engine, *options, killer=None, workers="2"):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEDUPINDEX_")}
    (folder / "home").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [
            SCRIPT,
            "-d",
            f"{engine}.db",
            "scan",
            tree,
            "--engine",
            engine,
            "--workers",
            workers,
            "--pairs",
            f"{engine}.csv",
            *options,
        ],
        cwd=folder,
        env=environment | {"HOME": str(folder / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if killer is not None:
        threading.Thread(target=killer, args=(process.pid,), daemon=True).start()
    out, err = process.communicate(timeout=300)
    assert process.returncode in (0, 1), out + err
    assert "Traceback" not in out + err
    with (folder / f"{engine}.csv").open(newline="") as file:
        pairs = list(csv.reader(file))
    told = "".join(line for line in err.splitlines(keepends=True) if not line.startswith("written: "))
    return pairs, [line for line in out.splitlines() if " s" not in line], told


@pytest.fixture(scope="module", params=[(8, 5), pytest.param((22, 16), marks=pytest.mark.slow)], ids=str)
def sizes(request):
    """Copies of one picture; most candidates of an image, fewer than there are copies."""
    return request.param


@pytest.fixture(scope="module")
def tree(tmp_path_factory, sizes):
    root = make_tree(tmp_path_factory.mktemp("tree") / "in", 8)
    for number in range(3):
        save(root / f"mirror{number}.png", half(picture(number))[:, ::-1])
    for number in range(sizes[0]):  # one picture over and over: more neighbours than candidates are kept
        save(root / "burst" / f"{number:02d}.jpg", picture(50), quality=95 - number)
    return root


@pytest.fixture(scope="module")
def most(sizes):
    return "--candidates", str(sizes[1])


@pytest.fixture(scope="module")
def embedded(tree, tmp_path_factory, most):
    return scan(tmp_path_factory.mktemp("embedded"), tree, "", *most)


def test_the_local_engine_finds_the_same(tree, embedded, most, tmp_path):
    assert scan(tmp_path, tree, "local", *most)[::2] == embedded[::2]
    assert not (tmp_path / "local.db.work").exists()


@needs_ray
def test_ray_finds_the_same_and_leaves_nothing(tree, embedded, most, tmp_path):
    assert scan(tmp_path, tree, "ray", *most)[::2] == embedded[::2]
    assert sorted(path.name for path in tmp_path.iterdir() if "lock" not in path.name) == ["home", "ray.csv", "ray.db"]
    assert list((tmp_path / "home").iterdir()) == []


def test_a_killed_worker_changes_nothing(tree, embedded, most, tmp_path):
    killed = []

    def kill(parent):
        until = time.monotonic() + 120
        while len(killed) < 2 and time.monotonic() < until:
            for pid in (worker for template in _children(parent) for worker in _children(template)):
                if pid not in killed:
                    time.sleep(0.3 * len(killed))
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                        killed.append(pid)
                    break
            time.sleep(0.05)

    if not Path("/proc/self/task").exists():
        pytest.skip("needs /proc to find the workers")
    assert scan(tmp_path, tree, "local", *most, killer=kill)[::2] == embedded[::2]
    assert killed


def _children(parent):
    """Processes that any thread of another one started."""
    found = []
    for thread in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += thread.read_text().split()
    return found


def test_an_interrupted_run_goes_on(tree, embedded, sizes, tmp_path):
    work = tmp_path / "work"
    with Index.open(
        tmp_path / "p.db", create=True, engine="local", work=str(work), workers=1, candidates=sizes[1]
    ) as index:
        index.ingest([tree])
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(parted.PartMapper, "map", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            patched.setattr("dedupindex.search.verifying.FEW_VETTED", 0)
            with pytest.raises(KeyboardInterrupt):
                index.find_duplicates()
        left = {path.name: path.stat().st_mtime_ns for path in work.iterdir()}
        assert any(name.startswith("join-") for name in left)
        with pytest.MonkeyPatch.context() as patched:
            kept = {}
            clear = proposing.WorkFolder.clear
            patched.setattr(
                proposing.WorkFolder,
                "clear",
                lambda folder: (kept.update({p.name: p.stat().st_mtime_ns for p in work.iterdir()}), clear(folder)),
            )
            index.find_duplicates()
        assert {name: kept[name] for name in left if name in kept} == left
        lines = [line for line in pair_lines(index.report()) if line.relation != "same_bytes"]
        assert len(lines) == sum("same_bytes" not in row for row in embedded[0][1:])
    assert not work.exists()


def test_with_a_budget_the_most_promising_come_first(tmp_path):
    make_tree(tmp_path / "in")
    with Index.open(tmp_path / "p.db", create=True, engine="local", workers=1) as index:
        index.ingest([tmp_path / "in"])
        index.settings = Settings(batch=1, workers=1, budget=1e-9, engine="local")
        first = index.find_duplicates()
        assert (first.searched, len(index.pairs())) == (1, 1)


def test_few_new_images_among_many_are_looked_up_in_the_vector_index(tmp_path, monkeypatch):
    make_tree(tmp_path / "in")
    monkeypatch.setattr(parted, "FEW_NEW", 0.5)
    made = []
    real = IndexProposer

    monkeypatch.setattr(parted, "IndexProposer", lambda *given: (made.append(given), real(*given))[1])
    with Index.open(tmp_path / "p.db", create=True, engine="local", workers=1) as index:
        index.ingest([tmp_path / "in"])
        index.find_duplicates()
        assert made == []
        save(tmp_path / "in" / "late.jpg", half(picture(3)), quality=90)
        index.ingest([tmp_path / "in"])
        assert index.find_duplicates().accepted == 1
        assert len(made) == 1


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("dedupindex.engines.choosing.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="needs pyarrow and fsspec and ray: install dedupindex with its extra"):
        engine_for(Settings(engine="ray"), Database(tmp_path / "p.db", create=True))
    with pytest.raises(SettingsError, match="must be local, ray or ray://ADDRESS"):
        Settings(engine="spark")
