"""The pages."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from dedupindex import Index
from dedupindex.web.page.plans import Wish
from tests.pictures import half, picture, save
from tests.web.clients import Page, choice, group_ids, group_of, png
from tests.web.conftest import MARKUP, make_pictures


# ----------------------------------------------------------------------------------------------------- the pages
def test_overview(site):
    client, _ = site
    page = Page(client.get("/").text)
    assert "groups" in page.text
    ids = group_ids(client)
    assert len(ids) == len(set(ids)) >= 4
    assert set(group_ids(client, "relation=crop_of&state=all")) < set(ids)
    assert group_ids(client, "most=0&state=all") == []
    assert group_ids(client, "relation=nonsense&least=x&most=9&state=y&order=z&page=99") == ids
    assert sorted(group_ids(client, "order=doubtful")) == sorted(ids)
    assert client.get("/?page=x").status_code == 422


def test_every_page_links_only_to_what_there_is(site):
    client, _ = site
    seen, waiting = set(), ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 150:
            continue
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        page = Page(answer.text)
        assert not [1 for tag, found in page.elements if "style" in found or any(n.startswith("on") for n in found)]
        assert [found for tag, found in page.elements if tag == "script" and not found.get("src")] == []
        for link in [*page.all("a", "href"), *page.all("img", "src"), *page.all("script", "src")]:
            assert link.startswith(("/", "#")), link
            if link.startswith("/"):
                waiting.append(link.partition("#")[0])
        waiting += page.all("link", "href")
    assert any(path.startswith("/aligned/") for path in seen)


def test_names_are_text(site):
    client, keys = site
    group, members = group_of(client, MARKUP)
    assert len(members) >= 2
    for path in (
        "/?state=all",
        f"/groups/{group}",
        "/plan?relation=same_bytes&relation=resized",
    ):
        answer = client.get(path)
        assert "<img src=x" not in answer.text, path
        page = Page(answer.text)
        assert "x" not in page.all("img", "src")
    shown = Page(client.get(f"/groups/{group}").text).text
    assert "<img src=x onerror=alert(1)>\\u202e&amp;.png" in shown
    group, _ = group_of(client, "p5.png")
    assert "no \\xff text.png" in Page(client.get(f"/groups/{group}").text).text
    name = "<b>&'.png"
    answer = client.post("/query", data={"csrf": keys.form}, files={"picture": (name, png(picture(0)))})
    assert name in Page(answer.text).text
    assert "<b>" not in answer.text
    answer = client.post("/query", data={"csrf": keys.form}, files={"picture": ("<i>.png", b"no picture")})
    assert answer.status_code == 422
    assert "<i>" not in answer.text


def test_a_group_is_shown_with_its_views(site):
    client, _ = site
    group, _ = group_of(client, "holed.png")
    page = client.get(f"/groups/{group}")
    assert "without data" in page.text
    views = {}
    for view in ("first", "second", "difference", "outline"):
        answer = client.get(f"/aligned/{group}/2/{view}.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        views[view] = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert len({pixels.shape for pixels in views.values()}) == 1
    assert views["difference"].mean() < 20
    magenta = (views["outline"][..., 0] > 150) & (views["outline"][..., 1] < 110) & (views["outline"][..., 2] > 110)
    yellow = (views["outline"][..., 0] > 150) & (views["outline"][..., 1] > 130) & (views["outline"][..., 2] < 90)
    assert max(magenta.sum(), yellow.sum()) > 60  # the outline of the hole
    assert client.get(f"/aligned/{group}/1/first.jpg").status_code == 404
    assert client.get(f"/aligned/{group}/2/other.jpg").status_code == 422
    assert client.get("/aligned/x/2/first.jpg").status_code == 404
    assert client.get(f"/groups/{group}?with=99&start=99").status_code == 200
    assert client.get("/groups/nothing", headers={"accept": "text/html"}).status_code == 404


def test_pictures_are_encoded_anew_and_cached(site, scanned):
    client, _ = site
    with Index.open(scanned / "p.db", read_only=True) as index:
        image = index.image_at(scanned / "pictures" / "p0.png")
    for path in (f"/thumbnail/{image.id}.jpg", f"/picture/{image.id}.jpg", f"/picture/{image.id}.jpg?side=1600"):
        answer = client.get(path)
        assert Image.open(io.BytesIO(answer.content)).format == "JPEG"
        assert answer.headers["cache-control"].startswith("private")
        again = client.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/picture/{image.id}.jpg?side=5000").status_code == 422
    for wrong in (
        "/picture/999999.jpg",
        "/picture/-1.jpg",
        f"/picture/{2**70}.jpg",
        "/picture/x.jpg",
        "/picture/1.png",
    ):
        assert client.get(wrong).status_code in (404, 422), wrong


def test_a_file_that_has_changed_is_not_shown(serve, tmp_path):
    path = tmp_path / "pictures" / "a.png"
    path.parent.mkdir()
    Image.fromarray(picture(1, 600, 800)).save(path)
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([path.parent])
        image = index.image_at(path)
    client, _ = serve(tmp_path / "p.db")
    address = f"/picture/{image.id}.jpg?side=1600"
    assert Image.open(io.BytesIO(client.get(address).content)).size == (800, 600)
    Image.fromarray(np.zeros((700, 900, 3), np.uint8)).save(path)
    shown = Image.open(io.BytesIO(client.get(address).content))
    assert max(shown.size) <= 128  # what the database keeps
    assert np.asarray(shown).mean() > 30
    path.unlink()
    assert client.get(address).status_code == 200


# ------------------------------------------------------------------------------------------------- the decisions
def test_decide_and_undo(site):
    client, keys = site
    group, members = group_of(client, "p0.png")
    ids = group_ids(client, "state=open")
    after = ids[ids.index(group) + 1]
    answer = choice(client, keys, group, f"keep:{members[1]['key']}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/groups/{after}")
    assert group not in group_ids(client, "state=open")
    assert group in group_ids(client, "state=kept")
    assert client.get(f"/api/groups/{group}").json()["group"]["members"][0]["keeper"]
    assert "keeper chosen" in client.get(f"/groups/{group}?state=all").text
    choice(client, keys, group, f"keep:{members[0]['key']}")
    assert [d["a"] for d in client.get("/api/decisions").json()["decisions"]] == [members[0]["key"]]
    answer = client.post("/undo", data={"csrf": keys.form}, follow_redirects=False)
    assert answer.headers["location"] == f"/groups/{group}"
    assert [d["a"] for d in client.get("/api/decisions").json()["decisions"]] == [members[1]["key"]]
    client.post("/undo", data={"csrf": keys.form})
    assert client.get("/api/decisions").json()["decisions"] == []
    assert client.post("/undo", data={"csrf": keys.form}).status_code == 200  # nothing left: the overview
    assert group in group_ids(client, "state=open")


@pytest.mark.parametrize(("do", "kind"), [("both", "keep-both"), ("apart", "not-duplicate")])
def test_whole_groups(site, do, kind):
    client, keys = site
    group, members = group_of(client, "p0.png")
    choice(client, keys, group, do)
    assert group_of(client, "p0.png")[0] is None or do == "apart"
    made = client.get("/api/decisions").json()["decisions"]
    assert {some["kind"] for some in made} == {kind}
    assert len(made) >= len(members) * (len(members) - 1) // 2
    page = client.get("/decisions").text
    assert page.count("/decisions/forget") == len(made)
    client.post("/undo", data={"csrf": keys.form})
    assert client.get("/api/decisions").json()["decisions"] == []
    assert group_of(client, "p0.png")[0] == group
    choice(client, keys, group, do)
    for some in made:
        answer = client.post("/decisions/forget", data={"csrf": keys.form, "a": some["a"], "b": some["b"]})
        assert answer.status_code == 200
    assert client.get("/api/decisions").json()["decisions"] == []


def test_one_that_does_not_belong(serve, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(picture(1)).save(folder / "a.png")
    Image.fromarray(picture(1)).save(folder / "b.bmp")
    Image.fromarray(half(picture(1))).save(folder / "c.png")
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([folder])
    with Index.open(tmp_path / "p.db", workers=1) as index:
        index.find_duplicates()
    client, keys = serve(tmp_path / "p.db")
    group, members = group_of(client, "c.png")
    assert len(members) == 3
    out = next(member["key"] for member in members if member["locations"][0]["path"].endswith("c.png"))
    answer = choice(client, keys, group, f"out:{out}")
    assert answer.headers["location"] == f"/groups/{group}"
    assert group_of(client, "c.png") == (None, [])
    assert len(group_of(client, "a.png")[1]) == 2
    client.post("/undo", data={"csrf": keys.form})
    assert len(group_of(client, "c.png")[1]) == 3


def test_deeds_that_make_no_sense(site):
    client, keys = site
    group, _ = group_of(client, "p0.png")
    _, strangers = group_of(client, "p1.png")
    for do in ("", "nonsense", "keep:", "keep:abc", f"keep:{strangers[0]['key']}", f"out:{strangers[0]['key']}"):
        assert choice(client, keys, group, do).status_code in (400, 422), do
    assert choice(client, keys, "nothing", "both").status_code == 404
    assert client.get("/api/decisions").json()["decisions"] == []


def test_others_may_decide_meanwhile(site, own, monkeypatch):
    monkeypatch.setattr("dedupindex.web.page.group_lists.QUICK", float("inf"))  # however busy the machine is
    client, keys = site
    group, members = group_of(client, "p0.png")
    with Index.open(own, workers=1) as index:
        index.decide("keep-both", [member["key"] for member in members] * 2)
    assert group_of(client, "p0.png")[0] is None
    assert client.get(f"/groups/{group}").status_code == 404
    assert choice(client, keys, group, "both").status_code == 404


# --------------------------------------------------------------------------------------------- queries and plans
def test_query_by_upload(site):
    client, keys = site
    files = {"picture": ("small.png", png(half(picture(0))))}
    page = client.post("/query", data={"csrf": keys.form}, files=files)
    assert page.status_code == 200
    assert "match" in page.text
    assert "p0.png" in page.text
    for source in Page(page.text).all("img", "src"):
        assert client.get(source).headers["content-type"] == "image/jpeg"
    empty = client.post("/query", data={"csrf": keys.form}, files={"picture": ("", b"")})
    assert empty.status_code == 422
    assert client.get("/query/unknown").status_code == 404
    none = client.post("/query", data={"csrf": keys.form}, files={"picture": ("x.png", png(picture(77)))})
    assert "0 matches" in none.text


def test_plan_is_a_preview(site, scanned):
    client, keys = site
    page = client.get("/plan")
    assert "to the trash" in page.text
    assert "same0.png" in page.text
    assert "--allow-apply" in page.text
    assert "Do it now" not in page.text
    plan = client.get("/plan.json").json()
    assert plan["kind"] == "plan"
    assert len(plan["items"]) >= 2
    assert client.post("/plan/apply", data={"csrf": keys.form, "digest": "x"}).status_code == 403
    assert client.post("/plan/applied/x/undo", data={"csrf": keys.form}).status_code == 403
    for wrong in ("action=x", "action=move", "relation=x", "action=delete&relation=tone", "protect=relative"):
        assert client.get(f"/plan?{wrong}").status_code == 400, wrong
        assert client.get(f"/plan.json?{wrong}").status_code == 400
    assert client.get("/plan.json?decided=1").json()["items"] == []  # nothing was decided
    copies = client.get("/plan.json?relation=copy").json()  # what is not ticked is not taken
    assert "resized" in copies["relations"]
    assert "same_bytes" not in copies["relations"]
    assert 'name="decided" value="1" checked' in client.get("/plan?decided=1").text
    assert Wish(relation=("copy",), decided=True).query() == "action=trash&relation=copy&decided=1"
    everything = client.get(f"/plan?protect={scanned}")
    assert "nothing to do" in everything.text.lower()


def test_apply_and_take_back(serve, tmp_path):
    root = make_pictures(tmp_path / "pictures")
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([root])
        index.find_duplicates()
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    client, keys = serve(tmp_path / "p.db", allow_apply=True)
    address = f"action=move&to={tmp_path / 'out'}"
    page = Page(client.get(f"/plan?{address}").text)
    [digest] = [found["value"] for tag, found in page.elements if found.get("name") == "digest"]
    assert client.post(f"/plan/apply?{address}", data={"csrf": keys.form, "digest": "x"}).status_code == 409
    time.sleep(1.1)  # people look at a plan for a while; it is the same plan then
    answer = client.post(f"/plan/apply?{address}", data={"csrf": keys.form, "digest": digest})
    assert answer.status_code == 200, answer.text
    assert "Done" in answer.text
    now = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert len(now) < len(before)
    assert set(now.values()) == set(before.values())
    assert "nothing to do" in client.get(f"/plan?{address}").text.lower()
    back = client.post(answer.url.path + "/undo", data={"csrf": keys.form})
    assert "Taken back" in back.text
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_other_pages(site):
    client, _ = site
    assert "broken.jpg" in client.get("/failures").text
    assert "Nothing was decided yet" in client.get("/decisions").text
    assert "POST /api/query" in client.get("/api").text
    assert client.get("/nowhere", headers={"accept": "text/html"}).status_code == 404


def test_places_that_are_not_there_are_marked_and_lead_no_group(serve, tmp_path):
    save(tmp_path / "away" / "large.png", picture(60))
    save(tmp_path / "here" / "small.png", half(picture(60)))
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "away", tmp_path / "here"])
        index.find_duplicates()
    (tmp_path / "away").rename(tmp_path / "elsewhere")
    client, _ = serve(tmp_path / "p.db")
    [group] = group_ids(client, "state=all")
    page = client.get(f"/groups/{group}?state=all").text
    assert "large.png  (gone)" in page
    assert "small.png  (gone)" not in page
    assert page.index("small.png</p>") < page.index("large.png  (gone)")


def test_a_database_of_hashes_shows_no_pictures(serve, tmp_path):
    save(tmp_path / "set" / "a.png", picture(1))
    save(tmp_path / "set" / "half.png", half(picture(1)))
    with Index.open(tmp_path / "h.db", create=True, workers=1, hash_only=True) as index:
        index.ingest([tmp_path / "set"])
        index.find_duplicates()
    client, _ = serve(tmp_path / "h.db")
    [group] = group_ids(client)
    for path in ("/", f"/groups/{group}"):
        assert "holds hashes only" in client.get(path).text
    for path in ("/thumbnail/1.jpg", "/picture/1.jpg", "/picture/2.jpg?side=1600", "/tiles/1/0/0/0"):
        assert client.get(path).status_code == 404
