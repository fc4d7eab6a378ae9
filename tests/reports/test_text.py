from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dedupindex.errors import Reason
from dedupindex.records import (
    Decision,
    DuplicatesSummary,
    Failure,
    IngestSummary,
    LocationRecord,
    Match,
    Outcome,
    Proof,
    Relation,
    RunRecord,
)
from dedupindex.records.reports import Change, Coverage, Selection
from dedupindex.reports.amounts import count, duration
from dedupindex.reports.summary import ReportSummary
from dedupindex.reports.text import (
    change_lines,
    changes_text,
    coverage_lines,
    decision_line,
    failure_lines,
    ingest_text,
    matches_text,
    report_text,
    search_text,
    selection_words,
)
from tests.reports.samples import hostile_report, image, pair, report, verification


def test_report():
    a, b = image(1, "/p/a.png", "/p/c.png", width=400), image(2, "/p/b.jpg", format="JPEG", bits=16)
    text = report_text(report([pair(a, b, Relation.MIRRORED, Relation.TONE, score=0.875)]), Path("/p"))
    assert text.splitlines()[2:] == [
        f"group {text.split('group ')[2][:12]}: 3 files, weakest link 0.875",
        "  * a.png  (400 x 100 PNG)",
        "      leads by more-pixels",
        "  = c.png",
        "    b.jpg  (200 x 100 16 bit JPEG)",
        "      score 0.875: mirrored, other exposure, colours or filter, proven, largest difference 3 of 255",
        "      behind by more-pixels: 2.00 times the resolution (400 x 100 against 200 x 100)",
    ]
    assert text.startswith("1 duplicate group with 3 of 3 files")


def test_what_is_not_proven_is_said():
    a, b = image(1, "/a.png"), image(2, "/b.png")
    lines = report_text(report([pair(a, b, Relation.TONE, proof=None)])).splitlines()
    assert "score 0.900: other exposure, colours or filter, not proven" in lines[6]
    assert lines[-1] == "1 pair not proven, so never planned: dedupindex prove compares their files"


def test_alternates_stand_beside_the_group_and_in_series():
    a, b, c, d = (image(n, f"/{n}.png") for n in (1, 2, 3, 4))
    moved = Proof(Outcome.ALTERNATE, moved=0.07, changed=0.1)
    other = Proof(Outcome.ALTERNATE, changed=0.2)
    found = report([pair(a, b, Relation.RESIZED), pair(b, c, proof=moved), pair(c, d, proof=other)])
    text = report_text(found)
    assert "  ~ /3.png, not in the group: another shot of the same scene: 7 % moved" in text.splitlines()
    assert text.endswith("(one scene or template, other content): dedupindex report --alternates")
    assert "/4.png" not in text
    lines = report_text(found, alternates=True).splitlines()
    assert lines[0] == "1 series of alternates with 3 pictures, among 4 pictures"
    [series] = found.series
    assert lines[2:] == [
        f"series {series.id}: 3 pictures",
        f"    /1.png  (200 x 100 PNG, group {found.groups[0].id})",
        "    /3.png  (200 x 100 PNG)",
        "    /4.png  (200 x 100 PNG)",
        "      the same scene or template with other content: 20 % differs (against /3.png)",
    ]
    assert report_text(report([]), alternates=True) == "no alternates, among 0 pictures"


def test_frames_of_one_file_are_counted_as_frames():
    stack = Path("/stack.tif")
    a, b = (image(n, frame=n, frame_count=9, locations=(LocationRecord(stack, n),)) for n in (1, 2))
    text = report_text(report([pair(a, b, Relation.TONE)]))
    assert ": 2 frames of 1 file, " in text


def test_groups_that_were_left_off_are_counted():
    images = [image(n, f"/{n}.png") for n in range(1, 7)]
    found = report([pair(a, b, Relation.TONE) for a, b in zip(images[::2], images[1::2], strict=True)])
    text = report_text(replace(found, groups=found.groups[:1]), summary=ReportSummary.of(found))
    assert text.startswith("3 duplicate groups with 6 of 6 files\n")
    assert text.count("\ngroup ") == 1
    assert "\nand 2 groups more (--top)" in text


def test_a_member_linked_through_another():
    a, b, c = image(1, "/a.png", width=400), image(2, "/b.png", width=300), image(3, "/c.png")
    text = report_text(report([pair(a, b, Relation.TONE), pair(b, c, Relation.TONE, score=0.7)]))
    assert "score 0.700 with another member of the group" in text


def test_nothing_found():
    assert report_text(report([])) == "no duplicates, among 0 files"


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
        "1 new picture, 1 new copy of known ones",
        "2 files gone",
        "skipped: 4 not an image",
    ]
    assert ingest_text(summary, dry_run=True).startswith("3 files: 2 to read, 1 unchanged\n")


