"""The catalogue as a whole: meta, runs, failures, vector files, counts.

Every function takes the connection of a transaction that `Database.read` or `Database.write` opened. Images, locations
and pairs have modules of their own.
"""

from __future__ import annotations

import json
import os
import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from dedupindex.errors import Reason
from dedupindex.places import text_of
from dedupindex.records import Failure, Outcome, RunRecord
from dedupindex.records.pictures import SHAPE_BYTES
from dedupindex.store.rows import FileState, SegmentRow
from dedupindex.store.rows import RunKind as RunKind  # callers of `start_run` need it
from dedupindex.store.schema import (
    FailureRow,
    Feature,
    Image,
    Location,
    Meta,
    PairRow,
    ProofRow,
    Run,
    Segment,
    SegmentPart,
)
from dedupindex.store.upsert import upsert

if TYPE_CHECKING:
    from sqlalchemy.orm import InstrumentedAttribute

HASH_ONLY = "hash_only"  # name of a fact about the database
SHOWING = ("thumbnail", "colour")  # features that show a picture
CHUNK = 500  # values in one IN (...): SQLite before 3.32 allows 999 variables
_K = TypeVar("_K")
_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
_SIGN = 1 << 63


def chunks(values: Sequence[_T], size: int = CHUNK) -> Iterator[Sequence[_T]]:
    """Slices of at most *size* values."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def under_keys(
    query: Select[*_Ts],
    content: InstrumentedAttribute[bytes],
    frame: InstrumentedAttribute[int],
    keys: Iterable[tuple[bytes, int]],
) -> Iterator[Select[*_Ts]]:
    """Queries for the rows with given keys (content or path, frame), each answered by an index over both columns.

    For ``(content, frame) IN (VALUES ...)`` SQLite scans the whole table. A batch nearly always holds the first frames
    of many files, or many frames of a few files, or both, so a few queries by frame or by content suffice.

    Parameters
    ----------
    query : Select
        Without a condition on these columns.
    content, frame : column
        The two columns of the index.
    keys : iterable of (bytes, int)
        No two alike.

    Yields
    ------
    Select
        The query for a part of the keys. Together they cover each key once.
    """
    keys = list(keys)
    of_frame, of_content = _grouped((number, name) for name, number in keys), _grouped(keys)
    shared = {number: names for number, names in of_frame.items() if len(names) > 1}
    rest = _grouped((name, number) for name, number in keys if number not in shared)
    ways: list[tuple[dict[int, list[bytes]], dict[bytes, list[int]]]] = [
        (of_frame, {}),
        ({}, of_content),
        (shared, rest),
    ]
    by_frame, by_content = min(ways, key=lambda way: len(way[0]) + len(way[1]))
    for number, names in by_frame.items():
        yield from (query.where(frame == number, content.in_(batch)) for batch in chunks(names))
    for name, numbers in by_content.items():
        yield from (query.where(content == name, frame.in_(batch)) for batch in chunks(numbers))


def _grouped(pairs: Iterable[tuple[_K, _T]]) -> dict[_K, list[_T]]:
    groups: dict[_K, list[_T]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def display(path: Path) -> str:
    """A path as text for people: undecodable bytes and control characters become escapes."""
    text = os.fsencode(text_of(path)).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def signed(inode: int) -> int:
    """An inode number as the signed 64-bit integer that databases hold."""
    return inode - (1 << 64) if inode >= _SIGN else inode


# ------------------------------------------------------------------------------------------------------- meta
def generation(connection: Connection) -> int:
    """How many write transactions the database has seen."""
    return int(get_meta(connection, "generation") or 0)


def host(connection: Connection) -> str:
    """Name of this machine in a catalogue on a server, which several machines use; empty for a file."""
    return "" if connection.dialect.name == "sqlite" else socket.gethostname()


def get_meta(connection: Connection, key: str) -> str | None:
    """A fact about the database; None where it is not stored."""
    return connection.execute(select(Meta.value).where(Meta.key == key)).scalar()


def set_meta(connection: Connection, **values: str) -> None:
    """Store facts about the database; older ones of the same key are replaced."""
    rows = [{"key": key, "value": value} for key, value in values.items()]
    upsert(connection, Meta, rows, by=("key",))


def is_hash_only(connection: Connection) -> bool:
    """Whether the database keeps hashes and vectors only: of what shows a picture the shape, without the pixels."""
    return get_meta(connection, HASH_ONLY) is not None


def set_hash_only(connection: Connection) -> None:
    """Keep no thumbnails from now on; for a database that has no pictures yet."""
    set_meta(connection, **{HASH_ONLY: "1"})


def without_pixels(parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Packed features without what shows the picture."""
    return {name: data[:SHAPE_BYTES] if name in SHOWING else data for name, data in parts.items()}


