import json
import subprocess
from types import SimpleNamespace

import pytest

from tests.tools import supply

CORE = {"numpy", "scipy", "pillow", "sqlalchemy", "imagehash", "faiss-cpu", "opencv-python-headless", "alembic"}


def test_what_is_needed_is_followed_through():
    alembic = supply.needed("alembic")
    assert {"sqlalchemy", "mako", "markupsafe"} <= set(alembic)
    assert "pytest" not in alembic


@pytest.mark.parametrize("name", sorted(CORE))
def test_core_packages_name_a_licence_that_lets_one_use_them(name):
    named = supply.licence(supply.distribution(name))
    assert named != supply.UNKNOWN
    assert "GPL" not in named.replace("LGPL", "")


def answer(monkeypatch, stdout, stderr=""):
    monkeypatch.setattr(supply.importlib.util, "find_spec", lambda name: object())
    done = SimpleNamespace(stdout=stdout, stderr=stderr, returncode=1)
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: done)


def test_weaknesses_of_what_is_needed_are_named(monkeypatch):
    known = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
    dependencies = [
        {"name": "NumPy", "version": "1.0", "vulns": [known]},
        {"name": "pytest", "version": "1.0", "vulns": [known]},
        {"name": "scipy", "version": "1.0", "vulns": []},
    ]
    answer(monkeypatch, json.dumps({"dependencies": dependencies}))
    lines, why = supply.weaknesses(["numpy", "scipy"])
    assert lines == ["NumPy 1.0: PYSEC-1, mended in 2.0"]
    assert why == ""


def test_no_service_is_said_and_fails_only_where_that_is_wanted(monkeypatch, capsys):
    answer(monkeypatch, "", "a long story\nConnectionError: no route to host\n")
    lines, why = supply.weaknesses(["numpy"])
    assert lines == []
    assert "no route to host" in why
    monkeypatch.setattr(supply, "distribution", lambda name: supply.Distribution.from_name("numpy"))
    assert supply.main([]) == 0
    assert "skipped" in capsys.readouterr().out
    assert supply.main(["--strict"]) == 1
