"""Files and pairs through parts: as a pool does them, but for where a part ends and who is to blame."""

import os
import zlib
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from dedupindex.engines.executor import Executor
from dedupindex.engines.folder import WorkFolder
from dedupindex.engines.local import LocalRunner
from dedupindex.engines.mapping import Each, PartMapper
from dedupindex.errors import Reason
from dedupindex.ingest.describing import FileResult, FileTask, describe_files, died
from dedupindex.settings import Settings
from dedupindex.store.rows import FileState
from tests.pictures import make_tree

SETTINGS = Settings(workers=1)


def deadly(tasks):
    for task in tasks:
        if task.state.path.name == "deadly":
            os.kill(os.getpid(), 9)
    return [FileResult(task, task.state, bytes_read=1) for task in tasks]


def slow(tasks):
    for task in tasks:
        while task.state.path.name == "endless":
            pass
    return [FileResult(task, task.state) for task in tasks]


def task(name, settings=SETTINGS):
    return FileTask(FileState(Path("/x") / name, 1, 2, 3), settings)


def mapper(folder, function, settings, most=8, version=""):
    executor = Executor(WorkFolder(str(folder)), LocalRunner(settings))
    stage = Each(function, FileTask, FileResult, settings, version)
    ends = lambda item: zlib.crc32(item.state.path.name.encode()) % 4 == 0  # noqa: E731
    return PartMapper(executor, stage, died=died, ends=ends, most=most), executor


def test_results_are_those_of_the_function(tmp_path):
    tree = make_tree(tmp_path / "in", 3)
    tasks = [FileTask(FileState(path, 1, 2, 3), SETTINGS) for path in sorted(tree.rglob("*.*")) if path.is_file()]
    work, executor = mapper(tmp_path / "w", describe_files, SETTINGS)
    found = [result for results in work.map([tasks[:3], tasks[3:]]) for result in results]
    assert sorted(found, key=lambda r: r.task.state.path) == describe_files(tasks)
    assert executor.folder.names() == []  # what was handed on is gone


def test_results_may_lead_to_further_tasks(tmp_path):
    class Feed:
        def __init__(self):
            self.tasks = deque([[task("0")]])

        def __iter__(self):
            return self

        def __next__(self):
            if not self.tasks:
                raise StopIteration
            return self.tasks.popleft()

    feed, seen = Feed(), []
    work, _ = mapper(tmp_path / "w", deadly, SETTINGS)
    for [result] in work.map(feed):
        seen.append(result.state.path.name)
        if len(seen) < 4:
            feed.tasks.append([task(str(len(seen)))])
    assert seen == ["0", "1", "2", "3"]


def test_a_guilty_file_is_given_up_and_the_others_go_on(tmp_path):
    settings = replace(SETTINGS, workers=2)
    names = ["a", "b", "c", "deadly", "e", "f", "g"]
    work, executor = mapper(tmp_path / "w", deadly, settings)
    found = [r for results in work.map([[task(name, settings) for name in names]]) for r in results]
    executor.backend.close()
    assert sorted(result.state.path.name for result in found) == names
    assert {r.state.path.name: r.failure.reason for r in found if r.failure} == {"deadly": Reason.WORKER_DIED}
    assert executor.folder.names() == []


@pytest.mark.skipif(os.name == "nt", reason="no limit of computing time")
def test_a_file_that_takes_too_long_is_given_up(tmp_path):
    settings = replace(SETTINGS, workers=2, max_seconds=0.4)
    work, executor = mapper(tmp_path / "w", slow, settings)
    found = [r for results in work.map([[task("a", settings), task("endless", settings)]]) for r in results]
    executor.backend.close()
    assert {r.state.path.name: r.failure and r.failure.reason for r in found} == {
        "a": None,
        "endless": Reason.TIMED_OUT,
    }


def test_parts_end_where_their_tasks_say(tmp_path):
    """Of a run that goes on in the middle, all but the first part are those of a run from the beginning."""
    tasks = [task(str(number)) for number in range(60)]

    def parts(some):
        made = []
        work, _ = mapper(tmp_path / "w", deadly, SETTINGS, most=100)
        for results in work.map([some]):
            made.append(tuple(result.state.path.name for result in results))
        return made

    whole, rest = parts(tasks), parts(tasks[17:])
    assert len(whole) > 5
    assert set(rest[1:]) <= set(whole)