def remember_settings(connection: Connection, shaping: Mapping[str, Any], fingerprint: str) -> None:
    """Store the settings that the features are made with.

    Parameters
    ----------
    shaping : mapping
        Settings that shape features, by name (`Settings.shaping`).
    fingerprint : str
        Digest of these settings and of all feature versions.
    """
    set_meta(connection, fingerprint=fingerprint, settings=json.dumps(dict(shaping), sort_keys=True))


# ------------------------------------------------------------------------------------------------------- runs
def start_run(connection: Connection, kind: RunKind) -> int:
    """Store a new run; its id."""
    result = connection.execute(
        insert(Run).values(kind=str(kind), started=datetime.now(UTC).isoformat(), summary="{}").returning(Run.id)
    )
    return int(result.scalar_one())


def finish_run(connection: Connection, run: int, summary: Mapping[str, int | float | str]) -> None:
    """Store when a run ended and what it did.

    Parameters
    ----------
    run : int
        Id of the run.
    summary : mapping
        Counts by name, stored as JSON.
    """
    text = json.dumps(dict(summary), sort_keys=True)
    connection.execute(update(Run).where(Run.id == run).values(finished=datetime.now(UTC).isoformat(), summary=text))


def run_record(connection: Connection, run: int) -> RunRecord | None:
    """A run by id."""
    row = connection.execute(select(Run.__table__).where(Run.id == run)).mappings().one_or_none()
    return _run(row) if row is not None else None


