import contextlib
import json
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

import dedupindex
from dedupindex import (
    Index,
    IndexNotFoundError,
    ReadError,
    Settings,
    SettingsError,
    SettingsMismatchError,
    StoreError,
)
from tests.pictures import half, make_tree, picture, save

pytestmark = pytest.mark.usefixtures("remembered")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("tree") / "pictures")


@pytest.fixture(scope="module")
def path(tree, tmp_path_factory):
    """A filled database that the tests only read."""
    made = tmp_path_factory.mktemp("index") / "p.db"
    with Index.open(made, create=True, workers=1) as index:
        index.ingest([tree])
        index.find_duplicates()
    return made


@pytest.fixture
def index(path):
    with Index.open(path, workers=1, read_only=True) as opened:
        yield opened


# ------------------------------------------------------------------------------------------------------ opening
def test_opening_what_is_not_there(tmp_path):
    with pytest.raises(IndexNotFoundError):
        Index.open(tmp_path / "no.db")
    assert not (tmp_path / "no.db").exists()
    with pytest.raises(SettingsError):
        Index.open(tmp_path / "no.db", create=True, read_only=True)


def test_opening_by_url(path):
    with Index.open(f"sqlite:///{path}", read_only=True) as index:
        assert index.path == path
        assert index.info()["images"] == 9


def test_stored_settings_are_taken_over(tmp_path):
    with Index.open(tmp_path / "a.db", create=True, trim_borders=False, no_data=(7.0,), workers=1):
        pass
    with Index.open(tmp_path / "a.db", threshold=0.7) as index:
        assert index.settings.trim_borders is False
        assert index.settings.no_data == (7.0,)
        assert index.settings.threshold == 0.7


def test_other_shaping_settings_are_refused_with_the_mending_command(path):
    with pytest.raises(SettingsMismatchError, match=r"scaling 'auto' -> 'minmax'.*rebuild --describe"):
        Index.open(path, scaling="minmax")
    with pytest.raises(SettingsMismatchError):
        Index.open(path, settings=Settings(erode_mask=2))
    with pytest.raises(SettingsError, match="not both"):
        Index.open(path, settings=Settings(), erode_mask=2)
    with Index.open(path, settings=Settings(workers=1, radius=0.5)) as index:
        assert index.settings.radius == 0.5


def test_the_environment_counts_as_asked_for(path, monkeypatch):
    monkeypatch.setenv("DEDUPINDEX_THRESHOLD", "0.9")
    with Index.open(path) as index:
        assert index.settings.threshold == 0.9
    monkeypatch.setenv("DEDUPINDEX_PROFILE", "fast")
    with pytest.raises(SettingsMismatchError, match="profile"):
        Index.open(path)


def test_describing_again_with_other_settings(tree, tmp_path):
    made = tmp_path / "a.db"
    with Index.open(made, create=True, workers=1) as index:
        index.ingest([tree])
        index.find_duplicates()
        before = index.features_of(index.image_at(tree / "p0.png").id)
    with Index.open(made, profile="fast", workers=1, allow_mismatch=True) as index:
        for refused in (index.find_duplicates, lambda: index.ingest([tree]), lambda: index.query(tree / "p0.png")):
            with pytest.raises(SettingsMismatchError):
                refused()
        assert index.rebuild(describe=True) == []
        assert index.check(deep=True) == []
        assert index.info()["unsearched"] == 9
        assert index.pairs() == []
        assert index.ingest([tree]).read == 0
        after = index.features_of(index.image_at(tree / "p0.png").id)
        assert len(before.keypoints) > len(after.keypoints) == 0
    with Index.open(made, workers=1) as index:
        assert index.settings.profile == "fast"


