import pytest

from dedupindex.records import Registration, Relation
from dedupindex.reports.wording import FLAGS, MEANING, flag_words, pair_words, percent, relation_words, shift_text
from tests.reports.samples import image, pair, verification

A, B = image(1, "/a.png", width=400, height=200), image(2, "/b.png")


def test_every_relation_has_a_meaning_and_a_phrase():
    assert set(MEANING) == set(Relation)
    for relation in Relation:
        [words] = pair_words(pair(A, B, relation))
        assert words


@pytest.mark.parametrize(
    ("fields", "relation", "words"),
    [
        (
            {"crop_of": "a", "crop_box": (0, 0, 124, 400)},
            Relation.CROP_OF,
            "cropped: b shows 62 % of a",
        ),
        ({"crop_of": "b", "crop_box": (0, 0, 50, 100)}, Relation.CROP_OF, "cropped: a shows 25 % of b"),
        ({"crop_of": "a"}, Relation.CROP_OF, "cropped: b shows a part of a"),
        (
            {"crop_of": "a", "crop_box": (0, 0, 200, 400), "measures": {"cover_a": 0.9, "cover_b": 1.0}},
            Relation.CROP_OF,
            "cropped: b shows 90 % of a",
        ),
        (
            {"registration": Registration((12.0, -3.04), overlap=0.8)},
            Relation.SHIFTED_OVERLAP,
            "same picture shifted by (12, -3) px (b against a), 80 % in common",
        ),
        ({"registration": Registration((0, 0), scale=2.0)}, Relation.RESIZED, "resized: b at 50 % of the size of a"),
        ({"registration": Registration((0, 0), scale=0.25)}, Relation.RESIZED, "resized: a at 25 % of the size of b"),
        ({"registration": Registration((0, 0), scale=1.0)}, Relation.RESIZED, "stretched: b has other proportions"),
        (
            {"registration": Registration((0, 0), rotation=12.34)},
            Relation.ROTATED,
            "rotated by 12.3° counter-clockwise (a against b)",
        ),
        (
            {"registration": Registration((0, 0), rotation=-90.0)},
            Relation.ROTATED,
            "rotated by 90.0° clockwise (a against b)",
        ),
        ({"registration": Registration((0, 0), rotation=-180.0)}, Relation.ROTATED, "upside down"),
    ],
)
def test_numbers_in_words(fields, relation, words):
    assert pair_words(pair(A, B, relation, **fields)) == (words,)


def test_several_relations_and_other_names():
    found = pair(A, B, Relation.MIRRORED, Relation.RESIZED, registration=Registration((0, 0), scale=2.0))
    assert pair_words(found, "the first", "this") == ("mirrored", "resized: this at 50 % of the size of the first")


def test_a_turned_window_does_not_boast_of_its_shift():
    registration = Registration((-61.2, -36.4), rotation=12.0, overlap=0.91)
    words = pair_words(pair(A, B, Relation.SHIFTED_OVERLAP, Relation.ROTATED, registration=registration))
    assert words[0] == "each shows something more, 91 % in common"


def test_mirrored_top_to_bottom_is_one_deed():
    registration = Registration((0, 0), rotation=180.0, mirrored=True)
    assert pair_words(pair(A, B, Relation.ROTATED, Relation.MIRRORED, registration=registration)) == (
        "mirrored top-bottom",
    )


def test_small_pieces():
    assert percent(0.004) == "0.4 %"
    assert percent(1) == "100 %"
    assert percent(0) == "0 %"
    assert shift_text(verification(registration=Registration((-0.01, 3.25)))) == "(0, 3.2)"
    assert relation_words("mirrored+tone") == f"{MEANING[Relation.MIRRORED]}; {MEANING[Relation.TONE]}"
    assert flag_words("bridge:abc") == FLAGS["bridge"]
    assert flag_words("flood") == FLAGS["flood"]
