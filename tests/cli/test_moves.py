"""Renamed libraries, places that are gone, references and quarantines, end to end."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.pictures import half, picture, save


@pytest.fixture
def library(run, tmp_path):
    for number in range(4):
        save(tmp_path / "alice" / f"{number}.png", picture(number))
    save(tmp_path / "alice" / "s" / "0.jpg", half(picture(0)), quality=85)
    shutil.copy2(tmp_path / "alice" / "1.png", tmp_path / "alice" / "s" / "1.png")
    run("-q", "scan", "alice", cwd=tmp_path, code=0)
    return tmp_path


def test_a_renamed_library_is_no_duplicate_of_itself(run, tmp_path):
    for number in range(4):
        save(tmp_path / "alice" / f"{number}.png", picture(number))
    run("-q", "scan", "alice", cwd=tmp_path, code=0)
    (tmp_path / "alice").rename(tmp_path / "bob")
    done = run("-q", "scan", "bob", cwd=tmp_path, code=0)
    assert "4 files: 0 read, 0 unchanged, 4 recognised" in done.stdout
    assert f"moved: {tmp_path}/alice -> {tmp_path}/bob (4 files)" in done.stdout
    assert "no duplicates, among 4 files" in done.stdout


def test_groups_decisions_and_plans_follow_the_library(run, library):
    run("decide", "keeper", "alice/s/1.png", cwd=library, code=0)
    before = json.loads(run("report", "--json", cwd=library, code=0).stdout)["groups"]
    (library / "alice").rename(library / "bob")
    done = run("scan", "bob", "--since", "last", cwd=library, code=0)
    assert done.stdout == ""  # nothing is different
    after = json.loads(run("report", "--json", cwd=library, code=0).stdout)["groups"]
    assert json.dumps(before).replace("/alice/", "/bob/") == json.dumps(after)
    run("plan", "-o", "p.json", "--keep", "first-path", cwd=library, code=0)
    [item] = json.loads((library / "p.json").read_bytes())["items"]
    assert item["keeper"]["path"] == f"{library}/bob/1.png"


def test_places_that_are_not_there_are_marked_everywhere_and_lead_nothing(run, library):
    save(library / "card" / "z0.png", half(half(picture(0))))
    run("-q", "scan", "card", cwd=library, code=0)
    shutil.copytree(library / "alice", library / "hidden" / "alice")
    shutil.rmtree(library / "alice")
    text = run("report", cwd=library, code=0).stdout
    assert "  * card/z0.png  (" in text  # the smallest, but it is there
    assert "    alice/0.png  (gone)  (160 x 120 PNG)" in text
    assert "  = alice/s/1.png  (gone)" in text
    groups = json.loads(run("report", "--json", cwd=library, code=0).stdout)["groups"]
    missing = {place["path"]: place["missing"] for g in groups for m in g["members"] for place in m["locations"]}
    assert {path for path, gone in missing.items() if not gone} == {f"{library}/card/z0.png"}
    assert len(missing) == 5
    rows = list(csv.DictReader(io.StringIO(run("report", "--csv", cwd=library, code=0).stdout)))
    gone = {row["a"]: row["a_gone"] for row in rows} | {row["b"]: row["b_gone"] for row in rows}
    assert gone == {path: str(away).lower() for path, away in missing.items()}
    run("report", "--html", "r.html", cwd=library, code=0)
    page = (library / "r.html").read_text("utf-8")
    assert "alice/0.png  (gone)" in page
    assert "z0.png  (gone)" not in page
    lists = run("report", "--format", "fdupes", cwd=library, code=0).stdout
    assert lists == ""  # a script finds no two files
    asked = run("query", "hidden/alice/2.png", cwd=library, code=0).stdout
    assert "alice/2.png  (gone)" in asked
    run("plan", "-o", "p.json", cwd=library, code=0)
    assert json.loads((library / "p.json").read_bytes())["items"] == []


def test_what_an_ingest_found_gone_is_marked_in_a_query(run, library):
    kept = library / "kept.png"
    shutil.copy2(library / "alice" / "2.png", kept)
    (library / "alice" / "2.png").unlink()
    run("-q", "ingest", "alice", cwd=library, code=0)
    assert "alice/2.png  (gone)" in run("query", kept, cwd=library, code=0).stdout


def test_relocate(run, library):
    (library / "alice").rename(library / "bob")
    dry = run("relocate", "alice", "bob", "--dry-run", cwd=library, code=0)
    assert "6 files would get the new path" in dry.stdout
    assert "(gone)" in run("report", cwd=library, code=0).stdout
    (library / "bob" / "3.png").unlink()
    done = run("relocate", "alice", "bob", cwd=library, code=1)
    assert "5 files got the new path" in done.stdout
    assert f"{library}/bob/3.png: is not there" in done.stderr
    assert "(gone)" not in run("report", cwd=library, code=0).stdout
    assert "5 files: 0 read, 5 unchanged" in run("-q", "ingest", "bob", cwd=library, code=0).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("alice", "bob"), "alice/0.png and 5 more are still there"),
        (("nowhere", "bob"), "the index knows nothing at or below"),
        (("alice", "alice/s"), "lies inside it"),
    ],
)
def test_relocate_says_why_not(run, library, arguments, words):
    shutil.copytree(library / "alice", library / "bob")
    done = run("relocate", *arguments, cwd=library, code=2)
    assert words in done.stderr


def test_old_missing_places_are_aged_out(run, library):
    for name in ("2.png", "3.png"):
        (library / "alice" / name).unlink()
    run("-q", "ingest", "alice", cwd=library, code=0)
    assert "0 files forgotten" in run("forget", "--missing-for", "90d", cwd=library, code=0).stdout
    assert "0 files would" in run("forget", "--missing-for", "0.001s", "alice/s", "--dry-run", cwd=library).stdout
    dry = run("forget", "--missing-for", "0.001s", "--dry-run", cwd=library, code=0)
    assert "2 files would be forgotten; 2 pictures lay nowhere else" in dry.stdout
    assert "2 files forgotten" in run("forget", "--missing-for", "0.001s", "alice", cwd=library, code=0).stdout
    counts = json.loads(run("info", "--json", cwd=library, code=0).stdout)
    assert (counts["missing"], counts["locations"], counts["images"]) == (0, 4, 3)


@pytest.mark.parametrize("arguments", [(), ("--missing-for", "soon"), ("--missing-for", "9999999d")])
def test_forgetting_without_sense(run, library, arguments):
    done = run("forget", *arguments, cwd=library, code=2)
    assert "nothing to forget" in done.stderr or "time is 'soon'" in done.stderr or "calendar" in done.stderr


@pytest.fixture
def quarantine(run, tmp_path):
    """Two folders of one root, a plan that moves one copy below that root, carried out."""
    for name in ("x/a/1.png", "x/b/1.png"):
        save(tmp_path / name, picture(1))
    run("-q", "scan", "x", cwd=tmp_path, code=0)
    plan = ("plan", "-o", "p.json", "--action", "move", "--to", "x/du ps!", "--keep", "first-path")
    return tmp_path, plan, run(*plan, cwd=tmp_path, code=0), run("apply", "p.json", "--yes", cwd=tmp_path, code=0)


def test_a_folder_that_duplicates_were_moved_to_is_left_out_of_later_scans(run, quarantine):
    folder, plan, planned, applied = quarantine
    assert "warning: x/du ps! lies in x, which is scanned: `apply` leaves it out of later scans" in planned.stdout
    assert f"{folder}/x/du ps! is left out of later scans" in applied.stdout
    assert (folder / "x" / "du ps!" / "1.png").is_file()
    for options in ((), ("--exclude", "*.tmp")):  # other patterns do not end it
        done = run("-q", "scan", "x", *options, cwd=folder, code=0)
        assert "no duplicates, among 1 file" in done.stdout
        assert "left out: 1 file or folder by patterns" in done.stdout
    assert "nothing to do" in run(*plan, cwd=folder, code=0).stdout
    named = run("-q", "ingest", "x/du ps!", "--dry-run", cwd=folder, code=0)
    assert "1 to read" in named.stdout  # what is named itself is taken
    done = run("-q", "scan", "x", "--forget-excludes", cwd=folder, code=0)
    assert "1 duplicate group with 2 of 2 files" in done.stdout


def test_after_undo_all_is_as_before(run, quarantine):
    folder, *_ = quarantine
    journal = next(folder.glob("*.journal"))
    run("undo", journal, cwd=folder, code=0)
    assert "1 duplicate group with 2 of 2 files" in run("-q", "scan", "x", cwd=folder, code=0).stdout


def test_a_quarantine_outside_of_what_is_scanned_is_nothing_to_warn_of(run, quarantine):
    folder, *_ = quarantine
    save(folder / "x" / "c.png", picture(1))
    run("-q", "scan", "x", cwd=folder, code=0)
    done = run("plan", "-o", "q.json", "--action", "move", "--to", "outside", cwd=folder, code=0)
    assert "warning" not in done.stdout
    done = run("plan", "-o", "q.json", "--action", "move", "--to", "x", cwd=folder, code=0)
    assert "warning: x is scanned itself" in done.stdout


@pytest.fixture
def reference(run, tmp_path):
    """A card, and an archive with copies of its own."""
    for name in ("1.png", "again/1.png"):
        save(tmp_path / "archive" / name, picture(1, 480, 640))
    for number in (1, 2):
        save(tmp_path / "archive" / f"small{number}.png", half(picture(number, 480, 640)))
    save(tmp_path / "archive" / "2.png", picture(2, 480, 640))
    save(tmp_path / "card" / "1.png", picture(1, 480, 640))
    for name in ("3.png", "sub/3.png"):
        save(tmp_path / "card" / name, picture(3, 480, 640))
    return tmp_path, run("-q", "scan", "card", "--against", "archive", cwd=tmp_path, code=0)


def groups_of(run, folder):
    groups = json.loads(run("report", "--json", cwd=folder, code=0).stdout)["groups"]
    return sorted(
        sorted(Path(p["path"]).relative_to(folder).as_posix() for m in g["members"] for p in m["locations"])
        for g in groups
    )


def test_a_reference_is_compared_with_but_not_searched_itself(run, reference):
    folder, done = reference
    assert f"reference: {folder}/archive (compared with others, not searched itself, never planned)" in done.stdout
    both = ["archive/1.png", "archive/again/1.png", "archive/small1.png", "card/1.png"]
    assert groups_of(run, folder) == [both, ["card/3.png", "card/sub/3.png"]]


def test_no_plan_takes_a_picture_of_the_reference(run, reference):
    folder, _ = reference
    options = ("--prefer", "card", "--keep", "path-order", "--keep", "first-path", "--relation", "same_bytes")
    run("plan", "-o", "p.json", *options, "--relation", "resized", cwd=folder, code=0)
    plan = json.loads((folder / "p.json").read_bytes())
    gone = [Path(item["file"]["path"]).relative_to(folder).as_posix() for item in plan["items"]]
    assert gone == ["card/1.png", "card/sub/3.png"]
    assert {path["path"] for path in plan["protect"]} == {f"{folder}/archive"}
    plan["items"][0]["file"], plan["items"][0]["keeper"] = plan["items"][0]["keeper"], plan["items"][0]["file"]
    (folder / "p.json").write_text(json.dumps(plan))
    assert "is protected" in run("apply", "p.json", "--yes", cwd=folder, code=2).stderr


def test_a_reference_stays_one_until_it_is_named_itself(run, reference):
    folder, _ = reference
    save(folder / "card" / "new2.png", picture(2, 480, 640))  # the same bytes as archive/2.png
    done = run("-q", "scan", "card", cwd=folder, code=0)
    assert "reference:" in done.stdout
    assert ["archive/2.png", "archive/small2.png", "card/new2.png"] in groups_of(run, folder)
    (folder / "card" / "new2.png").unlink()
    run("-q", "scan", "card", cwd=folder, code=0)
    assert ["archive/2.png", "archive/small2.png"] not in groups_of(run, folder)
    done = run("-q", "scan", "card", "archive", cwd=folder, code=0)
    assert "reference:" not in done.stdout
    assert ["archive/2.png", "archive/small2.png"] in groups_of(run, folder)


def test_a_card_inside_of_its_reference(run, tmp_path):
    for name in ("all/1.png", "all/again/1.png", "all/card/1.png", "all/card/sub/1.png"):
        save(tmp_path / name, picture(1))
    run("-q", "scan", "all/card", "--against", "all", cwd=tmp_path, code=0)
    run("plan", "-o", "p.json", "--keep", "first-path", cwd=tmp_path, code=0)
    gone = [Path(item["file"]["path"]).relative_to(tmp_path).as_posix() for item in _items(tmp_path)]
    assert sorted(gone) == ["all/card/1.png", "all/card/sub/1.png"]


def _items(folder):
    return json.loads((folder / "p.json").read_bytes())["items"]


def test_a_place_that_is_both(run, tmp_path):
    save(tmp_path / "a" / "1.png", picture(1))
    done = run("scan", "a", "--against", "a", cwd=tmp_path, code=2)
    assert "is the reference, and is to be searched for duplicates too" in done.stderr
