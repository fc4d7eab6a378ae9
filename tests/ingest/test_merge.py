import dataclasses
import random
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from dedupindex import Index, IndexNotFoundError, SettingsError, SettingsMismatchError, SourceList
from dedupindex.ingest import merge as merging
from dedupindex.places import text_of
from tests.pictures import half, picture, save

pytestmark = pytest.mark.usefixtures("remembered")


def fill(root):
    """Pictures in two folders: copies within and across, crops of a small one, frames, failures."""
    for number in range(5):
        pixels = picture(number)
        save(root / "ab"[number % 2] / f"p{number}.png", pixels)
        save(root / "ab"[(number // 2) % 2] / f"small{number}.jpg", half(pixels), quality=80)
    for side in "ab":
        save(root / side / "crop.png", picture(0)[10:110, 15:150])
        save(root / side / "both.png", picture(20))
        save(root / side / "blank.png", np.full((40, 50, 3), 255, np.uint8))
        (root / side / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more " + side.encode())
    np.save(root / "b" / "stack.npy", np.stack([picture(30)[..., 0], picture(31)[..., 0]]))
    return root / "a", root / "b"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folders; catalogues of each, searched and not; and what one catalogue of both says."""
    root = tmp_path_factory.mktemp("made")
    folders = fill(root / "tree")
    for name, folder in zip("ab", folders, strict=True):
        with filled(root / "dbs" / f"{name}_new.db", folder, report=False) as index:
            index.backup(root / "dbs" / f"{name}.db")
        with Index.open(root / "dbs" / f"{name}.db", workers=1) as index:
            index.find_duplicates()
    with filled(root / "one.db", *folders) as one:
        return folders, root / "dbs", facts(one)


@pytest.fixture
def dbs(made, tmp_path):
    """Copies of the catalogues of the two folders; the folders are everybody's."""
    return shutil.copytree(made[1], tmp_path / "dbs")


@pytest.fixture
def expected(made):
    return made[2]


@pytest.fixture
def ours(dbs):
    with Index.open(dbs / "a.db", workers=1) as index:
        yield index


@pytest.fixture
def folders(tmp_path):
    """Folders of one's own."""
    return fill(tmp_path / "tree")


def filled(path, *folders, report=True):
    path.parent.mkdir(exist_ok=True)
    index = Index.open(path, create=True, workers=1)
    index.ingest(folders)
    if report:
        index.find_duplicates()
    return index


def facts(index, volume=""):
    """All that must not depend on how the catalogue came about."""
    report = index.report()
    pairs = sorted((p.a.key, p.b.key, dataclasses.astuple(p.verification)) for p in index.pairs())
    groups = sorted(sorted(member.image.key for member in group.members) for group in report.groups)
    places = sorted(
        (text_of(place.path).removeprefix(volume), place.frame, image.key, place.size, place.mtime_ns, place.missing)
        for image in index.images()
        for place in image.locations
    )
    features = {image.key: index.features_of(image.id).descriptor.tobytes() for image in index.images()}
    failures = sorted((text_of(f.path).removeprefix(volume), f.reason) for f in index.failures())
    return pairs, groups, places, features, failures


@pytest.mark.parametrize(
    ("a", "b", "volume"), [("a", "b", ""), ("a", "b", "laptop"), ("a_new", "b", ""), ("a", "b_new", "laptop")]
)
def test_merged_catalogues_equal_one_of_both_folders(dbs, expected, a, b, volume):
    with Index.open(dbs / f"{a}.db", workers=1) as ours:
        summary = ours.merge(dbs / f"{b}.db", volume=volume)
        assert (summary.images, summary.known) == (6, 3)  # both.png, crop.png, blank.png are in both
        assert facts(ours, f"{volume}:" if volume else "") == expected
        assert len(expected[0]) > 5
        assert ours.check(deep=True) == []


def test_random_halves(made, tmp_path):
    files = sorted(path for folder in made[0] for path in folder.glob("*.*g"))
    rng = random.Random(5)
    for path in files:
        target = tmp_path / rng.choice("xy") / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    filled(tmp_path / "y.db", tmp_path / "y").close()
    x, y = tmp_path / "x", tmp_path / "y"
    with filled(tmp_path / "one.db", x, y) as one, filled(tmp_path / "x.db", x) as ours:
        ours.merge(tmp_path / "y.db")
        assert facts(ours) == facts(one)


def test_merging_again_changes_nothing(dbs, ours):
    for _ in range(2):
        ours.merge(dbs / "b.db", volume="old")
    before = facts(ours)
    summary = ours.merge(dbs / "b.db", volume="old")
    numbers = (summary.images, summary.places, summary.missing, summary.pairs, summary.decisions)
    assert numbers == (0, 0, 0, 0, 0)
    assert facts(ours) == before
    assert ours.runs(limit=1)[0].kind == "merge"


def test_a_later_state_brings_the_volume_up_to_date(folders, tmp_path):
    with filled(tmp_path / "a.db", folders[0]) as ours, filled(tmp_path / "b.db", folders[1]) as theirs:
        ours.merge(tmp_path / "b.db", volume="old")
        (folders[1] / "p1.png").unlink()
        save(folders[1] / "p3.png", picture(50))
        save(folders[1] / "new.png", picture(51))
        (folders[1] / "small2.jpg").replace(folders[1] / "moved.jpg")
        np.save(folders[1] / "stack.npy", picture(32)[None, ..., 0])
        (folders[1] / "broken.jpg").unlink()
        theirs.ingest([folders[1]])
        theirs.find_duplicates()
        theirs.forget([folders[1] / "both.png"])
        summary = ours.merge(tmp_path / "b.db", volume="old")
        assert summary.missing == 1  # what the other catalogue forgot; what it knows to be missing it says itself
        places = {
            (text_of(place.path), place.frame): (image.key, place.missing)
            for image in ours.images()
            for place in image.locations
            if text_of(place.path).startswith("old:")
        }
        named = {(path.rpartition("/")[2], frame): missing for (path, frame), (_, missing) in places.items()}
        assert [name for name, missing in sorted(named.items()) if missing] == [
            ("both.png", 0),
            ("p1.png", 0),
            ("small2.jpg", 0),
        ]
        assert ("stack.npy", 1) not in named
        assert not named["moved.jpg", 0]
        theirs_now = {
            (f"old:{place.path}", place.frame): (image.key, place.missing)
            for image in theirs.images()
            for place in image.locations
        }
        assert {place: what for place, what in places.items() if not place[0].endswith("both.png")} == theirs_now
        assert [text_of(f.path) for f in ours.failures()] == [str(folders[0] / "broken.jpg")]
        [match, *_] = ours.query(picture(51))
        assert text_of(match.path) == f"old:{folders[1]}/new.png"


def test_of_two_states_of_one_place_the_later_counts_whichever_is_merged_into_which(folders, tmp_path):
    folder = folders[0]
    with filled(tmp_path / "early.db", folder) as early:
        save(folder / "p0.png", picture(60))
        (folder / "p2.png").unlink()
        with filled(tmp_path / "late.db", folder) as late:
            path = folder / "p0.png"
            late.merge(tmp_path / "early.db")
            early.merge(tmp_path / "late.db")
            assert early.image_at(path).key == late.image_at(path).key
            [match] = early.query(picture(60), limit=1)
            assert match.path == path
            later = early.ingest([folder])
            assert (later.read, later.missing) == (0, 1)


def test_decisions_come_along_and_the_later_counts(dbs, ours, made):
    a, b = made[0]
    with Index.open(dbs / "b.db", workers=1) as theirs:
        ours.decide("keeper", [a / "both.png"], "ours")
        theirs.decide("keeper", [b / "both.png"], "theirs")
        theirs.decide("not-duplicate", [b / "p1.png", b / "p3.png"])
    assert ours.merge(dbs / "b.db").decisions == 2
    assert {d.note for d in ours.decisions() if d.kind == "keeper"} == {"theirs"}


def test_labels_come_along(ours, made, tmp_path):
    (tmp_path / "l.csv").write_text(f"id,path\nX1,{made[0][1]}/p1.png\n")
    with Index.open(tmp_path / "b.db", create=True, workers=1) as theirs:
        theirs.ingest(lists=[SourceList(tmp_path / "l.csv", id_column="id")])
    ours.merge(tmp_path / "b.db", volume="shop")
    assert ours.image_at(f"shop:{made[0][1]}/p1.png").locations[0].label == "X1"


def test_an_interrupted_merge_is_gone_on_with(dbs, ours, expected, monkeypatch):
    monkeypatch.setattr(merging, "BATCH", 3)
    for stage in ("_places", "_failures", "_pairs"):
        with monkeypatch.context() as patched:
            patched.setattr(merging, stage, lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                ours.merge(dbs / "b.db")
    ours.merge(dbs / "b.db")
    assert facts(ours) == expected


def test_pairs_of_another_rule_are_left_to_be_found_again(dbs, ours, expected, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(merging, "VERSION", "other")
        summary = ours.merge(dbs / "b.db")
    assert (summary.pairs, summary.pairs_left > 0) == (0, True)
    assert facts(ours) == expected


def test_what_cannot_be_merged(dbs, ours, tmp_path):
    Index.open(tmp_path / "other.db", create=True, workers=1, filters="median:3").close()
    with pytest.raises(SettingsMismatchError, match="rebuild --describe"):
        ours.merge(tmp_path / "other.db")
    with pytest.raises(SettingsError, match="into which"):
        ours.merge(dbs / "a.db")
    with pytest.raises(IndexNotFoundError):
        ours.merge(tmp_path / "none.db")
    Index.open(tmp_path / "empty.db", create=True).close()
    with pytest.raises(SettingsError, match="cannot be the name"):
        ours.merge(tmp_path / "empty.db", volume="s3")
    assert ours.merge(tmp_path / "empty.db").images == 0


def test_damaged_features_are_left_out(dbs, tmp_path):
    with closing(sqlite3.connect(dbs / "b.db")) as connection, connection:
        connection.execute("UPDATE feature SET data = zeroblob(9) WHERE image_id = 2 AND name = 'descriptor'")
    with Index.open(tmp_path / "c.db", create=True, workers=1) as ours:
        summary = ours.merge(dbs / "b.db")
        assert (summary.undescribed, summary.images) == (1, 8)
        assert ours.check() == []
