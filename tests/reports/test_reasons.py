"""The manual's table of reasons: every reason, in the words of the code, with what is really said of a file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dedupindex.errors import ReadError, Reason
from dedupindex.execution.worker import WORKER_GONE
from dedupindex.ingest.describing import _failure, _too_small
from dedupindex.records import Frame
from dedupindex.reports.reasons import ADVICE, MEANING, advice_lines
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from tests.sources.failing import FAILING, make

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "reference" / "reasons.md"
TABLE = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")] if PAGE.exists() else []


def row(reason: Reason, folder: Path) -> str:
    """The line of the table for a reason."""
    return f"| `{reason}` | {MEANING[reason]} | {example(reason, folder)} | {ADVICE[reason]} |"


def example(reason: Reason, folder: Path) -> str:
    """What is said, of a file where one can be made that is small and always fails."""
    if reason in FAILING:
        with pytest.raises(ReadError) as caught:
            decode_file(make(folder, reason), FAILING[reason][2])
        assert caught.value.reason is reason
        return caught.value.detail
    if reason in WORKER_GONE:
        return WORKER_GONE[reason]
    if reason is Reason.OUT_OF_MEMORY:
        return _failure(folder, MemoryError()).detail
    if reason is Reason.TOO_SMALL:
        frame = Frame(np.zeros((48, 64), np.uint8), np.ones((48, 64), bool), full_shape=(48, 64))
        return _too_small([frame], Settings(min_pixels=10_000))
    if reason is Reason.CHANGED_WHILE_READ:
        return "the file changed while it was read, twice"
    assert reason is Reason.INTERNAL
    return "a fault of dedupindex, with the place in the program"


@pytest.mark.parametrize("reason", Reason)
def test_the_table_says_what_is_said(tmp_path: Path, reason: Reason) -> None:
    assert [line for line in TABLE if line.startswith(f"| `{reason}` ")] == [row(reason, tmp_path)]


def test_the_table_has_all_reasons_in_order() -> None:
    assert [line.split("`")[1] for line in TABLE] == list(Reason)
    assert list(MEANING) == list(ADVICE) == list(Reason)


def test_a_file_that_is_written_to_is_told_as_the_table_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"1")
    real = os.fstat
    sizes = iter(range(100))

    def moving(descriptor: int) -> os.stat_result:
        with path.open("ab") as file:
            file.write(b"x" * next(sizes))
        return real(descriptor)

    monkeypatch.setattr("os.fstat", moving)
    with pytest.raises(ReadError) as caught:
        decode_file(path, FAILING[Reason.EMPTY][2])
    assert (caught.value.reason, caught.value.detail) == (
        Reason.CHANGED_WHILE_READ,
        example(Reason.CHANGED_WHILE_READ, tmp_path),
    )


def test_advice_is_given_once_for_each_reason() -> None:
    lines = advice_lines([Reason.TOO_LARGE, Reason.DAMAGED, Reason.TOO_LARGE])
    assert [line.split(":")[0] for line in lines] == ["damaged", "too_large"]
    assert "--max-pixels" in lines[1]
    assert advice_lines([]) == []
