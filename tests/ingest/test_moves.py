"""Renamed, remounted and reorganised libraries: what the catalogue holds after the next ingest."""

import dataclasses
import os
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedupindex.groups import roots
from dedupindex.ingest import moves
from dedupindex.ingest.recognition import is_same_file
from dedupindex.records.roots import Move
from dedupindex.store import catalog
from dedupindex.store.rows import FileState
from tests.ingest.inline import on_disk, opened, places
from tests.pictures import picture, save

pytestmark = pytest.mark.usefixtures("remembered")


@pytest.fixture
def index(catalogue, tmp_path):
    with opened(catalogue(tmp_path / "p.db")) as made:
        yield made


def location_ids(index):
    with index._database.read() as connection:
        return {
            place: number
            for image in index.images()
            for number in roots.catalog_locations.places_of(connection, [image.id])
            for place in [number.path]
        }


def test_a_renamed_library_is_not_read_and_its_places_move(index, library):
    index.ingest([library])
    before = {path.relative_to(library): (row.id, row.label) for path, row in location_ids(index).items()}
    bob = library.rename(library.with_name("bob"))
    summary = index.ingest([bob])
    assert (summary.recognised, summary.known, summary.added, summary.missing) == (6, 0, 0, 0)
    assert summary.read == 1  # the broken one
    assert summary.bytes_read < 100
    assert summary.moved == (Move(library, bob, 6, 6),)
    assert places(index) == on_disk(bob)
    assert places(index, missing=True) == set()
    after = {path.relative_to(bob): (row.id, row.label) for path, row in location_ids(index).items()}
    assert after == before  # rewritten, not written anew
    assert [failure.path for failure in index.failures()] == [bob / "broken.jpg"]
    assert [root.path for root in index.roots()] == [bob]
    again = index.ingest([bob])
    assert (again.unchanged, again.read, again.recognised, again.moved) == (7, 0, 0, ())


def test_a_library_that_was_copied_elsewhere_is_compared_by_its_bytes(index, library):
    index.ingest([library])
    bob = library.with_name("bob")
    shutil.copytree(library, bob)  # times as before, other inodes
    shutil.rmtree(library)
    summary = index.ingest([bob])
    assert (summary.recognised, summary.read) == (6, 1)
    assert summary.bytes_read >= sum(path.stat().st_size for path in bob.rglob("*.png"))
    assert places(index) == on_disk(bob)


def test_a_file_of_the_same_name_size_and_time_but_other_content_is_decoded(index, tmp_path):
    root = tmp_path / "alice"
    first, second = (save(root / f"{number}.bmp", picture(number)) for number in range(2))
    assert first.stat().st_size == second.stat().st_size
    for path in (first, second):
        os.utime(path, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))
    index.ingest([root])
    bob = tmp_path / "bob"
    bob.mkdir()
    for name, other in (("0.bmp", second), ("1.bmp", first)):  # exchanged
        shutil.copy2(other, bob / name)
    save(bob / "0.bmp", picture(7))
    os.utime(bob / "0.bmp", ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))
    shutil.rmtree(root)
    summary = index.ingest([bob])
    assert (summary.recognised, summary.read, summary.added) == (0, 2, 1)
    assert places(index) == on_disk(bob)


def test_whole_seconds_are_no_evidence():
    state = FileState(Path("/a/x.jpg"), 10, 1_600_000_000_000_000_000, 3)
    fine = dataclasses.replace(state, mtime_ns=1_600_000_000_123_000_000)
    elsewhere = {"path": Path("/b/x.jpg")}
    assert not is_same_file(dataclasses.replace(state, **elsewhere), state)  # a card of another camera, perhaps
    assert is_same_file(dataclasses.replace(fine, **elsewhere), fine)
    for change in ({"size": 11}, {"inode": 4}, {"mtime_ns": fine.mtime_ns + 1}):
        assert not is_same_file(dataclasses.replace(fine, **elsewhere, **change), fine)
    large = dataclasses.replace(fine, inode=(1 << 64) - 5)
    assert is_same_file(large, dataclasses.replace(large, inode=catalog.signed(large.inode)))  # as it is stored


def test_the_folder_above_was_renamed(index, tmp_path, library):
    outer = tmp_path / "disk"
    outer.mkdir()
    root = library.rename(outer / "pictures")
    (outer / "notes.txt").write_text("more")
    index.ingest([root])
    outer.rename(tmp_path / "other")
    summary = index.ingest([tmp_path / "other" / "pictures"])
    assert (summary.recognised, summary.moved) == (6, (Move(outer, tmp_path / "other", 6, 6),))
    assert [kept.path for kept in index.roots()] == [tmp_path / "other" / "pictures"]
    assert places(index) == on_disk(tmp_path / "other" / "pictures")


