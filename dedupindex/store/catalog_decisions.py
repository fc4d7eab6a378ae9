"""Decisions, and snapshots of the groups."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, tuple_

from dedupindex.records import Decision, DecisionKind, LocationRecord
from dedupindex.store.catalog import chunks
from dedupindex.store.schema import DecisionRow, Image, Location, Snapshot
from dedupindex.store.upsert import upsert

KEPT_SNAPSHOTS = 200  # runs whose groups are remembered: some months of nightly runs

Places = tuple[tuple[int, int], ...]  # (image id, location id) of each member's places


def decisions(connection: Connection) -> list[Decision]:
    """Every decision, oldest first."""
    rows = connection.execute(select(DecisionRow.__table__).order_by(DecisionRow.decided, DecisionRow.a, DecisionRow.b))
    return [
        Decision(DecisionKind(row["kind"]), row["a"], row["b"], row["note"], datetime.fromisoformat(row["decided"]))
        for row in rows.mappings()
    ]


def put_decisions(connection: Connection, made: Iterable[Decision]) -> None:
    """Store decisions; one on the same pair or image is replaced."""
    rows = [
        {"a": d.a, "b": d.b, "kind": d.kind, "note": d.note, "decided": d.decided.isoformat(timespec="microseconds")}
        for d in made
    ]
    upsert(connection, DecisionRow, rows, by=("a", "b"))


def delete_decisions(connection: Connection, pairs: Sequence[tuple[str, str]]) -> int:
    """Delete the decisions on these pairs (and images: b = ""); how many there were."""
    count = 0
    for part in chunks(sorted(set(pairs)), 400):  # two variables each, of 999 that older SQLite takes
        statement = delete(DecisionRow).where(tuple_(DecisionRow.a, DecisionRow.b).in_(part))
        count += int(connection.execute(statement).rowcount)
    return count


def keys_between(connection: Connection, first: bytes, last: bytes, frame: int, *, limit: int) -> list[str]:
    """Content keys of stored images of one frame number whose digest lies between two, smallest first.

    Parameters
    ----------
    first, last : bytes
        SHA-256 digests; both ends are included.
    frame : int
        Frame number in the file.
    limit : int
        Most keys.

    Returns
    -------
    list of str
        Hex digest, followed by ``#FRAME`` where the frame is not 0.
    """
    query = (
        select(Image.sha256)
        .where(Image.sha256 >= first, Image.sha256 <= last, Image.frame == frame)
        .order_by(Image.sha256)
        .limit(limit)
    )
    end = f"#{frame}" if frame else ""
    return [bytes(digest).hex() + end for digest in connection.execute(query).scalars()]


# -------------------------------------------------------------------------------------------------- snapshots
def put_snapshot(connection: Connection, run: int, groups: Mapping[str, Places]) -> None:
    """Store the groups at the end of a run. Only the snapshots of the last `KEPT_SNAPSHOTS` runs are kept.

    Parameters
    ----------
    run : int
        Id of the run; an older snapshot of it is replaced.
    groups : mapping of str to Places
        Group id to the places of its members.
    """
    data = zlib.compress(json.dumps({group: list(places) for group, places in sorted(groups.items())}).encode())
    connection.execute(delete(Snapshot).where(Snapshot.run == run))
    connection.execute(insert(Snapshot).values(run=run, groups=data))
    old = select(Snapshot.run).order_by(Snapshot.run.desc()).offset(KEPT_SNAPSHOTS)
    connection.execute(delete(Snapshot).where(Snapshot.run.in_(old.scalar_subquery())))


def snapshot(connection: Connection, run: int) -> tuple[int, dict[str, Places]] | None:
    """The groups at the end of a run, or of the last run before it that left a snapshot; None when there is none."""
    query = select(Snapshot.run, Snapshot.groups).where(Snapshot.run <= run).order_by(Snapshot.run.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    groups = json.loads(zlib.decompress(row[1]))
    return int(row[0]), {group: tuple((image, place) for image, place in places) for group, places in groups.items()}


def location_ids(connection: Connection, images: Iterable[int]) -> dict[int, list[int]]:
    """Ids of the present locations of images, by image id."""
    locations: dict[int, list[int]] = {}
    for batch in chunks(sorted(set(images))):
        query = select(Location.image_id, Location.id).where(Location.image_id.in_(batch), Location.missing.is_(False))
        for image, place in connection.execute(query.order_by(Location.id)):
            locations.setdefault(image, []).append(place)
    return locations


def locations_by_id(connection: Connection, ids: Iterable[int]) -> dict[int, tuple[int, LocationRecord]]:
    """Locations that are still known, as (image that is there now, location), by id."""
    locations: dict[int, tuple[int, LocationRecord]] = {}
    for batch in chunks(sorted(set(ids))):
        for row in connection.execute(select(Location.__table__).where(Location.id.in_(batch))).mappings():
            path = Path(os.fsdecode(row["path"]))
            place = LocationRecord(path, row["frame"], row["size"], row["mtime_ns"], row["missing"], row["label"])
            locations[row["id"]] = (row["image_id"], place)
    return locations
