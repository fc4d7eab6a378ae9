"""A file whose directories point to one another is refused by every verb that reads files, in a worker with limits."""

from __future__ import annotations

import pytest

from tests.pictures import picture, save
from tests.sources.test_directories import LOOPS, chain


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    for name in ("chain of 5", "SubIFDs of 2"):
        (tmp_path / "in" / f"{name}.tif").write_bytes(chain(*LOOPS[name]))
    return tmp_path


def test_every_verb_refuses_a_loop(folder, run):
    done = run("ingest", "in", cwd=folder, code=1)
    assert done.stderr.count("a loop of 5") == 1
    assert done.stderr.count("a loop of 2") == 1
    for arguments, code in (("info",), 2), (("compare", "in/a.png"), 2), (("query",), 1):
        done = run(*arguments, "in/chain of 5.tif", cwd=folder, code=code)
        assert "a loop of 5" in done.stderr
        assert "a loop" not in done.stdout
