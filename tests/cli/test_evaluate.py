"""`evaluate` as a user runs it."""

import json

import pytest

from dedupindex.evaluation.attacks import ATTACKS
from tests.pictures import picture, save

FEW = ("--attack", "crop", "--attack", "mirror", "--attack", "recompress:0.5", "--per-picture", "1")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "pictures"
    for number in range(12):
        save(folder / f"p{number}.png", picture(number))
    return folder


def test_text_and_plot(run, pictures, tmp_path):
    pytest.importorskip("matplotlib")
    done = run("evaluate", pictures, *FEW, "--plot", "drawn.png", cwd=tmp_path, code=0)
    assert done.stdout.startswith("12 pictures of 12 files, 12 attacked copies, seed 0 (")
    for label in ("crop ", "mirror ", "recompress:0.5 ", "0.5 "):
        assert f"\n{label}" in done.stdout
    assert "\nprecision surely 99.9 %: " in done.stdout
    assert done.stderr == ""
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.png"]  # no database, no copies


def test_json(run, pictures, tmp_path):
    done = run(
        "evaluate", pictures, "--json", "--attack", "mirror", "--strength", "0.5", "--strength", "2",
        "--per-picture", "2", "--limit", "3", "--seed", "7", "--threshold", "0.6", cwd=tmp_path, code=0,
    )  # fmt: skip
    value = json.loads(done.stdout)
    assert (value["pictures"], value["copies"], value["seed"], value["threshold"]) == (3, 6, 7, 0.6)
    assert [(attack["attack"], attack["strength"]) for attack in value["attacks"]] == [("mirror", 0.5), ("mirror", 2.0)]
    assert value["skipped"] == {"limit": 9}
    assert value["recall"]["total"] == 6


def test_failed_files_are_listed(run, pictures, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    save(tmp_path / "p.png", picture(1))
    done = run("evaluate", tmp_path, tmp_path / "none", "--attack", "mirror", cwd=tmp_path, code=1)
    assert done.stdout.startswith("1 picture of 2 files, 1 attacked copy, ")
    assert "2 failed:" in done.stderr
    assert "none: missing: " in done.stderr


@pytest.mark.parametrize("file", ["", "notes.txt", "broken.jpg"])
def test_nothing_to_attack(run, tmp_path, file):
    if file:
        (tmp_path / file).write_text("nothing")
    done = run("evaluate", ".", cwd=tmp_path, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("dedupindex: no picture to attack in .")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--attack", "nope"], "unknown attack 'nope'; there are: recompress, "),
        (["--attack", "crop:x"], "strength is 'x'"),
        (["--strength", "0"], "strength is 0"),
        (["--plot", "none/drawn.png"], "is no folder"),
        (["--limit", "0"], "--limit"),
        (["--per-picture", "0"], "--per-picture"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_options_that_mean_nothing(run, pictures, tmp_path, options, says):
    done = run("evaluate", pictures, *options, cwd=tmp_path, code=2)
    assert says in done.stderr
    assert done.stdout == ""


def test_list_of_attacks(run, tmp_path):
    done = run("evaluate", "--list-attacks", cwd=tmp_path, code=0)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(ATTACKS)


def test_without_matplotlib(script, pictures, tmp_path):
    """The extra is asked for before the work begins."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nf = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'matplotlib' else f(name, *more)\n"
    )
    done = script("evaluate", pictures, "--plot", "x.png", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, code=2)
    assert "install dedupindex with its extra 'plot'" in done.stderr
