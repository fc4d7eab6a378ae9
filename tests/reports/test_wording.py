import pytest

from dedupindex.records import (
    FlagKind,
    GroupFlag,
    Outcome,
    Proof,
    ProofMeasures,
    Region,
    Registration,
    Relation,
    VerificationMeasures,
)
from dedupindex.reports.wording import (
    FLAGS,
    MEANING,
    flag_words,
    headline,
    pair_words,
    percent,
    relation_words,
    shift_text,
)
from tests.reports.samples import image, pair, verification

A, B = image(1, "/a.png", width=400, height=200), image(2, "/b.png")


def test_every_relation_has_a_meaning_and_a_phrase():
    assert set(MEANING) == set(Relation)
    for relation in set(Relation) - {Relation.ALTERNATE, Relation.UNPROVEN, Relation.EDITED}:
        words, *proven = pair_words(pair(A, B, relation))
        assert words
        direct = relation in (Relation.SAME_BYTES, Relation.SAME_PIXELS)
        assert proven == ([] if direct else ["proven, largest difference 3 of 255"])


REGION = Region((0, 0, 10, 10), (0, 0, 10, 10), 0.004, 0.5)


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        (None, ("other exposure, colours or filter", "not proven")),
        (Proof(Outcome.NONE, reason="gone"), ("other exposure, colours or filter", "not proven: gone")),
        (Proof(Outcome.EDITED, (REGION, REGION), changed=0.008), ("edited: 2 places, 0.8 % of the area",)),
        (
            Proof(Outcome.EDITED, (REGION,), changed=0.02, measures=ProofMeasures(places=40.0)),
            ("edited: 40 places, 2 % of the area",),
        ),
        (Proof(Outcome.ALTERNATE, moved=0.07, changed=0.1), ("another shot of the same scene: 7 % moved",)),
        (
            Proof(Outcome.ALTERNATE, moved=0.01, changed=0.2),
            ("the same scene or template with other content: 20 % differs",),
        ),
        (
            Proof(Outcome.ALTERNATE, changed=0.3),
            ("the same scene or template with other content: 30 % differs",),
        ),
        (Proof(Outcome.DIFFERENT), ()),
    ],
)
def test_what_the_proof_adds(proof, words):
    assert pair_words(pair(A, B, Relation.TONE, proof=proof)) == words


@pytest.mark.parametrize(
    ("relations", "proof", "done", "words"),
    [
        ((Relation.SAME_BYTES,), None, "", "the same file content, byte for byte"),
        ((Relation.SAME_PIXELS,), None, "", "the same picture, every pixel the same"),
        ((), Proof(Outcome.DIFFERENT), "", "different pictures"),
        ((), None, "", "different pictures"),
        (
            (Relation.REENCODED,),
            Proof(Outcome.SAME, largest=3 / 255),
            "",
            "the same picture, encoded again; largest difference 3 of 255",
        ),
        (
            (Relation.RESIZED,),
            Proof(Outcome.SAME, largest=1 / 255),
            "resized: b at 50 % of the size of a",
            "the same picture, resized: b at 50 % of the size of a; largest difference 1 of 255",
        ),
        ((Relation.EDITED,), Proof(Outcome.EDITED, (REGION,), 0.004), "", "edited: 1 place, 0.4 % of the area"),
        (
            (Relation.UNPROVEN,),
            Proof(Outcome.NONE, reason="too small"),
            "",
            "taken for the same picture at 128 pixels, not proven: too small",
        ),
    ],
)
def test_the_headline(relations, proof, done, words):
    assert headline(relations, proof, done) == words


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
            {"crop_of": "a", "crop_box": (0, 0, 200, 400), "measures": VerificationMeasures(cover_a=0.9, cover_b=1.0)},
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
    assert pair_words(pair(A, B, relation, **fields))[:-1] == (words,)


def test_several_relations_and_other_names():
    found = pair(A, B, Relation.MIRRORED, Relation.RESIZED, registration=Registration((0, 0), scale=2.0))
    words = pair_words(found, "the first", "this")
    assert words[:-1] == ("mirrored", "resized: this at 50 % of the size of the first")


def test_a_turned_window_does_not_boast_of_its_shift():
    registration = Registration((-61.2, -36.4), rotation=12.0, overlap=0.91)
    words = pair_words(pair(A, B, Relation.SHIFTED_OVERLAP, Relation.ROTATED, registration=registration))
    assert words[0] == "each shows something more, 91 % in common"


def test_mirrored_top_to_bottom_is_one_deed():
    registration = Registration((0, 0), rotation=180.0, mirrored=True)
    words = pair_words(pair(A, B, Relation.ROTATED, Relation.MIRRORED, registration=registration))
    assert words[:-1] == ("mirrored top-bottom",)


def test_small_pieces():
    assert percent(0.004) == "0.4 %"
    assert percent(1) == "100 %"
    assert percent(0) == "0 %"
    assert shift_text(verification(registration=Registration((-0.01, 3.25)))) == "(0, 3.2)"
    assert relation_words("mirrored+tone") == f"{MEANING[Relation.MIRRORED]}; {MEANING[Relation.TONE]}"
    assert set(FLAGS) == set(FlagKind)
    assert flag_words(GroupFlag(FlagKind.FLOOD, ("abc",))) == FLAGS[FlagKind.FLOOD]
