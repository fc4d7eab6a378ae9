"""What is left out of scans, and plans of a selection, end to end."""

import json
import shutil
from pathlib import Path

import pytest

from tests.pictures import half, picture, save


def planned(path):
    return sorted(Path(item["file"]["path"]).name for item in json.loads(path.read_bytes())["items"])


@pytest.fixture
def drive(tmp_path):
    """A drive of another system: a picture, and its copies in a recycle bin and in a folder of thumbnails."""
    kept = save(tmp_path / "drive" / "Pictures" / "2019" / "a very long name of a folder" / "lake.png", picture(1))
    thrown = tmp_path / "drive" / "$RECYCLE.BIN" / "S-1" / "$R1.png"
    thrown.parent.mkdir(parents=True)
    shutil.copy2(kept, thrown)
    save(tmp_path / "drive" / "Pictures" / "@eaDir" / "lake.png" / "THUMB_M.jpg", half(picture(1)), quality=90)
    return tmp_path / "drive"


def test_a_recycle_bin_is_not_entered_and_keeps_nothing(run, drive, tmp_path):
    done = run("scan", "drive", cwd=tmp_path, code=0)
    assert "left out: 2 system folders" in done.stdout
    assert "no duplicates, among 1 file" in done.stdout
    run("plan", "-o", "p.json", cwd=tmp_path, code=0)
    assert planned(tmp_path / "p.json") == []


def test_system_folders_on_request(run, drive, tmp_path):
    done = run("scan", "drive", "--no-default-excludes", cwd=tmp_path, code=0)
    assert "left out" not in done.stdout
    assert "1 duplicate group with 3 of" in done.stdout


def test_what_is_in_the_index_stays_until_it_is_forgotten_and_does_not_come_back(run, drive, tmp_path):
    run("scan", "drive", "--no-default-excludes", cwd=tmp_path, code=0)
    done = run("scan", "drive", cwd=tmp_path, code=0)
    assert "2 files in the index, though left out now" in done.stdout
    assert "gone" not in done.stdout
    assert "with 3 of" in done.stdout
    run("forget", "drive/$RECYCLE.BIN", "drive/Pictures/@eaDir", cwd=tmp_path, code=0)
    done = run("scan", "drive", cwd=tmp_path, code=0)
    assert "no duplicates, among 1 file" in done.stdout
    assert "in the index" not in done.stdout


def test_what_was_deleted_in_a_folder_that_is_left_out_is_gone(run, drive, tmp_path):
    run("scan", "drive", "--no-default-excludes", cwd=tmp_path, code=0)
    (drive / "$RECYCLE.BIN" / "S-1" / "$R1.png").unlink()
    done = run("scan", "drive", cwd=tmp_path, code=0)
    assert "1 file gone" in done.stdout
    assert "1 file in the index, though left out now" in done.stdout


def test_exclusions_are_remembered_with_their_folder(run, tmp_path):
    for name in ("a.png", "cache/a.png", "b,c/a.png"):
        save(tmp_path / "in" / name, picture(1))
    save(tmp_path / "other" / "cache" / "a.png", picture(1))
    done = run("scan", "in", "--exclude", "cache/", "--exclude", "b,c/", cwd=tmp_path, code=0)
    assert "left out: 2 files and folders by patterns" in done.stdout
    assert f"left out of {tmp_path}/in: cache/  b,c/" in done.stdout
    assert "no duplicates" in done.stdout
    again = run("scan", "in", "other", cwd=tmp_path, code=0)
    assert "left out: 2 files and folders by patterns" in again.stdout
    assert "1 duplicate group with 2 of 2 files" in again.stdout  # `cache` of another folder is taken
    dry = run("ingest", "in", "--forget-excludes", "--dry-run", cwd=tmp_path, code=0)
    assert "2 to read" in dry.stdout
    replaced = run("ingest", "in", "--exclude", "b,c/", cwd=tmp_path, code=0)
    assert "1 read" in replaced.stdout
    forgotten = run("ingest", "in", "--forget-excludes", cwd=tmp_path, code=0)
    assert "1 read" in forgotten.stdout
    assert "left out" not in forgotten.stdout


def test_a_file_of_patterns_sizes_and_extensions(run, tmp_path):
    for name in ("a.png", "thumbs/a.png", "a.bmp"):
        save(tmp_path / "in" / name, picture(1))
    save(tmp_path / "in" / "tiny.png", picture(2)[:8, :8])
    (tmp_path / "in" / ".dedupindexignore").write_text("thumbs/\n")
    arguments = ("ingest", "in", "--min-size", "2000", "--extensions", ".PNG,jpg")
    done = run(*arguments, cwd=tmp_path, code=0)
    assert "1 file: 1 read" in done.stdout
    words = "left out: 1 file or folder by patterns, 1 file for its size, 1 file for its extension"
    assert words in done.stdout


