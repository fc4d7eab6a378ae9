import threading

import cv2
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

from dedupindex import Index, compare_files
from dedupindex.settings import Settings
from dedupindex.threads import on_one_thread, one_thread
from tests.pictures import picture, save


def blas_threads() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {
        library["num_threads"] for library in threadpool_info() if library.get("threading_layer", "openmp") != "openmp"
    }


@pytest.fixture
def several():
    """The numbers that a program has of its own."""
    own = blas_threads()
    if own == {1}:
        pytest.skip("linear algebra has one thread here")
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield own
    cv2.setNumThreads(before)


def test_there_is_a_library_to_limit():
    assert ThreadpoolController().select(user_api="blas").info()


def test_the_former_numbers_come_back(several):
    with one_thread():
        assert (blas_threads(), cv2.getNumThreads()) == ({1}, 1)
        with one_thread():
            assert blas_threads() == {1}
        assert (blas_threads(), cv2.getNumThreads()) == ({1}, 1)
    assert (blas_threads(), cv2.getNumThreads()) == (several, 3)


def test_they_come_back_after_a_fault(several):
    @on_one_thread
    def fail():
        assert blas_threads() == {1}
        raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert (blas_threads(), cv2.getNumThreads()) == (several, 3)


def test_blocks_that_overlap_in_two_threads(several):
    """The first one leaves while the second one is inside: neither keeps the other's number."""
    inside, leave = threading.Event(), threading.Event()

    def first():
        with one_thread():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    with one_thread():
        leave.set()
        thread.join()
        assert blas_threads() == {1}
    assert blas_threads() == several


def test_the_library_computes_on_one_thread(several, tmp_path, monkeypatch):
    seen = []
    from dedupindex.index import files
    from dedupindex.search import candidates

    def watched(function):
        def call(*args, **kwargs):
            seen.append(blas_threads())
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(candidates, "query", watched(candidates.query))
    monkeypatch.setattr(files, "compare_all", watched(files.compare_all))
    for number in range(2):
        save(tmp_path / f"{number}.png", picture(number))
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tmp_path])
        index.query(tmp_path / "0.png")
    compare_files(str(tmp_path / "0.png"), str(tmp_path / "1.png"), Settings())
    assert seen == [{1}, {1}]
    assert blas_threads() == several
