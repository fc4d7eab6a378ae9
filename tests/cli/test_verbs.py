"""Every other verb, and how the program ends."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.commands import SCRIPT
from tests.pictures import half, picture, save

VERBS = ("scan", "ingest", "query", "compare", "report", "failures", "info", "check", "rebuild", "upgrade", "demo")


# --------------------------------------------------------------------------------------------------- the verbs
def test_ingest_and_report(run, tree, tmp_path):
    dry = run("-d", "a.db", "ingest", tree, "--dry-run", cwd=tmp_path)
    assert "12 to read" in dry.stdout
    done = run("-d", "a.db", "ingest", tree, cwd=tmp_path, code=1)
    assert "9 new pictures, 2 new copies" in done.stdout
    report = run("-d", "a.db", "report", cwd=tmp_path, code=0)  # searches first
    assert "2 duplicate groups" in report.stdout


def test_query(run, scanned, tmp_path):
    folder, _ = scanned
    save(tmp_path / "q.png", picture(0)[10:110, 20:150])
    save(tmp_path / "other.png", picture(99))
    done = run("-d", folder / "p.db", "query", "q.png", "other.png", cwd=tmp_path, code=0)
    assert "q.png: 2 matches" in done.stdout
    assert "crop_of" in done.stdout
    assert "other.png: 0 matches" in done.stdout
    value = json.loads(run("-d", folder / "p.db", "query", "q.png", "--json", "--limit", "1", cwd=tmp_path).stdout)
    [[match]] = [answer["matches"] for answer in value["queries"]]
    assert match["crop_of"] == "b"
    broken = run("-d", folder / "p.db", "query", folder / "pictures" / "broken.jpg", "q.png", cwd=tmp_path, code=1)
    assert "q.png: 2 matches" in broken.stdout
    assert "broken.jpg: " in broken.stderr


def test_compare(run, tmp_path):
    big = picture(5, 300, 400)
    save(tmp_path / "a.png", big[:250, :350])
    save(tmp_path / "b.png", big[30:280, 40:390])
    save(tmp_path / "c.png", picture(6, 300, 400))
    done = run("compare", "a.png", "b.png", "--picture", "lay.png", cwd=tmp_path, code=0)
    assert (tmp_path / "lay.png").read_bytes().startswith(b"\x89PNG")
    assert "measure" in done.stdout
    assert "verdict    the same" in done.stdout
    found = json.loads(run("compare", "a.png", "b.png", "--json", cwd=tmp_path, code=0).stdout)["verification"]
    assert len(found["measures"]) > 5
    assert found["shift"] == pytest.approx([30, 40], abs=0.5)
    value = json.loads(run("compare", "a.png", "c.png", "--json", cwd=tmp_path, code=0).stdout)
    assert value["verification"]["accepted"] is False
    missing = run("compare", "a.png", "none.png", cwd=tmp_path, code=2)
    assert missing.stdout == ""
    assert "none.png: missing" in missing.stderr
    assert not list(tmp_path.glob("*.db"))  # needs none


def test_report_formats_and_filters(run, scanned, tmp_path):
    folder, _ = scanned
    base = ("-d", folder / "p.db", "report")
    assert len(run(*base, "--csv", cwd=tmp_path, code=0).stdout.splitlines()) == 7
    assert run(*base, "--pairs", tmp_path / "x.csv", cwd=tmp_path, code=0).stdout == ""
    assert (tmp_path / "x.csv").read_bytes() == (folder / "p.csv").read_bytes()
    resized = json.loads(run(*base, "--json", "--relation", "resized", cwd=tmp_path).stdout)
    assert [len(group["pairs"]) for group in resized["groups"]] == [1, 1]
    exact = json.loads(run(*base, "--json", "--relation", "same_bytes", cwd=tmp_path).stdout)
    assert [len(group["pairs"]) for group in exact["groups"]] == [0, 0]
    assert json.loads(run(*base, "--json", "--relation", "mirrored", cwd=tmp_path).stdout)["groups"] == []
    since = json.loads(run(*base, "--json", "--since", "2", cwd=tmp_path).stdout)
    assert since["groups"] == []
    for wrong in (["--relation", "nonsense"], ["--since", "yesterday"], ["--json", "--csv"], ["--min-score", "7"]):
        assert run(*base, *wrong, cwd=tmp_path, code=2).stdout == ""


def test_an_output_that_cannot_be_is_told_before_the_work(run, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    done = run("scan", "in", "--pairs", "nowhere/p.csv", cwd=tmp_path, code=2)
    assert "nowhere is no folder" in done.stderr
    assert "in is a folder" in run("scan", "in", "--html", "in", cwd=tmp_path, code=2).stderr
    assert not list(tmp_path.glob("*.db"))


def test_failures(run, scanned):
    folder, _ = scanned
    listed = run("-d", "p.db", "failures", cwd=folder, code=1)
    assert listed.stdout.startswith(f"{folder}/pictures/broken.jpg: ")
    [failure] = json.loads(run("-d", "p.db", "failures", "--json", cwd=folder, code=1).stdout)["failures"]
    assert failure["reason"] in ("damaged", "truncated")


def test_info(run, scanned, tmp_path):
    folder, _ = scanned
    value = json.loads(run("-d", "p.db", "info", "--json", cwd=folder, code=0).stdout)
    assert value["images"] == 9
    assert "images                   9" in run("-d", "p.db", "info", cwd=folder, code=0).stdout
    pixels = np.linspace(100, 3000, 64 * 80).reshape(64, 80).astype(np.float32)
    pixels[:16] = np.nan
    np.save(tmp_path / "f.npy", pixels)
    [frame] = json.loads(run("info", "f.npy", "--json", cwd=tmp_path, code=0).stdout)["frames"]
    assert (frame["size"], frame["bits"], frame["no_data_share"]) == ("80 x 64", 32, 0.25)
    assert "percentile" in frame["scaling"]
    assert "minmax" in run("info", "f.npy", "--scaling", "minmax", cwd=tmp_path, code=0).stdout
    assert run("info", folder / "pictures" / "broken.jpg", cwd=tmp_path, code=2).stdout == ""


def test_check_and_rebuild(run, tree, tmp_path):
    copy = tmp_path / "in"
    save(copy / "a.png", picture(1))
    save(copy / "b.png", half(picture(1)))
    run("scan", "in", cwd=tmp_path, code=0)
    assert run("check", "--deep", cwd=tmp_path, code=0).stdout == "all is well\n"
    assert "2 pictures" in run("rebuild", cwd=tmp_path, code=0).stdout
    (copy / "b.png").unlink()
    found = run("check", "--deep", cwd=tmp_path, code=1)
    assert "file_missing: " in found.stdout
    assert json.loads(run("check", "--deep", "--json", cwd=tmp_path, code=1).stdout)["problems"]


def test_other_settings_are_refused_until_described_again(run, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    run("scan", "in", cwd=tmp_path, code=0)
    refused = run("scan", "in", "--erode-mask", "2", cwd=tmp_path, code=2)
    assert "rebuild --describe" in refused.stderr
    run("rebuild", "--describe", "--erode-mask", "2", cwd=tmp_path, code=0)
    value = json.loads(run("info", "--json", cwd=tmp_path, code=0).stdout)
    assert value["settings"]["erode_mask"] == 2
    run("scan", "in", cwd=tmp_path, code=0)  # the database remembers


def test_upgrade(run, scanned, tmp_path):
    folder, _ = scanned
    assert run("-d", "p.db", "upgrade", cwd=folder, code=0).stdout == "nothing to do\n"
    assert "no database" in run("upgrade", cwd=tmp_path, code=2).stderr
    (tmp_path / "junk.db").write_bytes(b"junk" * 1000)
    run("-d", "junk.db", "upgrade", cwd=tmp_path, code=2)
    run("-d", "junk.db", "report", cwd=tmp_path, code=2)


# ------------------------------------------------------------------------------------- database and settings
def test_which_database(run, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    run("-d", "one.db", "ingest", "in", cwd=tmp_path, code=0)
    run("ingest", "in", "-d", "two.db", cwd=tmp_path, code=0)
    run("ingest", "in", cwd=tmp_path, env={"DEDUPINDEX_DATABASE": "three.db"}, code=0)
    assert {p.name for p in tmp_path.glob("*.db")} == {"one.db", "two.db", "three.db"}


def test_flags_over_environment_over_file(run, tmp_path):
    np.save(tmp_path / "f.npy", picture(1)[..., 0].astype(np.uint16))
    (tmp_path / "s.toml").write_text('[dedupindex]\nscaling = "minmax"\nno_data = [0]\n')

    def scaling(*flags, **environment):
        done = run("info", "f.npy", "--json", *flags, cwd=tmp_path, env=environment, code=0)
        return json.loads(done.stdout)["frames"][0]["scaling"].split()[0]

    assert scaling() != "minmax"
    assert scaling("--config", "s.toml") == "minmax"
    assert scaling("--config", "s.toml", DEDUPINDEX_SCALING="dtype") == "dtype"
    assert scaling("--config", "s.toml", "--scaling", "max", DEDUPINDEX_SCALING="dtype") == "max"
    for text in ("scaling = 3 4", 'colour = "red"', 'scaling = "pretty"'):
        (tmp_path / "s.toml").write_text(text)
        run("info", "f.npy", "--config", "s.toml", cwd=tmp_path, code=2)
    run("info", "f.npy", "--config", "none.toml", cwd=tmp_path, code=2)


def test_values_that_begin_with_a_minus(run, tmp_path):
    pixels = picture(1)[..., 0].astype(np.float32)
    pixels[:30] = -9999
    np.save(tmp_path / "f.npy", pixels)
    done = run("info", "f.npy", "--no-data", "-9999", "--no-data", "-1", "--json", cwd=tmp_path, code=0)
    assert json.loads(done.stdout)["frames"][0]["no_data_share"] == 0.25


# ------------------------------------------------------------------------------------------------ how it ends
@pytest.mark.parametrize("arguments", [["nonsense"], ["scan"], ["scan", "--nonsense", "x"], ["report", "--limit"], []])
def test_wrong_usage_is_two(run, tmp_path, arguments):
    run(*arguments, cwd=tmp_path, code=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["query", "report", "failures", "info", "check", "rebuild"])
def test_no_database_is_two(run, tmp_path, verb):
    done = run(verb, *(["x.png"] if verb == "query" else []), cwd=tmp_path, code=2)
    assert "there is no database" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
def test_help(run, tmp_path, verb):
    assert "Usage: dedupindex" in run(verb, "--help", cwd=tmp_path, code=0).stdout


def test_version_and_module(script, tmp_path, environment):
    import sys

    from dedupindex import __version__

    assert script("--version", cwd=tmp_path, code=0).stdout == f"dedupindex {__version__}\n"
    assert "Usage: dedupindex" in script("--help", cwd=tmp_path, code=0).stdout
    command = [sys.executable, "-m", "dedupindex", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.endswith(f"{__version__}\n")


def test_help_loads_nothing_heavy():
    import sys

    code = (
        "import sys, dedupindex.cli.main; "
        "print([m for m in ('numpy', 'cv2', 'faiss', 'sqlalchemy', 'PIL', 'rich', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nobody_reads_the_output(scanned, environment):
    folder, _ = scanned
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [SCRIPT, "-d", "p.db", "report"], cwd=folder, env=environment, stdout=closed, stderr=subprocess.PIPE
        )
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error(scanned, environment):
    folder, _ = scanned
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [SCRIPT, "-d", "p.db", "report"], cwd=folder, env=environment, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 2
    assert b"no space left" in done.stderr.lower()
    assert b"Traceback" not in done.stderr


@pytest.fixture(scope="module")
def sixty(tmp_path_factory):
    """Enough pictures to be interrupted among them."""
    folder = tmp_path_factory.mktemp("sixty")
    for number in range(60):
        save(folder / f"{number}.png", picture(number, 240, 320))
    return folder


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_interrupted(sixty, tmp_path, environment, run, workers):
    command = [SCRIPT, "scan", sixty, "--workers", workers, "--batch", "4", "--verbose"]
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # jobs of a shell's background ignore it, and so would this
    try:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert "ingest: begins" in process.stderr.readline()
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    run("check", "--deep", cwd=tmp_path, code=0)
    again = run("ingest", sixty, cwd=tmp_path, code=0)
    assert "60 files" in again.stdout
