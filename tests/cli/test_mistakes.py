"""Mistakes leave nothing behind, and closed streams change no exit code."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dedupindex import Index, Selection, SettingsError
from tests.commands import SCRIPT


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("scan", "/nope"), "/nope: no such file or folder"),
        (("ingest", "/nope", "~nobodyxyz/a"), "/nope, ~nobodyxyz/a: no such file or folder"),
        (("scan", "--effort", "Qick", "."), "effort is 'Qick', must be one of quick"),
        (("ingest", "--low-percentile", "100", "."), "percentiles"),
        (("scan", "--list", "nope.csv"), "nope.csv: there is no such list"),
        (("scan", "--config", "nope.toml", "."), "nope.toml"),
        (("merge", "nope.db"), "there is no database nope.db"),
    ],
)
def test_a_mistake_makes_no_database(run, tmp_path, arguments, words):
    (tmp_path / "here").mkdir()
    done = run(*arguments, cwd=tmp_path, code=2)
    assert words in done.stderr
    assert "Errno" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_what_is_missing_beside_others_is_a_failure(run, tmp_path):
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    done = run("scan", "/nope", "a.png", cwd=tmp_path, code=1)
    assert "/nope: missing" in done.stderr
    done = run("scan", "/nope", cwd=tmp_path, code=1)  # now there is a database, which may know places below
    assert "/nope: missing" in done.stderr


MISTAKES = {
    "a relation that there is not": ("report", "--relation", "resised"),
    "a setting without meaning": ("scan", "--effort", "Qick", "."),
    "a path that does not exist": ("scan", "/nope"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told_as_the_manual_says(run, scanned, tmp_path, mistake):
    folder, _ = scanned
    page = Path(__file__).parents[2] / "docs" / "pages" / "reference" / "reasons.md"
    [line] = [line for line in page.read_text("utf-8").splitlines() if line.startswith(f"| {mistake} |")]
    database = folder / "p.db" if mistake.startswith("a relation") else tmp_path / "new.db"
    done = run("-d", database, *MISTAKES[mistake], cwd=tmp_path, code=2)
    for part in line.split("`")[1].split("..."):
        assert part.strip() in done.stderr
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("arguments", [("apply", "nope.json"), ("undo", "nope.jsonl")])
def test_files_that_are_not_there_are_told_in_words(run, tmp_path, arguments):
    done = run(*arguments, cwd=tmp_path, code=2)
    assert done.stderr == f"dedupindex: {arguments[1]}: no such file or directory\n"


def test_home_folders_in_options(run, scanned, tmp_path):
    folder, _ = scanned
    home = {"HOME": str(tmp_path)}
    run("-d", folder / "p.db", "plan", "--output=~/plan.json", cwd=folder, env=home, code=0)
    assert (tmp_path / "plan.json").is_file()
    assert not (folder / "~").exists()
    run("apply", "--dry-run", "~/plan.json", cwd=folder, env=home, code=0)


@pytest.mark.parametrize("since", ["0001-01-01", "0001-01-01T00:00+14:00", "9999-12-31", "9999-12-31T23:59-14:00"])
def test_a_report_since_the_ends_of_the_calendar(run, scanned, since):
    folder, _ = scanned
    done = run("-d", folder / "p.db", "report", "--since", since, cwd=folder, code=0)
    assert ("new" in done.stdout) == since.startswith("0001")


@pytest.mark.parametrize("since", ["0000-01-01", "10000-01-01", "9" * 5000, "99999999999d"])
def test_what_is_no_time(run, scanned, since):
    folder, _ = scanned
    done = run("-d", folder / "p.db", "report", "--since", since, cwd=folder, code=2)
    assert "since is" in done.stderr


def test_places_of_a_selection_may_be_text(scanned):
    folder, _ = scanned
    with Index.open(folder / "p.db", read_only=True) as index:
        pictures = folder / "pictures"
        as_text = index.report(selection=Selection(across=(str(pictures), str(pictures / "copies"))), find=False)
        as_paths = index.report(selection=Selection(across=(pictures, pictures / "copies")), find=False)
        assert as_text == as_paths
        touched = index.report(selection=Selection(paths=(str(pictures),)), find=False)
        assert len(touched.groups) > 0
        for wrong in (("a",), ("a", "b", "c"), "ab", ("a", 5), ("a", "nope://x")):
            with pytest.raises(SettingsError):
                index.report(selection=Selection(across=wrong), find=False)


def test_a_query_says_which_place_is_gone(run, tmp_path):
    rng = np.random.default_rng(5)
    pixels = np.kron(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "b.bmp")
    run("ingest", "a.png", cwd=tmp_path, code=0)
    assert "(gone)" not in run("query", "b.bmp", cwd=tmp_path, code=0).stdout
    (tmp_path / "a.png").unlink()
    assert "a.png  (gone)" in run("query", "b.bmp", cwd=tmp_path, code=0).stdout


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes them")
@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [
        pytest.param("info", "2>&-", 0, marks=pytest.mark.slow),
        ("info", "<&- >&- 2>&-", 0),
        ("info --json", ">&-", 0),
        ("report --exit-code", ">&- 2>&-", 3),
        ("info --nonsense", "2>&-", 2),
    ],
)
def test_closed_streams_change_no_exit_code(scanned, environment, closed, arguments, code):
    folder, _ = scanned
    command = f'"{sys.executable}" "{SCRIPT}" -d p.db {arguments} {closed}'
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment | {"DEDUPINDEX_WORKERS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "report this" not in done.stderr


def test_a_scan_with_closed_streams_is_whole(environment, tmp_path):
    Image.new("L", (64, 64), 9).save(tmp_path / "a.png")
    command = f'"{sys.executable}" "{SCRIPT}" -d p.db scan a.png >&- 2>&-'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment | {"DEDUPINDEX_WORKERS": "2"})
    assert done.returncode == 0
    with Index.open(tmp_path / "p.db", read_only=True) as index:
        assert index.info()["images"] == 1
    assert not Path(tmp_path / "nohup.out").exists()
