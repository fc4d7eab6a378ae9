"""What a plan knows of a pair of near-duplicates: why it may be unproven, and what `apply` needs to prove it."""

from __future__ import annotations

from dedupindex.records import ImageRecord, Pair, Relation
from dedupindex.records.plans import Evidence
from dedupindex.records.proofs import DIRECT, inverted, turned_round

COMPARED = 0.9  # share of the smaller picture that the proof must have compared


def doubt_of(pair: Pair) -> str:
    """Return why two files are not proven to be copies, in words; nothing where they are."""
    if DIRECT.intersection(pair.relations):
        return ""
    if pair.proof is None:
        return "the files were not compared"
    if Relation.UNPROVEN in pair.relations:
        return pair.proof.reason or "the comparison could not tell"
    if pair.proof.compared < COMPARED:
        return f"only {100 * pair.proof.compared:.0f} % could be compared"
    return ""


def evidence_of(pair: Pair, keeper: ImageRecord) -> Evidence:
    """Return the evidence of a pair, with the keeper as the first picture."""
    matrix, proof, other = pair.verification.registration.matrix, pair.proof, pair.b
    if pair.a.id != keeper.id:
        other = pair.a
        matrix, proof = inverted(matrix), None if proof is None else turned_round(proof)
    return Evidence(matrix, (keeper.height, keeper.width), (other.height, other.width), proof)