def test_pictures_of_few_pixels_are_left_out_until_they_are_asked_for(run, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "icon.png", picture(2)[:32, :32])
    done = run("ingest", "in", "--min-pixels", "1025", cwd=tmp_path, code=1)
    assert "2 files: 2 read, 0 unchanged, 1 failed" in done.stdout
    assert "32 x 32 pixels; min_pixels is 1,025" in run("failures", cwd=tmp_path, code=1).stdout
    again = run("ingest", "in", "--min-pixels", "1024", cwd=tmp_path, code=0)
    assert "2 files: 1 read, 1 unchanged" in again.stdout


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--exclude", "!", "exclude: '!' is no pattern"),
        ("--exclude", "a\\", "is no pattern"),
        ("--exclude", "[", "exclude: '[' matches nothing"),
        ("--exclude", "#recycle", "is a comment; write \\#recycle"),
        ("--min-size", "-1", "min_size is -1, must not be negative"),
        ("--min-pixels", "-1", "min_pixels is -1, must not be negative"),
        ("--extensions", "a/b", "extensions: 'a/b' is none"),
    ],
)
def test_values_that_mean_nothing(run, tmp_path, option, value, words):
    save(tmp_path / "in" / "a.png", picture(1))
    done = run("ingest", "in", option, value, cwd=tmp_path, code=2)
    assert words in done.stderr


def test_a_bad_line_in_a_file_of_patterns(run, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    (tmp_path / "in" / ".dedupindexignore").write_text("*.tmp\n!\n")
    done = run("ingest", "in", cwd=tmp_path, code=2)
    assert f"{tmp_path}/in/.dedupindexignore, line 2: '!' is no pattern" in done.stderr


@pytest.fixture
def card(run, tmp_path):
    """Two folders: a picture of the card is in the archive too; another one is twice on the card only."""
    for name in ("archive/1.png", "card/1.png", "card/again/1.png"):
        save(tmp_path / name, picture(1))
    for name in ("card/new.png", "card/sub/new.png"):
        save(tmp_path / name, picture(2))
    run("-q", "scan", "archive", "card", cwd=tmp_path, code=0)
    return tmp_path


def plan_of(run, folder, *options):
    done = run("plan", "-o", "p.json", "--keep", "path-order", "--keep", "first-path", *options, cwd=folder, code=0)
    items = json.loads((folder / "p.json").read_bytes())["items"]
    at = {
        name: [Path(item[name]["path"]).relative_to(folder).as_posix() for item in items] for name in ("file", "keeper")
    }
    return dict(zip(at["file"], at["keeper"], strict=True)), done.stdout


def test_take_from_the_card_what_the_archive_has(run, card):
    both = {"card/1.png": "archive/1.png", "card/again/1.png": "archive/1.png"}
    assert plan_of(run, card, "--across", "card", "archive", "--protect", "archive")[0] == both
    everything, _ = plan_of(run, card, "--protect", "archive")
    assert everything == both | {"card/sub/new.png": "card/new.png"}


def test_across_never_takes_a_file_for_one_of_its_own_side(run, card):
    planned, _ = plan_of(run, card, "--across", "card", "archive", "--prefer", "card")
    assert planned == {"archive/1.png": "card/1.png"}


def test_only_files_below_the_path_go(run, card):
    planned, said = plan_of(run, card, "--path", "card/again")
    assert planned == {"card/again/1.png": "archive/1.png"}
    assert "outside of what was asked for (--path)" in said
    # what may not go is kept before a preferred folder counts, as with --protect
    planned, _ = plan_of(run, card, "--path", "card/again", "--prefer", "card/again")
    assert planned == {"card/again/1.png": "archive/1.png"}


def test_within_one_folder_and_between_folders(run, card):
    save(card / "card" / "2.png", picture(2))
    run("-q", "scan", "card", cwd=card, code=0)
    assert plan_of(run, card, "--same-folder")[0] == {"card/new.png": "card/2.png"}
    between, _ = plan_of(run, card, "--other-folder")
    assert "card/new.png" not in between
    assert between["card/sub/new.png"] == "card/2.png"


def test_one_group(run, card):
    groups = json.loads(run("report", "--json", cwd=card, code=0).stdout)["groups"]
    chosen = next(g["id"] for g in groups if "new.png" in json.dumps(g))
    assert plan_of(run, card, "--group", chosen)[0] == {"card/sub/new.png": "card/new.png"}
    shown = run("report", "--group", chosen, cwd=card, code=0).stdout
    assert "1 duplicate group with 2 of" in shown
    assert f"group {chosen}" in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--across", "card", "nowhere"), "knows no picture at or below"),
        (("--path", "nowhere"), "knows no picture at or below"),
        (("--group", "0123"), "there is no group 0123"),
        (("--across", "card", "card"), "are one place"),
        (("--same-folder", "--other-folder"), "not both"),
    ],
)
def test_selections_of_a_plan_that_mean_nothing(run, card, options, words):
    done = run("plan", "-o", "p.json", *options, cwd=card, code=2)
    assert words in done.stderr
    assert not (card / "p.json").exists()
