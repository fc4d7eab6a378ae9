from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dedupindex.records import LocationRecord, Outcome, Proof, Relation
from dedupindex.records.companions import Companion, CompanionKind
from dedupindex.reports.summary import Freed, RelationCount, ReportSummary, freed_by
from dedupindex.reports.summary_text import report_with_summary, summary_lines, summary_text
from tests.reports.samples import image, pair, report

EDITED = Proof(Outcome.EDITED, compared=1.0)


def found():
    """A group of three pictures in five files, one of an edited picture, one of copies alone, one not proven."""
    a, b = image(1, "/a.png", "/a2.png", "/a3.png", width=400), image(2, "/b.png", "/b2.png")
    c, d, e = image(3, "/c.png"), image(4, "/d.png", width=400), image(5, "/e.png")
    f, g, h = image(6, "/f.png", "/f2.png"), image(7, "/g.png", width=400), image(8, "/h.png")
    pairs = [
        pair(a, b, Relation.RESIZED),
        pair(b, c, Relation.TONE),
        pair(d, e, Relation.EDITED, proof=EDITED),
        pair(g, h, Relation.TONE, proof=None),
    ]
    return report(pairs, [f])


def test_each_file_is_counted_once_by_its_relation_to_the_first():
    made = ReportSummary.of(found())
    assert (made.groups, made.files, made.unproven) == (4, 12, 1)
    assert set(made.relations) == {
        RelationCount("same_bytes", 2, 4),
        RelationCount("resized", 1, 1),
        RelationCount("through another", 1, 1),
        RelationCount("edited", 1, 1),
        RelationCount("tone+unproven", 1, 1),
    }
    assert made.relations[0].relation == "same_bytes"
    assert sum(row.files for row in made.relations) == made.files - made.groups  # all but the first of each group


def test_what_could_be_freed_is_copies_that_are_proven():
    made = ReportSummary.of(found())
    assert (made.exact, made.copies) == (Freed(4, 4000), Freed(2, 2000))
    assert sum(freed_by(group) for group in found().groups) == 6000


@given(places=st.lists(st.integers(1, 4), min_size=2, max_size=6), proven=st.booleans())
def test_one_file_of_a_group_always_stays(places, proven):
    images = [image(n, *(f"/{n}/{k}.png" for k in range(many))) for n, many in enumerate(places, 1)]
    proof = Proof(Outcome.SAME, compared=1.0) if proven else None
    pairs = [pair(images[0], other, Relation.TONE, proof=proof) for other in images[1:]]
    made = ReportSummary.of(report(pairs))
    assert made.exact.files == sum(places) - len(places)
    assert made.copies.files == (len(places) - 1 if proven else 0)
    assert (made.exact + made.copies).bytes == 1000 * (made.exact.files + made.copies.files)


def test_frames_and_what_lies_elsewhere_free_nothing():
    frames = [image(n, frame=n, frame_count=2, locations=(LocationRecord(Path("/s.tif"), n, 9),)) for n in (0, 1)]
    assert ReportSummary.of(report([pair(*frames, Relation.TONE)])).copies == Freed()
    far = image(3, "s3:/bucket/a.png", "s3:/bucket/b.png")
    assert ReportSummary.of(report([], [far])).exact == Freed()


def test_the_first_picture_of_a_phone_counts_and_the_further_ones_do_not():
    first, copy, further = (
        image(n, frame=frame, frame_count=2, format="JPEG", locations=(LocationRecord(Path(f"/{name}.jpg"), frame, 9),))
        for n, (name, frame) in enumerate([("a", 0), ("b", 0), ("b", 1)], 1)
    )
    proof = Proof(Outcome.SAME, compared=1.0)
    assert ReportSummary.of(report([pair(first, copy, Relation.TONE, proof=proof)])).copies == Freed(1, 9)
    assert ReportSummary.of(report([pair(first, further, Relation.TONE, proof=proof)])).copies == Freed()


def shot(number, path, *beside, **fields):
    """A picture with its companions."""
    companions = tuple(Companion(Path(name), kind) for name, kind in beside)
    return image(number, locations=(LocationRecord(Path(path), number, 1000, companions=companions),), **fields)


def test_the_files_of_one_shot_are_no_copies_of_each_other():
    raw = shot(1, "/a/I_1.CR2", ("/a/i_1.jpg", CompanionKind.RENDERED), format="RAW", width=400)
    jpeg = shot(2, "/a/i_1.jpg", ("/a/I_1.CR2", CompanionKind.RAW), format="JPEG")
    assert ReportSummary.of(report([pair(raw, jpeg, Relation.REENCODED)])).copies == Freed()
    apart = shot(3, "/jpeg/I_1.jpg", format="JPEG")
    assert ReportSummary.of(report([pair(raw, apart, Relation.REENCODED)])).copies == Freed()
    other = shot(4, "/jpeg/I_2.jpg", format="JPEG")
    assert ReportSummary.of(report([pair(raw, other, Relation.REENCODED)])).copies == Freed(1, 1000)
    small = shot(5, "/mail/small.jpg", format="JPEG", width=100)
    three = [pair(raw, jpeg, Relation.REENCODED), pair(jpeg, small, Relation.RESIZED)]
    assert ReportSummary.of(report(three)).copies == Freed(1, 1000)
    assert sum(freed_by(group) for group in report(three).groups) == 1000


def test_a_raw_file_goes_with_its_jpeg_alone():
    large = image(1, "/export.tif", width=400)
    raw = shot(2, "/a/i.dng", ("/a/i.jpg", CompanionKind.RENDERED), format="RAW")
    assert ReportSummary.of(report([pair(large, raw, Relation.RESIZED)])).copies == Freed()
    alone = shot(3, "/a/i.dng", format="RAW")
    assert ReportSummary.of(report([pair(large, alone, Relation.RESIZED)])).copies == Freed(1, 1000)


def test_the_words():
    lines = list(summary_lines(ReportSummary.of(found())))
    assert [line.split() for line in lines[1:3]] == [["same_bytes", "2", "4"], ["resized", "1", "1"]]
    words = "could be freed, at most: 4.0 kB in 4 files with the same bytes as another; 2.0 kB more in 2 proven copies"
    assert words in lines
    assert [line[6:].split("  ")[0] for line in lines[lines.index(words) + 1 :]] == [
        "dedupindex plan -o plan.json",
        "dedupindex plan --relation copy -o plan.json",
        "dedupindex prove",
        "dedupindex serve --open",
    ]


def test_nothing_to_sum_up():
    empty = report([])
    assert report_with_summary("text", ReportSummary.of(empty)) == "text"
    assert summary_text(empty, ReportSummary.of(empty)) == "no duplicates, among 0 files"


def test_many_kinds_are_cut_short():
    names = [
        r for r in Relation if r not in (Relation.SAME_BYTES, Relation.ALTERNATE, Relation.UNPROVEN, Relation.EDITED)
    ]
    combined = [(one, other) for i, one in enumerate(names) for other in names[i + 1 :]][:15]
    pairs = [pair(image(2 * n + 1, f"/{n}a"), image(2 * n + 2, f"/{n}b"), *both) for n, both in enumerate(combined)]
    lines = list(summary_lines(ReportSummary.of(report(pairs))))
    [rest] = [line for line in lines if "other kinds" in line]
    kinds = len({row.relation for row in ReportSummary.of(report(pairs)).relations})
    assert rest.split() == [
        str(kinds - 12),
        "other",
        "kinds",
        str(15 - sum(int(line.split()[-1]) for line in lines[1:13])),
    ]
