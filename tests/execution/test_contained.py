"""Single requests within limits: in another process, which stays for the next one and is replaced when it is gone."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dedupindex.errors import ReadError, Reason
from dedupindex.execution import contained, template
from dedupindex.execution.contained import end_workers, within_limits
from dedupindex.settings import Settings

PATH = Path("a.png")
PLAIN = Settings()


def pid_of(*_: object) -> int:
    return os.getpid()


def nested() -> tuple[int, int]:
    return os.getpid(), within_limits(PLAIN, PATH, pid_of)


def surroundings(name: str) -> tuple[str | None, str, int]:
    return os.environ.get(name), str(Path.cwd()), os.getpid()


def refuse() -> None:
    raise ReadError(PATH, Reason.DAMAGED, "as it was meant to be")


def burn() -> None:
    while True:
        pass


def end() -> None:
    os._exit(1)


def end_once(mark: Path) -> str:
    if not mark.exists():
        mark.touch()
        os._exit(1)
    return "done"


def twice(pixels: np.ndarray, *, more: int = 0) -> np.ndarray:
    return 2 * pixels + more


def grab() -> int:
    return len(bytearray(3_000_000_000))


def test_it_is_another_process_and_stays() -> None:
    first = within_limits(PLAIN, PATH, pid_of)
    assert first != os.getpid()
    assert within_limits(PLAIN, PATH, pid_of) == first
    with pytest.raises(ReadError, match="as it was meant"):
        within_limits(PLAIN, PATH, refuse)
    assert within_limits(PLAIN, PATH, pid_of) == first


def test_a_worker_asks_itself() -> None:
    outer, inner = within_limits(PLAIN, PATH, nested)
    assert outer == inner != os.getpid()


def test_it_follows_the_environment_and_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, pid = within_limits(PLAIN, PATH, surroundings, "CONTAINED")
    monkeypatch.setenv("CONTAINED", "yes")
    monkeypatch.chdir(tmp_path)
    assert within_limits(PLAIN, PATH, surroundings, "CONTAINED") == ("yes", str(tmp_path), pid)
    monkeypatch.delenv("CONTAINED")
    assert within_limits(PLAIN, PATH, surroundings, "CONTAINED") == (None, str(tmp_path), pid)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(0, 3), (300, 200, 3)])
def test_arrays_come_back_as_they_are(shape: tuple[int, ...], order: str) -> None:
    pixels = np.array(np.random.default_rng(1).integers(0, 100, shape), np.uint16, order=order)
    given = pixels[::2] if order == "C" else pixels
    result = within_limits(PLAIN, PATH, twice, given, more=1)
    assert result.dtype == np.uint16
    assert np.array_equal(result, 2 * given + 1)
    result[...] = 0  # it can be written to


def test_what_takes_too_long_or_dies_is_a_read_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError) as caught:
        within_limits(Settings(max_seconds=0.2), PATH, burn)
    assert (caught.value.path, caught.value.reason) == (PATH, Reason.TIMED_OUT)
    with pytest.raises(ReadError) as caught:
        within_limits(PLAIN, PATH, end)
    assert caught.value.reason is Reason.WORKER_DIED
    assert within_limits(PLAIN, PATH, end_once, tmp_path / "mark") == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
def test_memory_is_limited() -> None:
    with pytest.raises(MemoryError):
        within_limits(Settings(worker_memory=2_000_000_000), PATH, grab)


def test_threads_are_answered_each_by_a_worker_of_their_own() -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(within_limits(PLAIN, PATH, twice, np.array(n)).item()))
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [2 * n for n in range(12)]


def test_workers_that_wait_end(monkeypatch: pytest.MonkeyPatch) -> None:
    end_workers()
    monkeypatch.setattr(contained, "IDLE_SECONDS", 0.1)
    first = within_limits(PLAIN, PATH, pid_of)
    time.sleep(0.5)
    assert within_limits(PLAIN, PATH, pid_of) != first
    end_workers()


@pytest.mark.skipif(not template.AVAILABLE, reason="workers are not forked here")
def test_a_template_that_is_gone_is_replaced() -> None:
    first = within_limits(PLAIN, PATH, pid_of)
    end_workers()
    assert template._template is not None
    template._template.close()
    assert within_limits(PLAIN, PATH, pid_of) != first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_of_this_process_leaves_its_workers_alone() -> None:
    ours = within_limits(PLAIN, PATH, pid_of)
    child = os.fork()
    if child == 0:  # it would hang where it asked a thread or a process of the parent
        os._exit(0 if template._template is None and not contained._shelf.emptied() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert within_limits(PLAIN, PATH, pid_of) == ours


def test_a_killed_worker_is_replaced() -> None:
    os.kill(within_limits(PLAIN, PATH, pid_of), signal.SIGKILL)
    assert within_limits(PLAIN, PATH, twice, np.array(2)) == 4
