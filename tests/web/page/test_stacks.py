"""A stack of alternates beside a group: keep all, take apart, choose the best; each undone in one step."""

import re
from collections import defaultdict

import pytest

from dedupindex import Index
from dedupindex.records import Outcome, Proof
from dedupindex.store import catalog, catalog_pairs, catalog_proofs
from dedupindex.store.catalog_proofs import StoredProof
from dedupindex.store.database import Database
from tests.pictures import half, picture, save
from tests.web.clients import Page, group_of


def write_burst(folder):
    """Three shots and a smaller copy of the first. They differ in tone; what their files show is made up below."""
    pixels = picture(1)
    save(folder / "one.png", pixels)
    save(folder / "one small.png", half(pixels))
    save(folder / "two.png", (pixels * 0.92).astype("uint8"))
    save(folder / "three.png", (pixels * 0.84).astype("uint8"))


def make_alternates(path):
    """Let the proofs say that only the copies of the first shot show the same."""
    database = Database(path)
    with database.write() as connection:
        run = catalog.start_run(connection, "proofs")
        proofs = []
        for pair in catalog_pairs.pairs(connection):
            names = {image.locations[0].path.name[:3] for image in (pair.a, pair.b)}
            proof = Proof(Outcome.SAME if len(names) == 1 else Outcome.ALTERNATE, changed=0.2, compared=1.0)
            proofs.append(StoredProof(pair.a.id, pair.b.id, proof, derived=False))
        catalog_proofs.put_proofs(connection, proofs, run)
        catalog.finish_run(connection, run, {})
    database.close()
    assert len(proofs) == 6


@pytest.fixture
def burst(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    write_burst(tmp_path / "pictures")
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "pictures"])
        index.find_duplicates()
    make_alternates(tmp_path / "p.db")
    return serve(tmp_path / "p.db", allow_apply=True)


def stack(client, keys, group, do, **more):
    form = {"csrf": keys.form, "do": do, **more}
    return client.post(f"/groups/{group}/stack", data=form, follow_redirects=False)


def keys_of(client, group):
    """Content keys of the pictures of a stack by file name."""
    page = Page(client.get(f"/groups/{group}").text)
    found = [(tag, one) for tag, one in page.elements if tag in ("img", "button")]
    names, last = {}, ""
    for tag, one in found:
        last = one.get("alt", last) if tag == "img" else last
        if tag == "button" and one.get("value", "").startswith("best:"):
            names[last] = one["value"].partition(":")[2]
    return names


def decided(client):
    kinds = defaultdict(int)
    for one in client.get("/api/decisions").json()["decisions"]:
        kinds[one["kind"]] += 1
    return dict(kinds)


def best(client, keys, group, key, way):
    said = stack(client, keys, group, f"best:{key}")
    digest = re.search(r'name="digest" value="(\w+)"', said.text)[1]
    form = {"csrf": keys.form, "best": key, "way": way, "digest": digest}
    return said, client.post(f"/groups/{group}/stack/do", data=form, follow_redirects=False)


def undo(client, keys):
    client.post("/undo", data={"csrf": keys.form})


def test_the_stack_stands_beside_its_group(burst):
    client, _ = burst
    group, members = group_of(client, "one.png")
    assert len(members) == 2
    assert set(keys_of(client, group)) == {"one.png", "two.png", "three.png"}


@pytest.mark.parametrize(("do", "kind"), [("all", "keep-both"), ("apart", "not-duplicate")])
def test_a_decision_on_all_of_it_is_written_down_and_undone(burst, do, kind):
    client, keys = burst
    group, _ = group_of(client, "one.png")
    before = client.get("/api/groups").json()
    assert stack(client, keys, group, do).headers["location"] == f"/groups/{group}"
    assert decided(client) == {kind: 4}  # two pictures of the group with two beside it
    assert keys_of(client, group) == {}
    assert [entry["id"] for entry in client.get("/api/groups").json()["groups"]] == [group]  # still open
    assert "0 of 1 done" in client.get("/").text
    again = stack(client, keys, group, do)
    assert again.status_code == 400
    undo(client, keys)
    assert decided(client) == {}
    assert client.get("/api/groups").json() == before
    assert len(keys_of(client, group)) == 3


def test_a_decision_on_the_group_leaves_the_stack(burst):
    client, keys = burst
    group, members = group_of(client, "one.png")
    form = {"csrf": keys.form, "do": f"keep:{members[0]['key']}"}
    client.post(f"/groups/{group}", data=form, follow_redirects=False)
    assert len(keys_of(client, group)) == 3