def test_what_was_lost_on_the_way_is_missing(index, library):
    index.ingest([library])
    bob = library.rename(library.with_name("bob"))
    (bob / "1.png").unlink()
    (bob / "2019" / "again.png").unlink()
    summary = index.ingest([bob])
    assert (summary.moved, summary.missing) == ((Move(library, bob, 4, 6),), 2)
    assert places(index) == on_disk(bob)
    assert {Path(path) for path, _, _ in places(index, missing=True)} == {
        library / "1.png",
        library / "2019" / "again.png",
    }


def test_a_few_copies_of_a_library_that_is_away_are_no_move(index, library):
    index.ingest([library])
    away = library.rename(library.with_name("unplugged"))
    card = library.with_name("card")
    shutil.copytree(away / "2019", card / "2019", ignore=shutil.ignore_patterns("3.png", "again.png"))
    summary = index.ingest([card])
    assert summary.moved == ()
    assert summary.perhaps_moved == (Move(library, card, 1, 6),)
    assert (summary.recognised, summary.known) == (1, 1)
    away.rename(library)
    assert index.ingest([library]).unchanged == 7
    assert places(index) == on_disk(library) | on_disk(card)


def test_a_mount_point_that_is_empty_may_be_an_unplugged_disk(index, library):
    index.ingest([library])
    copy = library.with_name("copy")
    shutil.copytree(library, copy)
    shutil.rmtree(library)
    library.mkdir()
    summary = index.ingest([copy])
    assert (summary.moved, summary.perhaps_moved) == ((), (Move(library, copy, 6, 6),))
    assert {Path(path) for path, _, _ in places(index)} >= {library / "0.png", copy / "0.png"}


def test_a_disk_that_is_mounted_elsewhere_is_known_by_its_inodes(index, library):
    index.ingest([library])
    elsewhere = library.rename(library.with_name("elsewhere"))
    library.mkdir()
    summary = index.ingest([elsewhere])
    assert summary.moved == (Move(library, elsewhere, 6, 6),)
    assert places(index) == on_disk(elsewhere)


@pytest.mark.parametrize("mount", ["/media", "/run/media", "/mnt", "/Volumes"])
def test_below_a_mount_point_a_copy_is_no_evidence(mount):
    old = _row(1, Path(mount) / "none-such-disk" / "a.jpg", inode=1)
    for inode, moved in ((1, True), (2, False)):
        new = _row(9, Path("/home/me/a.jpg"), inode=inode)
        [(folder, gone)] = moves._gone([old, new], 5, None).items()
        assert folder == Path(mount) if not Path(mount).exists() else folder.is_relative_to(mount)
        assert moves._has_moved(gone, 1) is moved


def test_only_the_machine_that_looked_there_says_that_it_is_gone(tmp_path):
    old, new = _row(1, tmp_path / "none" / "a.jpg", inode=1), _row(9, tmp_path / "a.jpg", inode=1)
    assert list(moves._gone([old, new], 5, [tmp_path])) == [tmp_path]
    assert moves._gone([old, new], 5, [tmp_path / "other"]) == {}
    assert moves._gone([old, new], 5, []) == {}


def _row(number, path, inode):
    return moves.PlaceRow(number, FileState(path, 5, 7, inode), 0, 1, False, None)


def test_folders_that_moved_within_a_root(index, library):
    index.ingest([library])
    (library / "2019").rename(library / "holiday")
    summary = index.ingest([library])
    assert summary.moved == (Move(library / "2019", library / "holiday", 3, 3),)
    assert summary.missing == 0
    assert places(index) == on_disk(library)


def test_single_files_that_were_moved_out_of_a_root(index, library, tmp_path):
    index.ingest([library])
    archive = tmp_path / "archive"
    archive.mkdir()
    for name in ("0.png", "1.png"):
        (library / name).rename(archive / name)
    summary = index.ingest([archive])
    assert summary.moved == (Move(library, archive, 2, 2),)
    assert places(index) == on_disk(archive) | on_disk(library)
    assert [
        group.members for group in index.report(find=False).groups if len(group.members[0].image.locations) < 2
    ] == []


def test_copies_beside_the_original_are_no_move(index, library):
    index.ingest([library])
    copy = library.with_name("copy")
    shutil.copytree(library, copy)
    summary = index.ingest([copy])
    assert (summary.moved, summary.perhaps_moved, summary.recognised, summary.known) == ((), (), 0, 6)
    assert places(index) == on_disk(library) | on_disk(copy)


