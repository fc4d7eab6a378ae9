"""Checksums of stored features: over whose they are, their name and their data."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from dedupindex.errors import StoreError
from dedupindex.store.schema import Feature, Image


def seeds(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """What the checksum of a feature begins with: whose it is."""
    query = select(Image.id, Image.sha256, Image.frame, Image.width, Image.height, Image.format)
    for image, sha256, frame, width, height, kind in connection.execute(query.where(Image.id.in_(ids))):
        yield image, b"%b %d %d %d %b" % (sha256, frame, width, height, str(kind).encode())


def checksum_of(seed: bytes, name: str, data: bytes) -> int:
    """CRC-32 of a feature.

    Parameters
    ----------
    seed : bytes
        From `seeds`.
    name : str
    data : bytes

    Returns
    -------
    int
    """
    return zlib.crc32(data, zlib.crc32(name.encode(), zlib.crc32(seed)))


def refuse_damaged(image: int, seed: bytes, name: str, data: bytes, checksum: int | None) -> None:
    """Refuse a feature that is not what was written.

    Parameters
    ----------
    image : int
        Id of the image that it belongs to.
    seed : bytes
        From `seeds`.
    name : str
    data : bytes
    checksum : int or None
        As it is stored; None = nothing was, in a database of an old version.

    Raises
    ------
    StoreError
    """
    if checksum is not None and checksum_of(seed, name, data) != checksum:
        raise StoreError(
            f"image {image}: its stored {name} is damaged; `dedupindex rebuild --describe` reads the picture again, "
            "`dedupindex check --deep` looks for more damage"
        )


def damaged_features(connection: Connection, batch: int = 200) -> Iterator[tuple[int, str]]:
    """Image id and feature name where the checksum does not agree with the data, or with the image it belongs to."""
    last = -1
    while ids := list(
        connection.execute(select(Image.id).where(Image.id > last).order_by(Image.id).limit(batch)).scalars()
    ):
        last = ids[-1]
        begun = dict(seeds(connection, ids))
        query = select(Feature.image_id, Feature.name, Feature.data, Feature.checksum).where(
            Feature.image_id.in_(ids), Feature.checksum.is_not(None)
        )
        for image, name, data, checksum in connection.execute(query):
            if checksum != checksum_of(begun[image], name, data):
                yield image, name
