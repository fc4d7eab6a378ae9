import json
import os
from datetime import UTC, datetime

from dedupindex.records import Registration, Relation, RunRecord
from dedupindex.reports.jsonfile import SCHEMA_VERSION, path_json, report_json, to_json
from tests.reports.samples import HOSTILE, hostile_report, image, pair, report


def test_report():
    a, b = image(1, "/a.png", "/c.png"), image(2, "/b.png")
    registration = Registration((1.0, 2.0), scale=0.5, overlap=0.75)
    found = report([pair(a, b, Relation.CROP_OF, registration=registration, crop_of="a", crop_box=(1, 2, 3, 4))])
    value = json.loads(to_json(report_json(found)))
    assert value["schema"] == SCHEMA_VERSION
    assert value["run"] is None
    [group] = value["groups"]
    assert [member["relation"] for member in group["members"]] == ["representative", "crop_of"]
    assert [place["path"] for place in group["members"][0]["locations"]] == ["/a.png", "/c.png"]
    [same] = group["pairs"]
    assert (same["a"], same["b"]) == (a.key, b.key)
    assert same["shift"] == [1.0, 2.0]
    assert same["crop_box"] == [1, 2, 3, 4]


def test_run():
    from dataclasses import replace

    run = RunRecord(3, "duplicates", datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC))
    value = report_json(replace(report([]), run=run))
    assert value["run"] == {"id": 3, "finished": "2026-01-02T03:04:05+00:00"}


def test_any_name_gives_strict_ascii_json():
    data = to_json(report_json(hostile_report()))
    data.decode("ascii")
    value = json.loads(data)
    shown = {place["path"] for g in value["groups"] for m in g["members"] for place in m["locations"]}
    assert HOSTILE[0] in shown  # text stays what it is
    for text in shown:
        text.encode()  # no lone surrogates
    [odd] = [f for f in value["failures"] if "path_bytes" in f]
    assert os.fsdecode(bytes.fromhex(odd["path_bytes"])) == HOSTILE[2]


def test_path():
    assert path_json("/a") == {"path": "/a"}
    assert path_json(os.fsdecode(b"\xff")) == {"path": "\\xff", "path_bytes": "ff"}
