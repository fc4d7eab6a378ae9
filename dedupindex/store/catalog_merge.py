"""What another catalogue holds, in batches, as a merge takes it in.

The functions read the other catalogue; only `present_places` and `drop_frames` work on ours.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection, delete, select, tuple_

from dedupindex.errors import Reason
from dedupindex.records import Failure, Verification
from dedupindex.store.catalog import chunks, under_keys
from dedupindex.store.catalog_pairs import verification_of
from dedupindex.store.catalog_proofs import StoredProof, rows_among
from dedupindex.store.rows import FileState, NewImage
from dedupindex.store.schema import FailureRow, Feature, Image, Location, PairRow

Key: TypeAlias = tuple[bytes, int]  # content: SHA-256, frame
Transaction: TypeAlias = Connection  # what `Database.read` and `Database.write` give


@dataclass(frozen=True, slots=True)
class Placed:
    """A location with the content that it shows."""

    state: FileState
    frame: int
    key: Key
    missing: bool
    label: str | None = None


@dataclass(frozen=True, slots=True)
class PresentPlace:
    """A location as our catalogue has it."""

    size: int
    mtime_ns: int
    inode: int
    missing: bool
    image_id: int
    label: str | None


def images_after(connection: Connection, after: int, limit: int) -> tuple[list[NewImage], int]:
    """Images with their features, by id; those without features are left out.

    Parameters
    ----------
    after : int
        Only ids above this one.
    limit : int
        Most images looked at.

    Returns
    -------
    images : list of NewImage
    last : int
        The last id looked at; 0 at the end.
    """
    query = select(Image.__table__).where(Image.id > after).order_by(Image.id).limit(limit)
    rows = list(connection.execute(query).mappings())
    parts: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
    for batch in chunks([row["id"] for row in rows]):
        described = select(Feature.image_id, Feature.name, Feature.data).where(Feature.image_id.in_(batch))
        for image, name, data in connection.execute(described):
            parts[image][name] = data
    names = [name for name in NewImage.__dataclass_fields__ if name != "features"]
    images = [
        NewImage(**{name: row[name] for name in names}, features=parts[row["id"]]) for row in rows if row["id"] in parts
    ]
    return images, rows[-1]["id"] if rows else 0


def keys_of(connection: Connection, ids: Iterable[int]) -> set[Key]:
    """Content keys of images."""
    keys: set[Key] = set()
    for batch in chunks(sorted(set(ids))):
        query = select(Image.sha256, Image.frame).where(Image.id.in_(batch))
        keys.update((bytes(sha256), frame) for sha256, frame in connection.execute(query))
    return keys


def pairs_after(
    connection: Connection, after: tuple[int, int], limit: int
) -> tuple[list[tuple[Key, Key, Verification, StoredProof | None]], tuple[int, int] | None]:
    """Accepted pairs by content, with their proofs, ordered by ids.

    Parameters
    ----------
    after : (int, int)
        Only pairs of ids (a, b) after this one.
    limit : int
        Most pairs.

    Returns
    -------
    pairs : list of (Key, Key, Verification, StoredProof or None)
    last : (int, int) or None
        Ids of the last pair; None at the end.
    """
    a, b = Image.__table__.alias("a"), Image.__table__.alias("b")
    query = (
        select(
            PairRow.__table__,
            a.c.sha256.label("a_sha256"),
            a.c.frame.label("a_frame"),
            b.c.sha256.label("b_sha256"),
            b.c.frame.label("b_frame"),
        )
        .join(a, a.c.id == PairRow.a)
        .join(b, b.c.id == PairRow.b)
        .where(tuple_(PairRow.a, PairRow.b) > tuple_(*after))
        .order_by(PairRow.a, PairRow.b)
        .limit(limit)
    )
    rows = list(connection.execute(query).mappings())
    ids = [(row["a"], row["b"]) for row in rows]
    proofs = {(one.a, one.b): one for one in rows_among(connection, ids)}
    pairs = [
        (
            (bytes(row["a_sha256"]), row["a_frame"]),
            (bytes(row["b_sha256"]), row["b_frame"]),
            verification_of(row),
            proofs.get((row["a"], row["b"])),
        )
        for row in rows
    ]
    return pairs, ids[-1] if ids else None


def locations_after(connection: Connection, after: int, limit: int) -> tuple[list[Placed], int]:
    """Locations with the content that they show, by id.

    Parameters
    ----------
    after : int
        Only ids above this one.
    limit : int
        Most locations.

    Returns
    -------
    locations : list of Placed
    last : int
        The last id; 0 at the end.
    """
    query = (
        select(Location.__table__, Image.sha256.label("sha256"), Image.frame.label("image_frame"))
        .join(Image, Image.id == Location.image_id)
        .where(Location.id > after)
        .order_by(Location.id)
        .limit(limit)
    )
    rows = list(connection.execute(query).mappings())
    placed = [
        Placed(
            FileState(Path(os.fsdecode(row["path"])), row["size"], row["mtime_ns"], row["inode"]),
            row["frame"],
            (bytes(row["sha256"]), row["image_frame"]),
            row["missing"],
            row["label"],
        )
        for row in rows
    ]
    return placed, rows[-1]["id"] if rows else 0


def failures_after(connection: Connection, after: int, limit: int) -> tuple[list[tuple[FileState, Failure]], int]:
    """Failed files with the state they were in, by id.

    Parameters
    ----------
    after : int
        Only ids above this one.
    limit : int
        Most files.

    Returns
    -------
    failures : list of (FileState, Failure)
    last : int
        The last id; 0 at the end.
    """
    query = select(FailureRow.__table__).where(FailureRow.id > after).order_by(FailureRow.id).limit(limit)
    rows = list(connection.execute(query).mappings())
    failures = []
    for row in rows:
        path = Path(os.fsdecode(row["path"]))
        state = FileState(path, row["size"], row["mtime_ns"], row["inode"])
        failures.append((state, Failure(path, Reason(row["reason"]), row["detail"])))
    return failures, rows[-1]["id"] if rows else 0


def frames_at(connection: Connection, paths: Sequence[Path]) -> set[tuple[Path, int]]:
    """The (path, frame) of every location at these paths."""
    frames: set[tuple[Path, int]] = set()
    for batch in chunks([os.fsencode(path) for path in paths]):
        query = select(Location.path, Location.frame).where(Location.path.in_(batch))
        frames.update((Path(os.fsdecode(name)), frame) for name, frame in connection.execute(query))
    return frames


def failed_at(connection: Connection, paths: Sequence[Path]) -> set[Path]:
    """Those of *paths* that failed."""
    failed: set[Path] = set()
    for batch in chunks([os.fsencode(path) for path in paths]):
        query = select(FailureRow.path).where(FailureRow.path.in_(batch))
        failed.update(Path(os.fsdecode(name)) for name in connection.execute(query).scalars())
    return failed


def present_places(connection: Connection, places: Sequence[tuple[Path, int]]) -> dict[tuple[Path, int], PresentPlace]:
    """The stored locations at these (path, frame)."""
    present: dict[tuple[Path, int], PresentPlace] = {}
    keys = {(os.fsencode(path), frame) for path, frame in places}
    for query in under_keys(select(Location.__table__), Location.path, Location.frame, keys):
        for row in connection.execute(query).mappings():
            values = {name: row[name] for name in PresentPlace.__dataclass_fields__}
            present[Path(os.fsdecode(row["path"])), row["frame"]] = PresentPlace(**values)
    return present


def drop_frames(connection: Connection, places: Iterable[tuple[Path, int]]) -> None:
    """Delete single frames of files that have become shorter."""
    for path, frame in places:
        connection.execute(delete(Location).where(Location.path == os.fsencode(path), Location.frame == frame))
