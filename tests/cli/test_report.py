"""Parts of a report, what is different, formats: as a user meets them."""

import csv
import io
import json
import os
import sys

import pytest

from tests.pictures import half, picture, save


@pytest.fixture
def folder(run, tmp_path):
    """An archive and a card; `a` stands on both, `b` is archived smaller, `c` only on the card."""
    save(tmp_path / "archive" / "a.png", picture(1))
    save(tmp_path / "archive" / "b.jpg", half(picture(2)), quality=90)
    save(tmp_path / "card" / "a.png", picture(1))
    save(tmp_path / "card" / "b.png", picture(2))
    save(tmp_path / "card" / "c.png", picture(3))
    run("scan", "archive", "card", cwd=tmp_path, code=0)
    return tmp_path


@pytest.fixture(scope="module")
def shared(run, tmp_path_factory):
    """As *folder*, for tests that change nothing."""
    root = tmp_path_factory.mktemp("shared")
    save(root / "archive" / "a.png", picture(1))
    save(root / "archive" / "b.jpg", half(picture(2)), quality=90)
    save(root / "card" / "a.png", picture(1))
    save(root / "card" / "b.png", picture(2))
    save(root / "card" / "c.png", picture(3))
    run("scan", "archive", "card", cwd=root, code=0)
    return root


def test_is_everything_on_this_card_archived(run, shared):
    said = run("report", "--across", "card", "archive", cwd=shared, code=0).stdout
    assert "only pairs of card with archive\n" in said
    assert (
        "card: 2 of 3 files with a duplicate in archive, 1 of them in the same bytes or pixels; without:\n"
        "    card/c.png\n"
    ) in said
    value = json.loads(run("report", "--across", "card", "archive", "--json", cwd=shared, code=0).stdout)
    found = value["coverage"]
    assert (found["places"], found["covered"], found["exact"]) == (3, 2, 1)
    assert [place["path"] for place in found["uncovered"]] == [str(shared / "card" / "c.png")]
    assert [path["path"] for path in value["selection"]["across"]] == [str(shared / "card"), str(shared / "archive")]
    back = run("report", "--across", "archive", "card", cwd=shared, code=0).stdout
    assert "archive: all 2 files with a duplicate in card, 1 of them in the same bytes or pixels\n" in back


def test_parts(run, shared):
    def groups(*options):
        return json.loads(run("report", "--json", *options, cwd=shared, code=0).stdout)["groups"]

    assert len(groups()) == 2
    assert [len(group["members"]) for group in groups("--relation", "same_bytes")] == [1]
    assert [len(group["members"]) for group in groups("--not-relation", "same_bytes")] == [2]
    assert len(groups("--relation", "same_bytes", "--relation", "resized")) == 2
    assert len(groups("--path", "archive/b.jpg")) == 1
    assert groups("--same-folder") == []
    assert len(groups("--other-folder")) == 2
    said = run("report", "--relation", "same_bytes", "--path", "card", cwd=shared, code=0).stdout
    assert "\nonly pairs that are same_bytes, groups that touch card\n" in said


def test_csv_holds_only_what_was_asked_for(run, shared):
    def relations(*options):
        said = run("report", "--csv", *options, cwd=shared, code=0).stdout
        return [row["relation"] for row in csv.DictReader(io.StringIO(said))]

    assert relations("--relation", "same_bytes") == ["same_bytes"]
    assert "same_bytes" not in relations("--relation", "resized")
    assert len(relations()) == 2


def test_exit_code(run, shared):
    assert run("report", "--exit-code", cwd=shared, code=3).stdout
    run("report", "--exit-code", "--relation", "mirrored", cwd=shared, code=0)
    run("report", "--exit-code", "--since", "last", cwd=shared, code=3)
    run("scan", "card", "--exit-code", cwd=shared, code=3)


