"""Bombs of every kind of container and of every format with a package of its own, within the limits as they are."""

import sys

import pytest

from tests.reliability.container_bombs import make_all
from tests.reliability.test_bombs import ingest

MOST_SECONDS, MOST_MEMORY = 30.0, 600  # all of them together: computing time; resident in any process, MB
HARMLESS = {"page.pdf", "embedded.pdf", "clip.mp4"}  # a page is drawn small, a picture in a page is left out


@pytest.mark.skipif(sys.platform != "linux", reason="units of ru_maxrss")
def test_bombs_of_each_kind_are_refused(tmp_path):
    for package in ("py7zr", "zstandard", "pypdfium2", "av", "resvg_py", "imagecodecs", "rawpy", "pillow_heif"):
        pytest.importorskip(package)
    folder = tmp_path / "bombs"
    folder.mkdir()
    bombs = make_all(folder)
    assert all(path.stat().st_size < 2_000_000 for path in bombs)
    found = ingest(tmp_path / "a.db", bombs)
    streams = {path.name for path in bombs if path.name.startswith("stream.")}
    names = {path.name for path in bombs if not path.name.startswith("member.")} - HARMLESS
    assert set(found["failed"]) == names | {"a.jpg"}  # the member of a zip, a 7z, a tar
    assert found["reasons"].count("too_large") == len(found["reasons"]) - 1
    assert found["failed"]["laughs.svg"] == "damaged"  # its entities are not allowed at all
    assert len(found["reasons"]) == len(bombs) - len(HARMLESS) + len(streams)  # a compressed tar, and its member
    assert found["added"] == len(HARMLESS)
    assert found["seconds"] <= MOST_SECONDS
    assert max(found["memory"], found["parent"]) <= MOST_MEMORY
