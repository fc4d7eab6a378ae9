"""Databases that keep hashes and vectors only: the same pairs as others, no pixels, and what needs pixels refused."""

import json
import re
import sqlite3

import pytest

from tests.pictures import half, picture, save
from tests.sources.archives.making import write
from tests.sources.readers import making


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """Pictures, halves of some of them, and one in an archive, scanned into both kinds of database."""
    folder = tmp_path_factory.mktemp("hashes")
    for number in range(5):
        save(folder / "set" / f"{number}.jpg", picture(number, 240, 320), quality=92)
    for number in range(2):
        save(folder / "set" / f"half{number}.png", half(picture(number, 240, 320)))
    write(folder / "set" / "in.zip", [("a/2.jpg", making.encoded(picture(2, 240, 320), quality=80))])
    run("-d", "h.db", "scan", "set", "--hash-only", cwd=folder, code=0)
    run("-d", "n.db", "scan", "set", cwd=folder, code=0)
    return folder


def features(database, *names):
    with sqlite3.connect(database) as connection:
        marks = ", ".join("?" * len(names))
        return connection.execute(f"SELECT data FROM feature WHERE name IN ({marks})", names).fetchall()


def pairs(run, folder, name):
    run("-d", name, "report", "--pairs", f"{name}.csv", cwd=folder, code=0)
    return (folder / f"{name}.csv").read_text()


def test_no_pixel_is_stored(folder):
    stored = features(folder / "h.db", "thumbnail", "colour")
    assert len(stored) == 16
    assert {len(data) for (data,) in stored} == {4}  # height and width
    assert min(len(data) for (data,) in features(folder / "n.db", "thumbnail")) > 1000
    assert features(folder / "h.db", "descriptor", "keypoints", "hashes") == features(
        folder / "n.db", "descriptor", "keypoints", "hashes"
    )


def test_the_pairs_are_the_same(run, folder):
    listed = pairs(run, folder, "h.db")
    assert listed.count("\n") == 4
    without_times = [re.sub(r"\d{4}-\d\d-\d\dT[^,]*", "", text) for text in (listed, pairs(run, folder, "n.db"))]
    assert without_times[0] == without_times[1]
    said = run("-d", "h.db", "query", "set/half1.png", cwd=folder, code=0).stdout
    assert "set/1.jpg" in said
    assert "all is well" in run("-d", "h.db", "check", "--deep", cwd=folder, code=0).stdout
    assert re.search(r"hash_only +true", run("-d", "h.db", "info", cwd=folder, code=0).stdout)


def test_reports_hold_no_pictures(run, folder):
    for name, pictures in (("h.db", False), ("n.db", True)):
        run("-d", name, "report", "--html", f"{name}.html", cwd=folder, code=0)
        assert ("data:image/webp" in (folder / f"{name}.html").read_text()) == pictures


def test_plans_are_proven_from_the_files(run, folder, tmp_path):
    save(tmp_path / "set" / "a.jpg", picture(1, 240, 320), quality=92)
    (tmp_path / "set" / "b.jpg").write_bytes((tmp_path / "set" / "a.jpg").read_bytes())
    save(tmp_path / "set" / "half.png", half(picture(1, 240, 320)))
    run("scan", "set", "--hash-only", cwd=tmp_path, code=0)
    run("plan", "--relation", "copy", "--action", "move", "--to", "out", "-o", "plan.json", cwd=tmp_path, code=0)
    assert len(json.loads((tmp_path / "plan.json").read_text())["items"]) == 2
    assert "2 files" in run("apply", "plan.json", "--yes", cwd=tmp_path, code=0).stdout
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["a.jpg"]


def test_a_pair_out_of_reach_waits(run, tmp_path):
    for number in range(3):
        save(tmp_path / "set" / f"{number}.jpg", picture(number, 240, 320), quality=92)
    run("scan", "set", "--hash-only", cwd=tmp_path, code=0)
    (tmp_path / "set" / "1.jpg").rename(tmp_path / "away.jpg")
    save(tmp_path / "new" / "half.png", half(picture(1, 240, 320)))
    said = run("scan", "new", cwd=tmp_path, code=0).stdout
    assert "1 pair not compared, as a file is out of reach; the next run tries again" in said
    assert "no duplicates" in said
    (tmp_path / "away.jpg").rename(tmp_path / "set" / "1.jpg")
    assert "1 duplicate group" in run("scan", "new", cwd=tmp_path, code=0).stdout


def test_what_is_gone_is_compared_when_it_comes_back(run, tmp_path):
    for number in range(3):
        save(tmp_path / "set" / f"{number}.jpg", picture(number, 240, 320), quality=92)
    run("scan", "set", "--hash-only", cwd=tmp_path, code=0)
    (tmp_path / "set" / "1.jpg").rename(tmp_path / "away.jpg")
    run("ingest", "set", cwd=tmp_path, code=0)
    save(tmp_path / "new" / "half.png", half(picture(1, 240, 320)))
    said = run("scan", "new", cwd=tmp_path, code=0).stdout
    assert "1 picture searched" in said
    assert "out of reach" not in said
    (tmp_path / "away.jpg").rename(tmp_path / "set" / "1.jpg")
    assert "1 duplicate group" in run("scan", "set", cwd=tmp_path, code=0).stdout


def test_a_new_description_stores_no_pixels_either(run, tmp_path):
    for number in range(2):
        save(tmp_path / "set" / f"{number}.png", picture(number, 240, 320))
    run("scan", "set", "--hash-only", cwd=tmp_path, code=0)
    run("rebuild", "--describe", "--scaling", "minmax", cwd=tmp_path, code=0)
    stored = features(tmp_path / "dedupindex.db", "thumbnail", "colour")
    assert [len(data) for (data,) in stored] == [4] * 4


def test_merged_catalogues(run, folder, tmp_path):
    save(tmp_path / "more" / "half3.png", half(picture(3, 240, 320)))
    run("-d", "m.db", "ingest", "more", cwd=tmp_path, code=0)
    refused = run("-d", "m.db", "merge", folder / "h.db", cwd=tmp_path, code=2).stderr
    assert "made with --hash-only" in refused
    run("-d", "m2.db", "merge", folder / "n.db", "--hash-only", cwd=tmp_path, code=0)
    run("-d", "m2.db", "merge", "m.db", cwd=tmp_path, code=0)
    assert {len(data) for (data,) in features(tmp_path / "m2.db", "thumbnail", "colour")} == {4}
    said = run("-d", "m2.db", "report", cwd=tmp_path, code=0).stdout
    assert "half3.png" in said  # found in the file of the other catalogue


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (("-d", "n.db", "scan", "set", "--hash-only"), "stores thumbnails; hash_only is for a new database"),
        (("-d", "h.db", "scan", "set", "--no-hash-only"), "holds hashes only; thumbnails need a new database"),
        (("-d", "x.db", "scan", "set", "--hash-only", "--profile", "pieces"), "does not go with the profile pieces"),
        (("-d", "h.db", "leaks", "--train", "set", "--test", "set/half0.png", "--sheet", "s.png"), "no pictures for"),
    ],
)
def test_what_is_refused(run, folder, order, words):
    assert words in run(*order, cwd=folder, code=2).stderr
    assert not (folder / "x.db").exists()
    assert not (folder / "s.png").exists()