def test_a_dry_run_counts_and_changes_nothing(index, library):
    index.ingest([library])
    before, generation = places(index), index.generation
    bob = library.rename(library.with_name("bob"))
    summary = index.ingest([bob], dry_run=True)
    assert (summary.recognised, summary.read, summary.moved) == (6, 1, ())
    assert (places(index), index.generation) == (before, generation)


def test_an_interrupted_ingest_is_made_up_for(index, library, monkeypatch):
    index.ingest([library])
    bob = library.rename(library.with_name("bob"))
    with monkeypatch.context() as patch:
        patch.setattr(moves, "follow", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            index.ingest([bob])
    assert len(places(index)) == 12  # at both
    assert index.ingest([bob]).moved == (Move(library, bob, 6, 6),)
    assert places(index) == on_disk(bob)


def _interrupted(*_):
    raise KeyboardInterrupt


def test_what_was_left_out_of_the_old_root_is_left_out_of_the_new_one(tmp_path, library):
    save(library / "cache" / "c.png", picture(9))
    with opened(tmp_path / "p.db", exclude=("cache/",)) as index:
        index.ingest([library])
    with opened(tmp_path / "p.db") as index:
        bob = library.rename(library.with_name("bob"))
        summary = index.ingest([bob])
        assert summary.patterns == {bob: ("cache/",)}
        assert places(index) == on_disk(bob, leave_out=("broken.jpg", "c.png"))
        assert index.ingest([bob]).patterns == {bob: ("cache/",)}


def test_frames_of_a_stack_move_together(index, tmp_path):
    import numpy as np

    (tmp_path / "alice").mkdir()
    np.save(tmp_path / "alice" / "stack.npy", np.stack([picture(number)[..., 0] for number in range(3)]))
    index.ingest([tmp_path / "alice"])
    (tmp_path / "alice").rename(tmp_path / "bob")
    summary = index.ingest([tmp_path / "bob"])
    assert (summary.recognised, summary.read) == (1, 0)
    assert {(Path(path), frame) for path, frame, _ in places(index)} == {
        (tmp_path / "bob" / "stack.npy", frame) for frame in range(3)
    }


def test_images_without_features_are_described_again(index, library):
    from dedupindex.store import catalog_images

    index.ingest([library])
    with index._database.write() as connection:
        catalog_images.drop_features(connection)
    bob = library.rename(library.with_name("bob"))
    summary = index.ingest([bob])
    assert (summary.recognised, summary.read) == (0, 7)
    assert places(index) == on_disk(bob)


CHANGES = st.lists(st.sampled_from(["delete", "move", "copy", "rename folder"]), max_size=5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES, st.integers(0, 1000), st.booleans())
def test_after_a_rename_and_changes_the_catalogue_holds_what_is_there(tmp_path_factory, changes, seed, copied):
    tmp_path = tmp_path_factory.mktemp("moves")
    chance = random.Random(seed)
    old, new = tmp_path / "old", tmp_path / "new"
    for number, name in enumerate(("a.png", "b.png", "s/c.png", "s/t/d.png", "u/e.png", "u/f.png")):
        save(old / name, picture(number % 5, 40, 48))
    with opened(tmp_path / "p.db") as index:
        index.ingest([old])
        if copied:
            shutil.copytree(old, new)
            shutil.rmtree(old)
        else:
            old.rename(new)
        for number, change in enumerate(changes):
            _change(new, change, chance, number)
        known = {key for _, _, key in places(index)}
        left = {key for _, _, key in on_disk(new)}
        index.ingest([new])
        present = {place for place in places(index) if Path(place[0]).is_relative_to(new)}
        assert present == on_disk(new)
        ghosts = places(index) - present
        if len(left) >= len(known):  # everything was found again
            assert not ghosts
        assert all(Path(path).is_relative_to(old) for path, _, _ in ghosts | places(index, missing=True))


def _change(root, change, chance, number):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    folders = sorted(path for path in root.rglob("*") if path.is_dir())
    if change == "delete" and len(files) > 1:
        chance.choice(files).unlink()
    elif change == "move":
        chance.choice(files).rename(root / f"moved{number}.png")
    elif change == "copy":
        shutil.copy2(chance.choice(files), root / f"copy{number}.png")
    elif change == "rename folder" and folders:
        folder = chance.choice(folders)
        folder.rename(folder.with_name(f"folder{number}"))
