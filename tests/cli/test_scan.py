"""The main job, end to end."""

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.pictures import half, picture, save


def pairs(path):
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_groups_pairs_and_page(scanned):
    folder, done = scanned
    found = pairs(folder / "p.csv")
    names = {frozenset((Path(row["a"]).name, Path(row["b"]).name)): row for row in found}
    assert set(names) == {
        frozenset(("p0.png", "same0.png")),
        frozenset(("p1.png", "same1.png")),
        frozenset(("same0.png", "small0.jpg")),
        frozenset(("same1.png", "small1.jpg")),
        frozenset(("p0.png", "small0.jpg")),
        frozenset(("p1.png", "small1.jpg")),
    }
    assert len(found) == 6
    assert all(Path(row["a"]).is_absolute() and Path(row["b"]).exists() for row in found)
    scores = [float(row["score"]) for row in found]
    assert scores == sorted(scores, reverse=True)
    assert [row["relation"] for row in found[:2]] == ["same_bytes"] * 2
    assert all("resized" in row["relation"] for row in found[2:])
    assert "2 duplicate groups with 6 of 11 files" in done.stdout
    assert b"data:image/webp;base64," in (folder / "p.html").read_bytes()


def test_failed_files_are_listed_with_their_reason(scanned):
    _, done = scanned
    assert done.returncode == 1
    assert "1 failed:" in done.stderr
    assert "broken.jpg: truncated" in done.stderr or "broken.jpg: damaged" in done.stderr
    assert "not an image" in done.stdout  # notes.txt was passed over and counted


def test_again_reads_nothing_and_says_the_same(run, tree, tmp_path):
    first = run("-d", tmp_path / "a.db", "scan", tree, cwd=tree.parent, code=1)
    again = run("-d", tmp_path / "a.db", "scan", tree, cwd=tree.parent, code=1)
    assert "0 read, 12 unchanged" in again.stdout
    assert first.stdout.split("\n\n", 1)[1] == again.stdout.split("\n\n", 1)[1]
    assert first.stderr == again.stderr


