"""Pieces, which images were searched for them, their features, and the files of their index."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, or_, select

from dedupindex.records.pieces import FoundPiece, Piece, PieceMeasures
from dedupindex.records.proofs import Outcome, Proof
from dedupindex.store.catalog import chunks
from dedupindex.store.catalog_images import by_id
from dedupindex.store.schema import Feature, Image, PairRow, PieceRow, PieceSearch, PieceSegment, ProofRow
from dedupindex.store.upsert import upsert

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENTRIES = "piece_entries"


@dataclass(frozen=True, slots=True)
class PieceSegmentRow:
    """The row of a sealed file of the pieces index.

    Attributes
    ----------
    file : str
        Name inside the vector directory.
    images, entries : int
        How many it holds.
    generation : int
        Of the database when it was made.
    fingerprint : str
        Of the settings and feature versions.
    row_digest : str
        SHA-256 over ids and entries.
    sha256 : str
        Of the file.
    id : int
        0 = not stored yet.
    """

    file: str
    images: int
    entries: int
    generation: int
    fingerprint: str
    row_digest: str
    sha256: str
    id: int = 0


# ----------------------------------------------------------------------------------------------------- pieces
def put_pieces(connection: Connection, pieces: Iterable[tuple[int, int, int, FoundPiece]], run: int) -> int:
    """Store pieces; those of the same key are replaced.

    Parameters
    ----------
    pieces : iterable of (int, int, int, FoundPiece)
        Ids of the container and of the other image, and the piece's number between the two.
    run : int
        Id of the run that found them.

    Returns
    -------
    int
        How many there were.
    """
    rows = [
        {
            "container": container,
            "part": part,
            "number": number,
            "score": float(placed.score),
            "detail": json.dumps(detail_of(placed), sort_keys=True, default=float),
            "version": placed.version,
            "run": run,
        }
        for container, part, number, placed in pieces
    ]
    upsert(connection, PieceRow, rows, by=("container", "part", "number"))
    return len(rows)


def detail_of(placed: FoundPiece) -> dict[str, Any]:
    """What is stored of a piece as JSON."""
    names = ("box", "quad", "share", "part_box", "part_share", "mirrored", "scale", "rotation", "matrix")
    detail: dict[str, Any] = {name: getattr(placed, name) for name in names}
    detail["measures"] = placed.measures.named()
    if placed.proof is not None:
        proof = placed.proof
        detail["proof"] = {"outcome": str(proof.outcome), "changed": proof.changed, "reason": proof.reason}
    return detail


def found_of(score: float, detail: Mapping[str, Any], version: str) -> FoundPiece:
    """A piece from what is stored of it.

    Parameters
    ----------
    score : float
        0..1.
    detail : mapping
        As `detail_of` gives it.
    version : str
        Of the decision rule.

    Returns
    -------
    FoundPiece
    """
    proof = detail.get("proof")
    a, b, c = (tuple(float(value) for value in row) for row in detail["matrix"])
    corners = tuple((float(x), float(y)) for x, y in detail["quad"])
    return FoundPiece(
        score=score,
        box=tuple(int(value) for value in detail["box"]),  # type: ignore[arg-type]
        quad=corners,  # type: ignore[arg-type]
        share=float(detail["share"]),
        part_box=tuple(int(value) for value in detail["part_box"]),  # type: ignore[arg-type]
        part_share=float(detail["part_share"]),
        mirrored=bool(detail["mirrored"]),
        scale=float(detail["scale"]),
        rotation=float(detail["rotation"]),
        matrix=(a, b, c),  # type: ignore[arg-type]
        measures=PieceMeasures.of(detail["measures"]),
        version=version,
        proof=None if proof is None else _proof_of(proof),
    )


def _proof_of(plain: Mapping[str, Any]) -> Proof:
    return Proof(Outcome(plain["outcome"]), changed=float(plain["changed"]), reason=str(plain.get("reason", "")))


def pieces(
    connection: Connection, *, min_score: float | None = None, among: Collection[int] | None = None
) -> list[Piece]:
    """Stored pieces, surest first, then by content keys.

    Parameters
    ----------
    min_score : float, optional
        Lowest score, 0..1.
    among : collection of int, optional
        Only those with one of these images.

    Returns
    -------
    list of Piece
    """
    query = select(PieceRow.__table__)
    if min_score is not None:
        query = query.where(PieceRow.score >= min_score)
    rows = list(connection.execute(query).mappings())
    if among is not None:
        rows = [row for row in rows if row["container"] in among or row["part"] in among]
    images = by_id(connection, {row["container"] for row in rows} | {row["part"] for row in rows})
    result = [
        Piece(
            images[row["container"]],
            images[row["part"]],
            row["number"],
            found_of(row["score"], json.loads(row["detail"]), row["version"]),
        )
        for row in rows
    ]
    result.sort(key=lambda one: (-one.score, one.container.key, one.part.key, one.number))
    return result


def known_piece_pairs(connection: Connection, ids: Sequence[int]) -> set[tuple[int, int]]:
    """Pairs (smaller id, larger id) of images that share a piece already, with at least one of *ids*."""
    known: set[tuple[int, int]] = set()
    for batch in chunks(ids):
        query = select(PieceRow.container, PieceRow.part).where(
            or_(PieceRow.container.in_(batch), PieceRow.part.in_(batch))
        )
        known.update((min(a, b), max(a, b)) for a, b in connection.execute(query))
    return known


def copies_of(connection: Connection, ids: Sequence[int]) -> set[tuple[int, int]]:
    """Confirmed copies (smaller id, larger id) with one of *ids*, proven or not: no pieces are sought in them."""
    known: set[tuple[int, int]] = set()
    for batch in chunks(ids):
        query = (
            select(PairRow.a, PairRow.b, ProofRow.outcome)
            .outerjoin(ProofRow, (ProofRow.a == PairRow.a) & (ProofRow.b == PairRow.b))
            .where(or_(PairRow.a.in_(batch), PairRow.b.in_(batch)))
        )
        known.update(
            (min(a, b), max(a, b)) for a, b, outcome in connection.execute(query) if outcome in (None, *_COPIES)
        )
    return known


_COPIES = (str(Outcome.SAME), str(Outcome.EDITED), str(Outcome.NONE))


# ----------------------------------------------------------------------------------------------------- search
def unsearched(connection: Connection) -> list[int]:
    """Ids of images with features of pieces that were not searched for pieces yet, rising."""
    query = (
        select(Feature.image_id)
        .where(Feature.name == ENTRIES, ~select(PieceSearch.image_id).where(_SEARCHED).exists())
        .order_by(Feature.image_id)
    )
    return list(connection.execute(query).scalars())


_SEARCHED = PieceSearch.image_id == Feature.image_id


def mark_searched(connection: Connection, ids: Sequence[int], run: int) -> None:
    """Note that images were searched for pieces; those that are not stored any more are left out.

    Parameters
    ----------
    ids : sequence of int
    run : int
        Id of the run that searched them.
    """
    for batch in chunks(ids):
        there = connection.execute(select(Image.id).where(Image.id.in_(batch))).scalars()
        upsert(connection, PieceSearch, [{"image_id": image, "run": run} for image in there], by=("image_id",))


def entry_ids(connection: Connection) -> NDArray[np.int64]:
    """Ids of the images that belong in the pieces index, rising."""
    import numpy as np

    query = select(Feature.image_id).where(Feature.name == ENTRIES).order_by(Feature.image_id)
    return np.fromiter(connection.execute(query).scalars(), np.int64)


def entry_blobs(connection: Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """The packed entries of images, by id."""
    blobs: dict[int, bytes] = {}
    for batch in chunks(ids):
        query = select(Feature.image_id, Feature.data).where(Feature.image_id.in_(batch), Feature.name == ENTRIES)
        blobs.update((image, data) for image, data in connection.execute(query))
    return blobs


# --------------------------------------------------------------------------------------------------- segments
def piece_segments(connection: Connection) -> list[PieceSegmentRow]:
    """The sealed files of the pieces index, oldest first."""
    rows = connection.execute(select(PieceSegment.__table__).order_by(PieceSegment.id)).mappings()
    return [PieceSegmentRow(**row) for row in rows]


def put_piece_segment(connection: Connection, segment: PieceSegmentRow) -> int:
    """Store the row of a sealed file that is safely on disk; its id."""
    values = {name: getattr(segment, name) for name in PieceSegmentRow.__dataclass_fields__ if name != "id"}
    return int(connection.execute(insert(PieceSegment).values(**values).returning(PieceSegment.id)).scalar_one())


def delete_piece_segments(connection: Connection, ids: Sequence[int]) -> None:
    """Delete the rows of sealed files; the files may be removed once this is committed."""
    connection.execute(delete(PieceSegment).where(PieceSegment.id.in_(ids)))
