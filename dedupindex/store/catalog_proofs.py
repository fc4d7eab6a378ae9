"""Proofs of accepted pairs: which pairs are due, what is known, and storing it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVarTuple

from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from dedupindex.records import Outcome, Proof, Relation
from dedupindex.records.proofs import DIRECT, Affine, proof_from_plain, proof_to_plain
from dedupindex.store import catalog
from dedupindex.store.catalog import chunks
from dedupindex.store.schema import Location, PairRow, ProofRow
from dedupindex.store.upsert import upsert

PROVEN = "proven"  # meta key: run and version up to which every pair was dealt with
COLUMNS = {"outcome", "changed", "version"}  # of a proof, beside `detail`
_Ts = TypeVarTuple("_Ts")
DIGITS = 6  # significant digits of the numbers in `detail`


@dataclass(frozen=True, slots=True)
class StoredProof:
    """A pair with its proof."""

    a: int
    b: int
    proof: Proof
    derived: bool


@dataclass(frozen=True, slots=True)
class DuePair:
    """A pair that has to be proven."""

    a: int
    b: int
    score: float
    matrix: Affine  # of the verification: full-frame pixels of b to those of a


def due_pairs(connection: Connection, version: str, *, again: bool = False) -> list[tuple[int, int, float]]:
    """Pairs whose files have to be compared; both images are at some place.

    These are pairs without a proof, pairs with a proof of another version, and undecided ones of which a file was
    stored anew since (it is back, or another file). Equal bytes and equal pixels need no proof.

    Parameters
    ----------
    version : str
        Of the method.
    again : bool
        Also every pair that could not be decided.

    Returns
    -------
    list of (int, int, float)
        Ids of a and b, and score; by ids.
    """
    run, _, known = (catalog.get_meta(connection, PROVEN) or "0 ").partition(" ")
    fresh = [] if known != version or again else [PairRow.run > int(run)]
    base = select(PairRow.a, PairRow.b, PairRow.score).where(
        PairRow.relations.not_in([str(relation) for relation in DIRECT]), _is_present(PairRow.a), _is_present(PairRow.b)
    )
    proof = and_(ProofRow.a == PairRow.a, ProofRow.b == PairRow.b)
    without = base.outerjoin(ProofRow, proof).where(or_(ProofRow.a.is_(None), ProofRow.version != version), *fresh)
    none = base.join(ProofRow, proof).where(ProofRow.outcome == str(Outcome.NONE))
    if not again:
        none = none.where(
            exists().where(Location.image_id.in_([PairRow.a, PairRow.b]), Location.changed_run > ProofRow.run)
        )
    scores = {(a, b): score for query in (without, none) for a, b, score in connection.execute(query)}
    return [(a, b, score) for (a, b), score in sorted(scores.items())]


def is_unfinished(connection: Connection) -> bool:
    """Whether pairs were found since all were proven; False where pairs were never proven at all."""
    known = catalog.get_meta(connection, PROVEN)
    if known is None:
        return False
    query = select(PairRow.a).where(
        PairRow.run > int(known.partition(" ")[0]),
        PairRow.relations.not_in([str(relation) for relation in DIRECT]),
        ~exists().where(ProofRow.a == PairRow.a, ProofRow.b == PairRow.b),
        _is_present(PairRow.a),
        _is_present(PairRow.b),
    )
    return connection.execute(query.limit(1)).first() is not None


def set_finished(connection: Connection, run: int, version: str) -> None:
    """Note that every pair up to a run was dealt with.

    Parameters
    ----------
    run : int
        Id of the run.
    version : str
        Of the method.
    """
    catalog.set_meta(connection, **{PROVEN: f"{run} {version}"})


def set_begun(connection: Connection) -> None:
    """Note that pairs are proven in this database, where nothing is noted yet."""
    if catalog.get_meta(connection, PROVEN) is None:
        catalog.set_meta(connection, **{PROVEN: "0 "})


def with_registrations(connection: Connection, pairs: Sequence[tuple[int, int]]) -> list[DuePair]:
    """Pairs with their score and registration, in the given order; pairs that are gone are left out."""
    wanted = {pair: place for place, pair in enumerate(pairs)}
    due: list[tuple[int, DuePair]] = []
    for query in _of_pairs(select(PairRow.a, PairRow.b, PairRow.score, PairRow.evidence), PairRow, pairs):
        for a, b, score, evidence in connection.execute(query):
            if (a, b) in wanted:
                (xx, xy, x0), (yx, yy, y0) = json.loads(evidence)["matrix"]
                due.append((wanted[a, b], DuePair(a, b, score, ((xx, xy, x0), (yx, yy, y0)))))
    return [pair for _, pair in sorted(due, key=lambda one: one[0])]


def direct_proofs(connection: Connection, ids: Iterable[int], version: str) -> list[StoredProof]:
    """Proofs made by comparing files, of pairs with at least one of these images; by ids.

    Parameters
    ----------
    ids : iterable of int
    version : str
        Only proofs of this version of the method.

    Returns
    -------
    list of StoredProof
    """
    wanted = sorted(set(ids))
    proofs: dict[tuple[int, int], StoredProof] = {}
    base = select(ProofRow.__table__).where(ProofRow.derived.is_(False), ProofRow.version == version)
    for batch in chunks(wanted):
        for column in (ProofRow.a, ProofRow.b):
            for row in connection.execute(base.where(column.in_(batch))).mappings():
                proofs[row["a"], row["b"]] = StoredProof(row["a"], row["b"], proof_of(row), row["derived"])
    return [proofs[pair] for pair in sorted(proofs)]


def put_proofs(connection: Connection, proofs: Sequence[StoredProof], run: int) -> int:
    """Store proofs over older ones; those of pairs that are gone are left out.

    Parameters
    ----------
    proofs : sequence of StoredProof
    run : int
        Id of the run that made them.

    Returns
    -------
    int
        How many were written.
    """
    pairs = {(proof.a, proof.b) for proof in proofs}
    present = {
        (a, b)
        for query in _of_pairs(select(PairRow.a, PairRow.b), PairRow, sorted(pairs))
        for a, b in connection.execute(query)
    }
    rows = [
        {
            "a": one.a,
            "b": one.b,
            "outcome": str(one.proof.outcome),
            "changed": float(one.proof.changed),
            "derived": one.derived,
            "version": one.proof.version,
            "detail": _detail(one.proof),
            "run": run,
        }
        for one in proofs
        if (one.a, one.b) in present
    ]
    upsert(connection, ProofRow, rows, by=("a", "b"))
    return len(rows)


def rows_among(connection: Connection, pairs: Sequence[tuple[int, int]]) -> list[StoredProof]:
    """The stored proofs of these pairs, by ids."""
    wanted = set(pairs)
    proofs = {
        (row["a"], row["b"]): StoredProof(row["a"], row["b"], proof_of(row), row["derived"])
        for query in _of_pairs(select(ProofRow.__table__), ProofRow, pairs)
        for row in connection.execute(query).mappings()
    }
    return [proofs[pair] for pair in sorted(proofs.keys() & wanted)]


def proof_of(row: Mapping[Any, Any]) -> Proof:
    """The proof in a row."""
    return proof_from_plain({**json.loads(row["detail"]), **{name: row[name] for name in COLUMNS}})


def outcomes(connection: Connection) -> dict[str, int]:
    """How many proofs there are of each outcome."""
    query = select(ProofRow.outcome, func.count()).group_by(ProofRow.outcome).order_by(ProofRow.outcome)
    return {outcome: int(number) for outcome, number in connection.execute(query)}


def without_pair(connection: Connection) -> int:
    """How many proofs have no pair; there should be none."""
    query = (
        select(func.count())
        .select_from(ProofRow)
        .where(~exists().where(PairRow.a == ProofRow.a, PairRow.b == ProofRow.b))
    )
    return int(connection.execute(query).scalar_one())


def all_proofs(connection: Connection, batch: int = 1000) -> Iterator[Mapping[Any, Any]]:
    """Every row, by ids: to look for damage."""
    last = (-1, -1)
    while True:
        query = (
            select(ProofRow.__table__)
            .where(or_(ProofRow.a > last[0], and_(ProofRow.a == last[0], ProofRow.b > last[1])))
            .order_by(ProofRow.a, ProofRow.b)
            .limit(batch)
        )
        rows = connection.execute(query).mappings().all()
        if not rows:
            return
        yield from rows
        last = (rows[-1]["a"], rows[-1]["b"])


def same_pixel_pairs(connection: Connection, ids: Iterable[int]) -> list[tuple[int, int]]:
    """Pairs with the same pixels that contain one of these images, by ids."""
    pairs: set[tuple[int, int]] = set()
    for batch in chunks(sorted(set(ids))):
        for column in (PairRow.a, PairRow.b):
            query = select(PairRow.a, PairRow.b).where(
                column.in_(batch), PairRow.relations == str(Relation.SAME_PIXELS)
            )
            pairs.update((a, b) for a, b in connection.execute(query))
    return sorted(pairs)


def _is_present(column: Any) -> Any:
    return exists().where(Location.image_id == column, Location.missing.is_(False))


def _of_pairs(
    query: Select[*_Ts], table: type[PairRow] | type[ProofRow], pairs: Sequence[tuple[int, int]]
) -> Iterator[Select[*_Ts]]:
    """Queries that return the rows of these pairs, and perhaps others of the same images."""
    others: dict[int, list[int]] = {}
    for a, b in pairs:
        others.setdefault(a, []).append(b)
    several = {a: bs for a, bs in others.items() if len(bs) > 1}
    single = [(a, bs[0]) for a, bs in others.items() if len(bs) == 1]
    for a, bs in several.items():
        for batch in chunks(bs):
            yield query.where(table.a == a, table.b.in_(batch))
    for part in chunks(single, 250):
        yield query.where(table.a.in_([a for a, _ in part]), table.b.in_([b for _, b in part]))


def _detail(proof: Proof) -> str:
    """Everything except the columns, without values that are the default."""
    plain = proof_to_plain(proof)
    usual = proof_to_plain(Proof(proof.outcome))
    kept = {name: value for name, value in plain.items() if name not in COLUMNS and value != usual[name]}
    return json.dumps(_rounded(kept), separators=(",", ":"), sort_keys=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if abs(value) >= 1e-9 else 0.0
    return value