def test_all_is_well_is_zero(run, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.jpg", half(picture(1)), quality=90)
    done = run("scan", "in", cwd=tmp_path, code=0)
    assert done.stderr == ""
    assert (tmp_path / "dedupindex.db").is_file()
    assert "in/b.jpg" in done.stdout  # names are relative to where one is


def test_json_is_all_there_is_on_stdout(run, tree, tmp_path):
    done = run("-d", tmp_path / "j.db", "scan", tree, "--json", cwd=tree.parent, code=1)
    value = json.loads(done.stdout)
    assert value["kind"] == "report"
    assert len(value["groups"]) == 2
    assert [failure["path"] for failure in value["failures"]] == [str(tree / "broken.jpg")]


def test_min_score_and_threshold(run, tree, tmp_path):
    done = run("-d", tmp_path / "m.db", "scan", tree, "--threshold", "1", "--json", cwd=tmp_path, code=1)
    assert all(pair["score"] >= 1 for group in json.loads(done.stdout)["groups"] for pair in group["pairs"])


def test_not_recursive(run, tree, tmp_path):
    done = run("-d", tmp_path / "n.db", "scan", tree, "--no-recursive", cwd=tmp_path, code=1)
    assert "8 files: 8 read" in done.stdout


def test_what_is_not_there_fails(run, tmp_path):
    done = run("scan", "nothing", cwd=tmp_path, code=2)
    assert "nothing: no such file or folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


HOSTILE = [
    b"new\nline.png",
    b"\x1b[31mred.png",
    b"not-utf8-\xff\xfe.png",
    b"<img src=x onerror=alert(1)>.png",
    b"=1+1.png",
    b'"quo,ted".png',
    "\u202egnp.png".encode(),
]


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system allows no such names")
def test_names_of_any_bytes(script, run, tmp_path):
    folder = tmp_path / "in"
    data = save(folder / "plain.png", picture(1)).read_bytes()
    for name in HOSTILE:
        (tmp_path / "in" / os.fsdecode(name)).write_bytes(data)
    (folder / os.fsdecode(b"broken\n\x1b[2J\xff.jpg")).write_bytes(b"\xff\xd8\xff\xe0 nothing")
    done = script("-d", "h.db", "scan", "in", "--pairs", "h.csv", "--html", "h.html", cwd=tmp_path, code=1)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\u202e" not in done.stdout
    assert "broken\\n\\x1b[2J\\xff.jpg: " in done.stderr
    rows = pairs(tmp_path / "h.csv")
    assert len(rows) == len(HOSTILE) * (len(HOSTILE) + 1) / 2  # each two of equal files
    found = {os.fsencode(Path(row[side]).name) for row in rows for side in "ab"}
    assert found == {*HOSTILE, b"plain.png"}
    page = (tmp_path / "h.html").read_text("utf-8")
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    for verb in (["report", "--json"], ["failures", "--json"]):
        listed = run("-d", "h.db", *verb, cwd=tmp_path).stdout
        listed.encode("ascii")
        json.loads(listed)
    asked = run("-d", "h.db", "query", folder / os.fsdecode(HOSTILE[2]), "--json", cwd=tmp_path, code=0)
    assert json.loads(asked.stdout)["queries"][0]["path_bytes"].endswith("fffe2e706e67")


def test_a_leading_equals_sign_is_defused_for_spreadsheets(run, tmp_path):
    # paths are absolute, so only an odd database could begin a cell so; the rule is tested in tests/reports
    save(tmp_path / "a.png", picture(1))
    (tmp_path / "=b.png").write_bytes((tmp_path / "a.png").read_bytes())
    run("scan", ".", cwd=tmp_path, code=0)
    listed = run("report", "--csv", cwd=tmp_path, code=0).stdout
    assert listed.startswith("a,b,score,relation,")
    assert f"{tmp_path}/=b.png" in listed


def test_frames_of_a_stack(run, tmp_path):
    stack = np.stack([picture(seed, 60, 80)[..., 0] for seed in range(3)]).astype(np.uint16) * 13
    np.save(tmp_path / "stack.npy", np.concatenate([stack, stack[:1]]))
    save(tmp_path / "one.png", picture(1, 60, 80)[..., 0])
    run("scan", ".", "--pairs", "p.csv", cwd=tmp_path, code=0)
    sides = {row[side] for row in pairs(tmp_path / "p.csv") for side in "ab"}
    assert f"{tmp_path}/stack.npy#frame=1" in sides
    same = run("compare", "stack.npy#frame=0", "stack.npy#frame=3", cwd=tmp_path, code=0)
    assert "same_pixels" in same.stdout
    other = run("compare", "stack.npy#frame=0", "stack.npy#frame=2", cwd=tmp_path, code=0)
    assert "not the same" in other.stdout


def test_the_demo_scans_clean_twice(script, run, tmp_path):
    for start in (script, run):
        start("demo", "pics", cwd=tmp_path, code=0)
        done = start("-d", "demo.db", "scan", "pics", "--html", "demo.html", cwd=tmp_path, code=0)
    assert "13 unchanged" in done.stdout
    assert "dunes.jpg" not in done.stdout  # has no copy
    for name in ("hills.png", "hills part.jpg", "coast mirrored.jpg", "coast turned.jpg", "valley right.png"):
        assert name in done.stdout


def test_workers(script, run, tree, tmp_path):
    one = run("-d", "one.db", "scan", tree, "--workers", "1", "--json", cwd=tmp_path)
    two = script("-d", "two.db", "scan", tree, "--workers", "2", "--json", cwd=tmp_path)  # computes all of it anew
    a, b = json.loads(one.stdout), json.loads(two.stdout)
    del a["run"], b["run"]
    assert a == b
