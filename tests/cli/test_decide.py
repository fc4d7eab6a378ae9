import json
import os

import pytest

from tests.pictures import half, picture, save


def scanned_in(folder, run):
    save(folder / "in" / "a.png", picture(1))
    save(folder / "in" / "b.jpg", half(picture(1)), quality=90)
    run("scan", "in", cwd=folder, code=0)
    return folder


@pytest.fixture
def folder(run, tmp_path):
    return scanned_in(tmp_path, run)


@pytest.fixture(scope="module")
def unchanged(run, tmp_path_factory):
    """One folder for all commands that change nothing."""
    return scanned_in(tmp_path_factory.mktemp("decide"), run)


def test_a_decision_is_said_remembered_and_taken_back(run, folder):
    done = run("decide", "not-duplicate", "in/b.jpg", "in/a.png", "--note", "two\nbirds", cwd=folder, code=0)
    assert "not-duplicate" in done.stdout
    assert "in/a.png" in done.stdout
    assert "(two\\nbirds)" in done.stdout
    assert run("report", cwd=folder, code=0).stdout.startswith("no duplicates, among 2 files; 1 pair left")
    assert "no duplicates" in run("scan", "in", cwd=folder, code=0).stdout
    assert run("decide", "list", cwd=folder, code=0).stdout == done.stdout
    assert run("decide", "forget", "in/a.png", "in/b.jpg", cwd=folder, code=0).stdout == "1 forgotten\n"
    assert "1 duplicate group" in run("report", cwd=folder, code=0).stdout
    assert run("decide", "forget", "in/a.png", cwd=folder, code=1).stdout == "nothing was decided there\n"
    assert run("decide", "list", cwd=folder, code=0).stdout == ""


def test_kept_both_are_shown_on_request(run, folder):
    run("decide", "keep-both", "in/a.png", "in/b.jpg", cwd=folder, code=0)
    assert "in/b.jpg" not in run("report", cwd=folder, code=0).stdout
    shown = run("report", "--decided", cwd=folder, code=0).stdout
    assert "! both of these are kept, as was decided: in/" in shown
    [group] = json.loads(run("report", "--decided", "--json", cwd=folder, code=0).stdout)["groups"]
    assert group["flags"][0].startswith("keep_both:")


def test_a_keeper_is_marked(run, folder):
    run("decide", "keeper", "in/b.jpg", cwd=folder, code=0)
    assert "* in/b.jpg  (106 x 80 JPEG)\n      the keeper, as was decided\n" in run("report", cwd=folder).stdout
    value = json.loads(run("report", "--json", cwd=folder).stdout)
    assert [member["keeper"] for member in value["groups"][0]["members"]] == [True, False]
    assert [some["kind"] for some in value["decisions"]] == ["keeper"]


def test_decisions_travel_to_another_database(run, folder):
    run("decide", "not-duplicate", "in/b.jpg", "in/a.png", cwd=folder, code=0)
    run("decide", "export", "d.json", cwd=folder, code=0)
    (folder / "other").mkdir()
    for name in ("a.png", "b.jpg"):
        os.link(folder / "in" / name, folder / "other" / f"x{name}")
    run("-d", "o.db", "scan", "other", cwd=folder, code=0)
    done = run("-d", "o.db", "decide", "import", "d.json", cwd=folder, code=0)
    assert done.stdout == "1 decision taken over\n"
    again = run("-d", "o.db", "decide", "import", "d.json", cwd=folder, code=0)
    assert again.stdout == "0 decisions taken over, 1 known already or older than ours\n"
    assert "no duplicates" in run("-d", "o.db", "report", cwd=folder, code=0).stdout
    [listed] = json.loads(run("-d", "o.db", "decide", "list", "--json", cwd=folder, code=0).stdout)["decisions"]
    paths = [place["path"] for places in listed["paths"].values() for place in places]
    assert sorted(paths) == [str(folder / "other" / "xa.png"), str(folder / "other" / "xb.jpg")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["perhaps", "in/a.png"], "cannot decide 'perhaps'"),
        (["keeper"], "about a picture"),
        (["keeper", "in/c.png"], "no such file"),
        (["not-duplicate", "in/a.png"], "two pictures"),
        (["export"], "takes one file"),
        (["export", "no/d.json"], "no folder"),
        (["import", "nothing.json"], "nothing.json"),
        (["import", "in/a.png"], "no file of decisions"),
        (["list", "in/a.png"], "takes no pictures"),
        (["keeper", "in/a.png", "--json"], "--json goes with"),
        (["list", "--note", "x"], "--note goes with"),
    ],
)
def test_wrong_usage(run, unchanged, arguments, words):
    done = run("decide", *arguments, cwd=unchanged, code=2)
    assert words in done.stderr
    assert done.stdout == ""
