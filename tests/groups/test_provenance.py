"""Which picture was made from which, by what the proof measured: each sign, from both sides of the pair."""

import dataclasses

import pytest

from dedupindex.groups.provenance import (
    Sign,
    enlargement,
    file_measures,
    fineness,
    larger,
    made_from,
    more_compressed,
    unpacked,
)
from dedupindex.records import Outcome, Pair, Proof, ProofMeasures, Registration, Relation, Side, Verification
from dedupindex.records.proofs import turned_round
from tests.groups.test_grouping import image

EQUAL = {
    "middle_a": 1.0, "middle_b": 1.0, "fine_a": 1.0, "fine_b": 1.0, "detail_a": 12.0, "detail_b": 12.0, "noise_a": 4.0,
    "noise_b": 4.0, "unexplained_a": 0.1, "unexplained_b": 0.1, "colour_a": 9.0, "colour_b": 9.0, "outside_a": 0.0,
    "outside_b": 0.0, "plain_a": 0.0, "plain_b": 0.0, "ratio": 1.0,
}  # fmt: skip
JPEG = {"format": "JPEG", "lossless": False}


def pair(measures, relations=(Relation.REENCODED,), *, scale=1.0, crop_of=None, a=None, b=None) -> Pair:
    """Images 1 and 2 with these measures beside those of two equal pictures."""
    matrix = ((scale, 0.0, 0.0), (0.0, scale, 0.0))
    seen = () if relations == (Relation.REENCODED,) else relations
    outcome = Outcome.EDITED if Relation.EDITED in relations else Outcome.SAME
    proof = Proof(outcome, matrix=matrix, measures=ProofMeasures.of({**EQUAL, **measures}))
    found = Verification(True, 0.9, seen, Registration((0.0, 0.0), scale=scale), "", crop_of=crop_of)
    return Pair(image(1, **(JPEG | (a or {}))), image(2, **(JPEG | (b or {}))), found, proof=proof)


def turned(one: Pair) -> Pair:
    """The same two pictures, the other one first."""
    scale = one.verification.registration.scale
    crop_of = {Side.A: Side.B, Side.B: Side.A, None: None}[one.verification.crop_of]
    registration = Registration((0.0, 0.0), scale=1 / scale)
    found = dataclasses.replace(one.verification, registration=registration, crop_of=crop_of)
    return Pair(one.b, one.a, found, proof=turned_round(one.proof))


@pytest.mark.parametrize(
    ("measures", "relations", "sign"),
    [
        ({"colour_b": 0.3}, (Relation.TONE,), Sign.NO_COLOUR),
        ({"colours_b": 64.0, "fine_b": 0.95}, (Relation.REENCODED,), Sign.PALETTE),
        ({"step_a": 2.9, "step_b": 2.9, "noise_b": 12.0, "fine_b": 0.4}, (Relation.REENCODED,), Sign.NOISE),
        ({"middle_a": 1.6, "fine_a": 1.55, "middle_b": 0.6, "fine_b": 0.58}, (Relation.REENCODED,), Sign.SHARPENED),
        ({"middle_a": 0.13, "fine_a": 0.01, "middle_b": 4.9, "detail_b": 0.8}, (Relation.REENCODED,), Sign.BLURRED),
        ({"middle_a": 0.95, "fine_a": 0.05, "fine_b": 1.0, "detail_b": 2.0}, (Relation.REENCODED,), Sign.BLURRED),
        ({"unexplained_a": 0.37, "unexplained_b": 0.25}, (Relation.TONE,), Sign.FEWER_LEVELS),
        ({"step_a": 6.0, "step_b": 2.0, "lattice_a": 0.6}, (Relation.EDITED,), Sign.SAVED_AGAIN),
        ({"step_a": 6.0, "lattice_a": 0.5}, (Relation.TONE,), Sign.SAVED_AGAIN),
        ({"outside_b": 0.2, "plain_b": 0.95}, (Relation.BORDERED,), Sign.ADDED_AREA),
        ({"step_a": 2.9, "step_b": 3.4}, (Relation.TONE,), Sign.COARSER_STEPS),
    ],
)
def test_each_sign_tells_whichever_picture_comes_first(measures, relations, sign):
    one = pair(measures, relations)
    for made in (made_from(one), made_from(turned(one))):
        assert made is not None
        assert (made.better, made.worse, made.sign) == (1, 2, sign)
        assert made.words


