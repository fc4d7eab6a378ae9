"""Vectors of an embedding of one's own, stored as a feature whose version is the embedding's fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from dedupindex.store.catalog_images import described, put_features
from dedupindex.store.schema import Feature, Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dedupindex.records import CodeArray

FEATURE = "embedding"


def without_embedding(connection: Connection, version: str) -> list[int]:
    """Ids of the images that have no vector of that version, rising."""
    has = select(Feature.image_id).where(
        Feature.image_id == Image.id, Feature.name == FEATURE, Feature.version == version
    )
    return list(connection.execute(select(Image.id).where(~has.exists()).order_by(Image.id)).scalars())


def put_embeddings(connection: Connection, vectors: Mapping[int, CodeArray], version: str) -> None:
    """Store vectors of images that are there; older ones, also of other embeddings, are replaced.

    Parameters
    ----------
    connection : Connection
    vectors : mapping of int to (D,) int8
        By image id.
    version : str
        Fingerprint of the embedding.
    """
    there = described(connection, vectors)
    parts = {image: {FEATURE: vector.tobytes()} for image, vector in vectors.items() if image in there}
    put_features(connection, parts, {FEATURE: version})


def embeddings(connection: Connection, version: str) -> tuple[NDArray[np.int64], CodeArray]:
    """Ids (N,) and vectors (N, D) int8 of that version, by id; of several lengths only the most frequent one."""
    import numpy as np

    own = (Feature.name == FEATURE) & (Feature.version == version)
    size = func.length(Feature.data)
    length = connection.execute(select(size).where(own).group_by(size).order_by(func.count().desc()).limit(1)).scalar()
    if not length:
        return np.empty(0, np.int64), np.empty((0, 1), np.int8)
    query = select(Feature.image_id, Feature.data).where(own, size == length).order_by(Feature.image_id)
    rows = connection.execute(query).all()
    ids = np.array([image for image, _ in rows], np.int64)
    return ids, np.frombuffer(b"".join(data for _, data in rows), np.int8).reshape(len(rows), int(length))
