"""From no database to groups, all of it by the page: choose folders, scan, watch, stop, go on."""

import json
import time

import pytest
from starlette.testclient import TestClient

from dedupindex import Index
from dedupindex.errors import IndexBusyError, SettingsError
from dedupindex.search.uploads import Uploads
from dedupindex.web.page.app import create_app
from dedupindex.web.page.guard import Keys
from dedupindex.web.page.scans import Job, ScanPhase, Scans, ScanState, _after
from dedupindex.web.shared.gate import hosts_for
from tests.pictures import make_tree, picture, save
from tests.web.clients import Page, changes, group_ids, routes
from tests.web.conftest import BASE, PORT


@pytest.fixture
def empty(tmp_path, workers, monkeypatch):
    """(client of a page without a database, keys, its start); pictures are in `pictures`."""
    make_tree(tmp_path / "pictures")
    opened = []

    def make(profile):
        index = Index.open(tmp_path / "p.db", create=True, workers=1, profile=profile)
        uploads = index.uploads()
        monkeypatch.setattr(uploads, "_pool", workers)
        opened.append(index)
        return index, uploads

    keys = Keys(hosts_for("127.0.0.1", PORT))
    app = create_app(None, None, keys, roots=[tmp_path / "pictures"], settings={"workers": 1}, make=make)
    client = TestClient(app, base_url=BASE)
    client.headers["origin"] = BASE
    client.get(f"/?token={keys.token}")
    yield client, keys, app.state.start
    app.state.start.scans.end()
    for index in opened:
        index.close()


def until_over(start, seconds=120):
    until = time.monotonic() + seconds
    state = start.scans.state
    while state.running and time.monotonic() < until:
        state = start.scans.wait(state.number, 1.0)
    assert not state.running
    return state


def test_everything_leads_to_the_welcome(empty):
    client, keys, _ = empty
    html = {"accept": "text/html"}
    for method, path in routes(client.app):
        if path.startswith(("/scan", "/static", "/language", "/api")):
            continue
        if method == "GET":
            answer = client.get(path, headers=html, follow_redirects=False)
            assert (answer.status_code, answer.headers.get("location")) == (303, "/scan"), path
    assert "Welcome" in client.get("/").text
    for method, path in changes(client.app):
        if not path.startswith(("/scan", "/language")):
            answer = client.request(method, path, data={"csrf": keys.form, "do": "both", "digest": "x", "a": "x"})
            assert answer.status_code in (409, 422), (path, answer.status_code)
    assert client.get("/api/info").status_code == 409
    assert client.post("/scan/again", data={"csrf": keys.form}).status_code == 400
    assert client.post("/scan/stop", data={"csrf": keys.form}).status_code == 200  # nothing to stop


