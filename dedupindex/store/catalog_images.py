"""Images and their features: writing, looking up, reading in batches."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, LargeBinary, String, case, cast, delete, func, insert, select, update

from dedupindex.records import ImageRecord, LocationRecord
from dedupindex.records.answers import DOCUMENT_FORMATS
from dedupindex.store import checksums
from dedupindex.store.catalog import chunks, is_hash_only, under_keys, without_pixels
from dedupindex.store.rows import ContentKey, NewImage
from dedupindex.store.schema import Feature, Image, Location, PieceRow, PieceSearch, PieceSegment
from dedupindex.store.upsert import upsert

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dedupindex.records import CodeArray

IDS_AT_ONCE = 1 << 20  # listed in one text of some 8 MB
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")  # formats of which only the first frame is taken by default
OF_PIECES = ("piece_entries", "piece_codes", "piece_picture")  # features that only the search for pieces reads
DESCRIPTOR = "descriptor"  # name of the feature that goes into the vector index
_COLUMNS = (
    "sha256", "frame", "format", "width", "height", "bits", "channels", "valid_share", "low_information", "scaling",
    "lossless", "metadata_count", "frame_count",
)  # fmt: skip


def put_images(
    connection: Connection, images: Iterable[NewImage], versions: Mapping[str, str], run: int
) -> tuple[dict[tuple[bytes, int], int], int]:
    """Store images with their features; content that is there already is left as it is.

    Parameters
    ----------
    images : iterable of NewImage
    versions : mapping
        Feature name to version.
    run : int
        Id of the run that adds them.

    Returns
    -------
    ids : dict
        Content key (sha256, frame) to image id, for all of *images*.
    added : int
        How many were new.
    """
    wanted = {image.key: image for image in images}
    ids = ids_of_content(connection, list(wanted))
    new = [image for key, image in wanted.items() if key not in ids]
    for image_id in without_features(connection, list(ids.values())):  # an interrupted new description left them
        redescribe(connection, image_id, next(i for i in wanted.values() if ids.get(i.key) == image_id), versions)
    if not new:
        return ids, 0
    rows = [
        {
            **{name: getattr(image, name) for name in _COLUMNS},
            "pixel_sha256": image.pixel_sha256,
            "added_run": run,
        }
        for image in new
    ]
    connection.execute(insert(Image), rows)
    added = ids_of_content(connection, [image.key for image in new])
    put_features(connection, {added[image.key]: image.features for image in new}, versions)
    return ids | added, len(new)


def put_features(
    connection: Connection, features: Mapping[int, Mapping[str, bytes]], versions: Mapping[str, str]
) -> None:
    """Store the features of images, each with a checksum. Older ones of the same name are replaced.

    A database that keeps hashes only takes no pixels, whoever writes.

    Parameters
    ----------
    features : mapping
        Image id to (feature name to packed data).
    versions : mapping
        Feature name to version.
    """
    if is_hash_only(connection):
        features = {image: without_pixels(parts) for image, parts in features.items()}
    seeds = {image: seed for batch in chunks(list(features)) for image, seed in checksums.seeds(connection, batch)}
    rows = [
        {
            "image_id": image,
            "name": name,
            "version": versions.get(name, ""),
            "data": data,
            "checksum": checksums.checksum_of(seeds[image], name, data),
        }
        for image, parts in features.items()
        for name, data in parts.items()
    ]
    upsert(connection, Feature, rows, by=("image_id", "name"))


def redescribe(connection: Connection, image_id: int, image: NewImage, versions: Mapping[str, str]) -> None:
    """Replace everything of an image that settings and feature versions shape; it has to be searched again.

    Parameters
    ----------
    image_id : int
    image : NewImage
        Its new description.
    versions : mapping
        Feature name to version.
    """
    connection.execute(delete(Feature).where(Feature.image_id == image_id))
    connection.execute(delete(PieceSearch).where(PieceSearch.image_id == image_id))
    put_features(connection, {image_id: image.features}, versions)
    connection.execute(
        update(Image)
        .where(Image.id == image_id)
        .values(
            valid_share=image.valid_share,
            low_information=image.low_information,
            scaling=image.scaling,
            pixel_sha256=image.pixel_sha256,
            searched=None,
        )
    )


def without_features(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Those of *ids* that have no features."""
    lacking: list[int] = []
    for batch in chunks(ids):
        described = select(Feature.image_id).where(Feature.image_id == Image.id).exists()
        lacking += connection.execute(select(Image.id).where(Image.id.in_(batch), ~described)).scalars()
    return lacking