def test_scan_says_what_is_different_and_else_nothing(run, folder):
    line = ("-q", "scan", "archive", "card", "--since", "last", "--exit-code")
    done = run(*line, cwd=folder, code=0)
    assert done.stdout == done.stderr == ""
    save(folder / "card" / "c2.png", half(picture(3)))
    (folder / "card" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    done = run(*line, cwd=folder, code=3)
    assert done.stdout.splitlines()[0].endswith("): 1 new group")
    assert "\n+ * card/c.png  (160 x 120 PNG)\n" in done.stdout
    assert "\n+   card/c2.png  (106 x 80 PNG)\n" in done.stdout
    assert "broken.jpg" in done.stderr
    done = run(*line, cwd=folder, code=0)
    assert done.stdout == done.stderr == ""  # nor the file that failed before
    (folder / "archive" / "b.jpg").unlink()
    save(folder / "card" / "c3.png", half(half(picture(3))))
    (folder / "card" / "c2.png").unlink()
    done = run(*line, cwd=folder, code=3)
    assert done.stdout.splitlines()[0].endswith("): 1 grown group, 1 resolved")
    assert "\n-   card/c2.png  (gone)\n" in done.stdout
    assert "\n-   archive/b.jpg  (gone)\n-   card/b.png\n" in done.stdout
    assert run("report", "--since", "last", cwd=folder, code=0).stdout == done.stdout


def test_what_is_different_in_json(run, folder):
    value = json.loads(run("report", "--json", "--since", "last", cwd=folder, code=0).stdout)
    assert (value["since"], {change["kind"] for change in value["changes"]}) == (None, {"new"})
    assert {change["id"] for change in value["changes"]} == {group["id"] for group in value["groups"]}
    run("scan", "card", cwd=folder, code=0)
    value = json.loads(run("report", "--json", "--since", "last", cwd=folder, code=0).stdout)
    assert (value["changes"], value["groups"], value["since"]["id"]) == ([], [], 2)
    assert "changes" not in json.loads(run("report", "--json", cwd=folder, code=0).stdout)


def test_page_of_what_is_different(run, folder):
    (folder / "card" / "a.png").unlink()
    run("scan", "card", cwd=folder, code=0)
    run("report", "--since", "last", "--html", "p.html", cwd=folder, code=0)
    page = (folder / "p.html").read_text("utf-8")
    assert "1 resolved group" in page
    assert "card/a.png  (gone)" in page
    run("report", "--across", "card", "archive", "--html", "p.html", cwd=folder, code=0)
    assert "1 picture of " in (folder / "p.html").read_text("utf-8")


def test_the_summary_stands_at_the_end_or_alone(run, shared):
    whole = run("report", cwd=shared, code=0).stdout
    first, _, rest = whole.partition("\n\n")
    alone = run("report", "--summary", cwd=shared, code=0).stdout
    assert alone.startswith(f"{first}\n\nsummary: ")
    assert rest.endswith(alone.partition("\n\n")[2])
    assert [line.split()[:3] for line in alone.splitlines()[3:5]] == [["same_bytes", "1", "1"], ["resized", "1", "1"]]
    assert "next: dedupindex plan -o plan.json" in alone
    assert run("scan", "archive", "card", cwd=shared, code=0).stdout.endswith(whole)
    assert "summary" not in run("report", "--path", "card/c.png", cwd=shared, code=0).stdout  # no group


def test_sorted_and_only_the_first(run, shared):
    def groups(*options):
        listed = json.loads(run("report", "--json", *options, cwd=shared, code=0).stdout)["groups"]
        return [len(group["members"]) for group in listed]

    assert sorted(groups()) == [1, 2]
    assert groups("--sort", "score") == [1, 2]  # the same bytes before what is resized
    assert groups("--sort", "bytes") == [1, 2]  # a copy of a PNG is larger than a small JPEG
    assert groups("--sort", "score", "--top", "1") == [1]
    said = run("report", "--top", "1", cwd=shared, code=0).stdout
    assert said.startswith("2 duplicate groups with 4 of 5 files\n")
    assert said.count("\ngroup ") == 1
    assert "\nand 1 group more (--top)\n" in said
    run("report", "--top", "1", "--html", "p.html", cwd=shared, code=0)
    assert "The first 1 group." in (shared / "p.html").read_text("utf-8")


def test_where_output_went_is_said(run, shared):
    done = run("report", "--html", "q.html", "--pairs", "q.csv", cwd=shared, code=0)
    assert f"written: {shared / 'q.html'} (" in done.stderr
    assert f"written: {shared / 'q.csv'} (" in done.stderr
    assert run("-q", "report", "--html", "q.html", cwd=shared, code=0).stderr == ""


def test_lists_for_scripts(run, shared):
    said = run("report", "--format", "fdupes", cwd=shared, code=0).stdout
    lists = [part.split("\n") for part in said.split("\n\n")[:-1]]
    names = [[path.removeprefix(f"{shared}/") for path in some] for some in lists]
    assert sorted(names) == [["archive/a.png", "card/a.png"], ["card/b.png", "archive/b.jpg"]]
    null = run("report", "--format", "fdupes", "-0", "--relation", "same_bytes", cwd=shared, code=0).stdout
    assert null == f"{shared}/archive/a.png\0{shared}/card/a.png\0\0"


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system allows no such names")
def test_no_name_breaks_a_list(run, tmp_path):
    data = save(tmp_path / "in" / "a.png", picture(1)).read_bytes()
    odd = os.fsdecode(b"new\n\nline \xff.png")
    (tmp_path / "in" / odd).write_bytes(data)
    run("scan", "in", cwd=tmp_path, code=0)
    done = run("report", "--format", "fdupes", cwd=tmp_path, code=0)
    assert done.stdout == ""
    assert "1 path with a line break left out; use --print0" in done.stderr
    done = run("report", "--format", "fdupes", "--print0", cwd=tmp_path, code=0)
    assert done.stdout == f"{tmp_path}/in/a.png\0{tmp_path}/in/{odd}\0\0"


def test_formats_agree(run, shared):
    for one, other in (
        (["--json"], ["--format", "json"]),
        (["--csv"], ["--format", "csv"]),
        ([], ["--format", "text"]),
    ):
        assert run("report", *one, cwd=shared).stdout == run("report", *other, cwd=shared).stdout
    assert json.loads(run("report", "--json", "--csv", cwd=shared, code=2).stdout or "{}") == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--json", "--csv"], "give one format"),
        (["--format", "csv", "--json"], "give one format"),
        (["-0"], "--print0 goes with"),
        (["--same-folder", "--other-folder"], "not both"),
        (["--relation", "croped"], "there are: same_bytes"),
        (["--not-relation", "croped"], "no relation croped"),
        (["--across", "crad", "archive"], "knows no picture at or below"),
        (["--across", "card", "card"], "one place"),
        (["--since", "soon"], "since is 'soon'"),
        (["--since", "77"], "no run 77"),
        (["--parquet", "no/p.parquet"], "no folder"),
        (["--summary", "--json"], "--summary is text"),
        (["--summary", "--alternates"], "--summary is text"),
        (["--pieces", "--format", "immich"], "--pieces gives text, JSON or HTML"),
        (["--top", "2", "--alternates"], "are about groups"),
        (["--top", "0"], "--top"),
        (["--sort", "name"], "--sort"),
    ],
)
def test_wrong_usage(run, shared, options, words):
    done = run("report", *options, cwd=shared, code=2)
    assert words in done.stderr
    assert done.stdout == ""


def test_parquet(run, shared):
    parquet = pytest.importorskip("pyarrow.parquet")
    run("report", "--parquet", "p.parquet", cwd=shared, code=0)
    rows = parquet.read_table(shared / "p.parquet").to_pylist()
    assert [row["relation"] for row in rows][:1] == ["same_bytes"]
    (shared / "p.parquet").unlink()