def test_choose_scan_and_review(empty, tmp_path):
    client, keys, start = empty
    folder = str(tmp_path / "pictures")
    page = client.get("/scan", params={"at": folder})
    assert "copies" in Page(page.text).text
    chosen = Page(client.get("/scan", params={"at": folder, "path": folder}).text)
    assert [found["value"] for tag, found in chosen.elements if found.get("name") == "path"] == [folder]
    for wrong in ({"path": str(tmp_path)}, {"path": f"{folder}/../pictures"}, {}, {"path": folder, "profile": "x"}):
        assert client.post("/scan", data={"csrf": keys.form, **wrong}).status_code == 400, wrong
    assert client.get("/scan", params={"at": str(tmp_path)}).status_code == 400
    assert not (tmp_path / "p.db").exists()  # what is refused makes no database

    form = {"csrf": keys.form, "path": folder, "exclude": "p5.png", "recursive": "1", "profile": "fast"}
    assert client.post("/scan", data=form, follow_redirects=False).headers["location"] == "/scan"
    assert client.post("/scan", data=form).status_code == 503  # one at a time
    seen = []
    with client.stream("GET", "/scan/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: ")))
    state = until_over(start)
    assert state.phase is ScanPhase.DONE, state.words
    phases = list(dict.fromkeys(one["phase"] for one in seen))
    assert phases == [phase for phase in ("look", "ingest", "duplicates", "prove", "done") if phase in phases]
    assert seen[-1]["phase"] == "done"
    assert state.failures == 1  # broken.jpg
    assert (state.found, state.described) == (11, 11)
    assert "11 files: 11 read" in state.words
    assert group_ids(client)
    with Index.open(tmp_path / "p.db", read_only=True) as index:
        assert index.settings.profile == "fast"
        assert index.image_at(tmp_path / "pictures" / "p0.png") is not None
        assert index.image_at(tmp_path / "pictures" / "p5.png") is None  # left out

    # a later scan from the page finds what is new
    save(tmp_path / "pictures" / "new" / "p2 again.jpg", picture(2), quality=90)
    assert client.post("/scan/again", data={"csrf": keys.form}, follow_redirects=False).status_code == 303
    assert until_over(start).phase is ScanPhase.DONE
    names = [place["path"] for group in client.get("/api/groups?limit=500").json()["groups"]
             for member in group["members"] for place in member["locations"]]  # fmt: skip
    assert any(name.endswith("p2 again.jpg") for name in names)


def test_a_scan_is_stopped_and_goes_on(empty, tmp_path):
    client, keys, start = empty
    for number in range(40):
        save(tmp_path / "pictures" / "more" / f"m{number}.png", picture(100 + number, 300, 450))
    form = {"csrf": keys.form, "path": str(tmp_path / "pictures"), "recursive": "1"}
    client.post("/scan", data=form)
    until = time.monotonic() + 60
    while not start.scans.state.described and time.monotonic() < until:
        start.scans.wait(start.scans.state.number, 1.0)
    client.post("/scan/stop", data={"csrf": keys.form})
    assert until_over(start).phase is ScanPhase.STOPPED
    assert "what was done so far stays" in client.get("/scan").text
    client.post("/scan/again", data={"csrf": keys.form})
    done = until_over(start)
    assert done.phase is ScanPhase.DONE, done.words
    with Index.open(tmp_path / "p.db", read_only=True) as index:
        assert index.info()["images"] > 40
        assert index.info()["unsearched"] == 0


def test_what_fails_is_said(tmp_path):
    scans = Scans()
    with pytest.raises(SettingsError):
        scans.start(tmp_path / "p.db", Job(()))
    ended = []
    scans.start(tmp_path / "none.db", Job((tmp_path,)), done=lambda: ended.append(1))
    with pytest.raises(IndexBusyError):
        scans.start(tmp_path / "none.db", Job((tmp_path,)))
    state = scans.state
    while state.running:
        state = scans.wait(state.number, 10.0)
    assert state.phase is ScanPhase.FAILED
    assert "none.db" in state.words
    scans.end()
    with pytest.raises(IndexBusyError):
        scans.start(tmp_path / "none.db", Job((tmp_path,)))


def test_rate_and_time_left():
    state = _after(ScanState(ScanPhase.LOOK, number=1), {"found": 100, "unread": 80})
    state = _after(state, {"phase": "ingest", "done": 20, "total": 0})
    told = state.told(state.began + 10)
    assert (told["found"], told["done"], told["total"]) == (100, 20, 80)
    assert told["rate"] == pytest.approx(2.0)
    assert told["left"] == pytest.approx(30.0)
    state = _after(state, {"phase": "duplicates", "done": 0, "total": 78})
    assert state.told(state.began + 1)["left"] is None
    assert _after(state, {"phase": "nonsense"}) == state


def test_uploads_are_open_after_the_first_scan(empty):
    client, _, start = empty
    start.make("default")
    assert isinstance(client.app.state.site.uploads, Uploads)
    site = client.app.state.site
    start.make("default")  # another request was first
    assert client.app.state.site is site