def test_search():
    text = search_text(DuplicatesSummary(1, searched=2, verified=1, accepted=1, overflowed=1, seconds=0.5))
    assert text.startswith("2 pictures searched, 1 candidate pair compared, 1 confirmed (0.5 s); 1 picture had more")


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


def test_what_is_different():
    a, b, c = image(1, "/p/a.png", "/p/c.png", width=400), image(2, "/p/b.jpg"), image(3, "/p/d.png")
    found = report([pair(a, b, Relation.TONE, score=0.875)])
    [group] = found.groups
    gone = LocationRecord(Path("/p/old.png"), 3, missing=True)
    changes = (
        Change("grown", group.id, group, (group.id,), (b.locations[0],), (gone,)),
        Change("resolved", "abc", None, ("abc",), (), (c.locations[0],)),
    )
    run = RunRecord(12, "duplicates", datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, 12, tzinfo=UTC))
    lines = changes_text(replace(found, since=run, changes=changes), Path("/p")).splitlines()
    assert lines[0].startswith("since run 12 (2026-01-0")
    assert lines[0].endswith("): 1 grown group, 1 resolved")
    assert lines[2:] == [
        f"grown group {group.id}: 3 files, weakest link 0.875",
        "  * a.png  (400 x 100 PNG)",
        "      leads by more-pixels",
        "  = c.png",
        "+   b.jpg  (200 x 100 PNG)",
        "      score 0.875: other exposure, colours or filter, proven, largest difference 3 of 255",
        "      behind by more-pixels: 2.00 times the resolution (400 x 100 against 200 x 100)",
        "-   old.png#frame=3  (gone)",
        "",
        "resolved group abc",
        "-   d.png",
    ]
    assert changes_text(replace(found, changes=())) == ""
    joined = next(change_lines(replace(changes[0], before=("x", "y"))))
    assert joined.endswith(", from groups x and y")
    assert next(change_lines(replace(changes[0], before=("x",)))).endswith(", was group x")


def test_no_name_steers_the_terminal_in_what_is_different():
    found = hostile_report()
    places = tuple(place for m in found.groups[0].members for place in m.image.locations)
    changes = (
        Change("new", found.groups[0].id, found.groups[0], (), places),
        Change("resolved", "abc", None, ("abc",), (), places),
    )
    coverage = Coverage(places[0].path, places[1].path, len(places), 0, places)
    selection = Selection(paths=(places[0].path,), across=(places[0].path, places[1].path))
    text = changes_text(replace(found, changes=changes, selection=selection))
    text += report_text(replace(found, coverage=coverage, selection=selection))
    text.encode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    beginnings = (" ", "+", "-", "new", "only", "resolved", "group", "/pict", "since", "=cmd")
    assert all(line.startswith(beginnings) for line in text.split("\n")[1:] if line)


def test_coverage_lists_some_and_counts_all():
    places = tuple(LocationRecord(Path(f"/card/{number:03d}.png")) for number in range(30))
    failure = Failure(Path("/card/broken.jpg"), Reason.DAMAGED, "")
    lines = list(coverage_lines(Coverage(Path("/card"), Path("/archive"), 31, 1, places, (failure,))))
    assert lines[0] == (
        "/card: 1 of 31 files with a duplicate in /archive, 1 of them in the same bytes or pixels; without:"
    )
    assert (len(lines), lines[-2].strip()) == (23, "and 10 more (--json lists all)")
    assert lines[-1] == "/card: 1 file could not be read, duplicates not known"
    [line] = coverage_lines(Coverage(Path("/card"), Path("/archive"), 1, 0, ()))
    assert line == "/card: all 1 file with a duplicate in /archive, 0 of them in the same bytes or pixels"


def test_selection_in_words():
    assert selection_words(Selection()) == ""
    words = selection_words(
        Selection((Relation.TONE, Relation.RESIZED), (Relation.CROP_OF,), 0.75, (Path("/a"),), folder="other")
    )
    assert words == (
        "pairs that are tone or resized, pairs that are not crop_of, scores from 0.75, pairs of different folders, "
        "groups that touch /a"
    )


def test_decisions():
    key, other = "a" * 64, "b" * 64 + "#3"
    made = Decision("keep-both", key, other, "why\n", datetime(2026, 1, 2, tzinfo=UTC))
    line = decision_line(made, {key: "new\nline.png"})
    assert line == "2026-01-02  keep-both  new\\nline.png  and  content bbbbbbbbbbbb (not in the index)  (why\\n)"
    assert "every place of" in decision_line(replace(made, b=key), {key: "a.png"})