@pytest.mark.parametrize(
    ("measures", "relations"),
    [
        ({}, (Relation.TONE,)),
        ({"step_a": 2.9, "step_b": 3.4}, (Relation.REENCODED,)),  # the same pixels: less-compressed tells that
        ({"colour_a": 0.5, "colour_b": 0.0}, (Relation.TONE,)),  # there were hardly any colours
        ({"step_a": 50.0, "step_b": 2.9, "noise_b": 12.0}, (Relation.REENCODED,)),  # coarse steps have removed it
        ({"noise_b": 12.0}, (Relation.REENCODED,)),  # as another lossy format may have
        ({"step_a": 6.0, "step_b": 7.0, "lattice_a": 0.6}, (Relation.MIRRORED,)),  # coarser steps wipe out finer ones
        ({"step_a": 6.0, "step_b": 5.0, "lattice_a": 0.6}, (Relation.MIRRORED,)),  # steps as near may look alike
        ({"middle_a": 0.95, "fine_a": 0.05}, (Relation.REENCODED,)),  # the other one has as much detail, of its own
        ({"outside_b": 0.2, "plain_b": 0.3}, (Relation.BORDERED,)),  # it shows something there
        ({"unexplained_a": 0.37, "unexplained_b": 0.25}, (Relation.EDITED,)),  # the edit explains it
    ],
)
def test_where_nothing_tells_nothing_is_said(measures, relations):
    one = pair(measures, relations)
    assert made_from(one) is None or made_from(one).sign is Sign.COARSER_STEPS
    assert made_from(turned(one)) == made_from(one)
    if "step_a" not in measures:
        assert made_from(one) is None


def test_equal_bytes_and_what_was_not_compared_tell_nothing():
    one = pair({"colour_b": 0.0}, (Relation.TONE,))
    assert made_from(dataclasses.replace(one, proof=None)) is None
    same = dataclasses.replace(one.verification, relations=(Relation.SAME_PIXELS,))
    assert made_from(dataclasses.replace(one, verification=same)) is None


def test_coarser_steps_are_certain_only_where_the_other_way_round_is_excluded():
    steps = {"step_a": 2.9, "step_b": 3.4}
    assert not made_from(pair(steps, (Relation.EDITED,))).certain
    assert made_from(pair({**steps, "lattice_b": 0.0}, (Relation.EDITED,))).certain
    assert not made_from(pair({**steps, "lattice_b": 0.3}, (Relation.EDITED,))).certain
    assert not made_from(pair({**steps, "lattice_b": 0.0}, (Relation.TONE,))).certain


def test_an_edit_that_is_saved_as_a_jpeg_was_made_from_the_lossless_picture():
    found = made_from(pair({"step_b": 3.4, "lattice_b": 0.0}, (Relation.EDITED,), a={"lossless": True}))
    assert (found.better, found.sign, found.certain) == (1, Sign.COARSER_STEPS, True)
    assert made_from(pair({"step_b": 3.4, "lattice_b": 0.5}, (Relation.EDITED,), a={"lossless": True})).better == 2
    assert made_from(pair({"step_b": 3.4}, (Relation.EDITED,))) is None, "another lossy format"


