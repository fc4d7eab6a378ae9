"""`split` and `leaks`, as a user meets them."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pictures import half, picture, save

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path):
    """Test has a smaller picture and a copy of what train has."""
    for number in range(4):
        save(tmp_path / "train" / f"t{number}.png", picture(number))
    save(tmp_path / "test" / "leaked.jpg", half(picture(0)), quality=90)
    shutil.copy(tmp_path / "train" / "t1.png", tmp_path / "test" / "same.png")
    save(tmp_path / "test" / "clean.png", picture(9))
    return tmp_path


def coco(path, names):
    images = [{"id": number, "file_name": name} for number, name in enumerate(names, 1)]
    path.write_text(
        json.dumps({"images": images, "annotations": [{"id": i["id"], "image_id": i["id"]} for i in images]})
    )
    return path.name


def test_leaks_end_with_three_and_a_baseline_accepts_them(run, data):
    options = ("leaks", "--train", "train", "--test", "test")
    done = run(*options, "--sarif", "leaks.sarif", "--sheet", "leaks.png", cwd=data, code=3)
    assert "test: 2 files (66.7%) of an earlier part are in it" in done.stdout
    assert "test/leaked.jpg" in done.stdout
    assert "test/clean.png" not in done.stdout
    results = json.loads((data / "leaks.sarif").read_text())["runs"][0]["results"]
    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in results]
    assert uris == ["test/same.png", "test/leaked.jpg"]
    assert (data / "leaks.png").read_bytes().startswith(b"\x89PNG")
    run(*options, "--baseline", "b.json", cwd=data, code=2)
    run(*options, "--baseline", "b.json", "--update-baseline", cwd=data, code=0)
    done = run(*options, "--baseline", "b.json", cwd=data, code=0)
    assert "no leaks\n2 leaks accepted by the baseline" in done.stdout
    save(data / "test" / "new.jpg", picture(2), quality=80)
    done = run(*options, "--baseline", "b.json", "--json", cwd=data, code=3)
    assert [Path(leak["picture"]["path"]).name for leak in json.loads(done.stdout)["leaks"]] == ["new.jpg"]


def test_split_and_back_through_csv_coco_and_folders(run, data):
    names = sorted(f"{folder}/{file.name}" for folder in ("train", "test") for file in (data / folder).iterdir())
    listed = coco(data / "all.json", names)
    (data / "out").mkdir()
    outputs = ("-o", "out/s.csv", "--coco", "out", "--folders", "out/f")
    done = run("split", listed, "--parts", "a=0.5,b=0.5", *outputs, cwd=data, code=0)
    assert "7 files in 5 units; files of one unit stay together" in done.stdout
    lines = (data / "out" / "s.csv").read_text().splitlines()
    rows = {row["path"]: row["part"] for row in csv.DictReader(lines)}
    part = {Path(path).name: part for path, part in rows.items()}
    assert part["leaked.jpg"] == part["t0.png"]
    assert part["same.png"] == part["t1.png"]
    assert sorted(p.name for p in (data / "out" / "f").rglob("*.*")) == sorted(Path(name).name for name in names)
    assert "no leaks" in run("leaks", "--split", "out/s.csv", cwd=data, code=0).stdout
    options = ("--train", "out/all_a.json", "--test", "out/all_b.json", "--images", ".")
    assert "no leaks" in run("leaks", *options, cwd=data, code=0).stdout
    again = run(
        "split", "train", "test", "--existing", "out/s.csv", "--parts", "a=0.5,b=0.5", "--json", cwd=data, code=0
    )
    assert {Path(file["path"]).name: file["part"] for file in json.loads(again.stdout)["files"]} == part


def test_torn_parts_end_with_three(run, data):
    options = (
        "split",
        "train",
        "test",
        "--parts",
        "train=1,test=1",
        "--existing",
        "train=train",
        "--existing",
        "test=test",
    )
    assert "2 units lay in several parts already: leaks" in run(*options, cwd=data, code=3).stdout
    assert "left out: 2 files" in run(*options, "--drop", cwd=data, code=0).stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("leaks",), "give --train and --test"),
        (("leaks", "--train", "train", "--test", "test", "--split", "x.csv"), "either --split"),
        (("leaks", "--train", "train", "--test", "test", "--update-baseline"), "needs --baseline"),
        (("leaks", "--split", "none.csv"), "none.csv: No such file"),
        (("split",), "nothing to divide"),
        (("split", "train", "--parts", "x"), "must be like"),
        (("split", "train", "--link", "move"), "must be symlink"),
        (("split", "train", "--coco", "out"), "give one"),
        (("split", "train", "--existing", "dev=test"), "no share is given for dev"),
    ],
)
def test_mistakes_are_told(run, data, options, words):
    assert words in run(*options, cwd=data, code=2).stderr


def test_the_script_of_the_action(run, data, environment):
    script = ROOT / ".github" / "actions" / "leaks" / "leaks.sh"
    if not script.is_file():
        pytest.skip("no repository")
    variables = environment | {
        "DEDUPINDEX": str(Path(sys.executable).parent / "dedupindex"),
        "INPUT_TRAIN": "train",
        "INPUT_TEST": "test",
        "INPUT_SARIF": "out.sarif",
        "GITHUB_OUTPUT": str(data / "outputs"),
        "GITHUB_STEP_SUMMARY": str(data / "summary"),
        "DEDUPINDEX_WORKERS": "1",
    }
    done = subprocess.run(
        ["bash", script], cwd=data, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 3, done.stderr
    assert (data / "outputs").read_text() == "leaks=2\nsarif=out.sarif\n"
    assert "test/leaked.jpg" in (data / "summary").read_text()