def described(connection: Connection, ids: Iterable[int]) -> set[int]:
    """Those of *ids* that are stored and have features."""
    having: set[int] = set()
    for batch in chunks(sorted(set(ids))):
        query = select(Feature.image_id).where(Feature.image_id.in_(batch)).distinct()
        having.update(connection.execute(query).scalars())
    return having


def drop_features(connection: Connection) -> None:
    """Delete every feature: images have to be described and searched again."""
    connection.execute(delete(Feature))
    mark_unsearched(connection)
    connection.execute(delete(PieceSearch))
    connection.execute(delete(PieceRow))
    connection.execute(delete(PieceSegment))


def drop_features_of(connection: Connection, ids: Iterable[int]) -> None:
    """Delete the features of some images: they have to be described again."""
    for batch in chunks(sorted(ids)):
        connection.execute(delete(Feature).where(Feature.image_id.in_(batch)))


def ids_of_content(connection: Connection, keys: Sequence[tuple[bytes, int]]) -> dict[tuple[bytes, int], int]:
    """Ids of the images among *keys* that are stored."""
    ids: dict[tuple[bytes, int], int] = {}
    for query in under_keys(select(Image.sha256, Image.frame, Image.id), Image.sha256, Image.frame, set(keys)):
        ids.update({(bytes(sha256), frame): image for sha256, frame, image in connection.execute(query)})
    return ids


def by_id(connection: Connection, ids: Iterable[int]) -> dict[int, ImageRecord]:
    """Images with their locations: present ones first, then by path. Reports show the first one."""
    wanted = sorted(set(ids))
    locations: dict[int, list[LocationRecord]] = defaultdict(list)
    for batch in chunks(wanted):
        query = (
            select(Location.__table__)
            .where(Location.image_id.in_(batch))
            .order_by(Location.missing, Location.path, Location.frame)
        )
        for row in connection.execute(query).mappings():
            locations[row["image_id"]].append(_location(row))
    images: dict[int, ImageRecord] = {}
    for batch in chunks(wanted):
        for row in connection.execute(select(Image.__table__).where(Image.id.in_(batch))).mappings():
            values: dict[str, Any] = {name: row[name] for name in _COLUMNS}
            images[row["id"]] = ImageRecord(id=row["id"], locations=tuple(locations[row["id"]]), **values)
    return images


def all_images(connection: Connection, batch: int = 1000) -> Iterator[ImageRecord]:
    """Every image, by id."""
    last = 0
    while ids := list(
        connection.execute(select(Image.id).where(Image.id > last).order_by(Image.id).limit(batch)).scalars()
    ):
        images = by_id(connection, ids)
        yield from (images[image] for image in ids)
        last = ids[-1]


def at_location(connection: Connection, path: Path, frame: int = 0) -> ImageRecord | None:
    """The image that is (or was last) at a path; None where there is none.

    Parameters
    ----------
    path : Path
    frame : int
        Frame number in the file.

    Returns
    -------
    ImageRecord or None
    """
    query = select(Location.image_id).where(Location.path == os.fsencode(path), Location.frame == frame)
    image = connection.execute(query).scalar()
    return by_id(connection, [image])[image] if image is not None else None


def several_locations(connection: Connection) -> list[int]:
    """Ids of images that are present at more than one place."""
    query = (
        select(Location.image_id)
        .where(Location.missing.is_(False))
        .group_by(Location.image_id)
        .having(func.count() > 1)
        .order_by(Location.image_id)
    )
    return list(connection.execute(query).scalars())