def test_an_enlarged_picture_is_as_fine_as_what_it_was_made_from():
    enlarged = pair({"ratio": 1.5, "beyond": 1.2}, (Relation.RESIZED,), scale=1 / 1.5)  # b has 1.5 times the pixels
    assert enlargement(enlarged) == (2, 1)
    assert enlargement(turned(enlarged)) == (2, 1)
    assert made_from(enlarged).sign is Sign.ENLARGED
    assert fineness([enlarged]) == {1: 1.0, 2: 1.0}
    finer = pair({"ratio": 1.5, "beyond": 8.0}, (Relation.RESIZED,), scale=1 / 1.5)
    assert enlargement(finer) is None
    assert fineness([finer]) == pytest.approx({1: 1.0, 2: 1.5})
    assert enlargement(pair({"ratio": 1.5, "beyond": 0.0}, (Relation.RESIZED,), scale=1 / 1.5)) is None, "not measured"
    soft = pair({"ratio": 1.5, "beyond": 1.2, "detail_a": 0.5}, (Relation.RESIZED,), scale=1 / 1.5)
    assert enlargement(soft) is None, "neither has fine detail: which of the two was made from the other is not known"


def test_a_coarser_save_of_an_enlarged_picture_is_no_finer():
    """Its blocks look like detail above the limit of the smaller picture, which the proof of that pair measured."""
    small, large, coarse = 1, 2, 3
    enlarged = three({"beyond": 1.5, "ratio": 1.6}, (Relation.RESIZED,), small, large, scale=1 / 1.6)
    hidden = three({"beyond": 4.0, "ratio": 1.6}, (Relation.RESIZED,), small, coarse, scale=1 / 1.6)
    steps = {"step_a": 3.0, "step_b": 40.0, "detail_b": 12.5}
    saved = three(steps, (Relation.REENCODED,), large, coarse)
    assert fineness([enlarged, hidden])[coarse] == pytest.approx(1.6)
    assert fineness([enlarged, hidden, saved]) == pytest.approx({small: 1.0, large: 1.0, coarse: 1.0})
    clearer = three({**steps, "detail_b": 24.0}, (Relation.REENCODED,), large, coarse)
    assert fineness([enlarged, hidden, clearer])[coarse] == pytest.approx(1.6)
    assert fineness([hidden, saved])[large] == pytest.approx(1.6)  # nothing says that it was enlarged


def three(measures, relations, one, other, **known) -> Pair:
    """A pair of two of three images."""
    made = pair(measures, relations, **known)
    return dataclasses.replace(made, a=image(one, **JPEG), b=image(other, **JPEG))


def test_a_tone_that_merges_levels_does_not_make_the_other_one_sharpened():
    sharper = {"middle_b": 1.22, "fine_b": 1.12, "middle_a": 0.72, "fine_a": 0.69}
    told = made_from(pair(sharper, (Relation.TONE,)))
    assert told is not None
    assert (told.sign, told.worse) == (Sign.SHARPENED, 1)
    merged = pair(sharper | {"unexplained_a": 0.19, "unexplained_b": 0.06}, (Relation.TONE,))
    for one in (merged, turned(merged)):
        told = made_from(one)
        assert told is not None
        assert (told.sign, told.worse) == (Sign.FEWER_LEVELS, 2)


def test_borders_are_no_larger_picture():
    bar = {"outside_b": 0.2, "plain_b": 0.9}
    assert larger([pair(bar, (Relation.CROP_OF,), crop_of=Side.B)]) == []
    assert larger([pair({"outside_b": 0.2}, (Relation.CROP_OF,), crop_of=Side.B)]) == [(2, 1)]
    filled = {"outside_a": 0.05, "outside_b": 0.05, "plain_b": 1.0}  # shifted, and the empty strip filled with black
    assert larger([pair(filled, (Relation.SHIFTED_OVERLAP,))]) == [(1, 2)]
    assert larger([turned(pair(filled, (Relation.SHIFTED_OVERLAP,)))]) == [(1, 2)]
    both = {"outside_a": 0.05, "outside_b": 0.05}
    assert larger([pair(both, (Relation.SHIFTED_OVERLAP,))]) == []
    unmeasured = dataclasses.replace(pair({}, (Relation.CROP_OF,), crop_of=Side.A), proof=None)
    assert larger([unmeasured]) == [(1, 2)]


