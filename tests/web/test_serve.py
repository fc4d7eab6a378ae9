"""The pages and the JSON interface, and who is let in."""

import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from dedupindex import Index
from dedupindex.web.guard import LARGEST_FORM, Keys, hosts_for
from tests.web.conftest import BASE, MARKUP, PORT, make_pictures
from tests.workflows.pictures import half, picture

SCRIPT = Path(sys.executable).parent / "dedupindex"
FORM = {"content-type": "application/x-www-form-urlencoded"}
VALUES = {
    "group_id": "0123456789ab",
    "image_id": "1",
    "number": "1",
    "view": "first",
    "query_id": "abc",
    "applied_id": "abc",
}


def routes(app):
    """Every (method, path) of the application, with something in the place of its parameters."""
    found = []
    seen = list(app.routes)
    while seen:
        route = seen.pop()
        seen += getattr(getattr(route, "original_router", None), "routes", [])  # newer FastAPI keeps routers whole
        if hasattr(route, "methods") and hasattr(route, "path"):
            path = re.sub(r"{(\w+)}", lambda match: VALUES[match[1]], route.path)
            found += [(method, path) for method in sorted(route.methods or ())]
    return sorted(set(found))


def changes(app):
    """Those that are no reading."""
    return [(method, path) for method, path in routes(app) if method not in ("GET", "HEAD")]


def stranger(client):
    """A client on the same application without cookie or token."""
    return TestClient(client.app, base_url=BASE, follow_redirects=False)


