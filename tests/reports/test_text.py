from pathlib import Path

import pytest

from dedupindex.records import DuplicatesSummary, IngestSummary, Match, Relation
from dedupindex.reports.text import count, duration, failure_lines, ingest_text, matches_text, report_text, search_text
from tests.reports.samples import hostile_report, image, pair, report, verification


def test_report():
    a, b = image(1, "/p/a.png", "/p/c.png", width=400), image(2, "/p/b.jpg", format="JPEG", bits=16)
    text = report_text(report([pair(a, b, Relation.MIRRORED, Relation.TONE, score=0.875)]), Path("/p"))
    assert text.splitlines()[2:] == [
        f"group {text.split('group ')[2][:12]}: 3 pictures, weakest link 0.875",
        "  * a.png  (400 x 100 PNG)",
        "  = c.png",
        "    b.jpg  (200 x 100 16 bit JPEG)",
        "      score 0.875: mirrored, other exposure, colours or filter",
    ]
    assert text.startswith("1 duplicate group with 3 pictures, among 2 images at 3 places")


def test_a_member_linked_through_another():
    a, b, c = image(1, "/a.png", width=400), image(2, "/b.png", width=300), image(3, "/c.png")
    text = report_text(report([pair(a, b, Relation.TONE), pair(b, c, Relation.TONE, score=0.7)]))
    assert "score 0.700 with another member of the group" in text


def test_nothing_found():
    assert report_text(report([])) == "no duplicates, among 0 images at 0 places"


def test_no_name_steers_the_terminal():
    found = hostile_report()
    text = report_text(found) + "\n".join(failure_lines(found.failures))
    text.encode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert all(line.startswith(("group", "  ", "/", "=cmd")) for line in text.splitlines()[2:] if line)


def test_ingest():
    summary = IngestSummary(1, found=3, read=2, unchanged=1, added=1, known=1, missing=2, skipped={"not_an_image": 4})
    assert ingest_text(summary).splitlines() == [
        "3 files: 2 read, 1 unchanged (0.0 s)",
        "1 new image, 1 new copy of known ones",
        "2 locations gone",
        "skipped: 4 not an image",
    ]
    assert ingest_text(summary, dry_run=True).startswith("3 files: 2 to read, 1 unchanged\n")


def test_search():
    text = search_text(DuplicatesSummary(1, searched=2, verified=1, accepted=1, overflowed=1, seconds=0.5))
    assert text.startswith("2 images searched, 1 candidate pair compared, 1 confirmed (0.5 s, run 1); 1 image had more")


def test_matches():
    match = Match(image(1, "/a.png", "/b.png"), verification(Relation.TONE), 0.1)
    lines = matches_text("q\n.png", [match]).splitlines()
    assert lines[0] == "q\\n.png: 1 match"
    assert lines[1] == "  0.900  /a.png  (200 x 100 PNG)"
    assert lines[3].strip() == "= /b.png"
    assert matches_text("q", []) == "q: 0 matches"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (7261, "2 h 1 min")]
)
def test_duration(seconds, words):
    assert duration(seconds) == words


def test_count():
    assert count(1, "match", "matches") == "1 match"
    assert count(1200, "file") == "1,200 files"