def last_run_before(connection: Connection, moment: datetime) -> RunRecord | None:
    """The last run that had ended at a time (UTC)."""
    query = select(Run.__table__).where(Run.finished <= moment.isoformat()).order_by(Run.id.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return _run(row) if row is not None else None


def runs(
    connection: Connection, kind: RunKind | None = None, *, finished: bool = True, limit: int = 100
) -> list[RunRecord]:
    """The latest runs, newest first.

    Parameters
    ----------
    kind : RunKind, optional
        None = runs of every kind.
    finished : bool
        Only runs that came to their end.
    limit : int
        Most runs.

    Returns
    -------
    list of RunRecord
    """
    query = select(Run.__table__).order_by(Run.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(Run.kind == str(kind))
    if finished:
        query = query.where(Run.finished.is_not(None))
    return [_run(row) for row in connection.execute(query).mappings()]


def _run(row: Mapping[Any, Any]) -> RunRecord:
    return RunRecord(
        id=row["id"],
        kind=row["kind"],
        started=datetime.fromisoformat(row["started"]),
        finished=datetime.fromisoformat(row["finished"]) if row["finished"] else None,
        summary=json.loads(row["summary"]),
    )


# --------------------------------------------------------------------------------------------------- failures
def put_failures(connection: Connection, failures: Iterable[tuple[FileState, Failure]], run: int) -> None:
    """Store failed files with the state they were in. An older failure of the same path is replaced.

    Parameters
    ----------
    failures : iterable of (FileState, Failure)
    run : int
        Id of the run that met them.
    """
    rows = [
        {
            "path": os.fsencode(state.path),
            "display": display(state.path),
            "reason": failure.reason.value,
            "detail": failure.detail,
            "size": state.size,
            "mtime_ns": state.mtime_ns,
            "inode": signed(state.inode),
            "run": run,
        }
        for state, failure in failures
    ]
    upsert(connection, FailureRow, rows, by=("path",))


def clear_failures(connection: Connection, paths: Sequence[Path]) -> None:
    """Delete the failures of these files."""
    for batch in chunks([os.fsencode(path) for path in paths]):
        connection.execute(delete(FailureRow).where(FailureRow.path.in_(batch)))


def give_another_chance(connection: Connection) -> None:
    """Let every failed file look changed, so that the next ingest reads it again."""
    connection.execute(update(FailureRow).values(size=-1))


def failures(connection: Connection, *, run: int | None = None) -> list[Failure]:
    """Failed files by path; of one run only, on request."""
    query = select(FailureRow.path, FailureRow.reason, FailureRow.detail).order_by(FailureRow.path)
    if run is not None:
        query = query.where(FailureRow.run == run)
    return [
        Failure(Path(os.fsdecode(path)), Reason(reason), detail) for path, reason, detail in connection.execute(query)
    ]


# --------------------------------------------------------------------------------------------------- segments
def segments(connection: Connection) -> list[SegmentRow]:
    """The sealed vector files, oldest first."""
    rows = connection.execute(select(Segment.__table__).order_by(Segment.id)).mappings()
    return [SegmentRow(**row) for row in rows]


def segment_ids(connection: Connection) -> set[int]:
    """Ids of the sealed vector files."""
    return set(connection.execute(select(Segment.id)).scalars())


def put_segment(connection: Connection, segment: SegmentRow) -> int:
    """Store the row of a sealed vector file that is safely on disk; its id."""
    values = {name: getattr(segment, name) for name in SegmentRow.__dataclass_fields__ if name != "id"}
    return int(connection.execute(insert(Segment).values(**values).returning(Segment.id)).scalar_one())


def put_parts(connection: Connection, segment: int, parts: Iterable[bytes]) -> None:
    """Store a sealed vector file in pieces, for hosts that lack it.

    Parameters
    ----------
    segment : int
        Id of the file's row.
    parts : iterable of bytes
        The pieces in order.
    """
    for number, data in enumerate(parts):
        connection.execute(insert(SegmentPart).values(segment_id=segment, number=number, data=data))


def parts(connection: Connection, segment: int) -> Iterator[bytes]:
    """The pieces of a sealed vector file, in their order; none where it was not stored."""
    number = 0
    query = select(SegmentPart.data).where(SegmentPart.segment_id == segment)
    while (data := connection.execute(query.where(SegmentPart.number == number)).scalar()) is not None:
        yield data
        number += 1


def delete_segments(connection: Connection, ids: Sequence[int]) -> None:
    """Delete the rows of sealed vector files; the files may be removed once this is committed."""
    connection.execute(delete(Segment).where(Segment.id.in_(ids)))


# ----------------------------------------------------------------------------------------------------- counts
def counts(connection: Connection) -> dict[str, int]:
    """How many rows of each kind there are, by name."""

    def count(query: Any) -> int:
        return int(connection.execute(query).scalar_one())

    return {
        "images": count(select(func.count()).select_from(Image)),
        "locations": count(select(func.count()).select_from(Location).where(Location.missing.is_(False))),
        "files": count(
            select(func.count()).select_from(Location).where(Location.missing.is_(False), Location.frame == 0)
        ),
        "missing": count(select(func.count()).select_from(Location).where(Location.missing.is_(True))),
        "low_information": count(select(func.count()).select_from(Image).where(Image.low_information.is_(True))),
        "unsearched": count(select(func.count()).select_from(Image).where(Image.searched.is_(None))),
        "pairs": count(select(func.count()).select_from(PairRow)),
        "proven": count(select(func.count()).select_from(ProofRow).where(ProofRow.outcome != str(Outcome.NONE))),
        "failures": count(select(func.count()).select_from(FailureRow)),
        "runs": count(select(func.count()).select_from(Run)),
    }


def orphans(connection: Connection) -> dict[str, int]:
    """Rows that should not exist, counted by kind: images without features, features without image."""
    without = (
        select(func.count())
        .select_from(Image)
        .where(~select(Feature.image_id).where(Feature.image_id == Image.id).exists())
    )
    lost = (
        select(func.count()).select_from(Feature).where(~select(Image.id).where(Image.id == Feature.image_id).exists())
    )
    numbers = {
        "images_without_features": int(connection.execute(without).scalar_one()),
        "features_without_image": int(connection.execute(lost).scalar_one()),
    }
    return {name: number for name, number in numbers.items() if number}
