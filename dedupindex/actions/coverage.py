"""Which picture of a group shows more, shows finer detail, or covers another one, by the confirmed pairs."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from dedupindex.actions.plans import COVERED
from dedupindex.records import ImageRecord, Pair, Relation, Side

MORE = 0.01  # by which the file may be covered less than the keeper before it counts as the larger picture


def covered(pair: Pair, image: ImageRecord) -> float | None:
    """Share of an image that the other one of the pair shows; None where that is not all, or is not known."""
    verdict = pair.verification
    if pair.relations == (Relation.SAME_PIXELS,):
        return 1.0
    side, own, others = Side.A, verdict.measures.cover_a, verdict.measures.cover_b
    if pair.a.id != image.id:
        side, own, others = Side.B, others, own
    if Relation.SHIFTED_OVERLAP in verdict.relations or verdict.crop_of == side or own is None or others is None:
        return None
    return own if own >= COVERED and own >= others - MORE else None


def larger(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """(larger, smaller) of the pairs in which one picture is a part of the other."""
    return [
        (pair.a.id, pair.b.id) if pair.verification.crop_of == Side.A else (pair.b.id, pair.a.id)
        for pair in pairs
        if pair.verification.crop_of in (Side.A, Side.B)
    ]


def fineness(pairs: Sequence[Pair]) -> dict[int, float]:
    """Return how finely each image of a group shows what all of them show: pixels a side, over those of the first one.

    From the scales of the registrations, along the best pairs.
    """
    neighbours: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for pair in sorted(pairs, key=lambda pair: -pair.verification.score):
        scale = pair.verification.registration.scale  # of b's content in a's pixels, over b's own
        if scale > 0:
            neighbours[pair.a.id].append((pair.b.id, 1 / scale))
            neighbours[pair.b.id].append((pair.a.id, scale))
    by_image: dict[int, float] = {}
    for start in sorted(neighbours):
        by_image.setdefault(start, 1.0)
        waiting = deque([start])
        while waiting:
            image = waiting.popleft()
            for other, factor in neighbours[image]:
                if other not in by_image:
                    by_image[other] = by_image[image] * factor
                    waiting.append(other)
    return by_image


def unpacked(pairs: Sequence[Pair]) -> set[int]:
    """Return the images in lossless files that have the very pixels of one in a lossy file: they were made from it."""
    return {
        one.id
        for pair in pairs
        if pair.relations == (Relation.SAME_PIXELS,)
        for one, other in ((pair.a, pair.b), (pair.b, pair.a))
        if one.lossless and not other.lossless
    }
