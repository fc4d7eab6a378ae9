"""Proofs of accepted pairs: which are due, what is known, writing them down."""

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

PROVEN = "proven"  # meta key: run and version up to which every pair had its turn
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
    """Pairs (a, b, score) of images that are both at some place, and whose files have to be compared.

    That are pairs without a proof, with one of another version, and those that could not be told while a file of
    theirs was written down anew since (it is back, or is another one). Equal bytes and pixels need no proof.

    Parameters
    ----------
    version : str
        Of the method.
    again : bool
        Also every pair that could not be told.
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
    found = {(a, b): score for query in (without, none) for a, b, score in connection.execute(query)}
    return [(a, b, score) for (a, b), score in sorted(found.items())]


def is_unfinished(connection: Connection) -> bool:
    """Whether pairs were found since the last time that all were proven; no, where pairs were never proven at all."""
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
    """Note that every pair up to a run had its turn."""
    catalog.set_meta(connection, **{PROVEN: f"{run} {version}"})


def set_begun(connection: Connection) -> None:
    """Note that pairs are proven in this database, where nothing is noted yet."""
    if catalog.get_meta(connection, PROVEN) is None:
        catalog.set_meta(connection, **{PROVEN: "0 "})


def with_registrations(connection: Connection, pairs: Sequence[tuple[int, int]]) -> list[DuePair]:
    """Pairs with their score and registration, those that still stand, in the given order."""
    wanted = {pair: place for place, pair in enumerate(pairs)}
    found: list[tuple[int, DuePair]] = []
    for query in _of_pairs(select(PairRow.a, PairRow.b, PairRow.score, PairRow.evidence), PairRow, pairs):
        for a, b, score, evidence in connection.execute(query):
            if (a, b) in wanted:
                (xx, xy, x0), (yx, yy, y0) = json.loads(evidence)["matrix"]
                found.append((wanted[a, b], DuePair(a, b, score, ((xx, xy, x0), (yx, yy, y0)))))
    return [pair for _, pair in sorted(found, key=lambda one: one[0])]


def direct_proofs(connection: Connection, ids: Iterable[int], version: str) -> list[StoredProof]:
    """Proofs of pairs in which one of these images stands, if their files were compared; by ids."""
    wanted = sorted(set(ids))
    found: dict[tuple[int, int], StoredProof] = {}
    base = select(ProofRow.__table__).where(ProofRow.derived.is_(False), ProofRow.version == version)
    for some in chunks(wanted):
        for column in (ProofRow.a, ProofRow.b):
            for row in connection.execute(base.where(column.in_(some))).mappings():
                found[row["a"], row["b"]] = StoredProof(row["a"], row["b"], proof_of(row), row["derived"])
    return [found[pair] for pair in sorted(found)]


def put_proofs(connection: Connection, proofs: Sequence[StoredProof], run: int) -> int:
    """Write proofs down, over older ones; those of pairs that are gone are left out. Returns how many were written."""
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
    """The proofs of some pairs, as they stand, by ids."""
    wanted = set(pairs)
    found = {
        (row["a"], row["b"]): StoredProof(row["a"], row["b"], proof_of(row), row["derived"])
        for query in _of_pairs(select(ProofRow.__table__), ProofRow, pairs)
        for row in connection.execute(query).mappings()
    }
    return [found[pair] for pair in sorted(found.keys() & wanted)]


def proof_of(row: Mapping[Any, Any]) -> Proof:
    """The proof that stands in a row."""
    return proof_from_plain({**json.loads(row["detail"]), **{name: row[name] for name in COLUMNS}})


def outcomes(connection: Connection) -> dict[str, int]:
    """How many proofs there are of each outcome."""
    query = select(ProofRow.outcome, func.count()).group_by(ProofRow.outcome).order_by(ProofRow.outcome)
    return {outcome: int(number) for outcome, number in connection.execute(query)}


def without_pair(connection: Connection) -> int:
    """Proofs whose pair is gone; there should be none."""
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
    """Pairs of the same pixels in which one of these images stands, by ids."""
    found: set[tuple[int, int]] = set()
    for some in chunks(sorted(set(ids))):
        for column in (PairRow.a, PairRow.b):
            query = select(PairRow.a, PairRow.b).where(column.in_(some), PairRow.relations == str(Relation.SAME_PIXELS))
            found.update((a, b) for a, b in connection.execute(query))
    return sorted(found)


def _is_present(column: Any) -> Any:
    return exists().where(Location.image_id == column, Location.missing.is_(False))


def _of_pairs(
    query: Select[*_Ts], table: type[PairRow] | type[ProofRow], pairs: Sequence[tuple[int, int]]
) -> Iterator[Select[*_Ts]]:
    """Queries that hold the rows of some pairs, and perhaps others of the same images."""
    others: dict[int, list[int]] = {}
    for a, b in pairs:
        others.setdefault(a, []).append(b)
    several = {a: bs for a, bs in others.items() if len(bs) > 1}
    single = [(a, bs[0]) for a, bs in others.items() if len(bs) == 1]
    for a, bs in several.items():
        for some in chunks(bs):
            yield query.where(table.a == a, table.b.in_(some))
    for part in chunks(single, 250):
        yield query.where(table.a.in_([a for a, _ in part]), table.b.in_([b for _, b in part]))


def _detail(proof: Proof) -> str:
    """Everything but the columns, without what is as it is by default."""
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
