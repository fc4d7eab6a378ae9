"""Relations in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dedupindex.records import ImageRecord, Pair, Relation, Verification

MEANING: Mapping[Relation, str] = {
    Relation.SAME_BYTES: "the same file content, byte for byte",
    Relation.SAME_PIXELS: "another file (format, metadata, compression), but every decoded pixel is the same",
    Relation.REENCODED: "the same picture, encoded again: pixels differ only as compression makes them differ",
    Relation.RESIZED: "at another size, or stretched",
    Relation.TONE: "other exposure, contrast, colours or a filter",
    Relation.CROP_OF: "one shows a part of the other",
    Relation.SHIFTED_OVERLAP: "each shows something the other does not: two windows of one scene",
    Relation.ROTATED: "turned by any angle",
    Relation.MIRRORED: "mirrored left-right",
    Relation.NEGATIVE: "one is the photographic negative of the other",
    Relation.BORDERED: "one has a border, frame or letterbox bars around it",
    Relation.EDITED: "aligned, but parts of it differ: a caption, a logo, something retouched",
    Relation.ALTERNATE: "no copy: the same scene or template with other content, as the next shot of a burst",
    Relation.UNPROVEN: "the rest was seen at 128 pixels only: the files were not compared, or could not tell",
}
FLAGS = {
    "bridge": "this picture alone joins parts of the group that have nothing else in common: look twice",
    "flood": "this picture matches more than fifty others: a blank page, a logo or a title card?",
    "not_duplicate": "these were said to be different pictures, and yet hang together through others",
    "keep_both": "these two are to be kept both, as was decided",
}


@dataclass(frozen=True, slots=True)
class Sides:
    """The two pictures of a pair as the words name them."""

    a: ImageRecord
    b: ImageRecord
    name_a: str
    name_b: str


def pair_words(pair: Pair, name_a: str = "a", name_b: str = "b") -> tuple[str, ...]:
    """Return what was done, a phrase for each relation; where direction matters, it says of which against which.

    Parameters
    ----------
    pair : Pair
    name_a, name_b : str
        What the words call the two pictures.
    """
    sides = Sides(pair.a, pair.b, name_a, name_b)
    relations = pair.verification.relations
    if Relation.MIRRORED in relations and _half_turn(pair.verification):  # two words for one deed
        relations = tuple(relation for relation in relations if relation != Relation.ROTATED)
    return tuple(_PHRASES[relation](pair.verification, sides) for relation in relations)


def relation_words(relation: str) -> str:
    """Return the words for relations joined by ``+``, without numbers."""
    return "; ".join(MEANING[Relation(name)] for name in relation.split("+") if name in set(Relation))


def flag_words(flag: str) -> str:
    """Return the words for a group's flag."""
    return FLAGS.get(flag.partition(":")[0], flag)


def flag_keys(flag: str) -> tuple[str, ...]:
    """Return the content keys of the pictures that a flag is about."""
    return tuple(flag.partition(":")[2].split("+"))


def shift_text(verification: Verification) -> str:
    """Return ``(dy, dx)`` in pixels, without needless digits."""
    return "({}, {})".format(*(_number(value) for value in verification.registration.shift))


def percent(share: float) -> str:
    """Return a share as people write it."""
    value = 100 * share
    return f"{value:.1f} %" if 0 < value < 1 else f"{value:.0f} %"


def _number(value: float) -> str:
    rounded = round(value, 1) + 0.0  # no minus zero
    return f"{rounded:.0f}" if rounded == round(rounded) else f"{rounded:.1f}"


def _resized(verification: Verification, sides: Sides) -> str:
    scale = verification.registration.scale
    if abs(scale - 1) <= 0.02:
        return f"stretched: {sides.name_b} has other proportions"
    small, large = (sides.name_b, sides.name_a) if scale > 1 else (sides.name_a, sides.name_b)
    return f"resized: {small} at {percent(min(scale, 1 / scale))} of the size of {large}"


def _cropped(verification: Verification, sides: Sides) -> str:
    small, large, whole, side = sides.name_b, sides.name_a, sides.a, "a"
    if verification.crop_of == "b":
        small, large, whole, side = sides.name_a, sides.name_b, sides.b, "b"
    share = verification.measures.get(f"cover_{side}")  # of a turned crop the box is larger than what it shows
    if share is None and verification.crop_box is not None:
        _, _, height, width = verification.crop_box
        share = height * width / max(1, whole.height * whole.width)
    return f"cropped: {small} shows {'a part' if share is None else percent(share)} of {large}"


def _shifted(verification: Verification, sides: Sides) -> str:
    overlap = f"{percent(verification.registration.overlap)} in common"
    if Relation.ROTATED in verification.relations:  # the shift of a turned picture says little to people
        return f"each shows something more, {overlap}"
    return f"same picture shifted by {shift_text(verification)} px ({sides.name_b} against {sides.name_a}), {overlap}"


def _rotated(verification: Verification, sides: Sides) -> str:
    # b turned counter-clockwise by this angle lies on a: then a is b turned so (mirrored first, where it is)
    angle = verification.registration.rotation
    if _half_turn(verification):
        return "upside down"
    turn = "counter-clockwise" if angle > 0 else "clockwise"
    return f"rotated by {abs(angle):.1f}° {turn} ({sides.name_a} against {sides.name_b})"


def _mirrored(verification: Verification, sides: Sides) -> str:
    return "mirrored top-bottom" if _half_turn(verification) else "mirrored"


def _half_turn(verification: Verification) -> bool:
    return abs(verification.registration.rotation) > 179.5


def _plain(words: str) -> Callable[[Verification, Sides], str]:
    return lambda verification, sides: words


_PHRASES: Mapping[Relation, Callable[[Verification, Sides], str]] = {
    Relation.SAME_BYTES: _plain("the same bytes"),
    Relation.SAME_PIXELS: _plain("the same pixels in another file"),
    Relation.REENCODED: _plain("encoded again"),
    Relation.RESIZED: _resized,
    Relation.TONE: _plain("other exposure, colours or filter"),
    Relation.CROP_OF: _cropped,
    Relation.SHIFTED_OVERLAP: _shifted,
    Relation.ROTATED: _rotated,
    Relation.MIRRORED: _mirrored,
    Relation.NEGATIVE: _plain("one is the negative of the other"),
    Relation.BORDERED: _plain("one has a border"),
    Relation.EDITED: _plain("edited: parts of it differ"),
    Relation.ALTERNATE: _plain("alternate: the same scene or template with other content"),
    Relation.UNPROVEN: _plain("unproven: seen at 128 pixels only"),
}