class Page(HTMLParser):
    """What of a page matters here: its elements, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag, name):
        return [found[name] for own, found in self.elements if own == tag and found.get(name)]


def group_ids(client, query="state=all"):
    page = Page(client.get(f"/?{query}").text)
    return [link.split("/")[2].split("?")[0] for link in page.all("a", "href") if link.startswith("/groups/")]


def group_of(client, name):
    """The id of the group in which a file stands, and its members."""
    for group in client.get("/api/groups?limit=500").json()["groups"]:
        if any(place["path"].endswith(name) for member in group["members"] for place in member["locations"]):
            return group["id"], group["members"]
    return None, []


def deed(client, keys, group, do, **more):
    return client.post(f"/groups/{group}", data={"csrf": keys.form, "do": do}, follow_redirects=False, **more)


# ------------------------------------------------------------------------------------------------------ the door
def test_the_walk_finds_every_change_that_the_sources_declare(site):
    client, _ = site
    declared = sum(
        len(re.findall(r"^@router\.(?:post|put|patch|delete)\(", file.read_text(), re.MULTILINE))
        for file in (Path(__file__).parents[2] / "dedupindex" / "web").glob("*.py")
    )
    assert declared >= 7
    assert len(changes(client.app)) == declared


def test_no_change_without_the_token_or_from_elsewhere(serve, own):
    client, keys = serve(own, allow_apply=True)
    before = Index.open(own, read_only=True)
    generation = before.generation
    cookie = {"cookie": f"{keys.cookie}={keys.session}"}
    bearer = {"authorization": f"Bearer {keys.token}"}
    form = {"csrf": keys.form}
    cases = {
        "no token": ({}, {}),
        "no token, but the form's secret": ({}, form),
        "wrong token": ({"authorization": "Bearer x"}, form),
        "token in the address": ({"x": "token"}, form),
        "wrong cookie": ({"cookie": f"{keys.cookie}=x"}, form),
        "cookie of another port": ({"cookie": f"dedupindex_1={keys.session}"}, form),
        "cookie without the form's secret": (cookie, {}),
        "cookie with a wrong secret": (cookie, {"csrf": "x"}),
        "cookie, the secret in the address": (cookie | {"x": "csrf"}, {}),
        "foreign origin": (cookie | {"origin": "http://evil.example"}, form),
        "foreign origin, token": (bearer | {"origin": "http://evil.example"}, form),
        "another port": (cookie | {"origin": "http://127.0.0.1:9"}, form),
        "https of ours": (cookie | {"origin": f"https://127.0.0.1:{PORT}"}, form),
        "another name of ours": (cookie | {"origin": f"http://localhost:{PORT}"}, form),
        "no origin to speak of": (cookie | {"origin": "null"}, form),
        "another site": (cookie | {"sec-fetch-site": "cross-site"}, form),
        "same site, another port": (cookie | {"sec-fetch-site": "same-site"}, form),
        "foreign host": (cookie | {"host": "evil.example"}, form),
        "foreign host, token": (bearer | {"host": "evil.example:8000"}, form),
        "host of another port": (cookie | {"host": "127.0.0.1:9"}, form),
        "host with a user": (cookie | {"host": f"127.0.0.1:{PORT}@evil.example"}, form),
    }
    out = stranger(client)
    tried = 0
    for method, path in changes(client.app):
        for name, (headers, data) in cases.items():
            sent = dict(headers)
            trick = sent.pop("x", "")
            address = path + (f"?token={keys.token}" if trick == "token" else f"?csrf={keys.form}" if trick else "")
            for body in ({"data": data}, {"json": data}):
                answer = out.request(method, address, headers=sent, **body)
                assert answer.status_code == 403, (method, path, name, answer.text)
                tried += 1
    assert tried == len(cases) * 2 * len(changes(client.app))
    assert before.generation == generation
    before.close()


def test_nothing_is_read_without_the_token_or_by_another_site(site):
    client, keys = site
    out = stranger(client)
    cookie = {"cookie": f"{keys.cookie}={keys.session}"}
    known = [path for method, path in routes(client.app) if method == "GET"]
    assert len(known) > 15
    for path in [*known, "/nowhere"]:
        assert out.get(path).status_code == 403, path
        assert out.get(f"{path}?token=x").status_code == 403
        for headers in (
            {"host": "evil.example"},
            {"origin": "http://evil.example"},
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
            {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        ):
            assert out.get(path, headers=cookie | headers).status_code == 403, (path, headers)
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert out.get("/", headers=link).status_code == 403  # without the cookie, which browsers do not send then
    assert out.get("/", headers=link | cookie).status_code == 200
    assert out.get("/static/app.css").status_code == 200
    assert out.get("/static/app.css", headers={"host": "evil.example"}).status_code == 403
    assert out.get("/static/../app.py").status_code == 403
    assert out.get("/static/%2e%2e/app.py").status_code == 404


def test_the_token_becomes_a_cookie(site):
    client, keys = site
    out = stranger(client)
    answer = out.get(f"/groups/abc?state=all&token={keys.token}")
    assert out.get("/").status_code == 200
    assert out.get(f"/?token={keys.token}").status_code == 303  # out of the address again
    assert answer.status_code == 303
    assert answer.headers["location"] == "/groups/abc?state=all"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{keys.cookie}={keys.session};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert out.get(f"{BASE}//evil.example/?token={keys.token}").headers["location"] == "/evil.example/"
    assert keys.token not in out.get("/").text
    assert out.get("/api/info", headers={"x-dedupindex-token": keys.token}).status_code == 200
    assert out.get("/api/info", headers={"authorization": f"bearer {keys.token}"}).status_code == 200


def test_every_answer_is_locked_up(site):
    client, _ = site
    for path in ("/", "/nowhere", "/static/app.js", "/api/info", "/thumbnail/1.jpg", "/thumbnail/99999.jpg"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert not any(name.startswith("access-control") for name in headers)
    assert client.get("/").headers["cache-control"] == "no-store"


def test_hosts():
    assert hosts_for("127.0.0.1", 1) == {"127.0.0.1:1", "localhost:1", "[::1]:1"}
    assert "[fe80::1]:1" in hosts_for("fe80::1", 1)
    assert hosts_for("0.0.0.0", 1) == hosts_for("127.0.0.1", 1)
    assert Keys(hosts_for("127.0.0.1", 1)).token != Keys(hosts_for("127.0.0.1", 1)).token


def test_bodies_have_limits(site):
    client, keys = site
    large = {"csrf": keys.form, "do": "both", "x": "x" * LARGEST_FORM}
    assert client.post("/groups/abc", data=large).status_code == 413

    def parts():
        for _ in range(4):
            yield b"x" * (LARGEST_FORM // 3)

    answer = client.post("/groups/abc", content=parts(), headers=FORM | {"x-csrf-token": keys.form})
    assert answer.status_code == 413  # without a length
    assert client.post("/groups/abc", content=b"x", headers={"content-length": "-1"}).status_code == 413


# ----------------------------------------------------------------------------------------------------- the pages
def test_overview(site):
    client, _ = site
    page = Page(client.get("/").text)
    assert "Duplicate groups" in page.text
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
    answer = deed(client, keys, group, f"keep:{members[1]['key']}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/groups/{after}")
    assert group not in group_ids(client, "state=open")
    assert group in group_ids(client, "state=kept")
    assert client.get(f"/api/groups/{group}").json()["group"]["members"][0]["keeper"]
    assert "keeper chosen" in client.get(f"/groups/{group}?state=all").text
    deed(client, keys, group, f"keep:{members[0]['key']}")
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
    deed(client, keys, group, do)
    assert group_of(client, "p0.png")[0] is None or do == "apart"
    made = client.get("/api/decisions").json()["decisions"]
    assert {some["kind"] for some in made} == {kind}
    assert len(made) >= len(members) * (len(members) - 1) // 2
    page = client.get("/decisions").text
    assert page.count("/decisions/forget") == len(made)
    client.post("/undo", data={"csrf": keys.form})
    assert client.get("/api/decisions").json()["decisions"] == []
    assert group_of(client, "p0.png")[0] == group
    deed(client, keys, group, do)
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
    answer = deed(client, keys, group, f"out:{out}")
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
        assert deed(client, keys, group, do).status_code in (400, 422), do
    assert deed(client, keys, "nothing", "both").status_code == 404
    assert client.get("/api/decisions").json()["decisions"] == []


def test_others_may_decide_meanwhile(site, own):
    client, keys = site
    group, members = group_of(client, "p0.png")
    with Index.open(own, workers=1) as index:
        index.decide("keep-both", [member["key"] for member in members] * 2)
    assert group_of(client, "p0.png")[0] is None
    assert client.get(f"/groups/{group}").status_code == 404
    assert deed(client, keys, group, "both").status_code == 404


# --------------------------------------------------------------------------------------------- queries and plans
def png(pixels):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


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


# ------------------------------------------------------------------------------------------------- for programs
@pytest.fixture
def program(site):
    client, keys = site
    out = stranger(client)
    out.headers["authorization"] = f"Bearer {keys.token}"
    return out


def test_json(program):
    info = program.get("/api/info").json()
    assert info["info"]["images"] > 5
    listed = program.get("/api/groups?limit=1&offset=1").json()
    assert (len(listed["groups"]), listed["kind"]) == (1, "groups")
    assert listed["total"] >= 4
    one = listed["groups"][0]
    assert program.get(f"/api/groups/{one['id']}").json()["group"] == one
    assert program.get("/api/groups/none").json() == {"error": "no group none"}
    assert program.get("/api/groups?relation=none").status_code == 422
    json.dumps(program.get("/api/groups?relation=crop_of").json())


def test_query_as_a_program(program):
    found = program.post("/api/query?limit=3", files={"image": ("n.png", png(half(picture(1))))}).json()
    assert found["kind"] == "query"
    assert found["matches"][0]["image"]["locations"][0]["path"].endswith("small1.jpg")
    answer = program.post("/api/query", files={"image": ("n.png", b"not a picture")})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("n.png: not_an_image")
    assert "tmp" not in answer.json()["error"]
    assert program.post("/api/query").status_code == 422
    large = np.random.default_rng(1).integers(0, 256, (1200, 1200, 3), np.uint8)
    assert program.post("/api/query", files={"image": ("n.png", png(large))}).json()["matches"] == []


def test_decide_as_a_program(program):
    _, members = group_of(program, "p0.png")
    keys = [member["key"] for member in members[:2]]
    order = {"kind": "keep-both", "pictures": keys, "note": "both"}
    made = program.post("/api/decisions", json=order).json()["decisions"]
    assert [(d["kind"], d["note"], {d["a"], d["b"]}) for d in made] == [("keep-both", "both", set(keys))]
    assert program.get("/api/decisions").json()["decisions"] == made
    assert program.post("/api/decisions", json={"kind": "x", "pictures": keys}).status_code == 422
    assert program.post("/api/decisions", json={"kind": "keeper", "pictures": []}).status_code == 422
    unknown = program.post("/api/decisions", json={"kind": "keeper", "pictures": ["f" * 64]})
    assert unknown.status_code == 400
    assert "knows no picture" in unknown.json()["error"]


def test_the_document_describes_what_there_is(program):
    document = program.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {
        ("GET", "/api/info"),
        ("GET", "/api/groups"),
        ("GET", "/api/groups/{group_id}"),
        ("POST", "/api/query"),
        ("GET", "/api/decisions"),
        ("POST", "/api/decisions"),
    }


# --------------------------------------------------------------------------------------------------- the command
def test_the_command(own):
    command = [SCRIPT, "-d", own, "serve", "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address), address
            base, _, token = address.partition("/?token=")
            with urlopen(Request(f"{base}/api/info", headers={"Authorization": f"Bearer {token}"})) as answer:
                assert json.load(answer)["kind"] == "info"
            taken = subprocess.run(
                [SCRIPT, "-d", own, "serve", "--port", base.rpartition(":")[2]],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert taken.returncode == 2
            assert "cannot listen" in taken.stderr
        finally:
            server.terminate()
        assert server.wait(30) == 0
        assert "Traceback" not in server.stderr.read()


def test_the_extra_is_asked_for(monkeypatch, capsys):
    from dedupindex.cli import serve as verb
    from dedupindex.cli.options import Session
    from dedupindex.errors import SettingsError

    monkeypatch.setattr(verb, "NEEDED", ("no_such_package",))
    with pytest.raises(SettingsError, match=r"pip install 'dedupindex\[web\]'"):
        verb.serve(Session())
