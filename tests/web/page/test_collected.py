"""What was put into the plan survives the end of the page, whatever bytes a name has, and is nobody else's business."""

import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dedupindex.web.page.collected import Collected

ODD = Path(os.fsdecode(b"/a/\xff\n'\xc3\xa4.jpg"))


@pytest.fixture
def index(tmp_path):
    return SimpleNamespace(beside=lambda tail: tmp_path / f"p.db{tail}")


def test_what_was_collected_is_there_again(index):
    first = Collected(index)
    first.put(["0123456789ab"])
    first.tick([ODD, Path("/a/b.jpg")], goes=False)
    again = Collected(index)
    assert again.groups == {"0123456789ab"}
    assert again.left == {ODD, Path("/a/b.jpg")}
    again.tick([ODD], goes=True)
    assert Collected(index).left == {Path("/a/b.jpg")}


@pytest.mark.skipif(sys.platform == "win32", reason="no such rights there")
def test_nobody_else_reads_it(index):
    Collected(index).put(["0123456789ab"])
    assert stat.S_IMODE(index.beside("-collected.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"left": 3, "groups": [4]}', "[" * 200_000, '{"left": ["\\ud800"]}'])
def test_a_damaged_file_is_as_good_as_none(index, text):
    index.beside("-collected.json").write_text(text)
    collected = Collected(index)
    assert collected.groups == set()
    collected.put(["0123456789ab"])
    assert Collected(index).groups == {"0123456789ab"}
