"""How much of a picture another one of a confirmed pair shows."""

from __future__ import annotations

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
