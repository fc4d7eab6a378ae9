import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.errors import SettingsError
from dedupindex.groups.provenance import Made, Sign, depths
from dedupindex.groups.ranking import RULES, Contender, Ranked, keys, reason, rule_order
from dedupindex.records import ImageRecord, LocationRecord
from dedupindex.records.companions import Companion, CompanionKind
from dedupindex.settings import KEEP_RULES, OTHER_KEEP_RULES, Settings

PLACE = LocationRecord(Path("/p/one.jpg"), 0, 5000, 1_000_000_000)
IMAGE = ImageRecord(1, b"1" * 32, 0, "JPEG", 100, 80, 8, 3, 1.0, False, "")
ONE = Contender(IMAGE, PLACE, content=1, tone=1)
NOISY = Made(1, 2, Sign.NOISE, "noise was added")
COARSE = Made(1, 2, Sign.COARSER_STEPS, "its JPEG steps are coarser", certain=False)


def other(place=None, decided=False, part=0, protected=False, known=None, **image):
    fineness = image.get("width", 100) / 100
    return Contender(
        dataclasses.replace(IMAGE, **image),
        dataclasses.replace(PLACE, **(place or {})),
        decided,
        part,
        protected,
        fineness,
        **{"content": 2, "tone": 1, **(known or {})},
    )


def ranks(contenders, order, prefer=()):
    made = keys(contenders, order, prefer)
    return [Ranked(one, key) for one, key in zip(contenders, made, strict=True)]


def why(first, second, rules=(*KEEP_RULES, *OTHER_KEEP_RULES), prefer=()):
    order = rule_order(rules)
    return reason(order, *ranks([first, second], order, prefer))


def decide(first, second, rules=(*KEEP_RULES, *OTHER_KEEP_RULES), prefer=()):
    """The rule that keeps the first, in words; or None."""
    found = why(first, second, rules, prefer)
    return None if found is None or not found.rule else (found.rule, found.words)


@pytest.mark.parametrize(
    ("first", "second", "rule", "words"),
    [
        (other(decided=True, part=1), ONE, "decided", "somebody decided"),
        (ONE, other(part=1, width=999), "shows-more", "part of a larger"),
        (ONE, other(width=50), "more-pixels", "2.00 times the resolution (100 x 80 against 50 x 80)"),
        (other(width=120), other(lossless=True, format="PNG"), "more-pixels", "120 x 80"),
        (other(lossless=True, format="PNG"), ONE, "lossless", "lossless PNG against lossy JPEG"),
        (other(bits=16), ONE, "greater-depth", "16 bits a sample against 8"),
        (ONE, other({"missing": True}, decided=True), "present", "is gone"),
        (ONE, other({"path": Path("/p/$Recycle.Bin/S/a")}, width=999), "no-system-folder", "folder of the system"),
        (ONE, other(known={"processed": 1, "made": (NOISY,)}, lossless=True), "less-processed", "noise was added"),
        (ONE, other(known={"compressed": 1, "packed": (COARSE,)}), "less-compressed", "JPEG steps are coarser"),
        (other({"size": 4000}, metadata_count=3, format="WEBP"), ONE, "more-metadata", "3 metadata fields against 0"),
        (other(protected=True), ONE, "protected", "has to stay"),
        (
            other({"companions": (Companion(Path("/p/one.xmp"), CompanionKind.EDITS),)}),
            ONE,
            "more-companions",
            "1 companion (edits, video, raw ...) against none",
        ),
        (
            other(frame_count=3),
            other(frame_count=2),
            "more-companions",
            "2 companions (edits, video, raw ...) against 1",
        ),
        (
            ONE,
            other({"mtime_ns": 2_000_000_000}),
            "oldest",
            "from 1970-01-01 00:00:01 against 1970-01-01 00:00:02 (UTC)",
        ),
        (ONE, other({"path": Path("/p/one (1).jpg")}), "shortest-path", "shorter"),
        (ONE, other({"path": Path("/p/two.jpg")}), "first-path", "alphabet"),
    ],
)
def test_each_rule_decides_and_says_why(first, second, rule, words):
    found = decide(first, second)
    assert found is not None
    assert found[0] == rule
    assert words in found[1]
    assert decide(second, first) is None


def test_times_within_a_second_are_told_apart():
    assert "00:00:01.000000000 against 1970-01-01 00:00:01.000000005" in decide(ONE, other({"mtime_ns": 10**9 + 5}))[1]


