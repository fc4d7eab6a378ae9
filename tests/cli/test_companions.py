"""Pictures with what belongs to them, through the command line: reports, plans, apply, undo."""

import json
import os
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from tests.actions.heaps import snapshot

KEPT, LATER = 1_600_000_000, 1_700_000_000
APPLE = ("AAE", "MOV", "xmp")


def photograph(path: Path, *, size: int = 512, mtime: int = KEPT, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(skimage.data.astronaut()).resize((size, size))
    picture.save(path, options.pop("format", "JPEG"), quality=90, **options)
    os.utime(path, (mtime, mtime))
    return path


def with_gain_map(path: Path, **options) -> Path:
    """A phone's JPEG: an MPO, with a second, small picture in the file."""
    gain_map = Image.fromarray(skimage.data.astronaut()).convert("L").resize((128, 128))
    return photograph(path, format="MPO", save_all=True, append_images=[gain_map], **options)


def beside(path: Path, *suffixes: str, words: str = "belongs to it") -> None:
    for suffix in suffixes:
        path.with_suffix(f".{suffix}").write_text(words)


@pytest.fixture
def home(tmp_path):
    return {"XDG_DATA_HOME": str(tmp_path / "data")}


@pytest.fixture
def planned(run, tmp_path, home):
    """Make a plan of `pics`, which is ingested first; what it says, and what it holds."""

    def make(*options):
        if not (tmp_path / "dedupindex.db").exists():
            run("ingest", "pics", cwd=tmp_path, env=home)
        done = run("plan", "-o", "p.json", *options, cwd=tmp_path, env=home, code=0)
        return done.stdout, json.loads((tmp_path / "p.json").read_text())

    return make


def names(plan) -> dict[str, list[str]]:
    """Files that go, with the companions that go with them."""
    return {
        "/".join(Path(item["file"]["path"]).parts[-2:]): [
            Path(some["path"]).name for some in item["companions"] if some["goes"]
        ]
        for item in plan["items"]
    }


def left(plan) -> dict[str, str]:
    return {"/".join(Path(file["path"]).parts[-2:]): file["why"] for file in plan["left_out"]}


def test_the_copy_with_companions_is_kept_and_shown(run, tmp_path, planned, home):
    bare = photograph(tmp_path / "pics" / "first" / "I_1.jpg")
    rich = tmp_path / "pics" / "second" / "I_1.jpg"
    rich.parent.mkdir()
    rich.write_bytes(bare.read_bytes())
    beside(rich, *APPLE)
    text, plan = planned()
    assert names(plan) == {"first/I_1.jpg": []}
    assert plan["items"][0]["rule"] == "more-companions"
    assert "kept by more-companions: 3 companions (edits, video, raw ...) against none" in text
    text = run("report", cwd=tmp_path, env=home, code=0).stdout
    assert "with I_1.AAE (edits), I_1.MOV (video), I_1.xmp (edits)" in text
    listed = json.loads(run("report", "--json", cwd=tmp_path, env=home, code=0).stdout)
    places = [place for group in listed["groups"] for member in group["members"] for place in member["locations"]]
    assert {len(place.get("companions", ())) for place in places} == {0, 3}
    table = run("report", "--csv", cwd=tmp_path, env=home, code=0).stdout
    assert "I_1.AAE/I_1.MOV/I_1.xmp" in table


def test_what_the_keeper_lacks_stays_or_is_named(run, tmp_path, planned, home):
    bare = photograph(tmp_path / "pics" / "first" / "I_1.jpg")
    rich = photograph(tmp_path / "pics" / "second" / "I_1.jpg", mtime=LATER)
    assert bare.read_bytes() == rich.read_bytes()
    beside(rich, *APPLE)
    before = snapshot(tmp_path / "pics")
    text, plan = planned("--keep", "oldest")
    assert names(plan) == {}
    assert left(plan) == {"second/I_1.jpg": "companions"}
    assert "no equal beside the copy that is kept: I_1.AAE (edits), I_1.MOV (video), I_1.xmp (edits)" in text
    text, plan = planned("--keep", "oldest", "--may-lack", "edits", "--may-lack", "video")
    assert names(plan) == {"second/I_1.jpg": ["I_1.AAE", "I_1.MOV", "I_1.xmp"]}
    assert "1 file with 3 companions to the trash" in text
    done = run("apply", "p.json", "--yes", "--journal", "j", cwd=tmp_path, env=home, code=0)
    assert "1 file with 3 companions" in done.stdout
    assert [path.name for path in (tmp_path / "pics").rglob("*.*")] == ["I_1.jpg"]
    done = run("undo", "j", cwd=tmp_path, env=home, code=0)
    assert "1 file with 3 companions" in done.stdout
    assert snapshot(tmp_path / "pics") == before


def test_equal_units_go_whole_and_come_back(run, tmp_path, planned, home):
    for folder, mtime in (("archive", KEPT), ("card", LATER)):
        picture = photograph(tmp_path / "pics" / folder / "I_1.JPG", mtime=mtime)
        beside(picture, "CR2", "xmp")
        picture.with_name("I_1.CR2.pp3").write_text("developed")
    before = snapshot(tmp_path / "pics")
    _, plan = planned("--keep", "oldest", "--protect", "pics/card/I_1.xmp")
    assert names(plan) == {}
    assert left(plan) == {"card/I_1.JPG": "protected"}
    _, plan = planned("--keep", "oldest", "--action", "move", "--to", "out")
    assert names(plan) == {"card/I_1.JPG": ["I_1.CR2", "I_1.CR2.pp3", "I_1.xmp"]}
    (tmp_path / "pics" / "card" / "I_1.aae").write_text("edited since")
    done = run("apply", "p.json", "--yes", "--journal", "j", cwd=tmp_path, env=home, code=1)
    assert "belongs to" in done.stderr
    (tmp_path / "pics" / "card" / "I_1.aae").unlink()
    run("apply", "p.json", "--yes", "--journal", "j", cwd=tmp_path, env=home, code=0)
    assert list((tmp_path / "pics" / "card").iterdir()) == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "I_1.CR2",
        "I_1.CR2.pp3",
        "I_1.JPG",
        "I_1.xmp",
    ]
    run("undo", "j", cwd=tmp_path, env=home, code=0)
    assert snapshot(tmp_path / "pics") == before


