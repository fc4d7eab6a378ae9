"""The wheel holds everything that the program reads when it runs."""

import json
import tomllib
import zipfile
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEEDED = (
    "dedupindex/reports/templates/report.html.j2",
    "dedupindex/reports/templates/report.css",
    "dedupindex/features/model.npz",
    "dedupindex/fitted/score.json",
    "dedupindex/fitted/radius.json",
    "dedupindex/web/page/static/app.css",
    "dedupindex/web/page/static/app.js",
    "dedupindex/web/page/static/icon.svg",
    "dedupindex/web/page/templates/base.html.j2",
    "dedupindex/web/page/templates/group.html.j2",
    "dedupindex/py.typed",
    "dedupindex/_migrations/env.py",
)


def required():
    versions = sorted((ROOT / "migrations" / "versions").glob("*.py"))
    assert versions
    return {*NEEDED, *(f"dedupindex/_migrations/versions/{version.name}" for version in versions)}


def editable():
    origin = distribution("dedupindex").read_text("direct_url.json")
    return bool(origin and json.loads(origin).get("dir_info", {}).get("editable"))


def test_the_installed_package_is_whole():
    if editable():
        pytest.skip("installed as a link to the sources")
    installed = {str(file) for file in distribution("dedupindex").files or ()}
    assert required() <= installed
    assert not any(name.startswith(("tests/", "migrations/")) for name in installed)


def test_a_wheel_is_whole(tmp_path, monkeypatch):
    backend = pytest.importorskip("hatchling.build", reason="hatchling is not installed")
    monkeypatch.chdir(ROOT)
    name = backend.build_wheel(str(tmp_path))
    with zipfile.ZipFile(tmp_path / name) as wheel:
        names = set(wheel.namelist())
    assert required() <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_what_the_wheel_is_made_of():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["packages"] == ["dedupindex"]
    assert build["targets"]["wheel"]["force-include"] == {"migrations": "dedupindex/_migrations"}
    for name in NEEDED:
        if not name.startswith("dedupindex/_migrations"):
            assert (ROOT / name).is_file(), name


def test_the_console_script():
    [script] = entry_points(group="console_scripts", name="dedupindex")
    assert script.value == "dedupindex.cli.main:main"