def test_the_best_of_a_stack_is_chosen_into_the_plan(burst, tmp_path):
    client, keys = burst
    group, _ = group_of(client, "one.png")
    names = keys_of(client, group)
    root = tmp_path / "pictures"
    size = sum((root / name).stat().st_size for name in ("two.png", "three.png"))
    said, answer = best(client, keys, group, names["one.png"], "plan")
    text = Page(said.text).text
    assert "2 files (" in text
    assert f"{size / 1000:.1f} kB" in text
    assert "two.png" in text
    assert "three.png" in text
    assert answer.status_code == 303
    assert decided(client) == {"keeper": 1, "keep-one": 2}
    assert Page(client.get(f"/groups/{group}").text).text.count("in the plan") == 2
    plan = client.get("/plan.json?collected=1").json()
    assert sorted(item["file"]["path"].rpartition("/")[2] for item in plan["items"]) == ["three.png", "two.png"]
    assert {item["relation"] for item in plan["items"]} == {"alternate"}
    # nowhere else
    assert client.get("/plan.json?collected=0&relation=copy").json()["items"] != plan["items"]
    for address in ("collected=0", "collected=0&relation=copy", "collected=0&decided=1"):
        items = client.get(f"/plan.json?{address}").json()["items"]
        assert {item["relation"] for item in items} <= {"resized", "resized+reencoded", "same_bytes"}
    undo(client, keys)
    assert decided(client) == {}
    assert client.get("/plan.json?collected=1").json()["items"] == []
    assert 'class="count' not in client.get("/query").text


def test_another_one_may_be_the_best(burst):
    client, keys = burst
    group, _ = group_of(client, "one.png")
    names = keys_of(client, group)
    said, _ = best(client, keys, group, names["two.png"], "plan")
    assert "3 files (" in said.text  # the copy of the first one too
    best(client, keys, group, names["three.png"], "plan")  # another mind
    assert client.get("/plan.json?collected=1").json()["items"]
    kept = {item["keeper"]["path"].rpartition("/")[2] for item in client.get("/plan.json?collected=1").json()["items"]}
    assert kept == {"three.png"}


def test_the_rest_goes_to_the_trash_on_the_spot_and_comes_back(burst, tmp_path):
    client, keys = burst
    root = tmp_path / "pictures"
    before = {path: path.read_bytes() for path in root.rglob("*.png")}
    group, _ = group_of(client, "one.png")
    names = keys_of(client, group)
    _, answer = best(client, keys, group, names["one.png"], "trash")
    there = answer.headers["location"]
    assert sorted(path.name for path in root.rglob("*.png")) == ["one small.png", "one.png"]  # copies are not meant
    page = client.get(there)
    assert "2 files" in page.text
    undone = re.search(r'action="(/plan/applied/[\w-]+/undo)"', page.text)[1]
    client.post(undone, data={"csrf": keys.form})
    assert {path: path.read_bytes() for path in root.rglob("*.png")} == before


def test_what_changed_since_it_was_said_is_refused(burst, tmp_path, serve):
    client, keys = burst
    group, _ = group_of(client, "one.png")
    names = keys_of(client, group)
    form = {"csrf": keys.form, "best": names["one.png"], "way": "trash", "digest": "x"}
    assert client.post(f"/groups/{group}/stack/do", data=form).status_code == 409
    assert client.post(f"/groups/{group}/stack/do", data={**form, "way": "burn"}).status_code == 422
    assert client.post("/groups/000000000000/stack/do", data=form).status_code == 404
    assert stack(client, keys, group, "burn").status_code == 422
    assert stack(client, keys, group, "best:0").status_code == 400
    assert stack(client, keys, "000000000000", "all").status_code == 404
    assert decided(client) == {}
    # the file is another one than was shown: it stays, and that is said
    said = stack(client, keys, group, f"best:{names['one.png']}")
    digest = re.search(r'name="digest" value="(\w+)"', said.text)[1]
    save(tmp_path / "pictures" / "two.png", picture(9))
    answer = client.post(f"/groups/{group}/stack/do", data={**form, "digest": digest}, follow_redirects=False)
    assert answer.status_code == 303
    assert (tmp_path / "pictures" / "two.png").exists()
    assert not (tmp_path / "pictures" / "three.png").exists()


def test_a_page_that_may_not_change_files_does_not(burst, serve, tmp_path):
    client, keys = serve(tmp_path / "p.db")
    group, _ = group_of(client, "one.png")
    names = keys_of(client, group)
    said, answer = best(client, keys, group, names["one.png"], "trash")
    assert "trash-stack" not in said.text
    assert answer.status_code == 403
    assert decided(client) == {}
    assert (tmp_path / "pictures" / "two.png").exists()
