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
    Relation,
    Verification,
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
    """Store accepted pairs as (id of a, id of b, verification of a and b), a being the smaller content key.

    Returns
    -------
    int
        How many there were; pairs that stand there already are replaced.
    """
    rows = [_row(a, b, verification, run) for a, b, verification in pairs]
    upsert(connection, PairRow, rows, by=("a", "b"))
    return len(rows)


def known_pairs(connection: Connection, ids: Sequence[int]) -> set[tuple[int, int]]:
    """Stored pairs (a, b) in which any of *ids* stands."""
    found: set[tuple[int, int]] = set()
    for some in chunks(ids):
        query = select(PairRow.a, PairRow.b).where(or_(PairRow.a.in_(some), PairRow.b.in_(some)))
        found.update((a, b) for a, b in connection.execute(query))
    return found


def clear_pairs(connection: Connection) -> None:
    """Forget every pair (they are found again)."""
    connection.execute(delete(PairRow))


def edges(connection: Connection, *, min_score: float | None = None) -> list[tuple[int, int, Link]]:
    """All pairs as (id a, id b, what the pair is to the groups), by ids: enough to build groups from."""
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
    """What a pair is to the groups, from its row: the relations that were seen, and the outcome of the proof or ""."""
    seen = tuple(Relation(name) for name in relations.split("+") if name)
    return link_of(relations_after(seen, Proof(Outcome(outcome)) if outcome else None))


def found_after(connection: Connection, run: int) -> set[tuple[int, int]]:
    """Pairs (a, b) that were found in later runs than this one."""
    query = select(PairRow.a, PairRow.b).where(PairRow.run > run)
    return {(a, b) for a, b in connection.execute(query)}


def pairs(
    connection: Connection, *, min_score: float | None = None, among: Collection[int] | None = None
) -> list[Pair]:
    """Pairs with both images and their proofs, best first, then by content key.

    Those that are proven different are among them.

    Parameters
    ----------
    among : collection of int, optional
        Only pairs of two of these images.
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
        some = chunks(sorted(among))
        rows = [row for ids in some for row in connection.execute(query.where(PairRow.a.in_(ids))).mappings()]
        rows = [row for row in rows if row["b"] in among]
    images = by_id(connection, {row["a"] for row in rows} | {row["b"] for row in rows})
    found = [
        Pair(
            images[row["a"]],
            images[row["b"]],
            verification_of(row),
            datetime.fromisoformat(row["found"]),
            _proof(row),
        )
        for row in rows
    ]
    found.sort(key=lambda p: (-p.verification.score, p.a.sha256, p.a.frame, p.b.sha256, p.b.frame))
    return found


def _proof(row: Mapping[Any, Any]) -> Proof | None:
    """The proof beside a pair in a row of `pairs`."""
    if row["proof_outcome"] is None:
        return None
    return proof_of({label.name.removeprefix("proof_"): row[label.name] for label in _PROOF})


def _row(a: int, b: int, verification: Verification, run: int) -> dict[str, Any]:
    registration = verification.registration
    evidence = {
        "reason": verification.reason,
        "measures": {name: float(value) for name, value in verification.measures.items()},
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
    """The verification that stands in a row of a pair."""
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
            method=evidence["method"],
            confidence=evidence["confidence"],
        ),
        reason=evidence["reason"],
        measures=evidence["measures"],
        crop_box=(int(box[0]), int(box[1]), int(box[2]), int(box[3])) if box is not None else None,
        crop_of=evidence["crop_of"],
        version=row["version"],
    )