def features(
    connection: Connection, ids: Iterable[int], names: Collection[str] = (), *, as_they_are: bool = False
) -> dict[int, dict[str, bytes]]:
    """The stored features of images.

    Parameters
    ----------
    ids : iterable of int
    names : collection of str
        Only these features; empty = all but those of pieces, which are large.
    as_they_are : bool
        Damaged ones too.

    Returns
    -------
    dict
        Image id to (feature name to packed data); images without features are left out.

    Raises
    ------
    StoreError
        One is damaged.
    """
    stored: dict[int, dict[str, bytes]] = defaultdict(dict)
    for batch in chunks(sorted(set(ids))):
        query = select(Feature.image_id, Feature.name, Feature.data, Feature.checksum)
        query = query.where(Feature.name.in_(names) if names else Feature.name.not_in(OF_PIECES))
        seeds = {} if as_they_are else dict(checksums.seeds(connection, batch))
        for image, name, data, checksum in connection.execute(query.where(Feature.image_id.in_(batch))):
            if image in seeds:
                checksums.refuse_damaged(image, seeds[image], name, data, checksum)
            stored[image][name] = data
    return dict(stored)


def sketches(connection: Connection, ids: Iterable[int], *more: str) -> dict[int, dict[str, bytes]]:
    """What vetting needs of images: ``keypoints``, ``descriptor`` and the first bytes of ``thumbnail`` (its shape).

    Parameters
    ----------
    ids : iterable of int
    *more : str
        Names of further features, returned whole.

    Returns
    -------
    dict
        Image id to (feature name to data).
    """
    head = func.substr(Feature.data, 1, 4, type_=LargeBinary)
    data = case((Feature.name == "thumbnail", head), else_=Feature.data)
    stored: dict[int, dict[str, bytes]] = defaultdict(dict)
    for batch in chunks(sorted(set(ids))):
        query = select(Feature.image_id, Feature.name, data).where(
            Feature.image_id.in_(batch), Feature.name.in_(("descriptor", "keypoints", "thumbnail", *more))
        )
        for image, name, blob in connection.execute(query):
            stored[image][name] = blob
    return dict(stored)


def indexable_ids(connection: Connection) -> NDArray[np.int64]:
    """Ids that belong in the vector index, rising: all images except those with too little information.

    The database joins them into a few long texts, which is much faster than reading a row for each id.
    """
    import numpy as np

    wanted = select(func.aggregate_strings(cast(Image.id, String), ",")).where(Image.low_information.is_(False))
    last = connection.scalar(select(func.max(Image.id))) or 0
    parts = [
        np.fromstring(text, np.int64, sep=",")
        for start in range(0, last + 1, IDS_AT_ONCE)
        if (text := connection.scalar(wanted.where(Image.id.between(start, start + IDS_AT_ONCE - 1))))
    ]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def descriptors(connection: Connection, ids: NDArray[np.int64], dimensions: int) -> tuple[NDArray[np.int64], CodeArray]:
    """Descriptors of images, in the order of *ids*; ids without a descriptor of that length are left out.

    Parameters
    ----------
    ids : (M,) int64
        No two alike.
    dimensions : int
        Length of a descriptor.

    Returns
    -------
    ids : (N,) int64
    descriptors : (N, dimensions) int8
    """
    import numpy as np

    rows = np.zeros((len(ids), dimensions), np.int8)
    known = np.zeros(len(ids), bool)
    start = 0
    for batch in chunks(ids.tolist()):
        place = {image: row for row, image in enumerate(batch, start)}
        start += len(batch)
        query = select(Feature.image_id, Feature.data).where(
            Feature.image_id.in_(batch), Feature.name == DESCRIPTOR, func.length(Feature.data) == dimensions
        )
        for image, blob in connection.execute(query):
            rows[place[image]] = np.frombuffer(blob, np.int8)
            known[place[image]] = True
    return (ids, rows) if known.all() else (ids[known], rows[known])


def unsearched(connection: Connection, limit: int | None = None, *, after: int = 0) -> list[int]:
    """Ids of images that were not searched for duplicates yet, rising.

    Parameters
    ----------
    limit : int, optional
        Most ids; None = all.
    after : int
        Only ids above this one.

    Returns
    -------
    list of int
    """
    query = select(Image.id).where(Image.searched.is_(None), Image.id > after).order_by(Image.id).limit(limit)
    return list(connection.execute(query).scalars())


