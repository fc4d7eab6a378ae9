"""What is left out: folders that were set aside, with any name, and under a new name of the folder above."""

from pathlib import Path

import pytest

from dedupindex.groups import roots
from dedupindex.ingest import exclusions
from dedupindex.records.roots import Root
from dedupindex.sources.files import walk
from dedupindex.sources.scope import Scope
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema


@pytest.fixture
def database(catalogue, tmp_path):
    made = Database(catalogue(tmp_path / "p.db"), create=True)
    prepare_schema(made, create=True)
    yield made
    made.close()


NAMES = ["dups", "#dups", "!dups", "d*ps", "d?ps", "[d]ups", "back\\slash", " lead", "trail ", "**", "a b", "caf\udce9"]


@pytest.mark.parametrize("name", NAMES)
def test_the_folder_and_only_it_is_left_out(tmp_path, name):
    folder = tmp_path / "root" / name
    folder.mkdir(parents=True)
    others = [tmp_path / "root" / "dXps", tmp_path / "root" / "deep" / name, tmp_path / "root" / "d" / "x"]
    for other in (folder, *others):
        other.mkdir(parents=True, exist_ok=True)
        (other / "a.png").write_bytes(b"x")
    patterns = exclusions.with_aside({}, [folder])
    assert set(patterns) == {tmp_path / "root"}
    taken = {entry.path.parent for entry in walk([tmp_path], scope=Scope(patterns=patterns)) if hasattr(entry, "size")}
    assert taken == set(others)


def test_a_pattern_does_not_take_it_in_again(tmp_path):
    (tmp_path / "root" / "dups").mkdir(parents=True)
    (tmp_path / "root" / "dups" / "a.png").write_bytes(b"x")
    patterns = exclusions.with_aside({tmp_path / "root": ("*.tmp", "!dups/")}, [tmp_path / "root" / "dups"])
    assert not any(hasattr(entry, "size") for entry in walk([tmp_path / "root"], scope=Scope(patterns=patterns)))


@pytest.mark.parametrize(
    ("folder", "root"),
    [("/r/x/dups", "/r/x"), ("/r/x/y/dups", "/r/x/y"), ("/r/x", None), ("/other", None), ("/r/xdups", None)],
)
def test_only_folders_inside_of_a_root_are_set_aside(database, folder, root):
    with database.write() as connection:
        roots.remember(connection, [Root(Path("/r/x")), Root(Path("/r/x/y"))])
    for _ in range(2):
        assert exclusions.leave_out(database, Path(folder)) == (None if root is None else Path(root))
    with database.read() as connection:
        assert exclusions.set_aside(connection) == (() if root is None else (Path(folder),))


def test_what_is_left_out_gets_the_new_name(database):
    old, new = Path("/r/old"), Path("/r/new")
    with database.write() as connection:
        exclusions.remember(connection, {old: ("a",), old / "s": ("b",), Path("/r/older"): ("c",)})
        exclusions.keep_aside(connection, [old / "dups", Path("/r/dups")])
        exclusions.rename(connection, lambda path: new / path.relative_to(old) if path.is_relative_to(old) else path)
    with database.read() as connection:
        assert exclusions.remembered(connection) == {new: ("a",), new / "s": ("b",), Path("/r/older"): ("c",)}
        assert set(exclusions.set_aside(connection)) == {new / "dups", Path("/r/dups")}
