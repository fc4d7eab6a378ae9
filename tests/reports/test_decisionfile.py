import json
from datetime import UTC, datetime

import pytest

from dedupindex.errors import SettingsError
from dedupindex.records import Decision
from dedupindex.reports.decisionfile import decision_json, decisions_json, read_decisions
from dedupindex.reports.jsonfile import to_json

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
A, B = "a" * 64, "b" * 64 + "#12"
GOOD = decision_json(Decision("not-duplicate", A, B, "why", NOW))


def test_what_is_written_is_read(tmp_path):
    made = [Decision("keep-both", A, B, 'a "note"\n', NOW), Decision("keeper", A, "", "", NOW)]
    (tmp_path / "d.json").write_bytes(to_json(decisions_json(made)))
    assert sorted(read_decisions(tmp_path / "d.json"), key=lambda d: d.kind) == made


def write(path, entries, **fields):
    path.write_text(json.dumps({"schema": 1, "kind": "decisions", "decisions": entries} | fields))
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "perhaps"}, "kind is 'perhaps'"),
        ({"a": "abc"}, "content keys"),
        ({"b": A.upper()}, "content keys"),
        ({"b": 7}, "b is 7"),
        ({"note": None}, "note is None"),
        ({"b": ""}, "do not fit"),
        ({"b": A}, "do not fit"),
        ({"a": "c" * 64}, "do not fit"),
        ({"kind": "keeper"}, "do not fit"),
        ({"decided": "yesterday"}, "must be a time"),
    ],
)
def test_a_damaged_entry_is_named(tmp_path, change, words):
    with pytest.raises(SettingsError, match=r"decisions\[1\].*" + words):
        read_decisions(write(tmp_path / "d.json", [GOOD, GOOD | change]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        b'{"kind": "report", "schema": 1, "decisions": []}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_file_of_decisions(tmp_path, data):
    (tmp_path / "d.json").write_bytes(data)
    with pytest.raises(SettingsError, match="no file of decisions"):
        read_decisions(tmp_path / "d.json")


@pytest.mark.parametrize("schema", [2, "1", None, True, 0])
def test_other_schemas(tmp_path, schema):
    with pytest.raises(SettingsError, match="schema"):
        read_decisions(write(tmp_path / "d.json", [], schema=schema))


def test_a_time_without_zone_is_utc(tmp_path):
    [read] = read_decisions(write(tmp_path / "d.json", [GOOD | {"decided": "2026-01-02T03:04:05.678901"}]))
    assert read.decided == NOW
