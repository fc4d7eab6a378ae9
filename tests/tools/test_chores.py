"""The list of chores: each names commands that exist."""

import importlib.util
import re
from pathlib import Path

from tests.tools.__main__ import CHORES, ROOT, main


def test_the_list(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in CHORES)
    assert main(["tidy"]) == 2
    assert "no chore tidy" in capsys.readouterr().err


def test_every_benchmark_and_script_is_there():
    for name, chore in CHORES.items():
        for module in re.findall(r"-m (tests\.[\w.]+)", chore.command):
            assert importlib.util.find_spec(module) is not None, name
        for script in re.findall(r"(?<!\S)(\.ci/\w+)", chore.command):
            assert (ROOT / script).is_file(), name
    listed = " ".join(chore.command for chore in CHORES.values())
    for folder in ("benchmarks", "tools"):
        for path in Path(ROOT / "tests" / folder).glob("*.py"):
            runs = "import argparse" in path.read_text() and not path.stem.startswith("test_")
            assert not runs or f"tests.{folder}.{path.stem}" in listed, path


def test_a_chore_that_fails_ends_the_rest(monkeypatch, capfd):
    from tests.tools import __main__ as tools

    monkeypatch.setattr(
        tools,
        "CHORES",
        {"good": tools.Chore("echo one", ""), "bad": tools.Chore("exit 3", ""), "last": tools.Chore("echo", "")},
    )
    assert tools.main(["good", "bad", "last"]) == 3
    assert tools.main(["last", "--", "a b", "c"]) == 0
    said = capfd.readouterr().out
    assert "one\n" in said
    assert said.endswith("a b c\n")
