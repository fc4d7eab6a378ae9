"""SARIF is checked against its published schema (2.1.0-rtm.5 of SchemaStore, descriptions left out)."""

import copy
import json
from pathlib import Path

import pytest

from dedupindex.records.splits import LeakReport
from dedupindex.reports.curation.sarif import ROOT as BASE
from dedupindex.reports.curation.sarif import leaks_sarif
from tests.reports.curation.samples import ROOT, hostile_report, leak

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def validator():
    schema = json.loads((Path(__file__).parent / "sarif-schema-2.1.0.json").read_text())
    jsonschema.Draft4Validator.check_schema(schema)
    return jsonschema.Draft4Validator(schema)


@pytest.fixture
def log():
    return json.loads(json.dumps(leaks_sarif(hostile_report(), ROOT, version="1.2.3")))


def test_hostile_names_give_a_valid_log(validator, log):
    assert [error.message for error in validator.iter_errors(log)] == []
    empty = leaks_sarif(LeakReport({"train": 1, "test": 1}, ()), ROOT, version="1.2.3")
    assert list(validator.iter_errors(empty)) == []


def test_the_schema_notices_what_is_wrong(validator, log):
    for spoil in (
        lambda run: run["results"][0].update(level="fatal"),
        lambda run: run["results"][0].pop("message"),
        lambda run: run["tool"]["driver"].pop("name"),
        lambda run: run["results"][0].update(strange=1),
        lambda run: run["results"][0]["relatedLocations"][0].update(id="one"),
    ):
        spoilt = copy.deepcopy(log)
        spoil(spoilt["runs"][0])
        assert list(validator.iter_errors(spoilt))


def test_paths_are_relative_to_the_root_and_quoted(log):
    results = log["runs"][0]["results"]
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in results]
    assert places[0] == {"uri": "test/b1.jpg", "uriBaseId": BASE}
    assert places[1]["uri"] == "test/x%20%5B1%5D%282%29%1B%20%FF%25.jpg"
    assert places[2] == {"uri": "s3://bucket/k%20y.jpg"}
    source = results[3]["relatedLocations"][0]["physicalLocation"]["artifactLocation"]
    assert source == {"uri": "file:///elsewhere/a%20b.jpg"}


def test_levels_suppressions_and_fingerprints(log):
    results = log["runs"][0]["results"]
    assert [result["level"] for result in results] == ["error", "warning", "warning", "error", "error"]
    assert [bool(result.get("suppressions")) for result in results] == [False] * 4 + [True]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)
    assert len({result["partialFingerprints"]["dedupindexLeak/v1"] for result in results}) == 5


def test_a_fingerprint_names_content_and_not_places():
    moved = leak(1, place=leak(9).place, source=leak(8).source)
    assert moved.fingerprint == leak(1).fingerprint != leak(2).fingerprint
    assert leak(1, keys=leak(1).keys[::-1]).fingerprint == leak(1).fingerprint
