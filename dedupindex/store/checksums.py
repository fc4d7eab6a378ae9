"""Checksums of stored features: over whose they are, their name and their data."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from dedupindex.errors import StoreError
from dedupindex.store.schema import Image


def seeds(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """What the checksum of a feature begins with: whose it is."""
    query = select(Image.id, Image.sha256, Image.frame, Image.width, Image.height, Image.format)
    for image, sha256, frame, width, height, kind in connection.execute(query.where(Image.id.in_(ids))):
        yield image, b"%b %d %d %d %b" % (sha256, frame, width, height, str(kind).encode())


def checksum_of(seed: bytes, name: str, data: bytes) -> int:
    """CRC-32 of a feature."""
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
