"""Accepted pairs with their evidence."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, and_, delete, or_, select

from dedupindex.records import (
    Link,
    Outcome,
    Pair,
    Proof,
    Registration,
    RegistrationMethod,
    Relation,
    Side,
    Verification,
    VerificationMeasures,
    link_of,
    relations_after,
)
from dedupindex.store.catalog import chunks
from dedupindex.store.catalog_images import by_id
from dedupindex.store.catalog_proofs import proof_of
from dedupindex.store.schema import PairRow, ProofRow, Run
from dedupindex.store.upsert import upsert

_PROOF = [
    column.label(f"proof_{column.key}")
    for column in (ProofRow.outcome, ProofRow.changed, ProofRow.version, ProofRow.detail)
]


def put_pairs(connection: Connection, pairs: Iterable[tuple[int, int, Verification]], run: int) -> int:
    """Store accepted pairs; pairs that are stored already are replaced.

    Parameters
    ----------
    pairs : iterable of (int, int, Verification)
        Ids of a and b, and their verification; a has the smaller content key.
    run : int
        Id of the run that found them.

    Returns
    -------
    int
        How many there were.
    """
    rows = [_row(a, b, verification, run) for a, b, verification in pairs]
    upsert(connection, PairRow, rows, by=("a", "b"))
    return len(rows)


def known_pairs(connection: Connection, ids: Sequence[int]) -> set[tuple[int, int]]:
    """Stored pairs (a, b) with at least one of *ids*."""
    known: set[tuple[int, int]] = set()
    for batch in chunks(ids):
        query = select(PairRow.a, PairRow.b).where(or_(PairRow.a.in_(batch), PairRow.b.in_(batch)))
        known.update((a, b) for a, b in connection.execute(query))
    return known


def clear_pairs(connection: Connection) -> None:
    """Delete every pair (they are found again)."""
    connection.execute(delete(PairRow))


def edges(connection: Connection, *, min_score: float | None = None) -> list[tuple[int, int, Link]]:
    """All pairs as (id a, id b, link), by ids: enough to build groups from. The link says how the pair joins groups."""
    query = (
        select(PairRow.a, PairRow.b, PairRow.relations, ProofRow.outcome)
        .outerjoin(ProofRow, and_(ProofRow.a == PairRow.a, ProofRow.b == PairRow.b))
        .order_by(PairRow.a, PairRow.b)
    )
    if min_score is not None:
        query = query.where(PairRow.score >= min_score)
    return [(a, b, _link(relations, outcome or "")) for a, b, relations, outcome in connection.execute(query)]


@lru_cache(maxsize=4096)
def _link(relations: str, outcome: str) -> Link:
    """How a pair joins groups, from its row: the relations that were seen, and the outcome of the proof or ""."""
    seen = tuple(Relation(name) for name in relations.split("+") if name)
    return link_of(relations_after(seen, Proof(Outcome(outcome)) if outcome else None))


def found_after(connection: Connection, run: int) -> set[tuple[int, int]]:
    """Pairs (a, b) that were found in runs after this one."""
    query = select(PairRow.a, PairRow.b).where(PairRow.run > run)
    return {(a, b) for a, b in connection.execute(query)}


def pairs(
    connection: Connection, *, min_score: float | None = None, among: Collection[int] | None = None
) -> list[Pair]:
    """Pairs with both images and their proofs, best first, then by content key.

    Pairs that are proven different are among them.

    Parameters
    ----------
    min_score : float, optional
        Lowest score, 0..1.
    among : collection of int, optional
        Only pairs of two of these images.

    Returns
    -------
    list of Pair
    """
    query = (
        select(PairRow.__table__, Run.started.label("found"), *_PROOF)
        .join(Run, Run.id == PairRow.run)
        .outerjoin(ProofRow, and_(ProofRow.a == PairRow.a, ProofRow.b == PairRow.b))
    )
    if min_score is not None:
        query = query.where(PairRow.score >= min_score)
    if among is None:
        rows = list(connection.execute(query).mappings())
    else:
        batches = chunks(sorted(among))
        rows = [row for ids in batches for row in connection.execute(query.where(PairRow.a.in_(ids))).mappings()]
        rows = [row for row in rows if row["b"] in among]
    images = by_id(connection, {row["a"] for row in rows} | {row["b"] for row in rows})
    result = [
        Pair(
            images[row["a"]],
            images[row["b"]],
            verification_of(row),
            datetime.fromisoformat(row["found"]),
            _proof(row),
        )
        for row in rows
    ]
    result.sort(key=lambda p: (-p.verification.score, p.a.sha256, p.a.frame, p.b.sha256, p.b.frame))
    return result


def _proof(row: Mapping[Any, Any]) -> Proof | None:
    """The proof of a pair, from a row of `pairs`."""
    if row["proof_outcome"] is None:
        return None
    return proof_of({label.name.removeprefix("proof_"): row[label.name] for label in _PROOF})


def _row(a: int, b: int, verification: Verification, run: int) -> dict[str, Any]:
    registration = verification.registration
    evidence = {
        "reason": verification.reason,
        "measures": verification.measures.named(),
        "crop_box": verification.crop_box,
        "crop_of": verification.crop_of,
        "matrix": registration.matrix,
        "method": registration.method,
        "confidence": registration.confidence,
    }
    return {
        "a": a,
        "b": b,
        "score": float(verification.score),
        "relations": "+".join(verification.relations),
        "dy": float(registration.shift[0]),
        "dx": float(registration.shift[1]),
        "scale": float(registration.scale),
        "rotation": float(registration.rotation),
        "mirrored": bool(registration.mirrored),
        "overlap": float(registration.overlap),
        "evidence": json.dumps(evidence, sort_keys=True, default=float),
        "version": verification.version,
        "run": run,
    }


def verification_of(row: Mapping[Any, Any]) -> Verification:
    """The verification of a pair, from its row."""
    evidence = json.loads(row["evidence"])
    (a, b, c), (d, e, f) = evidence["matrix"]
    box = evidence["crop_box"]
    return Verification(
        accepted=True,
        score=row["score"],
        relations=tuple(Relation(name) for name in row["relations"].split("+") if name),
        registration=Registration(
            shift=(row["dy"], row["dx"]),
            scale=row["scale"],
            rotation=row["rotation"],
            mirrored=row["mirrored"],
            overlap=row["overlap"],
            matrix=((a, b, c), (d, e, f)),
            method=RegistrationMethod(evidence["method"]),
            confidence=evidence["confidence"],
        ),
        reason=evidence["reason"],
        measures=VerificationMeasures.of(evidence["measures"]),
        crop_box=(int(box[0]), int(box[1]), int(box[2]), int(box[3])) if box is not None else None,
        crop_of=None if evidence["crop_of"] is None else Side(evidence["crop_of"]),
        version=row["version"],
    )
