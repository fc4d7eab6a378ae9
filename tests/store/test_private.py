"""A database and what lies beside it are for its owner, unless the owner says otherwise."""

import os
import stat
import sys

import pytest

from dedupindex import Index
from dedupindex.upkeep.backup import backup
from tests.pictures import make_tree
from tests.upkeep.test_backup import seal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such rights there")


def rights(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def made(tmp_path):
    tree = make_tree(tmp_path / "pictures", 3)
    before = os.umask(0o022)
    try:
        with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
            index.ingest([tree])
            index.find_duplicates()
            seal(index)
            beside = {path.name: rights(path) for path in tmp_path.iterdir() if path.name.startswith("a.db")}
    finally:
        os.umask(before)
    return tmp_path, beside


def test_nobody_else_reads_a_new_database(made):
    _, beside = made
    assert beside.pop("a.db.vectors") == 0o700
    beside.pop("a.db-lock", None)  # holds no more than the name of a process
    assert beside["a.db"] == 0o600
    assert set(beside.values()) == {0o600}  # its log too


def test_rights_that_were_widened_stay_and_are_those_of_a_backup(made):
    folder, _ = made
    (folder / "a.db").chmod(0o640)
    with Index.open(folder / "a.db", workers=1) as index:
        index.ingest([folder / "pictures"])
    assert rights(folder / "a.db") == 0o640
    backup(folder / "a.db", folder / "b.db")
    assert rights(folder / "b.db") == 0o640
