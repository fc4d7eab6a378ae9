"""Searching for a part of a picture: of one that is stored, and of an uploaded one."""

import re

import numpy as np
import pytest

from dedupindex import Index
from dedupindex.cli.sample_pictures import landscape
from dedupindex.web.page.queries import KeptFiles
from tests.pictures import picture, save
from tests.web.clients import Page, png

BOX = {"top": 40, "left": 60, "height": 200, "width": 240}  # in the first picture


def collage(seed):
    """A page with a piece of the first picture on it, at (100, 50)."""
    pixels = np.full((480, 640, 3), 245, np.uint8)
    pixels[300:470, 330:630] = picture(seed, 170, 300)
    pixels[100:300, 50:290] = landscape(3)[40:240, 60:300]
    return pixels


@pytest.fixture(scope="module")
def parted(tmp_path_factory):
    root = tmp_path_factory.mktemp("parts")
    save(root / "pictures" / "whole.png", landscape(3))
    save(root / "pictures" / "page.png", collage(5))
    save(root / "pictures" / "other.png", picture(8, 400, 500))
    with Index.open(root / "p.db", create=True, workers=1, profile="pieces") as index:
        index.ingest([root / "pictures"])
    return root


@pytest.fixture
def page(parted, serve, tmp_path):
    copy = tmp_path / "p.db"
    copy.write_bytes((parted / "p.db").read_bytes())
    return serve(copy)


def id_of(path, database):
    with Index.open(database, read_only=True) as index:
        return index.image_at(path).id


def ask(client, keys, **fields):
    return client.post("/part", data={"csrf": keys.form, **fields}, follow_redirects=False)


def quads(text):
    """The outlines on the pictures of a page of answers, as corners."""
    return [
        [tuple(map(float, corner.split(","))) for corner in points.split()]
        for points in re.findall(r'<polygon points="([^"]+)"', text)
    ]


def test_a_part_of_a_stored_picture_is_found_where_it_lies(page, parted, tmp_path):
    client, keys = page
    image = id_of(parted / "pictures" / "whole.png", tmp_path / "p.db")
    drawing = client.get(f"/part?image={image}")
    assert 'viewBox="0 0 640 420"' in drawing.text
    assert 'role="alert"' not in drawing.text
    answer = ask(client, keys, image=image, **BOX)
    assert answer.status_code == 303, Page(answer.text).text
    text = client.get(answer.headers["location"]).text
    assert "page.png" in Page(text).text
    assert "other.png" not in Page(text).text
    mine, found = quads(text)[:2]  # what was searched for, and where it lies
    assert mine == [(60, 40), (300, 40), (300, 240), (60, 240)]
    xs, ys = zip(*found, strict=True)
    for value, wanted in ((min(xs), 50), (max(xs), 290), (min(ys), 100), (max(ys), 300)):
        assert abs(value - wanted) < 25


def test_a_part_of_an_uploaded_picture(page):
    client, keys = page
    upload = {"picture": ("mine.png", png(landscape(3)), "image/png")}
    there = client.post("/query", data={"csrf": keys.form}, files=upload, follow_redirects=False).headers["location"]
    whole = client.get(there).text
    assert "whole.png" in whole
    assert "page.png" in whole  # with the profile pieces, what shares a part with it too
    query = there.rpartition("/")[2]
    assert f"/query/{query}/picture.jpg" in client.get(f"/part?query={query}").text
    answer = ask(client, keys, query=query, **BOX)
    text = client.get(answer.headers["location"]).text
    assert {"page.png", "whole.png"} <= set(re.findall(r"\w+\.png", text))
    again = answer.headers["location"].rpartition("/")[2]
    assert ask(client, keys, query=again, **BOX).status_code == 303  # of the same file


def test_what_cannot_be_searched_for(page, parted, tmp_path):
    client, keys = page
    image = id_of(parted / "pictures" / "whole.png", tmp_path / "p.db")
    assert client.get("/part").status_code == 404
    assert client.get("/part?image=99").status_code == 404
    assert client.get("/part?query=nothing").status_code == 404
    assert ask(client, keys, image=99, **BOX).status_code == 404
    assert ask(client, keys, query="nothing", **BOX).status_code == 404
    assert ask(client, keys, image=image).status_code == 422
    assert ask(client, keys, image=image, **{**BOX, "height": 0}).status_code == 422
    assert ask(client, keys, image=image, **{**BOX, "left": -1}).status_code == 422
    outside = ask(client, keys, image=image, **{**BOX, "left": 100_000})
    assert outside.status_code == 422
    assert "shows nothing of a picture" in outside.text


def test_a_file_that_holds_something_else_is_not_searched_for(serve, tmp_path):
    save(tmp_path / "pictures" / "a.png", landscape(3))
    with Index.open(tmp_path / "p.db", create=True, workers=1, profile="pieces") as index:
        index.ingest([tmp_path / "pictures"])
    image = id_of(tmp_path / "pictures" / "a.png", tmp_path / "p.db")
    client, keys = serve(tmp_path / "p.db")
    secret = save(tmp_path / "secret" / "b.png", picture(9, 320, 480))
    (tmp_path / "pictures" / "a.png").unlink()
    (tmp_path / "pictures" / "a.png").symlink_to(secret)
    answer = ask(client, keys, image=image, **BOX)
    assert answer.status_code == 422
    assert "has changed" in answer.text


def test_another_profile_says_what_the_command_says(site):
    client, keys = site
    drawing = client.get("/part?image=1").text
    assert "profile pieces" in drawing
    answer = ask(client, keys, image=1, **BOX)
    assert answer.status_code == 422
    assert "pieces are found with the profile pieces" in answer.text


def test_kept_files_have_a_limit(tmp_path):
    kept = KeptFiles(most=25)
    for number in range(4):
        file = tmp_path / f"{number}.png"
        file.write_bytes(bytes([number]) * 10)
        kept.keep(str(number), file)
    assert [kept.find(str(number)) is not None for number in range(4)] == [False, False, True, True]
    assert kept.find("3").read_bytes() == b"\3" * 10
    assert kept.find("3").parent.stat().st_mode & 0o077 == 0
    large = tmp_path / "large.png"
    large.write_bytes(b"x" * 26)
    kept.keep("large", large)
    assert kept.find("large") is None
    assert kept.find("3") is not None
