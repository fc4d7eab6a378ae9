"""Filters of the list, actions on many groups, the collected plan, and acting on the spot."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dedupindex import Index, PlanOptions
from dedupindex.records.reports import Selection
from dedupindex.web.page.collected import TAIL
from tests.pictures import half, picture, save
from tests.web.clients import Page, choice, group_ids, group_of
from tests.web.conftest import make_pictures
from tests.web.filling import RELATIONS, fill


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "p.db"
    fill(path, 60, members=3, looks=3)
    return path


@pytest.fixture
def many(serve, filled, tmp_path):
    copy = tmp_path / "p.db"
    copy.write_bytes(filled.read_bytes())
    return serve(copy)


@pytest.fixture
def library(serve, tmp_path):
    """A page that may change files, over pictures of its own."""
    root = make_pictures(tmp_path / "pictures")
    save(root / "elsewhere" / "p1 half.png", half(picture(1)))
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([root])
        index.find_duplicates()
    return serve(tmp_path / "p.db", allow_apply=True)


def total(client, query):
    return int(re.search(r"<h1>([\d,]+) group", client.get(f"/?{query}").text)[1].replace(",", ""))


def said(client, keys, do, query="", **more):
    return client.post(f"/bulk?{query}", data={"csrf": keys.form, "do": do, **more})


def done(client, keys, do, query="", **more):
    digest = re.search(r'name="digest" value="(\w+)"', said(client, keys, do, query, **more).text)[1]
    form = {"csrf": keys.form, "do": do, "digest": digest, **more}
    return client.post(f"/bulk/do?{query}", data=form, follow_redirects=False)


# ---------------------------------------------------------------------------------------------------- the filters
def test_filters_agree_with_what_the_groups_are(many):
    client, _ = many
    groups = client.get("/api/groups?limit=500").json()["groups"]
    assert total(client, "") == len(groups) == 60
    for relations in RELATIONS:
        wanted = sum(any(relations[0] in pair["relations"] for pair in group["pairs"]) for group in groups)
        assert total(client, f"relation={relations[0]}") == wanted
    assert 0 < total(client, "relation=tone") < 60
    paths = [[p["path"] for m in group["members"] for p in m["locations"]] for group in groups]
    assert total(client, "name=PICTURE 17") == sum(any("picture 17" in one for one in own) for own in paths)
    assert total(client, "folder=/pictures/0") == 60
    assert total(client, "folder=/pictures/0/") == 60
    assert total(client, "folder=/pictures") == 60
    assert total(client, "folder=/picture") == 0  # no folder of that name
    assert total(client, "folder=/pictures/0&against=/pictures") == 60
    assert total(client, "folder=/pictures/0&against=/elsewhere") == 0
    assert total(client, "proof=unproven") == 60
    assert total(client, "proof=proven") == total(client, "companions=1") == total(client, "frees=1") == 0
    assert total(client, "since=1970-01-02") == 0  # the made-up files are of the first microseconds of 1970
    assert total(client, "until=1970-01-01") == 60
    assert total(client, "since=x&until=y&frees=z&proof=q") == 60


def test_filters_on_real_files(library, tmp_path):
    client, _ = library
    root = tmp_path / "pictures"
    everything = total(client, "state=all")
    here = f"state=all&folder={root}/elsewhere&against={root}/copies"
    assert 1 == total(client, here) < everything
    # one picture in both folders is needed, not one file that lies below both
    assert total(client, f"state=all&folder={root}/elsewhere&against={root}/elsewhere") == 0
    assert total(client, f"state=all&folder={root}&against={root}") == everything
    today = datetime.now(UTC).date().isoformat()
    assert total(client, f"state=all&since={today}") == everything
    assert total(client, f"state=all&until={today}") == everything
    assert total(client, "state=all&until=2000-01-01") == 0
    exact = total(client, "state=all&proof=exact")
    assert exact + total(client, "state=all&proof=proven") + total(client, "state=all&proof=edited") + total(
        client, "state=all&proof=unproven"
    ) == everything  # fmt: skip
    assert total(client, "state=all&frees=0.000001") <= everything


@pytest.mark.parametrize("order", ["largest", "freed", "doubtful", "newest", "name"])
def test_orders_go_through_all_pages(many, order):
    client, _ = many
    pages = [group_ids(client, f"order={order}&page={page}") for page in (1, 2)]
    assert [len(page) for page in pages] == [48, 12]
    assert len({*pages[0], *pages[1]}) == 60
    listed = [entry["id"] for entry in client.get(f"/api/groups?order={order}&limit=60").json()["groups"]]
    assert pages[0] + pages[1] == listed


# ------------------------------------------------------------------------------------------- many groups at once
KINDS = [("accept", "keeper", 1), ("both", "keep-both", 3), ("apart", "not-duplicate", 3)]


@pytest.mark.parametrize(("do", "kind", "made"), KINDS)
def test_what_matches_is_decided_in_one_go(many, do, kind, made):
    client, keys = many
    wanted = set(group_ids(client, "relation=tone"))
    page = said(client, keys, do, "relation=tone", all="1")
    assert f"{len(wanted)} groups" in page.text
    assert client.get("/api/decisions").json()["decisions"] == []  # only said
    assert done(client, keys, do, "relation=tone", all="1").headers["location"] == "/?relation=tone"
    decisions = client.get("/api/decisions").json()["decisions"]
    assert [one["kind"] for one in decisions] == [kind] * made * len(wanted)
    assert total(client, "relation=tone") == 0
    assert total(client, "") == 60 - len(wanted)
    assert f"{len(wanted)} of 60 done" in client.get("/").text
    client.post("/undo", data={"csrf": keys.form})
    assert client.get("/api/decisions").json()["decisions"] == []
    assert set(group_ids(client, "relation=tone")) == wanted


def test_what_is_kept_by_many_is_what_single_decisions_keep(serve, filled, tmp_path):
    """The same database by either way."""
    found = []
    for name, at_once in (("a.db", True), ("b.db", False)):
        copy = tmp_path / name
        copy.write_bytes(filled.read_bytes())
        client, keys = serve(copy)
        ids = group_ids(client)[:9]
        if at_once:
            done(client, keys, "accept", group=ids[:3])
            done(client, keys, "both", group=ids[3:6])
            done(client, keys, "apart", group=ids[6:])
        else:
            for place, one in enumerate(ids):
                key = client.get(f"/api/groups/{one}").json()["group"]["members"][0]["key"]
                choice(client, keys, one, (f"keep:{key}", "both", "apart")[place // 3])
        decisions = client.get("/api/decisions").json()["decisions"]
        found.append(sorted((d["kind"], d["a"], d["b"]) for d in decisions))
        groups = client.get("/api/groups?limit=500").json()["groups"]
        found.append(groups)
    assert found[0] == found[2]
    assert found[1] == found[3]


def test_nothing_is_done_with_other_groups_than_were_shown(many):
    client, keys = many
    ids = group_ids(client)[:3]
    digest = re.search(r'name="digest" value="(\w+)"', said(client, keys, "accept", all="1").text)[1]
    choice(client, keys, ids[0], "both")  # the list is another one now
    form = {"csrf": keys.form, "do": "accept", "all": "1", "digest": digest}
    assert client.post("/bulk/do", data=form).status_code == 409
    assert client.post("/bulk/do", data={**form, "digest": "x"}).status_code == 409
    none = {"csrf": keys.form, "do": "accept", "digest": digest}
    assert client.post("/bulk/do", data=none).status_code == 409
    assert client.post("/bulk/do", data={**form, "do": "delete"}).status_code == 422
    assert {d["kind"] for d in client.get("/api/decisions").json()["decisions"]} == {"keep-both"}


def test_what_makes_no_sense_is_left_out_and_said(library):
    client, keys = library
    same, _ = group_of(client, "p1.png")
    everything = total(client, "state=all")
    page = said(client, keys, "apart", "state=all", all="1")
    single = sum(len(g["members"]) == 1 for g in client.get("/api/groups?limit=500").json()["groups"])
    if single:
        assert "left out" in page.text
    assert f"{everything - single} groups hold no duplicates" in page.text
    assert same


# ----------------------------------------------------------------------------------------------------- the plan
def test_a_collected_plan(library, tmp_path):
    client, keys = library
    root = tmp_path / "pictures"
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    ids = group_ids(client, "state=all")
    group, _ = group_of(client, "p0.png")
    answer = choice(client, keys, group, "collect")
    assert answer.headers["location"] != f"/groups/{group}"
    plan = client.get("/plan.json?collected=1&relation=copy&relation=same_bytes").json()
    assert {item["group"] for item in plan["items"]} == {group}
    assert 'name="collected" value="1" checked' in client.get("/plan").text  # what was collected is shown first
    done(client, keys, "collect", "state=all", all="1")
    assert f'class="count ">{len(ids)}<' in client.get("/").text

    # it outlives the start of the page
    with Index.open(tmp_path / "p.db", read_only=True) as index:
        assert index.beside(TAIL).is_file()

    # a tick that is taken away is gone from list, file and button
    address = "action=move&relation=copy&relation=same_bytes&collected=1&to=" + str(tmp_path / "out")
    items = client.get(f"/plan.json?{address}").json()["items"]
    left = os.fsencode(items[0]["file"]["path"]).hex()
    every = [os.fsencode(item["file"]["path"]).hex() for item in items]
    form = {"csrf": keys.form, "file": every, "goes": every[1:]}
    page = client.post(f"/plan/tick?{address}", data=form)
    assert "its tick was taken away" in page.text
    fewer = client.get(f"/plan.json?{address}").json()["items"]
    assert len(fewer) == len(items) - 1
    assert left not in [os.fsencode(item["file"]["path"]).hex() for item in fewer]
    assert client.post(f"/plan/tick?{address}", data={**form, "file": ["zz"]}).status_code == 422

    [digest] = [found["value"] for _, found in Page(page.text).elements if found.get("name") == "digest"]
    result = client.post(f"/plan/apply?{address}", data={"csrf": keys.form, "digest": digest})
    assert "Done" in result.text
    now = {path for path in root.rglob("*") if path.is_file()}
    assert len(now) == len(before) - len(fewer)
    assert Path(os.fsdecode(bytes.fromhex(left))).exists()
    assert client.get("/plan").text.count('value="1" checked') == 0  # the plan is empty again
    client.post(f"{result.url.path}/undo", data={"csrf": keys.form})
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_the_place_that_stays_is_chosen(library, tmp_path):
    client, keys = library
    root = tmp_path / "pictures"
    group, _ = group_of(client, "p0.png")
    choice(client, keys, group, "collect")
    for stays, goes in (("p0.png", "copies/same0.png"), ("copies/same0.png", "p0.png")):
        answer = choice(client, keys, group, f"stay:{root / stays}")
        assert answer.headers["location"] == f"/groups/{group}"
        items = client.get("/plan.json?collected=1&relation=same_bytes").json()["items"]
        assert [item["file"]["path"] for item in items] == [str(root / goes)]
        assert "this place stays" in client.get(f"/groups/{group}").text
    assert choice(client, keys, group, "stay:/etc/passwd").status_code == 400


@pytest.mark.usefixtures("library")
def test_plans_of_chosen_groups_are_those_of_a_selection(tmp_path):
    with Index.open(tmp_path / "p.db", read_only=True) as index:
        groups = index.report(find=False).groups
        options = PlanOptions.named("trash", ["copy"])
        assert len(groups) >= 3
        for group in groups:
            wanted = index.plan(options, selection=Selection(groups=(group.id,)))
            made = index.plan_of([group], options)
            assert made.items == wanted.items
            assert made.left_out == wanted.left_out
            assert made.settings == wanted.settings
        together = index.plan_of(groups, options)
        assert together.items
        one = together.items[0].file.path
        assert [i.file.path for i in index.plan_of(groups, options, without=[one]).items] == [
            i.file.path for i in together.items[1:]
        ]


def test_the_rest_goes_to_the_trash_on_the_spot(library, tmp_path, monkeypatch):
    client, keys = library
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    root = tmp_path / "pictures"
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    group, members = group_of(client, "p0.png")
    answer = choice(client, keys, group, f"trash:{members[0]['key']}")
    assert answer.status_code == 303
    page = client.get(answer.headers["location"])
    assert "moved to the trash" in page.text
    now = {path for path in root.rglob("*") if path.is_file()}
    assert before.keys() - now == {root / "copies" / "same0.png"} or before.keys() - now == {root / "p0.png"}
    shown = client.app.state.site.group_lists
    with Index.open(tmp_path / "p.db", read_only=True) as index:
        assert [entry.group for entry in shown.current().entries] == list(index.report(find=False).groups)
    [back] = {found["action"] for _, found in Page(page.text).elements if found.get("action", "").endswith("/undo")
              and "applied" in found["action"]}  # fmt: skip
    client.post(back, data={"csrf": keys.form})
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert choice(client, keys, group, "trash:x").status_code == 400


def test_the_list_follows_a_plan_without_being_made_anew(library, tmp_path, monkeypatch):
    client, keys = library
    shown = client.app.state.site.group_lists
    files = sum(entry.files for entry in shown.current().entries)
    done(client, keys, "collect", "state=all", all="1")
    made = []
    monkeypatch.setattr("dedupindex.web.page.group_lists._group_list", lambda overview: made.append(1))
    address = f"action=move&relation=copy&relation=same_bytes&collected=1&to={tmp_path / 'out'}"
    page = Page(client.get(f"/plan?{address}").text)
    [digest] = [found["value"] for _, found in page.elements if found.get("name") == "digest"]
    client.post(f"/plan/apply?{address}", data={"csrf": keys.form, "digest": digest}, follow_redirects=False)
    with Index.open(tmp_path / "p.db", read_only=True) as index:
        now = list(index.report(find=False).groups)
        assert sum(len(m.image.locations) for g in now for m in g.members) < files
        assert shown.current().generation == index.generation
        assert [entry.group for entry in shown.current().entries] == now
    assert made == []


def test_what_the_system_refuses_is_said(library, monkeypatch):
    client, keys = library

    def full(*_, **__):
        raise OSError(28, "No space left on device", "/x")

    monkeypatch.setattr(type(client.app.state.site.index), "apply", full)
    group, members = group_of(client, "p0.png")
    answer = client.post(
        f"/groups/{group}",
        data={"csrf": keys.form, "do": f"trash:{members[0]['key']}"},
        headers={"accept": "text/html"},
    )
    assert answer.status_code == 500
    assert "space left on device" in Page(answer.text).text


def test_without_leave_nothing_goes(site, scanned):
    client, keys = site
    group, members = group_of(client, "p0.png")
    assert choice(client, keys, group, f"trash:{members[0]['key']}").status_code == 403
    assert client.get("/api/decisions").json()["decisions"] == []
    assert (scanned / "pictures" / "copies" / "same0.png").is_file()


def test_a_damaged_collection_is_an_empty_one(serve, own):
    (own.parent / f"{own.name}{TAIL}").write_text('{"groups": [1, "x"], "left": 3}')
    client, _ = serve(own)
    assert client.get("/plan").status_code == 200
    (own.parent / f"{own.name}{TAIL}").write_text("no JSON")
    client, _ = serve(own)
    assert client.get("/").status_code == 200


def test_tiles(site, scanned):
    client, _ = site
    with Index.open(scanned / "p.db", read_only=True) as index:
        image = index.image_at(scanned / "pictures" / "p0.png")
        holed = index.image_at(scanned / "pictures" / "holed.png")
    answer = client.get(f"/tiles/{image.id}/0/0/0")
    assert answer.headers["content-type"] == "image/jpeg"
    assert client.get(f"/tiles/{holed.id}/0/0/0").headers["content-type"] == "image/png"
    again = client.get(f"/tiles/{image.id}/0/0/0", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for wrong in ("0/0/1", "5/0/0", "0/-1/0", "0/0/x", "99/0/0", "0/0/0?low=9&high=9", "0/0/0?low=-1", "0/0/0?high=21"):
        assert client.get(f"/tiles/{image.id}/{wrong}").status_code in (404, 422), wrong
    assert client.get("/tiles/999999/0/0/0").status_code == 404
