"""`plan`, `apply`, `undo` through the console script, on photographs that ship with scikit-image."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from tests.actions.heaps import snapshot
from tests.commands import PATIENCE, SCRIPT
from tests.pictures import make_tree

ACTIONS = ("trash", "move", "hardlink")


def photographs(root: Path) -> Path:
    """Two photographs with copies: the same bytes twice, a smaller JPEG, a crop."""
    for name in ("astronaut", "chelsea"):
        picture = Image.fromarray(getattr(skimage.data, name)())
        root.joinpath("copies").mkdir(parents=True, exist_ok=True)
        picture.save(root / f"{name}.png")
        (root / "copies" / f"{name} again.png").write_bytes((root / f"{name}.png").read_bytes())
        picture.resize((picture.width // 2, picture.height // 2)).save(
            root / "copies" / f"{name} small.jpg", quality=90
        )
        picture.crop((40, 30, 320, 260)).save(root / "copies" / f"{name} part.png")
    for number, path in enumerate(sorted(root.rglob("*.*"))):
        os.utime(path, ns=(0, 1_600_000_000_000_000_000 + number * 10**9))
    (root / "astronaut.png").chmod(0o600)
    return root


@pytest.fixture(scope="module")
def scanned(run, tmp_path_factory):
    base = tmp_path_factory.mktemp("acting")
    photographs(base / "pics")
    run("ingest", "pics", cwd=base, code=0)
    run("report", "--pairs", "p.csv", cwd=base, code=0)
    return base


@pytest.fixture
def home(scanned):
    return {"XDG_DATA_HOME": str(scanned / "data")}


@pytest.mark.parametrize("action", ACTIONS)
def test_exact_copies(run, scanned, home, action):
    before = snapshot(scanned / "pics")
    to = ["--to", "quarantine"] if action == "move" else []
    done = run("plan", "-o", f"{action}.json", "--action", action, *to, "--prefer", "pics/copies", cwd=scanned, code=0)
    assert "2 files to" in done.stdout
    plan = json.loads((scanned / f"{action}.json").read_text())
    assert {Path(item["file"]["path"]).name for item in plan["items"]} == {"astronaut.png", "chelsea.png"}
    assert {item["rule"] for item in plan["items"]} == {"path-order"}
    done = run("apply", f"{action}.json", "--dry-run", cwd=scanned, env=home, code=0)
    assert "2 files" in done.stdout
    assert snapshot(scanned / "pics") == before
    done = run("apply", f"{action}.json", "--yes", "--journal", f"{action}.jsonl", cwd=scanned, env=home, code=0)
    assert "2 files" in done.stdout
    after = snapshot(scanned / "pics")
    assert after != before
    assert {name for name in after if "copies" in name} == {name for name in before if "copies" in name}
    if action == "trash":  # the index knows at once
        listed = json.loads(run("report", "--json", cwd=scanned, code=0).stdout)
        places = [place for group in listed["groups"] for member in group["members"] for place in member["locations"]]
        assert not [place for place in places if Path(place["path"]).parent.name == "pics" and not place["missing"]]
    done = run("undo", f"{action}.jsonl", cwd=scanned, env=home, code=0)
    assert "2 files" in done.stdout
    assert snapshot(scanned / "pics") == before
    assert not (scanned / "quarantine").exists()
    if action in ("trash", "hardlink"):
        run("ingest", "pics", cwd=scanned, code=0)
    listed = json.loads(run("report", "--json", cwd=scanned, code=0).stdout)
    assert sum(len(member["locations"]) for group in listed["groups"] for member in group["members"]) == 8


def test_near_duplicates_by_decision_and_relation(run, scanned, home):
    before = snapshot(scanned / "pics")
    run("plan", "-o", "near.json", "--relation", "resized", "--action", "delete", cwd=scanned, code=2)
    run("plan", "-o", "near.json", "--relation", "shifted_overlap", cwd=scanned, code=2)
    run("plan", "-o", "near.json", "--relation", "flattened", cwd=scanned, code=2)
    run("plan", "-o", "near.json", "--action", "burn", cwd=scanned, code=2)
    run("plan", "-o", "near.json", "--keep", "nicest", cwd=scanned, code=2)
    run("decide", "keep-both", "pics/astronaut.png", "pics/copies/astronaut small.jpg", cwd=scanned, code=0)
    named = ["--no-same-bytes", *(word for name in ("crop_of", "resized", "tone") for word in ("--relation", name))]
    done = run("plan", "-o", "near.json", *named, cwd=scanned, code=0)
    items = json.loads((scanned / "near.json").read_text())["items"]
    gone = {Path(item["file"]["path"]).name: item for item in items}
    assert set(gone) == {"astronaut part.png", "chelsea part.png", "chelsea small.jpg"}
    assert gone["chelsea part.png"]["rule"] == "shows-more"
    assert gone["chelsea small.jpg"]["rule"] == "more-pixels"
    assert "one shows a part of the other" in gone["chelsea part.png"]["words"]
    assert "stay: " in done.stdout
    run("apply", "near.json", "--yes", cwd=scanned, env=home, code=0)
    [journal] = scanned.glob("near.*.journal")
    kept = set(snapshot(scanned / "pics"))
    assert "astronaut.png" in kept
    assert "copies/astronaut small.jpg" in kept
    assert "copies/chelsea part.png" not in kept
    run("undo", journal, cwd=scanned, env=home, code=0)
    assert snapshot(scanned / "pics") == before


def test_keepers_come_back_from_the_settings(run, scanned):
    (scanned / "d.toml").write_text('keep_rules = ["newest"]\n')
    run("plan", "-o", "newest.json", "--config", "d.toml", cwd=scanned, code=0)
    plan = json.loads((scanned / "newest.json").read_text())
    assert {item["rule"] for item in plan["items"]} == {"newest"}


def test_a_surprise_is_told_and_stops_the_run(run, tmp_path):
    make_tree(tmp_path / "pics", 3)
    env = {"XDG_DATA_HOME": str(tmp_path / "data")}
    run("ingest", "pics", cwd=tmp_path, code=1)
    run("plan", "-o", "p.json", "--prefer", "pics/copies", cwd=tmp_path, code=0)
    os.utime(tmp_path / "pics" / "p0.png", ns=(0, 0))
    done = run("apply", "p.json", "--yes", cwd=tmp_path, env=env, code=1)
    assert "has changed since the plan was made" in done.stderr
    assert "stopped there: 1 file not looked at" in done.stdout
    assert (tmp_path / "pics" / "p1.png").exists()
    assert "say --yes" in run("apply", "p.json", "--continue", cwd=tmp_path, env=env, code=2).stderr
    run("apply", "p.json", "--yes", "--continue", cwd=tmp_path, env=env, code=1)
    assert not (tmp_path / "pics" / "p1.png").exists()
    [journal] = tmp_path.glob("p.*.journal")
    run("undo", journal, cwd=tmp_path, env=env, code=0)
    assert (tmp_path / "pics" / "p1.png").exists()
    (tmp_path / "p.json").write_text('{"kind": "plan", "schema": 1}')
    assert "make the plan again" in run("apply", "p.json", "--yes", cwd=tmp_path, code=2).stderr


def test_killed_for_real_and_taken_up_again(environment, run, tmp_path):
    """SIGKILL at a step of the console script itself; the same line goes on, undo brings all of it back."""
    make_tree(tmp_path / "pics", 2)
    run("ingest", "pics", cwd=tmp_path, code=1)
    before = snapshot(tmp_path / "pics")
    env = {**environment, "XDG_DATA_HOME": str(tmp_path / "data"), "DEDUPINDEX_WORKERS": "1"}
    for step in (9, 13):
        run("plan", "-o", f"{step}.json", "--prefer", "pics/copies", cwd=tmp_path, code=0)
        line = [SCRIPT, "-d", "none.db", "apply", f"{step}.json", "--yes", "--journal", f"{step}.j"]
        killed = subprocess.run(
            line, cwd=tmp_path, env=env | {"DEDUPINDEX_FAULT": f"kill:{step}"}, timeout=PATIENCE, check=False
        )
        assert killed.returncode == -9
        run(*line[1:], cwd=tmp_path, env=env, code=0)
        assert not (tmp_path / "pics" / "p0.png").exists()
        run("undo", f"{step}.j", cwd=tmp_path, env=env, code=0)
        assert snapshot(tmp_path / "pics") == before


def test_the_question_is_asked_on_a_terminal(environment, run, tmp_path):
    pty = pytest.importorskip("pty")
    make_tree(tmp_path / "pics", 2)
    run("ingest", "pics", cwd=tmp_path, code=1)
    run("plan", "-o", "p.json", "--prefer", "pics/copies", cwd=tmp_path, code=0)
    env = {**environment, "XDG_DATA_HOME": str(tmp_path / "data")}
    for answer, code in ((b"n\n", 2), (b"y\n", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        done = subprocess.run(
            [SCRIPT, "apply", "p.json"],
            cwd=tmp_path,
            env=env,
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
        )
        os.close(ours)
        os.close(theirs)
        assert done.returncode == code, done.stderr
        assert "2 files to the trash" in done.stderr
        assert (tmp_path / "pics" / "p0.png").exists() == (answer == b"n\n")
    assert sys.platform != "win32"
