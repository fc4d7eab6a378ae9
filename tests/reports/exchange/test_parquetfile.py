import io
import os
from pathlib import Path

import pytest

from dedupindex.errors import SettingsError
from dedupindex.records import Outcome, Proof, Registration, Relation
from dedupindex.reports.exchange import parquetfile
from dedupindex.reports.exchange.parquetfile import pairs_parquet
from tests.reports.samples import HOSTILE, hostile_report, image, pair, report


def read(data: bytes):
    parquet = pytest.importorskip("pyarrow.parquet")
    return parquet.read_table(io.BytesIO(data))


def test_known_rows():
    pytest.importorskip("pyarrow")
    registration = Registration((1.5, -0.0001), scale=2.0, rotation=-90.0, mirrored=True, overlap=0.75)
    a, b = image(1, "/a.png", "/z.png"), image(2, "/b.png")
    found = report([pair(a, b, Relation.RESIZED, Relation.MIRRORED, score=0.875, registration=registration)])
    table = read(pairs_parquet(found))
    assert table.schema.metadata[b"dedupindex.schema"] == b"2"
    copy, row, other_place = table.to_pylist()
    assert (copy["a"], copy["b"], copy["relation"], copy["score"]) == ("/a.png", "/z.png", "same_bytes", 1.0)
    assert row == {
        "a": "/a.png", "a_bytes": b"/a.png", "a_frame": 0, "a_label": None, "companions_a": [],
        "b": "/b.png", "b_bytes": b"/b.png", "b_frame": 0, "b_label": None, "companions_b": [],
        "score": 0.875, "dy": 1.5, "dx": 0.0, "scale": 2.0, "rotation": -90.0, "overlap": 0.75, "mirrored": True,
        "relation": "resized+mirrored", "proof": "same", "changed": 0.0, "group": found.groups[0].id,
        "a_gone": False, "b_gone": False,
        "leads": "a", "rule": "more-pixels", "because": "2.00 times the resolution (200 x 100 against 200 x 100)",
        "judgement": False,
    }  # fmt: skip
    assert other_place == {**row, "a": "/z.png", "a_bytes": b"/z.png"}


def test_names_of_any_bytes_survive_and_text_stays_text():
    pytest.importorskip("pyarrow")
    rows = read(pairs_parquet(hostile_report())).to_pylist()
    assert {os.fsencode(Path(name)) for name in HOSTILE} <= {
        row[side] for row in rows for side in ("a_bytes", "b_bytes")
    }
    assert any(row["b"] == "/pictures/\\xff\\xfe.png" for row in rows)


def test_alternates_are_in_no_group():
    pytest.importorskip("pyarrow")
    proof = Proof(Outcome.ALTERNATE, changed=0.25)
    found = report([pair(image(1, "/a.png"), image(2, "/b.png"), Relation.RESIZED, proof=proof)])
    [row] = read(pairs_parquet(found)).to_pylist()
    assert (row["relation"], row["proof"], row["changed"], row["group"]) == ("alternate", "alternate", 0.25, None)


def test_an_empty_report_keeps_its_columns():
    pytest.importorskip("pyarrow")
    table = read(pairs_parquet(report([])))
    assert (table.num_rows, table.schema.field("score").type) == (0, "double")


def test_without_pyarrow_it_is_said(monkeypatch):
    monkeypatch.setattr(parquetfile, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="its extra 'parquet'"):
        pairs_parquet(report([]))