def test_describing_again_leaves_images_whose_file_is_gone(tree, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.png", picture(2))
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
    data = (tmp_path / "in" / "a.png").read_bytes()
    (tmp_path / "in" / "a.png").unlink()
    with Index.open(tmp_path / "a.db", erode_mask=1, workers=1, allow_mismatch=True) as index:
        assert [f.path.name for f in index.rebuild(describe=True)] == ["a.png"]
        assert {p.code for p in index.check()} == {"images_without_features", "no_descriptor"}
        assert index.find_duplicates().searched == 1
        (tmp_path / "in" / "copy.png").write_bytes(data)
        index.ingest([tmp_path / "in"])
        assert index.check() == []
        assert index.info()["images"] == 2
        assert index.find_duplicates().searched == 1


def test_a_closed_database_folds_its_log(tmp_path):
    with Index.open(tmp_path / "a.db", create=True):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["a.db"]


# ----------------------------------------------------------------------------------------------------- querying
def test_query_by_file_finds_copies_best_first(index, tree):
    found = index.query(tree / "copies" / "small1.jpg")
    assert found[0].relation == "same_bytes"
    assert found[0].distance == 0.0
    assert {m.path.name for m in found} == {"small1.jpg", "same1.png"}
    assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
    assert len(index.query(tree / "copies" / "small1.jpg", limit=1)) == 1


def test_query_by_array(index):
    pixels = picture(1)
    [same, small] = index.query(pixels)
    assert same.relation == "same_pixels"
    assert small.path.name == "small1.jpg"
    assert index.query(picture(123)) == []
    noisy = pixels.astype(np.float32) / 255
    noisy[:20, :30] = np.nan
    assert {m.path.name for m in index.query(noisy)} == {"same1.png", "small1.jpg"}


@pytest.mark.parametrize("bad", [np.zeros(5), np.zeros((4, 4, 2)), np.zeros((0, 4)), np.full((4, 4), np.nan)])
def test_arrays_that_are_no_picture(index, bad):
    with pytest.raises(ValueError, match="pixel"):
        index.query(bad)
    with pytest.raises(TypeError, match="real"):
        index.query(np.zeros((4, 4), complex))


def test_query_of_a_frame(index, tmp_path):
    frames = [Image.fromarray(half(picture(n))) for n in (50, 1)]
    frames[0].save(tmp_path / "two.tif", save_all=True, append_images=frames[1:])
    assert index.query(tmp_path / "two.tif") == []
    assert "same1.png" in {m.path.name for m in index.query(f"{tmp_path / 'two.tif'}#frame=1")}


def test_query_of_a_broken_file_is_an_error(index, tree):
    with pytest.raises(ReadError, match=r"broken\.jpg"):
        index.query(tree / "broken.jpg")
    with pytest.raises(ReadError):
        index.query(tree / "nothing.jpg")


def test_a_single_path_is_not_taken_for_letters(tmp_path):
    with Index.open(tmp_path / "a.db", create=True) as index, pytest.raises(TypeError, match="sequence"):
        index.ingest("pictures")


# ---------------------------------------------------------------------------------------------------- reporting
def test_report(index):
    report = index.report()
    assert len(report.groups) == 2
    assert [len(g.members) for g in report.groups] == [2, 2]
    first = report.groups[0]
    assert first.members[0].relation == "representative"
    assert first.members[0].image.format == "PNG"
    assert [group.members[0].path.name for group in report.groups] == ["p0.png", "p1.png"]
    assert first.weakest.verification.score == min(p.verification.score for p in first.pairs)
    assert (report.images, report.locations, len(report.failures)) == (9, 11, 1)
    assert report.run.kind == "duplicates"
    assert index.report(min_score=1.01).pairs == ()


def test_report_since_last_tells_what_is_new(tree, tmp_path):
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tree])
        assert len(index.report(since="last").groups) == 2  # searches first
        save(tmp_path / "more" / "n.jpg", half(picture(3)), quality=90)
        index.ingest([tmp_path / "more"])
        [group] = index.report(since="last").groups
        assert {m.path.name for m in group.members} == {"n.jpg", "p3.png"}
        assert len(index.report().groups) == 3
        assert index.report(since=index.runs()[0].id).changes == ()
        with pytest.raises(SettingsError, match="no run 1000000"):
            index.report(since=10**6)
        with pytest.raises(SettingsError, match="yesterday"):
            index.report(since="yesterday")


