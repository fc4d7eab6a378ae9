import csv
import dataclasses
import io
import os

import pytest

from dedupindex.records import LocationRecord, Outcome, Proof, Registration, Relation
from dedupindex.reports.exchange.csvfile import COLUMNS, pair_lines, pairs_csv
from tests.reports.samples import HOSTILE, hostile_report, image, pair, report


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))


def test_known_rows():
    a, b = image(1, "/a.png", "/z.png"), image(2, "/b.png")
    registration = Registration((1.5, -0.0001), scale=2.0, rotation=-90.0, mirrored=True, overlap=0.75)
    found = report([pair(a, b, Relation.RESIZED, Relation.MIRRORED, score=0.875, registration=registration)])
    equal = [
        "1.000000",
        "same_bytes",
        "0.00",
        "0.00",
        "1.00000",
        "0.000",
        "false",
        "1.0000",
        "same",
        "0.000000",
        "false",
        "false",
        "a",
    ]
    copy = [
        "0.875000",
        "resized+mirrored",
        "1.50",
        "0.00",
        "2.00000",
        "-90.000",
        "true",
        "0.7500",
        "same",
        "0.000000",
        "false",
        "false",
        "a",
    ]
    why = ["more-pixels", "2.00 times the resolution (200 x 100 against 200 x 100)"]
    assert read(pairs_csv(found)) == [
        list(COLUMNS),
        ["/a.png", "/z.png", *equal, "", "", "false", "", ""],
        ["/a.png", "/b.png", *copy, *why, "false", "", ""],
        ["/z.png", "/b.png", *copy, *why, "false", "", ""],
    ]


@pytest.mark.parametrize(
    ("proof", "wanted"),
    [
        (None, ["resized+unproven", "", ""]),
        (Proof(Outcome.NONE), ["resized+unproven", "none", ""]),
        (Proof(Outcome.EDITED, changed=0.0125), ["resized+edited", "edited", "0.012500"]),
        (Proof(Outcome.ALTERNATE, changed=0.3), ["alternate", "alternate", "0.300000"]),
    ],
)
def test_what_the_proof_says(proof, wanted):
    a, b = image(1, "/a.png"), image(2, "/b.png")
    found = report([pair(a, b, Relation.RESIZED, proof=proof)])
    [_, row] = read(pairs_csv(found))
    named = dict(zip(COLUMNS, row, strict=True))
    assert [named["relation"], named["proof"], named["changed"]] == wanted


def test_the_same_pixels_need_no_proof():
    found = report([pair(image(1, "/a.png"), image(2, "/b.png"), Relation.SAME_PIXELS, proof=None)])
    [line] = pair_lines(found)
    assert (line.relation, line.proof, line.changed) == ("same_pixels", "same", 0.0)


def test_best_first():
    a, b, c = (image(n, f"/{n}.png") for n in (1, 2, 3))
    found = report([pair(a, b, Relation.TONE, score=0.6), pair(a, c, Relation.TONE, score=0.9)])
    scores = [line.score for line in pair_lines(found)]
    assert scores == sorted(scores, reverse=True)


def test_later_frames_have_addresses():
    a = image(1, "/a.tif")
    b = image(2, locations=())
    b = image(2, locations=(*b.locations, LocationRecord(a.locations[0].path, frame=12)))
    found = report([pair(a, b, Relation.REENCODED)])
    [line] = pair_lines(found)
    assert (line.a.address, line.b.address) == ("/a.tif", "/a.tif#frame=12")


def test_names_of_any_bytes_survive():
    found = hostile_report()
    rows = read(pairs_csv(found))[1:]
    names = {name for row in rows for name in row[:2]}
    assert set(HOSTILE) <= names
    assert os.fsencode(HOSTILE[2]) in pairs_csv(found)
    assert all(len(row) == len(COLUMNS) for row in rows)


def test_a_spreadsheet_runs_nothing():
    found = hostile_report()
    rows = read(pairs_csv(found, spreadsheet=True))[1:]
    names = {name for row in rows for name in row[:2]}
    assert "'" + HOSTILE[4] in names
    assert not any(name.startswith(("=", "+", "-", "@", "\t")) for name in names)


def test_places_that_are_gone_are_marked():
    away = image(1, "/a.png")
    away = dataclasses.replace(away, locations=(dataclasses.replace(away.locations[0], missing=True),))
    [_, row] = read(pairs_csv(report([pair(away, image(2, "/b.png"), Relation.RESIZED)])))
    named = dict(zip(COLUMNS, row, strict=True))
    assert (named["a_gone"], named["b_gone"]) == ("true", "false")
