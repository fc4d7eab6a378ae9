"""No verb decodes in its own process: each goes on where decoding here is impossible, and refuses a loop at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dedupindex import Index, PlanOptions, compare_files, read_file
from dedupindex.errors import ReadError, Reason
from dedupindex.settings import Settings
from dedupindex.sources import decode, decode_file
from tests.pictures import half, picture, save
from tests.sources.test_directories import LOOPS, chain

MOST_SECONDS = 1.0  # for a file that is refused from its directories
LENGTHS = ["chain of 1", "chain of 2", "chain of 5", "SubIFD is its own page", "SubIFDs of 2", "SubIFDs of 5"]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding in this process is an error; workers are fresh processes, which know nothing of that."""

    def never(*_: object, **__: object) -> None:
        raise ReadError(Path("here"), Reason.INTERNAL, "decoded in this process")

    monkeypatch.setattr(decode, "_decode", never)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    save(tmp_path / "in" / "a.png", picture(1, 90, 120))
    save(tmp_path / "in" / "b.jpg", half(picture(1, 90, 120)), quality=90)
    return tmp_path / "in"


@pytest.mark.usefixtures("elsewhere")
def test_nothing_is_decoded_in_this_process(tmp_path: Path, pictures: Path) -> None:
    a, b = pictures / "a.png", pictures / "b.jpg"
    with pytest.raises(ReadError, match="decoded in this process"):
        decode_file(a, Settings())
    with Index.open(tmp_path / "x.db", create=True, workers=1) as index:
        assert index.ingest([pictures]).added == 2
        index.find_duplicates()
        [pair] = index.pairs()
        assert pair.proof is not None
        assert not pair.proof.measures.unreachable
        for asked in (a, picture(1, 90, 120)):
            found = index.query(asked)
            assert {match.path for match in found} == {a, b}
            assert all(match.proof is None or "decoded" not in match.proof.reason for match in found)
        [first, *_] = index.images()
        assert index.thumbnail(first, 64) is not None
        assert index.rebuild(describe=True) == []
        with index.uploads(1) as uploads:
            assert uploads.ask(a, Path("mine.png"), limit=3, side=64).matches
        plan = index.plan(PlanOptions.named("trash", ["resized"]))
        assert index.apply(plan, rehearse=True).well
    assert compare_files(str(a), str(b), Settings()).relations
    assert len(read_file(str(a), Settings()).prepared) == 1


@pytest.mark.usefixtures("computed_anew")
def test_what_comes_from_a_worker_is_what_is_decoded_here(pictures: Path) -> None:
    for path in sorted(pictures.iterdir()):
        here, there = decode_file(path, Settings()), read_file(str(path), Settings()).decoded
        assert (here.sha256, here.format, here.frame_count) == (there.sha256, there.format, there.frame_count)
        for one, other in zip(here.frames, there.frames, strict=True):
            assert np.array_equal(one.pixels, other.pixels)
            assert np.array_equal(one.mask, other.mask)
    contents = read_file(str(path), Settings())
    assert contents.frames[0] is contents.decoded.frames[0]  # not sent twice


@pytest.fixture
def verbs(tmp_path: Path, pictures: Path) -> Iterator[dict[str, Callable[[Path], object]]]:
    """What the library does with a file, by the verb that uses it; `serve` has the uploads of its page and its API."""
    with Index.open(tmp_path / "x.db", create=True, workers=1) as index, index.uploads(1) as uploads:
        index.ingest([pictures])
        uploads.warm()

        def ingest(path: Path) -> None:
            index.ingest([path])
            [failure] = [failure for failure in index.failures() if failure.path == path]
            raise ReadError(failure.path, failure.reason, failure.detail)

        yield {
            "ingest": ingest,
            "query": index.query,
            "info": lambda path: read_file(str(path), Settings()),
            "compare": lambda path: compare_files(str(path), str(pictures / "a.png"), Settings()),
            "serve, page": lambda path: uploads.ask(path, path, limit=3, side=64),
            "serve, query": lambda path: uploads.matches(path, path),
            "serve, ingest": lambda path: uploads.take(path, Path("upload:/a.tif"), b"\0" * 32),
        }


def test_loops_are_refused_at_once_by_every_verb(tmp_path: Path, verbs: dict[str, Callable[[Path], object]]) -> None:
    slow = {}
    for name in LENGTHS:
        path = tmp_path / f"{name}.tif"
        path.write_bytes(chain(*LOOPS[name]))
        for verb, work in verbs.items():
            began = time.monotonic()
            with pytest.raises(ReadError, match=r"points to itself|are a loop of") as caught:
                work(path)
            assert caught.value.reason is Reason.DAMAGED
            if (taken := time.monotonic() - began) > MOST_SECONDS:
                slow[name, verb] = taken
    assert slow == {}
