"""A report is of one state of the database, whatever others commit while it is read."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from dedupindex import Index, Selection
from dedupindex.errors import Reason
from dedupindex.groups import decisions, snapshots
from dedupindex.groups.decisions import decide
from dedupindex.records import Failure, Registration, Relation, Verification
from dedupindex.store import catalog, catalog_images, catalog_locations, catalog_pairs
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState
from tests.store.samples import new_image

IMAGES = [new_image(f"image {number}") for number in range(4)]
MATCH = Verification(True, 0.9, (Relation.TONE,), Registration((0.0, 0.0)), "test")
ACROSS = Selection(across=(Path("/a"), Path("/b")))


class Stopped(datetime):
    """A clock that stands still: what is written twice is the same twice."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 11, 30, tzinfo=tz)


def put(database: Database, run: int, numbers, pairs, unreadable: str) -> None:
    """Store images, each in two folders, confirmed pairs and a file that could not be read; one transaction."""
    with database.write() as connection:
        images = [IMAGES[number] for number in numbers]
        ids, _ = catalog_images.put_images(connection, images, {}, run)
        places = [
            (FileState(Path(f"/{folder}/{number}.png"), 1, 1, 1), 0, ids[IMAGES[number].key])
            for number in numbers
            for folder in "ab"
        ]
        catalog_locations.put_locations(connection, places, run)
        known = catalog_images.ids_of_content(connection, [(image.sha256, 0) for image in IMAGES])
        found = [(known[IMAGES[a].sha256, 0], known[IMAGES[b].sha256, 0], MATCH) for a, b in pairs]
        catalog_pairs.put_pairs(connection, found, run)
        failure = Failure(Path(unreadable), Reason.DAMAGED, "")
        catalog.put_failures(connection, [(FileState(failure.path, 1, 1, 1), failure)], run)


def write_more(path: Path) -> None:
    """What another process commits meanwhile: images, pairs, a decision, a failure and a run, so that all differs."""
    database = Database(path)
    with database.write() as connection:
        run = catalog.start_run(connection, "duplicates")
    put(database, run, (2, 3), [(1, 2), (2, 3)], "/a/second.png")
    decide(database, "not-duplicate", [IMAGES[0].sha256.hex(), IMAGES[1].sha256.hex()])
    with database.write() as connection:
        catalog.finish_run(connection, run, {})
    snapshots.remember(database, run)
    database.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "t.db"
    Index.open(path, create=True).close()
    database = Database(path)
    with database.write() as connection:
        run = catalog.start_run(connection, "duplicates")
    snapshots.remember(database, run)
    put(database, run, (0, 1), [(0, 1)], "/a/first.png")
    with database.write() as connection:
        catalog.finish_run(connection, run, {})
    database.close()
    return path, run


def read_while(path: Path, read, statement: int, meanwhile):
    """What *read* gives where *meanwhile* runs in another thread before its n-th statement; how many there were."""
    with Index.open(path) as index, ThreadPoolExecutor(1) as other:
        seen = 0

        def before(*_: object) -> None:
            nonlocal seen
            if seen == statement:
                other.submit(meanwhile).result(timeout=60)
            seen += 1

        event.listen(index._database._backend._engine, "before_cursor_execute", before)
        found = read(index)
    return found, seen


def overview(index):
    found = index.overview()
    return found, found.report.generation


def report(index):
    found = index.report(find=False)
    return found, found.generation


def across(index):
    found = index.report(find=False, selection=ACROSS)
    return found, found.generation


def changes(index):
    found = index.report(1, find=False)
    return found, found.generation


def plan(index):
    found = index.plan()
    return found.items, found.left_out


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("read", [overview, report, across, changes, plan], ids=lambda read: read.__name__)
def test_a_report_is_of_one_state_whatever_is_committed_meanwhile(template, tmp_path, monkeypatch, read, step):
    """Another process commits before one of the statements: before each, or before every *step*-th and the last."""
    for module in (catalog, decisions):
        monkeypatch.setattr(module, "datetime", Stopped)
    source, run = template
    assert run == 1

    def copy(name: str) -> Path:
        return Path(shutil.copy(source, tmp_path / f"{name}.db"))

    then, statements = read_while(copy("then"), read, -1, None)
    later = copy("later")
    write_more(later)
    now, _ = read_while(later, read, -1, None)
    assert then != now
    states = []
    for statement in sorted({*range(0, statements, step), statements - 1}):
        path = copy(str(statement))
        found, _ = read_while(path, read, statement, lambda path=path: write_more(path))
        assert found in (then, now), f"a mixture where others commit before statement {statement}"
        states.append(found == now)
    assert states[0]  # committed before anything was read
    assert not states[-1]  # committed meanwhile, and not seen
