"""Pieces as a user meets them: scan with the profile, report, query for a region."""

import csv
import json
import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.scenes import photograph
from tests.search.test_pieces import save
from tests.verify.pieces.test_confirmation import near, planted, scaled
from tests.verify.pieces.test_within import moved


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """A collage of three photographs, two of which are there, and a stranger."""
    root = tmp_path_factory.mktemp("pieces")
    (root / "in").mkdir()
    sheet, _ = planted(["astronaut", "coffee", "cat"], [(20, 30), (300, 40), (330, 500)])
    save(root / "in" / "collage.jpg", sheet)
    for name in ("astronaut", "coffee", "rocket"):
        save(root / "in" / f"{name}.jpg", photograph(name))
    said = run("scan", "in", "--profile", "pieces", "--pairs", "pairs.csv", cwd=root, code=0).stdout
    assert "4 pictures searched for pieces" in said
    assert "2 parts found (" in said
    assert "; `report --pieces` shows them" in said
    return root


def test_pairs_of_a_scan_name_pieces(folder):
    rows = list(csv.DictReader((folder / "pairs.csv").read_text().splitlines()))
    pieces = {(row["a"], row["b"]) for row in rows if row["relation"] == "piece_of"}
    assert pieces == {
        (str(folder / "in" / "collage.jpg"), str(folder / "in" / f"{n}.jpg")) for n in ("astronaut", "coffee")
    }


def test_report_as_text(run, folder):
    said = run("report", "--pieces", cwd=folder, code=0).stdout
    assert said.startswith("in/collage.jpg  shows 2 parts\n")
    assert "in/coffee.jpg" in said
    assert "all of it at " in said
    assert "of its size" in said
    assert said.endswith("2 parts in 1 picture\n")
    assert "no duplicates" in run("report", cwd=folder, code=0).stdout


def test_report_as_json(run, folder):
    value = json.loads(run("report", "--pieces", "--json", cwd=folder, code=0).stdout)
    assert value["kind"] == "pieces"
    parts = {one["part"]["locations"][0]["path"].rpartition("/")[2]: one for one in value["pieces"]}
    assert set(parts) == {"astronaut.jpg", "coffee.jpg"}
    rows, columns = scaled(photograph("coffee"), 0.4).shape[:2]
    assert near(parts["coffee.jpg"]["box"], (300, 40, rows, columns), 15)
    assert parts["coffee.jpg"]["container"]["locations"][0]["path"].endswith("collage.jpg")
    whole = json.loads(run("report", "--json", cwd=folder, code=0).stdout)
    assert whole["groups"] == []
    assert len(whole["pieces"]) == 2


def test_report_as_html(run, folder):
    run("report", "--pieces", "--html", "p.html", cwd=folder, code=0)
    page = (folder / "p.html").read_text()
    assert page.count("<section>") == 1
    assert page.count("<polygon") == 4  # two on the collage, one on each picture
    assert page.count("data:image/webp;base64,") == 3
    assert "<script" not in page


def test_names_are_escaped(run, tmp_path):
    (tmp_path / "in").mkdir()
    sheet, _ = planted(["coffee"], [(300, 40)])
    save(tmp_path / "in" / "<b>&.jpg", sheet)
    save(tmp_path / "in" / "coffee.jpg", photograph("coffee"))
    run("scan", "in", "--profile", "pieces", cwd=tmp_path, code=0)
    run("report", "--pieces", "--html", "p.html", cwd=tmp_path, code=0)
    page = (tmp_path / "p.html").read_text()
    assert "&lt;b&gt;&amp;.jpg" in page
    assert "<b>" not in page


def test_a_selection_of_pieces(run, folder):
    rows = list(
        csv.DictReader(run("report", "--csv", "--relation", "piece_of", cwd=folder, code=0).stdout.splitlines())
    )
    assert {row["relation"] for row in rows} == {"piece_of"}
    assert run("report", "--pieces", "--not-relation", "piece_of", cwd=folder, code=0).stdout == "no pieces\n"
    assert run("report", "--pieces", "--exit-code", cwd=folder, code=3).stdout


