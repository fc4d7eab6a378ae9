"""Tasks of pairs: every pair in one of them, with its features, however they are read."""

import threading

import pytest

from dedupindex.execution.tasks import PairResult
from dedupindex.search import verifying
from dedupindex.settings import Settings
from dedupindex.store import catalog_images


class Recorder:
    """Takes every task for one that finds nothing, and notes it; a few wait in a queue as in the pool."""

    started = True

    def __init__(self, ahead: int = 4) -> None:
        self.tasks = []
        self._ahead = ahead

    def map(self, tasks):
        source, queue = iter(tasks), []
        while True:
            while len(queue) < self._ahead and (task := next(source, None)) is not None:
                queue.append(task)
            if not queue:
                return
            [task] = queue.pop(0)
            self.tasks.append(task)
            yield [PairResult(len(task.pairs))]


class Shelf:
    """A database with the features of some images, that notes which threads read it."""

    def __init__(self, monkeypatch, images, *, broken=None) -> None:
        self.threads: set[int] = set()

        def load(_connection, ids):
            self.threads.add(threading.get_ident())
            if broken in ids:
                raise OSError("the disk is gone")
            return {image: {"descriptor": b"%d" % image} for image in ids if image in images}

        monkeypatch.setattr(catalog_images, "sketches", load)
        monkeypatch.setattr(verifying, "VETTED_A_TASK", 5)

    def read(self):
        return self

    def __enter__(self):
        return None

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize("count", [0, 1, 5, 6, 23])
def test_every_pair_is_in_one_task_with_its_features(monkeypatch, count):
    pairs = [(number, number + 100) for number in range(count)]
    gone = {7, 103}
    shelf = Shelf(monkeypatch, set(range(200)) - gone)
    tasks = [task for [task] in verifying._tasks(shelf, pairs, Settings(), [], vet=True)]
    assert [pair for task in tasks for pair in task.pairs] == [pair for pair in pairs if not gone & set(pair)]
    assert all({image for pair in task.pairs for image in pair} <= set(task.parts) for task in tasks)
    assert all(task.parts[image]["descriptor"] == b"%d" % image for task in tasks for image in task.parts)
    assert len(tasks) == -(-count // 5)
    assert count <= 5 or threading.get_ident() not in shelf.threads


def test_a_reader_that_fails_ends_the_search_and_leaves_no_thread(monkeypatch):
    shelf = Shelf(monkeypatch, set(range(200)), broken=12)
    before = threading.active_count()
    with pytest.raises(OSError, match="gone"):
        list(verifying._tasks(shelf, [(number, number + 100) for number in range(50)], Settings(), [], vet=True))
    assert threading.active_count() == before


def test_tasks_that_nobody_wants_any_more_leave_no_thread(monkeypatch):
    shelf = Shelf(monkeypatch, set(range(200)))
    before = threading.active_count()
    tasks = verifying._tasks(shelf, [(number, number + 100) for number in range(50)], Settings(), [], vet=True)
    next(tasks)
    tasks.close()
    assert threading.active_count() == before


def test_all_pairs_go_through_in_order_with_few_threads(monkeypatch):
    shelf = Shelf(monkeypatch, set(range(2000)))
    recorder = Recorder()
    pairs = [(number, number + 1000) for number in range(500)]
    found = list(verifying.verify_stored(shelf, recorder, type("S", (), {"threshold": 0.5})(), pairs))
    assert sum(result.verified for result in found) == 500
    assert [pair for task in recorder.tasks for pair in task.pairs] == pairs
    assert len(shelf.threads) <= verifying.READERS
