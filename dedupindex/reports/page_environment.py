"""What the templates of every page know: the words and drawings of pairs and groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import BaseLoader, Environment, StrictUndefined

from dedupindex.records import DuplicateGroup, GroupMember, ImageRecord, Outcome, Pair, Verification
from dedupindex.reports.amounts import count
from dedupindex.reports.names import shown
from dedupindex.reports.plans import companion_words, evidence_words, judgement_words, metadata_words, size_text
from dedupindex.reports.text import frame_words, gone_words, image_words
from dedupindex.reports.wording import (
    MEANING,
    companions_words,
    flag_words,
    largest_words,
    pair_words,
    percent,
    places_words,
    proof_words,
    rank_words,
    relation_names,
    shift_text,
)

MANY_ALTERNATES = 48  # pictures beside a group that are shown


@dataclass(frozen=True, slots=True)
class Outline:
    """Where one picture of a pair lies on the other, for drawing, in pixels of the picture below."""

    width: int
    height: int
    points: str  # corners of the other one, "x,y x,y x,y x,y"
    outside: tuple[float, float, float, float]  # x, y, width, height of what has to be drawn to show both
    changed: tuple[tuple[int, int, int, int], ...] = ()  # x, y, width, height of the places that differ


def page_environment(loader: BaseLoader | None = None) -> Environment:
    """Return where templates of pages are rendered: everything is escaped, and an unknown name is an error."""
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        shown=shown,
        percent=percent,
        shift=shift_text,
        size=size_text,
        image_words=image_words,
        frame_words=frame_words,
        gone_words=gone_words,
        flag_words=flag_words,
        relation_names=relation_names,
    )
    environment.globals.update(
        count=count,
        outline_of=outline_of,
        pair_words=pair_words,
        member_words=member_words,
        proof_words=proof_words,
        difference_words=difference_words,
        evidence_words=evidence_words,
        judgement_words=judgement_words,
        rank_words=rank_words,
        companion_words=companion_words,
        metadata_words=metadata_words,
        companions_words=companions_words,
        alternates_of=alternates_of,
        meaning={str(relation): words for relation, words in MEANING.items()},
    )
    return environment


def member_words(member: GroupMember, pair: Pair | None) -> tuple[str, ...]:
    """Return how a member relates to the first one of its group; empty for that one and without a pair."""
    if member.relation == "representative" or pair is None:
        return ()
    return pair_words(pair, *(("no. 1", "this") if pair.b.id == member.image.id else ("this", "no. 1")))


def outline_of(pair: Pair) -> Outline:
    """Return where *b* lies on *a*."""
    a, b = pair.a, pair.b
    points = [_moved(pair.verification, x, y) for x, y in _corners(b)]
    xs, ys = [0.0, float(a.width), *(p[0] for p in points)], [0.0, float(a.height), *(p[1] for p in points)]
    margin = 0.02 * max(a.width, a.height)
    left, top = min(xs) - margin, min(ys) - margin
    outside = (left, top, max(xs) + margin - left, max(ys) + margin - top)
    boxes = () if pair.proof is None else tuple(region.box for region in pair.proof.regions)
    changed = tuple((left, top, width, height) for top, left, height, width in boxes)
    return Outline(a.width, a.height, " ".join(f"{x:.1f},{y:.1f}" for x, y in points), outside, changed)


def difference_words(pair: Pair | None) -> str:
    """Return the largest difference of a pair that was compared, and in how many places it differs; else nothing."""
    if pair is None or pair.proof is None or pair.proof.outcome is Outcome.NONE:
        return ""
    return largest_words(pair.proof) + (f", {places_words(pair.proof)} outlined" if pair.proof.regions else "")


def alternates_of(group: DuplicateGroup) -> list[tuple[ImageRecord, Pair]]:
    """Return the pictures beside a group that show the same scene or template, each with its best pair; at most 48."""
    own = {member.image.id for member in group.members}
    alternates: dict[int, tuple[ImageRecord, Pair]] = {}
    for pair in group.alternates:
        for image in (pair.a, pair.b):
            if image.id not in own and image.locations:
                alternates.setdefault(image.id, (image, pair))
    return list(alternates.values())[:MANY_ALTERNATES]


def _corners(image: ImageRecord) -> Iterator[tuple[float, float]]:
    yield from ((0, 0), (image.width, 0), (image.width, image.height), (0, image.height))


def _moved(verification: Verification, x: float, y: float) -> tuple[float, float]:
    """Take a point of *b* to *a*; both count from the corner of the first pixel, the matrix from its centre."""
    (xx, xy, x0), (yx, yy, y0) = verification.registration.matrix
    x, y = x - 0.5, y - 0.5
    return xx * x + xy * y + x0 + 0.5, yx * x + yy * y + y0 + 0.5