def test_compression_is_compared_within_equal_pixels_and_tone_only():
    steps = {"step_a": 2.9, "step_b": 3.4}
    assert (more_compressed(pair(steps)).better, more_compressed(turned(pair(steps))).better) == (1, 1)
    assert more_compressed(pair(steps, (Relation.TONE,))) is None
    assert more_compressed(pair(steps, (Relation.RESIZED,), scale=0.5)) is None
    assert more_compressed(pair({"step_a": 2.9, "step_b": 2.95})) is None
    assert more_compressed(pair({}, a={"lossless": True})) is None


def test_steps_of_a_file_are_known_from_any_of_its_pairs():
    derived = dataclasses.replace(pair({}), proof=Proof(Outcome.SAME, measures=ProofMeasures(derived=1.0)))
    assert more_compressed(derived) is None
    assert more_compressed(derived, {1: {"step": 3.4}, 2: {"step": 2.9}}).better == 2
    assert file_measures([pair({"step_a": 2.9, "colours_b": 16.0})]) == {1: {"step": 2.9}, 2: {"colours": 16.0}}


def test_other_lossy_formats_are_told_by_their_detail_and_then_by_their_bytes():
    smooth = {"detail_b": 11.6, "noise_b": 3.0, "fine_a": 0.9, "fine_b": 0.95}
    assert more_compressed(pair(smooth, b={"format": "WEBP"})).sign is Sign.SMOOTHER
    filtered = {"detail_b": 11.6, "noise_b": 3.0, "fine_a": 0.97, "fine_b": 1.03}
    assert more_compressed(pair(filtered, b={"format": "WEBP"})) is None
    place = image(1).locations[0]
    sizes = [{"format": "WEBP", "locations": (dataclasses.replace(place, size=size),)} for size in (9000, 5000, 8000)]
    assert more_compressed(pair({}, a=sizes[0], b=sizes[1])).better == 1
    assert more_compressed(pair({}, a=sizes[0], b=sizes[2])) is None
    assert more_compressed(pair({}, a=sizes[1], b={**sizes[0], "format": "HEIF"})) is None


def test_a_difference_that_jpeg_steps_do_not_explain_comes_from_the_other_lossy_file():
    jpeg = pair({"step_a": 2.9}, b={"format": "WEBP"})
    far = dataclasses.replace(jpeg, proof=dataclasses.replace(jpeg.proof, noise=3 / 255))
    assert (more_compressed(far).better, more_compressed(turned(far)).better) == (1, 1)
    assert more_compressed(far).sign is Sign.UNEXPLAINED
    near = dataclasses.replace(jpeg, proof=dataclasses.replace(jpeg.proof, noise=1 / 255))
    assert more_compressed(near) is None


def test_a_lossless_file_with_the_pixels_of_a_lossy_one_was_made_from_it():
    found = Verification(True, 1.0, (Relation.SAME_PIXELS,), Registration((0.0, 0.0)), "")
    assert unpacked([Pair(image(1, lossless=True), image(2, **JPEG), found)]) == {1}
    assert unpacked([Pair(image(1, lossless=True), image(2, lossless=True), found)]) == set()


def test_scales_that_contradict_each_other_tell_the_same_in_any_order():
    one, two = (three({}, (Relation.RESIZED,), 1, 2, scale=1.0), three({}, (Relation.RESIZED,), 2, 3, scale=1.25))
    other = three({}, (Relation.RESIZED,), 1, 3, scale=1.0)
    orders = ([one, two, other], [other, two, one], [two, other, one])
    assert len({tuple(sorted(fineness(pairs).items())) for pairs in orders}) == 1


def test_colours_of_what_was_put_on_a_grey_picture_are_not_its_own():
    grey = {"colour_a": 0.2, "colour_b": 6.0}
    assert made_from(pair(grey, (Relation.TONE,))).sign is Sign.NO_COLOUR
    assert made_from(pair(grey, (Relation.EDITED,))) is None
