"""Pictures that look similar and are no copies: by an embedding of one's own, else by the descriptor."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dedupindex.errors import SettingsError
from dedupindex.execution.progress import Progress
from dedupindex.features import aim, probes
from dedupindex.ingest.query_pictures import describe_picture
from dedupindex.places import absolute
from dedupindex.records import FloatArray, Link, Neighbour
from dedupindex.search import candidates
from dedupindex.search.embedding.spec import Embedding, read_embedding
from dedupindex.search.embedding.stored import Embedded, as_probes, bring_up_to_date, embedded, vector_of_file
from dedupindex.search.vector_cache import VectorCache
from dedupindex.settings import Settings
from dedupindex.sources import parse_address
from dedupindex.store import catalog_images, catalog_pairs
from dedupindex.store.database import Database
from dedupindex.vectors import VectorIndex

EVERYTHING = 2.0  # the largest distance there is
COPIES = 200  # most confirmed copies of a picture that are told apart


def similar(
    database: Database,
    vectors: VectorCache,
    settings: Settings,
    picture: str | os.PathLike[str],
    *,
    limit: int,
    progress: Progress,
) -> list[Neighbour]:
    """The nearest stored images that are not confirmed to show what a picture shows.

    Parameters
    ----------
    database : Database
    vectors : VectorCache
    settings : Settings
        With `embedding` by that, else by the descriptor.
    picture : path or address
        It need not be stored, unless the embedding is a file of vectors.
    limit : int
    progress : Progress

    Returns
    -------
    list of Neighbour
        Nearest first; images without a present place are left out.

    Raises
    ------
    ReadError
        It cannot be read as a picture.
    SettingsError
        The embedding cannot be used, or knows no vector of the picture.
    StoreError
    """
    image, features = describe_picture(picture, settings)
    index = vectors.current()
    matches = candidates.query(database, index, settings, image, features, limit=COPIES)
    left_out = {match.image.id for match in matches}
    with database.read() as connection:
        own = set(catalog_images.ids_of_content(connection, [image.key]).values())
        paired = catalog_pairs.known_pairs(connection, sorted(own))
        for pair in catalog_pairs.pairs(connection, among={image for both in paired for image in both}):
            if pair.link in (Link.COPY, Link.UNPROVEN) and {pair.a.id, pair.b.id} & own:
                left_out |= {pair.a.id, pair.b.id}
    left_out |= own
    if settings.embedding:
        embedding = read_embedding(Path(settings.embedding))
        if not database.read_only:
            bring_up_to_date(database, settings, embedding, progress)
        held = embedded(database, embedding)
        asked, searched = _probe(held, own, picture, settings, embedding), held.index
    else:
        [asked], searched = probes([aim(features, settings.profile)]), index
    return _nearest(database, searched, asked, left_out, limit)


def _probe(
    held: Embedded, own: set[int], picture: str | os.PathLike[str], settings: Settings, embedding: Embedding
) -> FloatArray:
    """The picture's vector as a probe, (1, D): as it is stored, else by the model."""
    row = next((row for image in sorted(own) if (row := held.row_of(image)) is not None), None)
    if row is None and embedding.is_model:
        row = vector_of_file(os.fspath(picture), settings, embedding)
    if row is None:
        path, _ = parse_address(os.fspath(picture))
        raise SettingsError(f"{embedding.path.name} has no vector of {absolute(path)}")
    return as_probes(row[None])


def _nearest(
    database: Database, index: VectorIndex, asked: FloatArray, left_out: set[int], limit: int
) -> list[Neighbour]:
    if not len(asked) or not len(index):
        return []
    answers = index.search(np.ascontiguousarray(asked), EVERYTHING, limit + len(left_out))
    merged, _ = candidates.merge(answers, EVERYTHING)
    wanted = [one for one in merged if one.image_id not in left_out]
    with database.read() as connection:
        known = catalog_images.by_id(connection, [one.image_id for one in wanted])
    there = [
        Neighbour(known[one.image_id], one.distance)
        for one in wanted
        if one.image_id in known and known[one.image_id].locations and not known[one.image_id].locations[0].missing
    ]
    return there[:limit]