def test_where_no_rule_tells_the_better_picture_it_is_a_judgement_call():
    young = {"mtime_ns": 2_000_000_000}
    assert why(ONE, other(young)).judgement
    assert why(ONE, other({"path": Path("/p/two.jpg")})).judgement
    assert not why(ONE, other(young, known={"content": 1})).judgement, "the same pixels: neither is better"
    assert not why(ONE, other(width=50)).judgement
    assert not why(ONE, other(known={"processed": 1, "made": (NOISY,)})).judgement
    assert why(ONE, other(known={"processed": 1, "made": (COARSE,)})).judgement
    png = other(lossless=True, format="PNG")
    assert not why(png, ONE).judgement
    assert why(dataclasses.replace(png, tone=2), ONE).judgement, "an edit may be saved without loss"
    tie = why(ONE, dataclasses.replace(ONE, content=2))
    assert (tie.rule, tie.judgement) == ("", True)


def test_a_sign_against_another_picture_says_so():
    third = other(known={"processed": 2, "made": (NOISY,)})
    words = decide(other(known={"processed": 1, "content": 3}, sha256=b"3" * 32, id=3), third)[1]
    assert words == "noise was added (beside another picture of the group)"


def test_a_lossless_file_with_the_pixels_of_a_lossy_one_is_no_better():
    png = other(lossless=True, format="PNG")
    assert decide(png, ONE, ("lossless",)) is not None
    assert decide(dataclasses.replace(png, unpacked=True), ONE, ("lossless",)) is None


def test_resolutions_that_hardly_differ_count_as_equal():
    assert decide(other(width=101), ONE, ("more-pixels",)) is None
    assert decide(other(width=110), ONE, ("more-pixels",)) is not None


def test_preferred_folders_go_in_their_order():
    a, b = other({"path": Path("/archive/x.jpg")}), other({"path": Path("/card/x.jpg")})
    rules = ("path-order",)
    assert decide(a, b, rules, [Path("/archive"), Path("/card")]) is not None
    assert decide(a, b, rules, [Path("/card"), Path("/archive")]) is None
    assert decide(a, b, rules) is None
    assert decide(b, a, rules) is None


def test_a_rule_may_come_first():
    young_and_large = other({"mtime_ns": 9_000_000_000}, width=999)
    assert decide(ONE, young_and_large, ("oldest", "more-pixels"))[0] == "oldest"
    assert decide(young_and_large, ONE, ("newest",))[0] == "newest"
    assert decide(ONE, other(part=1), ("oldest",))[0] == "shows-more"


def test_protected_comes_before_the_first_rule_about_places():
    always = ("present", "decided", "no-system-folder", "shows-more")
    assert rule_order(("oldest", "lossless")) == (*always, "protected", "oldest", "lossless")
    assert rule_order(("lossless",)) == (*always, "lossless", "protected")


def test_unknown_rules_are_refused():
    with pytest.raises(SettingsError, match="no keep rule largest"):
        rule_order(("largest",))
    with pytest.raises(SettingsError, match="no keep rule largest"):
        Settings(keep_rules=("largest",))
    assert set(KEEP_RULES) | set(OTHER_KEEP_RULES) <= set(RULES)


def test_depths():
    assert depths([(1, 2), (2, 3), (1, 3)]) == {1: 0, 2: 1, 3: 2}
    assert set(depths([(1, 2), (2, 1)])) == {1, 2}
    assert depths([]) == {}


contenders = st.builds(
    other,
    place=st.fixed_dictionaries({
        "size": st.integers(8, 12).map(lambda n: n * 100),
        "mtime_ns": st.integers(0, 2),
        "path": st.sampled_from([Path("/a/x"), Path("/b/x"), Path("/b/xx")]),
    }),
    decided=st.booleans(),
    part=st.integers(0, 2),
    known=st.fixed_dictionaries({"processed": st.integers(0, 2), "compressed": st.integers(0, 2)}),
    protected=st.booleans(),
    width=st.integers(98, 103),
    lossless=st.booleans(),
    bits=st.sampled_from([8, 16]),
    format=st.sampled_from(["JPEG", "WEBP"]),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(contenders, min_size=2, max_size=6), st.permutations([*KEEP_RULES, *OTHER_KEEP_RULES]))
def test_the_order_never_contradicts_itself(some, rules):
    order = rule_order(rules)
    made = ranks(some, order, [Path("/b")])
    for a in made:
        for b in made:
            before, after = reason(order, a, b), reason(order, b, a)
            assert (before is not None and before.rule != "") == (a.key < b.key)
            assert (a.key == b.key) == (before is not None and after is not None)
