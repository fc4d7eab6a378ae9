from dataclasses import replace
from pathlib import Path

from dedupindex.evaluation.attacked_copies import Variant
from dedupindex.evaluation.counting import Attacked, Components, Evidence, count, related
from dedupindex.records.evaluations import MissedCopy, WrongPair, rate

CROP, BLUR = Variant("crop"), Variant("blur", 2.0)
A, B, C = Path("/a.png"), Path("/b.png"), Path("/c.png")
# Pictures 1, 2, 3; copies 11 and 12 of 1, 21 of 2, 31 of 3.
EVIDENCE = Evidence(
    originals={1: A, 2: B, 3: C},
    duplicates=0,
    copies=[Attacked(CROP, 1, 11), Attacked(BLUR, 1, 12), Attacked(CROP, 2, 21), Attacked(BLUR, 3, 31)],
    own=set(),
    reported={(1, 11): (0.9, "crop_of"), (2, 21): (1.0, "crop_of"), (11, 12): (0.6, "tone")},
    proposed={(1, 11), (2, 21), (3, 31), (11, 12), (2, 31)},
    scores={(3, 31): 0.3, (2, 31): 0.1},
    overflowed=1,
    threshold=0.5,
)


def with_(**changes):
    return count(replace(EVIDENCE, **changes), [CROP, BLUR])


def test_counts():
    found = with_()
    assert (found.copies, found.used, found.overflowed) == (4, 3, 1)
    assert found.direct == rate(2, 4)
    assert found.linked == rate(3, 4)  # 12 through 11
    assert found.precision == rate(3, 3)
    assert found.retrieval == rate(2, 2)
    assert found.searched == rate(3, 3)
    assert found.comparable == 7 * 6 // 2 - 3 - 1 - 1  # all, but those of one picture
    assert found.false_rate == rate(0, found.comparable)
    assert found.wrong == ()
    crop, blur = found.attacks
    assert (crop.label, crop.direct, crop.linked, crop.retrieval) == ("crop", rate(2, 2), rate(2, 2), rate(2, 2))
    assert (blur.label, blur.direct, blur.linked, blur.retrieval) == ("blur:2", rate(0, 2), rate(1, 2), None)


def test_missed_copies_say_why():
    assert with_().missed == (
        MissedCopy(A, "blur:2", "not_confirmed", 0.0, linked=True),
        MissedCopy(C, "blur:2", "not_confirmed", 0.3, linked=False),
    )
    unproposed = with_(scores={(1, 12): 0.8, (3, 31): 0.3})
    assert unproposed.missed[0] == MissedCopy(A, "blur:2", "not_proposed", 0.8, linked=True)
    assert unproposed.retrieval == rate(2, 3)
    assert unproposed.searched == rate(3, 4)
    assert unproposed.attacks[1].retrieval == rate(0, 1)


def test_pairs_found_by_the_closing_of_groups_count_as_missed_by_the_search():
    found = with_(proposed={(1, 11), (2, 21)})
    assert found.direct == rate(2, 4)
    assert found.searched == rate(2, 3)


def test_a_wrong_pair_counts_as_wrong_and_links_nothing():
    reported = {**EVIDENCE.reported, (2, 31): (0.7, "edited"), (11, 21): (0.8, "tone"), (1, 2): (0.6, "tone")}
    found = with_(reported=reported)
    assert found.precision == rate(3, 6)
    assert found.wrong == (
        WrongPair(A, "crop", B, "crop", 0.8, "tone"),
        WrongPair(B, "", C, "blur:2", 0.7, "edited"),
        WrongPair(A, "", B, "", 0.6, "tone"),
    )
    assert found.linked == rate(3, 4)
    assert found.false_rate is not None
    assert found.false_rate.hits == 3
    at = {point.threshold: point for point in found.curve}
    assert (at[0.5].wrong, at[0.65].wrong, at[0.75].wrong, at[0.85].wrong) == (3, 2, 1, 0)


def test_own_duplicates_count_neither_for_nor_against():
    reported = {**EVIDENCE.reported, (1, 21): (0.8, "tone")}
    assert with_(reported=reported).precision == rate(3, 4)
    found = with_(reported=reported, own={(1, 2)})
    assert found.precision == rate(4, 4)
    assert found.own_pairs == 1
    assert found.wrong == ()
    assert found.comparable == 21 - 5 * 4 // 2 - 1  # 1, 2 and their copies belong together


def test_byte_copies():
    found = with_(duplicates=2)
    assert (found.used, found.own_copies) == (5, 2)


def test_a_copy_that_shows_nothing_is_missed():
    found = with_(copies=[*EVIDENCE.copies, Attacked(CROP, 3, 0)])
    assert found.direct == rate(2, 5)
    assert found.attacks[0].unusable == 1
    assert [missed for missed in found.missed if missed.attack == "crop"] == [
        MissedCopy(C, "crop", "unusable", 0.0, linked=False)
    ]
    assert found.comparable == with_().comparable


def test_a_copy_that_is_its_original_byte_for_byte_is_found():
    found = with_(copies=[Attacked(CROP, 1, 1), Attacked(BLUR, 1, 12)], reported={}, scores={}, proposed=set())
    assert found.direct == rate(1, 2)
    assert found.precision is None
    assert found.retrieval is None
    assert {point.recall.hits for point in found.curve} == {1}


def test_a_copy_that_equals_a_copy_of_another_picture_shows_both():
    copies = [Attacked(CROP, 1, 11), Attacked(CROP, 2, 11)]
    rest = {"reported": {(1, 11): (1.0, "tone"), (2, 11): (1.0, "tone")}, "scores": {}, "proposed": set()}
    found = with_(copies=copies, **rest)
    assert found.precision == rate(2, 2)
    assert found.comparable == 3 + 1  # 1, 2 and 3 among each other, 11 with 3
    twice = with_(copies=[*copies, Attacked(BLUR, 1, 12), Attacked(BLUR, 2, 12)], **rest)
    assert twice.comparable == 3 + 2  # 11 and 12 have something in common


def test_curve_leaves_out_what_nobody_proposed():
    found = with_(scores={(1, 12): 0.8, (3, 31): 0.3})
    at = {point.threshold: point for point in found.curve}
    assert at[0.5].recall == rate(2, 4)
    assert at[0.3].recall == rate(3, 4)
    assert at[0.95].recall == rate(1, 4)
    assert at[0.5].precision == found.precision


def test_related():
    assert related(EVIDENCE.copies) == {(1, 11), (1, 12), (11, 12), (2, 21), (3, 31)}
    assert related([Attacked(CROP, 1, 0), Attacked(CROP, 2, 2)]) == set()


def test_components():
    links = Components()
    links.join(1, 2)
    links.join(3, 4)
    links.join(2, 3)
    assert len({links.of(thing) for thing in (1, 2, 3, 4)}) == 1
    assert links.of(5) == 5