def mark_searched(connection: Connection, ids: Sequence[int], run: int) -> None:
    """Note that images were searched for duplicates.

    Parameters
    ----------
    ids : sequence of int
    run : int
        Id of the run that searched them.
    """
    for batch in chunks(ids):
        connection.execute(update(Image).where(Image.id.in_(batch)).values(searched=run))


def mark_unsearched(connection: Connection) -> None:
    """Let the next search for duplicates search every image again."""
    connection.execute(update(Image).values(searched=None))


def mark_unsearched_of(connection: Connection, ids: Iterable[int]) -> None:
    """Let the next search for duplicates search these images again."""
    for batch in chunks(sorted(set(ids))):
        connection.execute(update(Image).where(Image.id.in_(batch)).values(searched=None))


def pixel_twins(connection: Connection, ids: Sequence[int], limit: int) -> dict[int, list[int]]:
    """Other images with the very same decoded pixels and size, smallest content keys first.

    Low-information images have none: an empty page is no evidence.

    Parameters
    ----------
    ids : sequence of int
    limit : int
        Most twins of an image.

    Returns
    -------
    dict of int to list of int
        Image id to the ids of its twins; images without twins are left out.
    """
    own, other = Image.__table__.alias("own"), Image.__table__.alias("other")
    twins_of: dict[int, list[int]] = {}
    for batch in chunks(ids):
        query = (
            select(own.c.id, other.c.id, other.c.low_information)
            .join(other, other.c.pixel_sha256 == own.c.pixel_sha256)
            .where(
                own.c.id.in_(batch),
                own.c.id != other.c.id,
                own.c.width == other.c.width,
                own.c.height == other.c.height,
            )
            .order_by(own.c.id, other.c.sha256, other.c.frame)
        )
        # Not a condition of the query: SQLite would go through the index of that column, image by image.
        for image, twin, low_information in connection.execute(query):
            if low_information:
                continue
            twins = twins_of.setdefault(image, [])
            if len(twins) < limit:
                twins.append(twin)
    return twins_of


def contents(connection: Connection, ids: Iterable[int]) -> dict[int, ContentKey]:
    """The `ContentKey` of images, by id."""
    keys: dict[int, ContentKey] = {}
    for batch in chunks(sorted(set(ids))):
        query = select(Image.id, Image.sha256, Image.frame, Image.pixel_sha256, Image.width, Image.height, Image.format)
        for image, sha256, frame, pixels, *size, format in connection.execute(query.where(Image.id.in_(batch))):
            width, height = size
            document = format in DOCUMENT_FORMATS
            keys[image] = ContentKey((bytes(sha256), frame), (bytes(pixels), width, height), document)
    return keys


def animations(connection: Connection, ids: Iterable[int]) -> set[int]:
    """Those of *ids* that stand for a whole animation: the file has more frames than are stored."""
    frame = Image.__table__.alias("frame")
    stored = select(func.count()).select_from(frame).where(frame.c.sha256 == Image.sha256).scalar_subquery()
    animated: set[int] = set()
    for batch in chunks(sorted(set(ids))):
        several = select(Image.id, Image.frame_count, stored).where(
            Image.id.in_(batch), Image.frame_count > 1, Image.format.in_(ANIMATED)
        )
        animated.update(image for image, frames, present in connection.execute(several) if present < frames)
    return animated


def ids_of_pixels(connection: Connection, pixel_sha256: bytes, width: int, height: int, limit: int) -> list[int]:
    """Images with these decoded pixels and this size, smallest content keys first.

    Parameters
    ----------
    pixel_sha256 : bytes
        SHA-256 of the decoded pixels.
    width, height : int
        Pixels.
    limit : int
        Most ids.

    Returns
    -------
    list of int
    """
    query = (
        select(Image.id)
        .where(
            Image.pixel_sha256 == pixel_sha256,
            Image.width == width,
            Image.height == height,
        )
        .order_by(Image.sha256, Image.frame)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def _location(row: Mapping[Any, Any]) -> LocationRecord:
    return LocationRecord(
        path=Path(os.fsdecode(row["path"])),
        frame=row["frame"],
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        missing=row["missing"],
        label=row["label"],
    )