def test_vanished_copies_leave_the_report(tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.jpg", half(picture(1)))
    save(tmp_path / "in" / "c.png", picture(1))
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        [group] = index.report().groups
        assert len(group.members) == 2
        assert len(group.members[0].image.locations) == 2
        (tmp_path / "in" / "b.jpg").unlink()
        index.ingest([tmp_path / "in"])
        [group] = index.report().groups  # one image at two places
        assert (len(group.members), group.weakest) == (1, None)
        (tmp_path / "in" / "c.png").unlink()
        index.ingest([tmp_path / "in"])
        assert index.report().groups == ()
        assert index.query(picture(1))[0].path.name == "a.png"


def test_looking_around(index, tree):
    assert index.image_at(tree / "p0.png").width == 160
    assert index.image_at(tree / "p99.png") is None
    assert len(list(index.images())) == 9
    assert [f.path.name for f in index.failures()] == ["broken.jpg"]
    assert index.features_of(index.image_at(tree / "p0.png").id).descriptor.shape == (384,)
    with pytest.raises(KeyError):
        index.features_of(10**6)
    assert index.check(deep=True) == []
    assert [run.kind for run in index.runs()] == ["duplicates", "ingest"]
    assert json.loads(json.dumps(index.info()))["pairs"] == 2


def test_deep_check_reads_the_files(tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.png", picture(2))
    save(tmp_path / "in" / "c.png", picture(3))
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        (tmp_path / "in" / "a.png").unlink()
        save(tmp_path / "in" / "b.png", picture(4))
        image = index.image_at(tmp_path / "in" / "c.png").id
        index.close()
        with sqlite3.connect(tmp_path / "a.db") as raw:
            raw.execute("update feature set data = x'00' where name = 'thumbnail' and image_id = ?", (image,))
        raw.close()
        assert index.check() == []
        assert {p.code for p in index.check(deep=True)} == {"file_missing", "file_changed", "damaged_feature"}


def test_read_only_writes_nothing(path, tree):
    before = path.read_bytes()
    with Index.open(path, read_only=True, workers=1) as index:
        index.report()
        index.query(tree / "p0.png")
        with pytest.raises(StoreError, match="read-only"):
            index.ingest([tree])
    assert path.read_bytes() == before


def test_queries_while_another_thread_ingests(tree, tmp_path):
    errors: list[BaseException] = []
    with Index.open(tmp_path / "a.db", create=True, workers=1, batch=2) as index:

        def ask() -> None:
            try:
                for _ in range(6):
                    index.query(picture(1))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        index.ingest([tree])
        index.find_duplicates()
        for thread in threads:
            thread.join()
        assert errors == []
        assert index.query(picture(1))[0].relation == "same_pixels"


def test_backup_opens(index, tmp_path):
    index.backup(tmp_path / "copy.db")
    with Index.open(tmp_path / "copy.db") as copy:
        assert copy.info()["images"] == 9
        assert copy.check() == []


class Watcher:
    def __init__(self) -> None:
        self.said: list[tuple[str, object]] = []

    def start(self, total, what):
        self.said.append((what, total))

    def advance(self, n):
        self.said.append(("advance", n))

    def fail(self, n):
        self.said.append(("fail", n))

    def finish(self):
        self.said.append(("finish", None))


def test_progress_is_told(tree, tmp_path):
    watcher = Watcher()
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tree], progress=watcher)
        assert watcher.said[0] == ("ingest", None)
        assert sum(n for what, n in watcher.said if what == "advance") == 12
        assert ("fail", 1) in watcher.said
        watcher.said.clear()
        index.find_duplicates(watcher)
        assert watcher.said[0] == ("duplicates", 9)
        assert watcher.said[-1] == ("finish", None)


def test_version_and_help_do_not_load_the_heavy_rooms():
    code = "import sys, dedupindex; dedupindex.__version__; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert set(dir(dedupindex)) >= {"Index", "Settings", "Verification"}


def test_a_database_from_before_a_setting_existed_is_refused_and_mended(tree, tmp_path):
    made = tmp_path / "a.db"
    with Index.open(made, create=True, workers=1) as index:
        index.ingest([tree / "p0.png"])
    with contextlib.closing(sqlite3.connect(made)) as connection:
        [(text,)] = connection.execute("SELECT value FROM meta WHERE key = 'settings'").fetchall()
        settings = json.loads(text)
        del settings["erode_mask"]
        connection.execute("UPDATE meta SET value = ? WHERE key = 'settings'", [json.dumps(settings)])
        connection.execute("UPDATE meta SET value = 'other' WHERE key = 'fingerprint'")
        connection.commit()
    with pytest.raises(SettingsMismatchError, match=r"erode_mask None -> 0.*rebuild --describe"):
        Index.open(made, workers=1)
    with Index.open(made, workers=1, allow_mismatch=True) as index:
        assert index.rebuild(describe=True) == []
    with Index.open(made, workers=1) as index:
        assert index.check() == []
