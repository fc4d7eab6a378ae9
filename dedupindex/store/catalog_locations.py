"""Locations: which file held which image, in which state, and which are gone.

A file counts as read once the location of its first frame or its failure is stored. Ingest writes that row in the
file's last batch, so a stack that was interrupted half-way is read again (its stored frames are recognised by content).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, delete, func, or_, select, update

from dedupindex.errors import Reason
from dedupindex.records import Failure, LocationRecord
from dedupindex.store.catalog import chunks, display, is_hash_only, signed, under_keys
from dedupindex.store.rows import FileState, KnownFile, PlaceRow
from dedupindex.store.schema import FailureRow, Feature, Image, Location, Run
from dedupindex.store.upsert import upsert

if TYPE_CHECKING:
    from sqlalchemy.orm import InstrumentedAttribute


def known_files(connection: Connection, paths: Sequence[Path]) -> dict[Path, KnownFile]:
    """What is known of these paths: files that were read or that failed. Unknown and half-read files are left out."""
    known: dict[Path, KnownFile] = {}
    names = [os.fsencode(path) for path in paths]
    several: list[bytes] = []
    for batch in chunks(names):
        query = (
            select(Location.path, Location.size, Location.mtime_ns, Location.inode, Location.missing, Image.frame_count)
            .join(Image, Image.id == Location.image_id)
            .where(Location.path.in_(batch), Location.frame == 0)
        )
        for name, size, mtime_ns, inode, missing, frame_count in connection.execute(query):
            path = Path(os.fsdecode(name))
            known[path] = KnownFile(FileState(path, size, mtime_ns, inode), missing, None, 1, frame_count)
            if frame_count > 1:
                several.append(name)
    for batch in chunks(several):
        counted = select(Location.path, func.count()).where(Location.path.in_(batch)).group_by(Location.path)
        for name, frames in connection.execute(counted):
            path = Path(os.fsdecode(name))
            old = known[path]
            known[path] = KnownFile(old.state, old.missing, None, frames, old.frame_count)
    for batch in chunks(names):
        failed = select(FailureRow.__table__).where(FailureRow.path.in_(batch))
        for row in connection.execute(failed).mappings():
            path = Path(os.fsdecode(row["path"]))
            failure = Failure(path, Reason(row["reason"]), row["detail"])
            known[path] = KnownFile(FileState(path, row["size"], row["mtime_ns"], row["inode"]), False, failure)
    return known


def same_state(known: KnownFile, state: FileState) -> bool:
    """Whether a file is as it was when it was read: size, modification time (ns) and inode."""
    old = known.state
    return (old.size, old.mtime_ns, old.inode) == (state.size, state.mtime_ns, signed(state.inode))


def put_locations(connection: Connection, places: Sequence[tuple[FileState, int, int]], run: int) -> int:
    """Store locations; what was at the same place before is replaced.

    Parameters
    ----------
    places : sequence of (FileState, int, int)
        File, frame number, image id.
    run : int
        Id of the run that saw them.

    Returns
    -------
    int
        How many of them were new, or show another image than before.
    """
    if not places:
        return 0
    keys = {(os.fsencode(state.path), frame) for state, frame, _ in places}
    every = select(Location.path, Location.frame, Location.image_id)
    before = {
        (name, frame): image
        for query in under_keys(every, Location.path, Location.frame, keys)
        for name, frame, image in connection.execute(query)
    }
    rows = [
        {
            "path": os.fsencode(state.path),
            "display": display(state.path),
            "frame": frame,
            "size": state.size,
            "mtime_ns": state.mtime_ns,
            "inode": signed(state.inode),
            "missing": False,
            "image_id": image,
            "added_run": run,
            "changed_run": run,
        }
        for state, frame, image in places
    ]
    if is_hash_only(connection):
        _search_again(connection, {image for _, _, image in places})
    upsert(connection, Location, rows, by=("path", "frame"), keep=("added_run",))
    return sum(before.get((os.fsencode(state.path), frame)) != image for state, frame, image in places)


def drop_other_frames(connection: Connection, paths: Sequence[Path], run: int) -> None:
    """Delete the frames of files that this run did not write: the files have changed and lost them.

    Parameters
    ----------
    paths : sequence of Path
        Files that the run read to the end.
    run : int
        Id of the run.
    """
    for batch in chunks([os.fsencode(path) for path in paths]):
        connection.execute(delete(Location).where(Location.path.in_(batch), Location.changed_run != run))


def drop_path(connection: Connection, paths: Sequence[Path]) -> None:
    """Delete all frames of files: what was there can no longer be read as an image."""
    for batch in chunks([os.fsencode(path) for path in paths]):
        connection.execute(delete(Location).where(Location.path.in_(batch)))


def mark(connection: Connection, paths: Sequence[Path], run: int, *, missing: bool) -> int:
    """Note that files are gone, or back as they were.

    Parameters
    ----------
    paths : sequence of Path
    run : int
        Id of the run that noticed it.
    missing : bool
        True = gone, False = back.

    Returns
    -------
    int
        How many locations that changed.
    """
    changed = 0
    back = not missing and is_hash_only(connection)
    for batch in chunks([os.fsencode(path) for path in paths]):
        if back:
            _search_again(
                connection, set(connection.scalars(select(Location.image_id).where(Location.path.in_(batch))))
            )
        result = connection.execute(
            update(Location)
            .where(Location.path.in_(batch), Location.missing.is_(not missing))
            .values(missing=missing, changed_run=run)
        )
        changed += int(result.rowcount)
    return changed


def _search_again(connection: Connection, images: set[int]) -> None:
    """Let images that are nowhere now be searched again: without stored thumbnails nothing was compared with them."""
    for batch in chunks(sorted(images)):
        present = select(Location.image_id).where(Location.image_id.in_(batch), Location.missing.is_(False))
        somewhere = set(connection.scalars(present))
        away = [image for image in batch if image not in somewhere]
        connection.execute(update(Image).where(Image.id.in_(away)).values(searched=None))


def paths_under(connection: Connection, root: Path, batch: int = 1000) -> Iterator[list[Path]]:
    """Stored paths inside a folder or equal to it, in batches, by path: present locations first, then failed files.

    Parameters
    ----------
    root : Path
    batch : int
        Most paths at once.

    Yields
    ------
    list of Path
        Not empty.
    """
    first, end = _bounds(root)
    for column, present in ((Location.path, Location.missing.is_(False)), (FailureRow.path, None)):
        within = _under(column, root)
        while True:
            query = select(column).distinct().where(within).order_by(column).limit(batch)
            if present is not None:
                query = query.where(present)
            names = list(connection.execute(query).scalars())
            if not names:
                break
            yield [Path(os.fsdecode(name)) for name in names]
            # instead of the condition, not beside it: SQLite would begin at the first path again, every time
            last = names[-1]
            within = and_(column > last if last >= first else column >= first, column < end)


def forget_under(connection: Connection, root: Path) -> tuple[int, set[int]]:
    """Delete every location inside a folder or equal to it; how many there were, and the images they showed."""
    removed = delete(Location).where(_under(Location.path, root)).returning(Location.image_id)
    images = list(connection.execute(removed).scalars())
    return len(images), set(images)


def forget_missing(connection: Connection, before: datetime, root: Path | None = None) -> tuple[int, set[int]]:
    """Delete locations that have been missing since before a time; how many there were, and the images they showed.

    Parameters
    ----------
    before : datetime
        UTC. A location is missing since the start of the run that noticed it.
    root : Path, optional
        Only locations inside this folder or equal to it.

    Returns
    -------
    locations : int
    images : set of int
    """
    noticed = select(Run.id).where(Run.started <= before.isoformat())
    removed = delete(Location).where(Location.missing.is_(True), Location.changed_run.in_(noticed))
    if root is not None:
        removed = removed.where(_under(Location.path, root))
    images = list(connection.execute(removed.returning(Location.image_id)).scalars())
    return len(images), set(images)


def delete_unplaced(connection: Connection, ids: Iterable[int]) -> int:
    """Delete those of *ids* that have no location, with their features and pairs; how many that were."""
    deleted = 0
    for batch in chunks(sorted(set(ids))):
        placed = select(Location.id).where(Location.image_id == Image.id).exists()
        deleted += int(connection.execute(delete(Image).where(Image.id.in_(batch), ~placed)).rowcount)
    return deleted


def forget_failures_under(connection: Connection, root: Path) -> int:
    """Delete the failed files inside a folder or equal to it; how many there were."""
    return int(connection.execute(delete(FailureRow).where(_under(FailureRow.path, root))).rowcount)


def _under(column: InstrumentedAttribute[bytes], root: Path) -> ColumnElement[bool]:
    first, end = _bounds(root)
    return or_(column == os.fsencode(root), and_(column >= first, column < end))


def _bounds(root: Path) -> tuple[bytes, bytes]:
    """Smallest possible path inside a folder, and the smallest path after all of these."""
    name = os.fsencode(root).rstrip(b"/")
    return name + b"/", name + b"0"  # "0" follows "/"


def states(connection: Connection, batch: int = 1000) -> Iterator[tuple[FileState, bytes, int]]:
    """Every present location as (file, SHA-256 of its content, image id), once a file, by path."""
    last = b""
    while True:
        query = (
            select(Location.path, Location.size, Location.mtime_ns, Location.inode, Image.sha256, Image.id)
            .join(Image, Image.id == Location.image_id)
            .where(Location.frame == 0, Location.missing.is_(False), Location.path > last)
            .order_by(Location.path)
            .limit(batch)
        )
        rows = connection.execute(query).all()
        if not rows:
            return
        for name, size, mtime_ns, inode, sha256, image in rows:
            yield FileState(Path(os.fsdecode(name)), size, mtime_ns, inode), bytes(sha256), image
        last = rows[-1][0]


def present_under(connection: Connection, root: Path) -> list[LocationRecord]:
    """Present locations inside a folder or equal to it, by path and frame."""
    query = select(Location.path, Location.frame, Location.size, Location.mtime_ns, Location.missing, Location.label)
    query = query.where(_under(Location.path, root), Location.missing.is_(False))
    rows = connection.execute(query.order_by(Location.path, Location.frame))
    return [
        LocationRecord(Path(os.fsdecode(name)), frame, size, mtime_ns, missing, label)
        for name, frame, size, mtime_ns, missing, label in rows
    ]


def undescribed(connection: Connection) -> list[tuple[FileState, bytes]]:
    """Present files of images without features, with the SHA-256 of their content, by path."""
    query = (
        select(Location.path, Location.size, Location.mtime_ns, Location.inode, Image.sha256)
        .join(Image, Image.id == Location.image_id)
        .where(Location.missing.is_(False), ~select(Feature.image_id).where(Feature.image_id == Image.id).exists())
        .distinct()
        .order_by(Location.path)
    )
    return [
        (FileState(Path(os.fsdecode(name)), size, mtime_ns, inode), bytes(sha256))
        for name, size, mtime_ns, inode, sha256 in connection.execute(query)
    ]


# ------------------------------------------------------------------------------------------------------ moves
def last_id(connection: Connection) -> int:
    """Id of the location that was stored last; 0 where there is none."""
    return int(connection.scalar(select(func.max(Location.id))) or 0)


def images_found_again(connection: Connection, after: int) -> list[int]:
    """Ids of images with a present location stored after that id, and one stored before that is not marked missing."""
    earlier = Location.__table__.alias("earlier")
    known = select(earlier.c.id).where(
        earlier.c.image_id == Location.image_id, earlier.c.id <= after, earlier.c.missing.is_(False)
    )
    query = select(Location.image_id).where(Location.id > after, Location.missing.is_(False), known.exists())
    return sorted(set(connection.execute(query).scalars()))


def places_of(connection: Connection, images: Iterable[int]) -> list[PlaceRow]:
    """The present locations of images, by id."""
    rows: list[PlaceRow] = []
    for batch in chunks(sorted(set(images))):
        rows += _places(connection, _PLACES.where(Location.image_id.in_(batch), Location.missing.is_(False)))
    return sorted(rows, key=lambda row: row.id)


def places_at(connection: Connection, paths: Sequence[Path]) -> list[PlaceRow]:
    """All locations at these paths."""
    rows: list[PlaceRow] = []
    for batch in chunks([os.fsencode(path) for path in paths]):
        rows += _places(connection, _PLACES.where(Location.path.in_(batch)))
    return rows


def places_under(connection: Connection, root: Path) -> list[PlaceRow]:
    """All locations inside a folder or equal to it, missing ones too, by path and frame."""
    return _places(connection, _PLACES.where(_under(Location.path, root)).order_by(Location.path, Location.frame))


def images_under(connection: Connection, root: Path) -> Iterator[tuple[Path, int]]:
    """Path and image id of every present location inside a folder or equal to it."""
    query = select(Location.path, Location.image_id).where(_under(Location.path, root), Location.missing.is_(False))
    for name, image in connection.execute(query):
        yield Path(os.fsdecode(name)), image


def place_counts(connection: Connection, images: Iterable[int]) -> dict[int, int]:
    """How many present locations images have, by id; those without any are left out."""
    counts: dict[int, int] = {}
    for batch in chunks(sorted(set(images))):
        query = select(Location.image_id, func.count()).where(Location.image_id.in_(batch), Location.missing.is_(False))
        counts.update((image, number) for image, number in connection.execute(query.group_by(Location.image_id)))
    return counts


def count_files_under(connection: Connection, root: Path) -> int:
    """How many files have a present location inside a folder or equal to it."""
    query = select(func.count(func.distinct(Location.path)))
    return int(connection.scalar(query.where(_under(Location.path, root), Location.missing.is_(False))) or 0)


def rewrite(connection: Connection, places: Sequence[tuple[int, FileState, bool]], run: int) -> None:
    """Give locations another path and state; whether they are missing, too.

    Parameters
    ----------
    places : sequence of (int, FileState, bool)
        Id of the location, the file as it is to be stored, and whether it is missing there. No other location may be
        at the same path and frame.
    run : int
        Id of the run that noticed it. A location that stays missing keeps the run since which it is.
    """
    rows = [
        {
            "location": location,
            "path": os.fsencode(state.path),
            "display": display(state.path),
            "size": state.size,
            "mtime_ns": state.mtime_ns,
            "inode": signed(state.inode),
        }
        for location, state, _ in places
    ]
    if not rows:
        return
    own = update(Location).where(Location.id == bindparam("location"))
    connection.execute(own, rows)  # sets the columns that the rows name
    there = [{"location": location} for location, _, missing in places if not missing]
    gone = [{"location": location} for location, _, missing in places if missing]
    if there:
        connection.execute(own.values(missing=False, changed_run=run), there)
    if gone:
        still = own.where(Location.missing.is_(False))
        connection.execute(still.values(missing=True, changed_run=run), gone)


def drop_places(connection: Connection, ids: Sequence[int]) -> None:
    """Delete locations."""
    for batch in chunks(ids):
        connection.execute(delete(Location).where(Location.id.in_(batch)))


def mark_under(connection: Connection, root: Path, run: int) -> int:
    """Note that all that is left inside a folder, or equal to it, is gone.

    Parameters
    ----------
    root : Path
    run : int
        Id of the run that noticed it.

    Returns
    -------
    int
        How many locations that changed.
    """
    gone = update(Location).where(_under(Location.path, root), Location.missing.is_(False))
    return int(connection.execute(gone.values(missing=True, changed_run=run)).rowcount)


def rewrite_failures(connection: Connection, old: Path, new: Path) -> int:
    """Give the failed files inside a folder, or equal to it, their place in another one.

    What is known of a file at its new place stays; the one at the old place is dropped then.

    Parameters
    ----------
    old, new : Path
        Folders, or a file.

    Returns
    -------
    int
        How many there were.
    """
    names = list(connection.execute(select(FailureRow.path).where(_under(FailureRow.path, old))).scalars())
    for name in names:
        path = new / Path(os.fsdecode(name)).relative_to(old)
        there = connection.scalar(select(FailureRow.id).where(FailureRow.path == os.fsencode(path)))
        read = connection.scalar(select(Location.id).where(Location.path == os.fsencode(path)).limit(1))
        if there is not None or read is not None:
            connection.execute(delete(FailureRow).where(FailureRow.path == name))
            continue
        values = {"path": os.fsencode(path), "display": display(path)}
        connection.execute(update(FailureRow).where(FailureRow.path == name).values(**values))
    return len(names)


_PLACES = select(
    Location.id,
    Location.path,
    Location.frame,
    Location.size,
    Location.mtime_ns,
    Location.inode,
    Location.image_id,
    Location.missing,
    Location.label,
)


def _places(connection: Connection, query: Select[*tuple[object, ...]]) -> list[PlaceRow]:
    return [
        PlaceRow(
            row["id"],
            FileState(Path(os.fsdecode(row["path"])), row["size"], row["mtime_ns"], row["inode"]),
            row["frame"],
            row["image_id"],
            row["missing"],
            row["label"],
        )
        for row in connection.execute(query).mappings()
    ]


# ------------------------------------------------------------------------------- labels: ids that lists gave to files
def changed_labels(connection: Connection, labels: Mapping[Path, str]) -> dict[Path, str]:
    """Those of *labels* that the stored locations do not have yet."""
    differing: dict[Path, str] = {}
    for batch in chunks(list(labels)):
        query = select(Location.path, Location.label).where(Location.path.in_([os.fsencode(path) for path in batch]))
        for name, label in connection.execute(query):
            path = Path(os.fsdecode(name))
            if label != labels[path]:
                differing[path] = labels[path]
    return differing


def put_labels(connection: Connection, labels: Mapping[Path, str]) -> None:
    """Store the labels of files with their locations."""
    for path, label in labels.items():
        connection.execute(update(Location).where(Location.path == os.fsencode(path)).values(label=label))
