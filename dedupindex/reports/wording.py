"""Relations in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dedupindex.records import (
    FlagKind,
    GroupFlag,
    GroupMember,
    ImageRecord,
    LocationRecord,
    Outcome,
    Pair,
    Proof,
    Relation,
    Side,
    Verification,
)
from dedupindex.records.proofs import DIRECT
from dedupindex.reports.names import shown

JUDGEMENT = "a judgement call"  # no rule tells which of two pictures is better

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
    Relation.PIECE_OF: "one shows a part of the other, small or among other things; in no group",
    Relation.BORDERED: "one has a border, frame or letterbox bars around it",
    Relation.EDITED: "the same picture, but places of it were changed: a caption, a logo, something retouched",
    Relation.ALTERNATE: "no copy: the same scene or template with other content, as the next shot of a burst",
    Relation.UNPROVEN: "the rest was seen at 128 pixels only: the files were not compared, or could not tell",
}
FLAGS: Mapping[FlagKind, str] = {
    FlagKind.BRIDGE: "this picture alone joins parts of the group that have nothing else in common: look twice",
    FlagKind.FLOOD: "this picture matches more than fifty others: a blank page, a logo or a title card?",
    FlagKind.ALTERNATE: "these two show different content, but are connected through others",
    FlagKind.NOT_DUPLICATE: "these were decided to be different pictures, but are connected through others",
    FlagKind.KEEP_BOTH: "both of these are kept, as was decided",
}

MOSTLY = 0.5  # share of what differs that has to have moved for a scene to be called another shot


@dataclass(frozen=True, slots=True)
class Sides:
    """The two pictures of a pair as the words name them."""

    a: ImageRecord
    b: ImageRecord
    name_a: str
    name_b: str
    proof: Proof | None = None


def pair_words(pair: Pair, name_a: str = "a", name_b: str = "b") -> tuple[str, ...]:
    """Return what was done, a phrase for each relation, and how well it is proven.

    Where direction matters, it says of which against which.

    Parameters
    ----------
    pair : Pair
    name_a, name_b : str
        What the words call the two pictures.

    Returns
    -------
    tuple of str
    """
    sides = Sides(pair.a, pair.b, name_a, name_b, pair.proof)
    relations = pair.relations
    if Relation.MIRRORED in relations and _half_turn(pair.verification):  # two words for the same change
        relations = tuple(relation for relation in relations if relation != Relation.ROTATED)
    phrases = [_PHRASES[relation](pair.verification, sides) for relation in relations]
    if pair.proof is not None and pair.proof.outcome is Outcome.SAME and not DIRECT.intersection(relations):
        phrases.append(f"proven, {largest_words(pair.proof)}")
    return tuple(phrases)


def headline(relations: tuple[Relation, ...], proof: Proof | None, done: str = "") -> str:
    """Return the relation of two pictures, in a line.

    Parameters
    ----------
    relations : tuple of Relation
        What may be said after the proof; empty = different pictures.
    proof : Proof or None
    done : str
        What was done, in words, where they are the same picture.

    Returns
    -------
    str
    """
    if Relation.SAME_BYTES in relations:
        return "the same file content, byte for byte"
    if Relation.SAME_PIXELS in relations:
        return "the same picture, every pixel the same"
    if not relations:
        return "different pictures"
    if proof is None or proof.outcome is Outcome.NONE:
        why = f": {proof.reason}" if proof is not None and proof.reason else ""
        return f"taken for the same picture at 128 pixels, not proven{why}"
    if proof.outcome is Outcome.SAME:
        return f"the same picture, {done or 'encoded again'}; {largest_words(proof)}"
    return proof_words(proof)


def proof_words(proof: Proof | None) -> str:
    """Return what a proof says, in a phrase."""
    if proof is None:
        return "not proven"
    if proof.outcome is Outcome.SAME:
        return f"proven the same, {largest_words(proof)}"
    if proof.outcome is Outcome.EDITED:
        return f"edited: {places_words(proof)}, {percent(proof.changed)} of the area"
    if proof.outcome is Outcome.ALTERNATE:
        if proof.moved > MOSTLY * proof.changed:
            return f"another shot of the same scene: {percent(proof.moved)} moved"
        return f"the same scene or template with other content: {percent(proof.changed)} differs"
    if proof.outcome is Outcome.DIFFERENT:
        return "different pictures"
    return "not proven" + (f": {proof.reason}" if proof.reason else "")


def places_words(proof: Proof) -> str:
    """Return in how many places two pictures differ."""
    number = max(len(proof.regions), int(proof.measures.places or 0))
    return f"{number:,} {'place' if number == 1 else 'places'}"


def largest_words(proof: Proof) -> str:
    """Return the largest difference that tone does not explain, in levels of an 8-bit picture."""
    return f"largest difference {proof.largest_level} of 255"


def relation_words(relation: str) -> str:
    """Return the words for relations joined by ``+``, without numbers."""
    return "; ".join(MEANING[Relation(name)] for name in relation.split("+") if name in set(Relation))


def relation_names(relations: str | Iterable[str]) -> str:
    """Return the names of relations as pages write them: ``crop of, rotated``.

    Parameters
    ----------
    relations : str or iterable of str
        Several, or one text in which they are joined by ``+``.
    """
    names = relations.split("+") if isinstance(relations, str) else relations
    return ", ".join(str(name).replace("_", " ") for name in names)


def companions_words(image: ImageRecord, place: LocationRecord) -> str:
    """Return what belongs to a picture at a place: files beside it, and further pictures in its file."""
    words = [f"{shown(companion.path.name)} ({companion.kind})" for companion in place.companions]
    if image.further_pictures:
        words.append(f"{image.further_pictures} further picture{'s' if image.further_pictures > 1 else ''} in the file")
    return f"with {', '.join(words)}" if words else ""


def flag_words(flag: GroupFlag) -> str:
    """Return the words for a group's flag."""
    return FLAGS[flag.kind]


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
    small, large, whole, share = sides.name_b, sides.name_a, sides.a, verification.measures.cover_a
    if verification.crop_of == Side.B:
        small, large, whole, share = sides.name_a, sides.name_b, sides.b, verification.measures.cover_b
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


def _edited(verification: Verification, sides: Sides) -> str:
    if sides.proof is None or sides.proof.outcome is not Outcome.EDITED:
        return "edited: parts of it differ"
    return proof_words(sides.proof)


def _proof(verification: Verification, sides: Sides) -> str:
    return proof_words(sides.proof)


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
    Relation.PIECE_OF: _plain("one shows a part of the other"),
    Relation.EDITED: _edited,
    Relation.ALTERNATE: _proof,
    Relation.UNPROVEN: _proof,
}


def rank_words(member: GroupMember) -> str:
    """Return why a member stands where it does in its group.

    Parameters
    ----------
    member : GroupMember

    Returns
    -------
    str
        Of the representative the rule that puts it before the next, of others why they stand behind it; nothing
        where they hold the same and no rule tells them apart.
    """
    leads = member.relation == "representative"
    if not member.rule and not member.judgement:
        return ""  # alone, or as good as the others
    if not member.rule:
        words = f"{'leads' if leads else 'behind'}, though {member.because}"
    else:
        words = f"leads by {member.rule}" if leads else f"behind by {member.rule}: {member.because}"
    return f"{words} ({JUDGEMENT})" if member.judgement else words
