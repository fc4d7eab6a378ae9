"""What is called a copy: filled-in forms, small edits, animations that only begin alike; from the scan to the plan."""

import csv
import json
import random
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

COPY = {"same_bytes", "same_pixels", "reencoded", "resized", "tone"}
WORDS = ["harbour", "copper", "window", "ladder", "violet", "northern", "thursday", "barley", "signal", "orchard"]
EVERY = [f"--relation={name}" for name in ("same_bytes", "same_pixels", "reencoded", "resized", "tone", "bordered")]


def form(seed: int) -> Image.Image:
    """A delivery note of one firm, filled in by chance."""
    chance = random.Random(seed)
    font = ImageFont.load_default(24)
    page = Image.new("L", (900, 1200), 255)
    draw = ImageDraw.Draw(page)
    draw.text((80, 60), "DELIVERY NOTE", font=ImageFont.load_default(40), fill=0)
    for row, label in enumerate(("No.", "Day", "To", "Road", "Town")):
        text = f"{chance.choice(WORDS)} {chance.choice(WORDS)} {chance.randrange(1000, 9999)}"
        draw.text((80, 150 + 45 * row), f"{label}: {text}", font=font, fill=0)
    for row in range(12):
        draw.line((80, 420 + 50 * row, 820, 420 + 50 * row), fill=0, width=2)
        draw.text((90, 428 + 50 * row), f"{chance.choice(WORDS)} {chance.choice(WORDS)}", font=font, fill=0)
        draw.text((660, 428 + 50 * row), f"{chance.randrange(1, 900)}.{chance.randrange(10, 99)}", font=font, fill=0)
    return page


@cache
def scene(seed: int, width: int = 900, height: int = 600) -> Image.Image:
    """Blots of many sizes."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for size in (3, 8, 25, 80, 200):
        small = rng.normal(size=(height // size + 2, width // size + 2, 3)).astype(np.float32) * size**0.5
        planes = [Image.fromarray(small[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(3)]
        total += np.stack([np.asarray(plane) for plane in planes], axis=2)
    total = (total - total.min()) / np.ptp(total)
    return Image.fromarray((255 * total).astype(np.uint8))


def scanned(run, folder):
    """Relations and outcomes of the pairs that a scan finds, by the two names."""
    run("scan", "pics", "--pairs", "p.csv", cwd=folder, code=0)
    with (folder / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        frozenset((row["a"].rpartition("/")[2], row["b"].rpartition("/")[2])): set(row["relation"].split("+"))
        for row in rows
    }


def planned(run, folder, *more):
    """Names of the files that a plan of all copies takes."""
    run("plan", "-o", "plan.json", *EVERY, *more, cwd=folder, code=0)
    values = json.loads((folder / "plan.json").read_text())
    return {item["file"]["path"].rpartition("/")[2] for item in values["items"]}


def test_forms_of_one_template(run, tmp_path):
    pics = tmp_path / "pics"
    pics.mkdir()
    form(1).save(pics / "a.png")
    form(2).save(pics / "b.png")
    form(1).save(pics / "a.jpg", quality=85)
    found = scanned(run, tmp_path)
    assert found[frozenset(("a.png", "a.jpg"))] <= COPY
    for name in ("a.png", "a.jpg"):
        assert found.get(frozenset((name, "b.png")), {"alternate"}) == {"alternate"}
    assert planned(run, tmp_path) == {"a.jpg"}
    said = run("compare", "pics/a.png", "pics/b.png", cwd=tmp_path, code=0).stdout
    assert said.startswith(("the same scene or template with other content", "different pictures"))
    listed = json.loads(run("report", "--alternates", "--json", cwd=tmp_path, code=0).stdout)
    assert all(len(series["members"]) == 2 for series in listed["series"])


@cache
def edits():
    base = scene(1)
    caption, word, patch = base.copy(), base.copy(), base.copy()
    text = {"anchor": "mm", "fill": "white", "stroke_width": 2, "stroke_fill": "black"}
    ImageDraw.Draw(caption).text((450, 560), "quoted by nobody", font=ImageFont.load_default(30), **text)
    ImageDraw.Draw(word).text((450, 300), "PROOF", font=ImageFont.load_default(60), anchor="mm", fill="red")
    patch.paste(scene(2).crop((200, 200, 270, 270)), (500, 250))
    return {"caption.jpg": caption, "word.jpg": word, "patch.jpg": patch}


def test_small_edits(run, tmp_path):
    pics = tmp_path / "pics"
    pics.mkdir()
    scene(1).save(pics / "base.jpg", quality=92)
    scene(1).save(pics / "again.jpg", quality=80)
    for name, picture in edits().items():
        picture.save(pics / name, quality=90)
    found = scanned(run, tmp_path)
    assert found[frozenset(("base.jpg", "again.jpg"))] == {"reencoded"}
    for name in edits():
        assert not found.get(frozenset(("base.jpg", name)), {"alternate"}) <= COPY | {"unproven"}, name
    assert found[frozenset(("base.jpg", "patch.jpg"))] == {"edited"}
    assert planned(run, tmp_path) <= {"base.jpg", "again.jpg"}
    report = json.loads(run("compare", "pics/base.jpg", "pics/patch.jpg", "--json", cwd=tmp_path, code=0).stdout)
    top, left, height, width = report["verification"]["proof"]["regions"][0]["box"]
    assert top < 285 < top + height
    assert left < 535 < left + width
    picture = run("compare", "pics/base.jpg", "pics/again.jpg", "--picture", "o.png", cwd=tmp_path, code=0).stdout
    assert picture.startswith("the same picture, encoded again; largest difference ")
    page = (run("report", "--html", "r.html", cwd=tmp_path, code=0), (tmp_path / "r.html").read_text())[1]
    assert "largest difference" in page


@pytest.mark.parametrize("name", ["caption.jpg", pytest.param("word.jpg", marks=pytest.mark.slow)])
def test_writing_on_a_smooth_picture_is_an_edit(run, tmp_path, name):
    scene(1).save(tmp_path / "base.jpg", quality=92)
    edits()[name].save(tmp_path / name, quality=90)
    assert run("compare", "base.jpg", name, cwd=tmp_path, code=0).stdout.startswith("edited: ")


def test_animations_that_begin_alike(run, tmp_path):
    pics = tmp_path / "pics"
    pics.mkdir()
    frames = [scene(number, 240, 160).filter(ImageFilter.SMOOTH) for number in range(7)]
    frames[0].save(pics / "one.gif", save_all=True, append_images=frames[1:4], duration=100)
    frames[0].save(pics / "two.gif", save_all=True, append_images=frames[4:], duration=100)
    found = scanned(run, tmp_path)
    assert not found.get(frozenset(("one.gif", "two.gif")), {"alternate"}) <= COPY
    assert planned(run, tmp_path, "--unproven") == set()


def test_animations_that_begin_with_black_are_found(run, tmp_path):
    pics = tmp_path / "pics"
    pics.mkdir()
    frames = [scene(number, 240, 160).filter(ImageFilter.SMOOTH) for number in range(4)]
    black = Image.new("RGB", (240, 160))
    black.save(pics / "fade.gif", save_all=True, append_images=frames, duration=100)
    black.save(pics / "fade.webp", save_all=True, append_images=frames, duration=100, quality=90)
    assert scanned(run, tmp_path)[frozenset(("fade.gif", "fade.webp"))] <= COPY