def test_units_apart_and_words_that_mean_nothing(run, tmp_path, planned):
    jpeg = photograph(tmp_path / "pics" / "archive" / "I_1.jpg")
    card = photograph(tmp_path / "pics" / "card" / "I_1.jpg", mtime=LATER)
    beside(jpeg, "xmp")
    beside(card, "dng", "xmp")
    (card.with_suffix(".dng")).write_bytes(b"no raw file that anybody could read, but it has the name of one")
    _, plan = planned("--keep", "oldest")
    assert left(plan) == {"card/I_1.jpg": "companions"}
    _, plan = planned("--keep", "oldest", "--units", "apart")
    assert names(plan) == {"card/I_1.jpg": []}  # the sidecar belongs to the raw file too, which stays
    assert [some["path"].rpartition("/")[2] for some in plan["items"][0]["companions"]] == ["I_1.xmp"]
    assert "there are: together, apart" in run("plan", "-o", "p.json", "--units", "torn", cwd=tmp_path, code=2).stderr
    assert "edits" in run("plan", "-o", "p.json", "--may-lack", "hair", cwd=tmp_path, code=2).stderr
    run("plan", "-o", "p.json", "--may-lack", "edits", "--action", "delete", cwd=tmp_path, code=2)


def test_a_phones_picture_is_keeper_and_goes(run, tmp_path, planned, home):
    phone = with_gain_map(tmp_path / "pics" / "phone.jpg")
    photograph(tmp_path / "pics" / "sent.jpg", size=300, mtime=LATER)
    (tmp_path / "pics" / "backup").mkdir()
    (tmp_path / "pics" / "backup" / "phone.jpg").write_bytes(phone.read_bytes())
    text, plan = planned("--relation", "resized", "--relation", "same_bytes", "--relation", "tone")
    assert names(plan) == {"pics/sent.jpg": [], "backup/phone.jpg": []}
    assert {Path(item["keeper"]["path"]).name for item in plan["items"]} == {"phone.jpg"}
    assert "several frames" not in text
    assert "with 1 further picture in the file" in run("report", cwd=tmp_path, env=home, code=0).stdout
    paths = run("report", "--format", "fdupes", cwd=tmp_path, env=home, code=0).stdout
    assert paths.count("phone.jpg") == 2
    before = snapshot(tmp_path / "pics")
    run("apply", "p.json", "--yes", "--journal", "j", cwd=tmp_path, env=home, code=0)
    assert [path.name for path in (tmp_path / "pics").rglob("*.jpg")] == ["phone.jpg"]
    run("undo", "j", cwd=tmp_path, env=home, code=0)
    assert snapshot(tmp_path / "pics") == before


def test_a_phones_picture_goes_for_one_without_its_gain_map_only_where_that_is_named(run, tmp_path, planned, home):
    with_gain_map(tmp_path / "pics" / "phone.jpg")
    with Image.open(tmp_path / "pics" / "phone.jpg") as phone:
        phone.save(tmp_path / "pics" / "plain.png")  # the very pixels
    options = ("--relation", "same_pixels", "--keep", "newest")
    _, plan = planned(*options)
    assert left(plan) == {"pics/phone.jpg": "companions"}
    _, plan = planned(*options, "--may-lack", "embedded")
    assert names(plan) == {"pics/phone.jpg": []}
    run("apply", "p.json", "--yes", cwd=tmp_path, env=home, code=0)
    assert [path.name for path in (tmp_path / "pics").iterdir()] == ["plain.png"]
