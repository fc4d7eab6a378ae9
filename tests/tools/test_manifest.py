"""Shipped numbers agree with their manifests; a manifest tells what does not hold any more."""

import json
from dataclasses import replace

import pytest

from tests.tools.manifest import (
    COMMANDS,
    SHIPPED,
    Kept,
    Manifest,
    check,
    file_digest,
    folder_digest,
    manifest_path,
    problems,
    read_manifest,
    seen_versions,
    write_manifest,
)


def test_everything_that_ships_agrees_with_its_manifest():
    assert check() == []


@pytest.mark.parametrize("name", SHIPPED)
def test_manifests_name_every_version(name):
    manifest = read_manifest(SHIPPED[name])
    assert set(seen_versions(name)) <= set(manifest.versions)
    assert manifest.sha256 == file_digest(SHIPPED[name])
    assert manifest.command
    assert COMMANDS[name].split()[2].startswith("tests.tools.")
    assert manifest.data or manifest.notes  # what is not known is said


@pytest.fixture
def numbers(tmp_path):
    path = tmp_path / "numbers.json"
    path.write_text(json.dumps({"bias": 1.0}))
    manifest = Manifest(file_digest(path), "command", {}, 3, {"thumbnail": "1", "keypoints": "2"}, {"reached": 0.5})
    write_manifest(path, manifest)
    return path


def test_there_and_back(numbers):
    manifest = read_manifest(numbers)
    assert (manifest.seed, manifest.figures, manifest.kept) == (3, {"reached": 0.5}, {})
    kept = replace(manifest, kept={"keypoints": Kept("3", "no better")})
    write_manifest(numbers, kept)
    assert read_manifest(numbers) == kept
    assert manifest_path(numbers).name == "numbers.manifest.json"


def test_numbers_changed_by_hand(numbers):
    manifest = read_manifest(numbers)
    assert problems(numbers, manifest, manifest.versions) == []
    numbers.write_text(json.dumps({"bias": 1.1}))
    assert len(problems(numbers, manifest, manifest.versions)) == 1


def test_a_changed_feature_without_a_fit(numbers):
    manifest = read_manifest(numbers)
    present = {"thumbnail": "1", "keypoints": "3"}
    [problem] = problems(numbers, manifest, present)
    assert "keypoints 2" in problem
    assert problems(numbers, replace(manifest, kept={"keypoints": Kept("3", "no better")}), present) == []
    still = replace(manifest, kept={"keypoints": Kept("3", "no better")})
    assert problems(numbers, still, {"thumbnail": "1", "keypoints": "4"}) != []  # kept with 3, not with 4
    assert len(problems(numbers, manifest, {**manifest.versions, "spectrum": "1"})) == 1  # never seen at all


def test_names_and_places_of_files_do_not_count(tmp_path):
    for name, files in (("one", {"a": "x", "b": "y"}), ("other", {"deep/c": "y", "d": "x"}), ("third", {"a": "x"})):
        for file, text in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
    one, other, third = (folder_digest(tmp_path / name) for name in ("one", "other", "third"))
    assert one == other
    assert one["files"] == 2
    assert third != one
