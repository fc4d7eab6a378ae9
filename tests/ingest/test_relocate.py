"""`Index.relocate`: what it checks, what it rewrites, and when it refuses."""

import os
import shutil

import pytest

from dedupindex import SettingsError
from dedupindex.ingest import relocate as relocating
from tests.ingest.inline import on_disk, opened, places
from tests.pictures import picture, save


@pytest.fixture
def index(catalogue, tmp_path):
    with opened(catalogue(tmp_path / "p.db")) as made:
        yield made


@pytest.fixture
def moved(index, library):
    """A catalogue of a library that was renamed since."""
    index.ingest([library])
    return index, library, library.rename(library.with_name("bob"))


def test_every_place_gets_the_new_path_and_nothing_is_read(moved):
    index, old, new = moved
    summary = index.relocate(old, new)
    assert (summary.moved, summary.read, summary.places) == (6, 0, 6)
    assert (summary.changed, summary.gone) == ((), ())
    assert places(index) == on_disk(new)
    assert [failure.path for failure in index.failures()] == [new / "broken.jpg"]
    assert [root.path for root in index.roots()] == [new]
    assert index.runs(limit=1)[0].kind == "relocate"
    again = index.ingest([new])
    assert (again.unchanged, again.read, again.missing) == (7, 0, 0)


def test_a_dry_run_writes_nothing(moved):
    index, old, new = moved
    before, generation = places(index), index.generation
    summary = index.relocate(old, new, dry_run=True)
    assert (summary.run_id, summary.moved, summary.places) == (0, 6, 6)
    assert (places(index), index.generation) == (before, generation)


def test_bytes_are_compared_where_time_or_inode_differ(index, library):
    index.ingest([library])
    new = library.with_name("bob")
    shutil.copytree(library, new)
    os.utime(new / "1.png")
    save(new / "2019" / "2.png", picture(30))
    (new / "2019" / "3.png").unlink()
    shutil.rmtree(library)
    summary = index.relocate(library, new)
    assert (summary.moved, summary.read) == (4, 4)
    assert summary.changed == (new / "2019" / "2.png",)
    assert summary.gone == (new / "2019" / "3.png",)
    assert {path for path, _, _ in places(index, missing=True)} == {str(new / "2019" / "3.png")}
    later = index.ingest([new])
    assert (later.read, later.added) == (2, 1)  # the changed one, and the broken one, whose inode is another
    assert places(index) == on_disk(new)


def test_files_that_are_still_there_are_refused(moved):
    index, old, new = moved
    old.mkdir()
    shutil.copy2(new / "1.png", old / "1.png")
    before = places(index)
    with pytest.raises(SettingsError, match=r"1\.png is still there"):
        index.relocate(old, new)
    assert places(index) == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("nowhere", "bob", "knows nothing at or below"),
        ("alice", "nowhere", "none of the 6 files"),
        ("alice", "alice", "one is the other"),
        ("alice", "alice/2019", "lies inside it"),
        ("alice/2019", "alice", "lies inside it"),
    ],
)
def test_what_has_no_meaning_is_refused(moved, tmp_path, old, new, words):
    index, *_ = moved
    before, generation = places(index), index.generation
    with pytest.raises(SettingsError, match=words):
        index.relocate(tmp_path / old, tmp_path / new)
    assert (places(index), index.generation) == (before, generation)


def test_a_failure_in_the_middle_changes_nothing(moved, monkeypatch):
    index, old, new = moved
    before = places(index)

    def fail(*_):
        raise OSError("no more")

    monkeypatch.setattr(relocating, "rename_roots", fail)
    with pytest.raises(OSError, match="no more"):
        index.relocate(old, new)
    assert places(index) == before
    monkeypatch.undo()
    assert index.relocate(old, new).moved == 6


def test_a_library_that_was_scanned_at_both_places(index, library):
    """Places that are known at the new place already are joined with the old ones."""
    index.ingest([library])
    new = library.with_name("bob")
    shutil.copytree(library, new)
    index.ingest([new])
    assert len(places(index)) == 12
    shutil.rmtree(library)
    index.relocate(library, new)
    assert places(index) == on_disk(new)
    assert places(index, missing=True) == set()
    assert len(index.failures()) == 1


def test_another_picture_at_the_new_place_stays(moved):
    index, old, new = moved
    save(new / "1.png", picture(40))
    index.ingest([new / "1.png"])
    summary = index.relocate(old, new)
    assert summary.changed == (new / "1.png",)
    assert places(index) == on_disk(new)
    assert {path for path, _, _ in places(index, missing=True)} == {str(old / "1.png")}


def test_a_volume_that_is_plugged_in(tmp_path, library):
    with opened(tmp_path / "theirs.db") as theirs:
        theirs.ingest([library])
    with opened(tmp_path / "ours.db") as ours:
        ours.merge(tmp_path / "theirs.db", volume="laptop")
        here = library.rename(tmp_path / "laptop")
        summary = ours.relocate(f"laptop:{library}", here)
        assert (summary.moved, summary.gone) == (6, ())
        assert places(ours) == on_disk(here)


def test_snapshots_do_not_take_a_move_for_a_change(tmp_path, library):
    with opened(tmp_path / "p.db", workers=1) as index:
        index.ingest([library])
        run = index.find_duplicates().run_id
        new = library.rename(library.with_name("bob"))
        index.relocate(library, new)
        assert index.report(since=run, find=False).changes == ()
        [group] = index.report(find=False).groups
        assert [place.path for place in group.members[0].image.locations] == [new / "0.png", new / "2019" / "again.png"]