def test_query_for_a_region(run, folder):
    said = run("query", "in/coffee.jpg", "--box", "80,120,220,260", cwd=folder, code=0).stdout
    assert "in/collage.jpg" in said
    assert "it shows" in said
    value = json.loads(run("query", "in/coffee.jpg", "--box", "80,120,220,260", "--json", cwd=folder, code=0).stdout)
    pieces = value["queries"][0]["pieces"]
    there = next(one for one in pieces if one["image"]["locations"][0]["path"].endswith("collage.jpg"))
    assert there["stored_contains"] is True
    assert near(there["box"], (300 + 0.4 * 80, 40 + 0.4 * 120, 0.4 * 220, 0.4 * 260), 15)
    whole = run("query", "in/collage.jpg", cwd=folder, code=0).stdout
    assert "in/coffee.jpg" in whole


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "0,0,0,10", "-1,0,10,10", "9999,0,10,10"])
def test_boxes_that_are_none(run, folder, box):
    assert "box" in run("query", "in/coffee.jpg", f"--box={box}", cwd=folder, code=2).stderr


def test_options_that_do_not_go_together(run, folder):
    for other in ("--alternates", "--summary", "--csv"):
        assert "--pieces gives text" in run("report", "--pieces", other, cwd=folder, code=2).stderr


def test_without_the_profile(run, folder, tmp_path):
    run("scan", folder / "in", cwd=tmp_path, code=0)
    assert run("report", "--pieces", cwd=tmp_path, code=0).stdout == "no pieces\n"
    assert (
        "profile pieces"
        in run("query", folder / "in" / "coffee.jpg", "--box", "0,0,50,50", cwd=tmp_path, code=2).stderr
    )


def test_a_third_of_a_long_screenshot(run, tmp_path):
    """A scrolled page and parts of it: lines of text vanish where the whole page is made small."""
    words = ("meadow", "lantern", "copper", "harbour", "thistle", "orchard", "gravel", "willow", "saddle", "beacon")
    font, chance = ImageFont.load_default(30), random.Random(5)
    page = Image.new("RGB", (900, 5000), "white")
    draw = ImageDraw.Draw(page)
    for y in range(30, 4960, 48):
        draw.text((30, y), " ".join(chance.choice(words) for _ in range(chance.randrange(3, 8))), "black", font=font)
    (tmp_path / "in").mkdir()
    page.save(tmp_path / "in" / "page.png")
    page.crop((0, 1200, 900, 2900)).save(tmp_path / "in" / "third.png")
    page.crop((0, 0, 900, 2500)).save(tmp_path / "in" / "half.png")
    run("-q", "scan", "in", "--profile", "pieces", "--pairs", "pairs.csv", cwd=tmp_path, code=0)
    rows = list(csv.DictReader((tmp_path / "pairs.csv").read_text().splitlines()))
    assert {frozenset(Path(row[side]).stem for side in "ab") for row in rows} >= {
        frozenset({"page", "third"}), frozenset({"page", "half"}),
    }  # fmt: skip
    value = json.loads(run("report", "--pieces", "--json", cwd=tmp_path, code=0).stdout)
    ends = {"container": "page.png", "part": "third.png"}  # the half shows some of the third, too
    [part] = [
        one
        for one in value["pieces"]
        if all(one[side]["locations"][0]["path"].endswith(name) for side, name in ends.items())
    ]
    top, _, height, width = part["box"]
    assert top >= 1100
    assert top + height <= 3000
    assert height >= 800
    assert width >= 600


def test_copies_inside_one_picture(run, folder):
    picture, (top, left, height, width) = moved(photograph("astronaut"), (40, 160, 170), (300, 20))
    save(folder / "twice.jpg", picture)
    said = run("query", "twice.jpg", "in/rocket.jpg", "--within", cwd=folder, code=0).stdout
    assert said.startswith("twice.jpg: 1 part twice in it\n")
    assert ", proof: " in said
    assert said.endswith("in/rocket.jpg: no part stands in it twice\n")
    value = json.loads(run("query", "twice.jpg", "--within", "--json", cwd=folder, code=0).stdout)
    [[piece]] = [query["within"] for query in value["queries"]]
    assert any(near(piece[name], (top, left, height, width), 45) for name in ("box", "part_box"))
    assert piece["proof"]["outcome"] in ("same", "edited")
    refused = run("query", "twice.jpg", "--within", "--box", "0,0,9,9", cwd=folder, code=2).stderr
    assert "neither --box nor --bank" in refused


def test_reports_say_what_the_proof_found(run, folder):
    assert ", proof: the same" in run("report", "--pieces", cwd=folder, code=0).stdout
    value = json.loads(run("report", "--pieces", "--json", cwd=folder, code=0).stdout)
    assert {one["proof"]["outcome"] for one in value["pieces"]} <= {"same", "edited"}
    assert all(one["measures"]["rest"] > 0.95 for one in value["pieces"])
