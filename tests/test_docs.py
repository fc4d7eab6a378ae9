"""The README says what there is, and only that."""

import dataclasses
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dedupindex.records import Relation
from dedupindex.reports.csvfile import COLUMNS
from dedupindex.reports.jsonfile import SCHEMA_VERSION
from dedupindex.reports.wording import MEANING
from dedupindex.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SCRIPT = Path(sys.executable).parent / "dedupindex"


@pytest.fixture(scope="module")
def command_after():
    path = ROOT / ".ci" / "readme_line.py"
    if not path.is_file():
        pytest.skip("no repository")
    spec = importlib.util.spec_from_file_location("readme_line", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.command_after


@pytest.fixture(scope="module")
def helps():
    """Help of the program and of every verb, by verb ("" = the program)."""

    def text(*arguments):
        done = subprocess.run([SCRIPT, *arguments, "--help"], capture_output=True, text=True, check=True)
        return done.stdout

    main = text()
    verbs = re.findall(r"^  ([a-z]+)  +\S", main.partition("Commands:")[2], re.MULTILINE)
    return {"": main} | {verb: text(verb) for verb in verbs}


def test_both_lines_are_one_liners(command_after):
    for marker in ("run", "test"):
        line = command_after(README, marker)
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -q ")
    assert " .venv/bin/pytest" in command_after(README, "test")
    assert " scan " in command_after(README, "run")


def test_a_missing_or_doubled_line_is_noticed(command_after):
    for text in ("", "<!-- run -->\n```sh\na\nb\n```\n", 2 * "<!-- run -->\n```sh\na\n```\n"):
        with pytest.raises(SystemExit):
            command_after(text, "run")
    assert command_after("<!-- run -->\n```sh\na && b\n```\n", "run") == "a && b"


def test_every_verb_is_in_the_table_and_explained(helps):
    table = re.findall(r"^\| `([a-z]+)[^`]*` \|", README.partition("## The command line")[2], re.MULTILINE)
    verbs = [verb for verb in table if verb in helps]
    assert set(verbs) == set(helps) - {""}
    assert len(verbs) == len(helps) - 1
    for verb, text in helps.items():
        if verb:
            assert re.search(r"^  [A-Z].*", text, re.MULTILINE), f"{verb} says nothing of itself"


def test_options_in_the_readme_exist(helps):
    everything = "\n".join(helps.values())
    before = README.split("## Settings")[0].splitlines()
    own = "\n".join(line for line in before if "docker run" not in line and "systemctl" not in line)
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", own)):
        assert option in everything, f"{option} is in the README but not in the program"


def test_every_relation_is_documented():
    section = README.partition("| relation | means |")[2].partition("\n\n")[0]
    table = dict(re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", section, re.MULTILINE))
    assert len(table) == len(Relation)
    for relation in Relation:
        assert table[str(relation)] == MEANING[relation]


def test_every_setting_is_documented():
    section = README.partition("## Settings")[2].partition("\n## ")[0]
    for described in dataclasses.fields(Settings):
        assert f"`{described.name}`" in section


def test_every_column_is_documented():
    section = README.partition("### Pairs as CSV")[2].partition("\n## ")[0]
    for column in COLUMNS:
        assert f"`{column}`" in section
    assert f"({SCHEMA_VERSION})" in README.partition("### JSON")[2]


def test_the_library_example_runs(tmp_path, monkeypatch, capsys):
    from tests.pictures import half, picture, save

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEDUPINDEX_WORKERS", "1")
    save(tmp_path / "pictures" / "a.png", picture(1))
    save(tmp_path / "pictures" / "b.png", half(picture(1)))
    save(tmp_path / "new.jpg", picture(1))
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert "a.png" in said
    assert "b.png" in said
