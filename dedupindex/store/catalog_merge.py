"""What a catalogue that was made elsewhere holds, in batches, as another one takes it in.

The functions read the other catalogue, but for `present_places` and `drop_frames`, which are about ours.
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
    """A location as it stands in our catalogue."""

    size: int
    mtime_ns: int
    inode: int
    missing: bool
    image_id: int
    label: str | None


def images_after(connection: Connection, after: int, limit: int) -> tuple[list[NewImage], int]:
    """Images with their features, by id, but for those that have none; with the last id looked at, 0 at the end."""
    query = select(Image.__table__).where(Image.id > after).order_by(Image.id).limit(limit)
    rows = list(connection.execute(query).mappings())
    parts: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
    for some in chunks([row["id"] for row in rows]):
        described = select(Feature.image_id, Feature.name, Feature.data).where(Feature.image_id.in_(some))
        for image, name, data in connection.execute(described):
            parts[image][name] = data
    names = [name for name in NewImage.__dataclass_fields__ if name != "features"]
    images = [
        NewImage(**{name: row[name] for name in names}, features=parts[row["id"]]) for row in rows if row["id"] in parts
    ]
    return images, rows[-1]["id"] if rows else 0


def keys_of(connection: Connection, ids: Iterable[int]) -> set[Key]:
    """ContentKey keys of images."""
    found: set[Key] = set()
    for some in chunks(sorted(set(ids))):
        query = select(Image.sha256, Image.frame).where(Image.id.in_(some))
        found.update((bytes(sha256), frame) for sha256, frame in connection.execute(query))
    return found


def pairs_after(
    connection: Connection, after: tuple[int, int], limit: int
) -> tuple[list[tuple[Key, Key, Verification, StoredProof | None]], tuple[int, int] | None]:
    """Accepted pairs by content with their proofs, in the order of their ids; with the last ids, None at the end."""
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
    found = [
        (
            (bytes(row["a_sha256"]), row["a_frame"]),
            (bytes(row["b_sha256"]), row["b_frame"]),
            verification_of(row),
            proofs.get((row["a"], row["b"])),
        )
        for row in rows
    ]
    return found, ids[-1] if ids else None


def locations_after(connection: Connection, after: int, limit: int) -> tuple[list[Placed], int]:
    """Locations by id; with the last id, 0 at the end."""
    query = (
        select(Location.__table__, Image.sha256.label("sha256"), Image.frame.label("image_frame"))
        .join(Image, Image.id == Location.image_id)
        .where(Location.id > after)
        .order_by(Location.id)
        .limit(limit)
    )
    rows = list(connection.execute(query).mappings())
    found = [
        Placed(
            FileState(Path(os.fsdecode(row["path"])), row["size"], row["mtime_ns"], row["inode"]),
            row["frame"],
            (bytes(row["sha256"]), row["image_frame"]),
            row["missing"],
            row["label"],
        )
        for row in rows
    ]
    return found, rows[-1]["id"] if rows else 0


def failures_after(connection: Connection, after: int, limit: int) -> tuple[list[tuple[FileState, Failure]], int]:
    """Failed files with the state they were in, by id; with the last id, 0 at the end."""
    query = select(FailureRow.__table__).where(FailureRow.id > after).order_by(FailureRow.id).limit(limit)
    rows = list(connection.execute(query).mappings())
    found = []
    for row in rows:
        path = Path(os.fsdecode(row["path"]))
        state = FileState(path, row["size"], row["mtime_ns"], row["inode"])
        found.append((state, Failure(path, Reason(row["reason"]), row["detail"])))
    return found, rows[-1]["id"] if rows else 0


def frames_at(connection: Connection, paths: Sequence[Path]) -> set[tuple[Path, int]]:
    """The (path, frame) of every location at some paths."""
    found: set[tuple[Path, int]] = set()
    for some in chunks([os.fsencode(path) for path in paths]):
        query = select(Location.path, Location.frame).where(Location.path.in_(some))
        found.update((Path(os.fsdecode(name)), frame) for name, frame in connection.execute(query))
    return found


def failed_at(connection: Connection, paths: Sequence[Path]) -> set[Path]:
    """Those of some paths that failed."""
    found: set[Path] = set()
    for some in chunks([os.fsencode(path) for path in paths]):
        query = select(FailureRow.path).where(FailureRow.path.in_(some))
        found.update(Path(os.fsdecode(name)) for name in connection.execute(query).scalars())
    return found


def present_places(connection: Connection, places: Sequence[tuple[Path, int]]) -> dict[tuple[Path, int], PresentPlace]:
    """What stands at some (path, frame)."""
    found: dict[tuple[Path, int], PresentPlace] = {}
    keys = {(os.fsencode(path), frame) for path, frame in places}
    for query in under_keys(select(Location.__table__), Location.path, Location.frame, keys):
        for row in connection.execute(query).mappings():
            values = {name: row[name] for name in PresentPlace.__dataclass_fields__}
            found[Path(os.fsdecode(row["path"])), row["frame"]] = PresentPlace(**values)
    return found


def drop_frames(connection: Connection, places: Iterable[tuple[Path, int]]) -> None:
    """Forget single frames of files that have become shorter."""
    for path, frame in places:
        connection.execute(delete(Location).where(Location.path == os.fsencode(path), Location.frame == frame))
