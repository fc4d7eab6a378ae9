"""Figures for monitoring a service, from a few cheap queries."""

from __future__ import annotations

from dedupindex.records.upkeep import Vitals
from dedupindex.search.vector_cache import VectorCache
from dedupindex.store import catalog
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema


def pulse(database: Database, vectors: VectorCache) -> int:
    """Check that a database can be read, has the right schema, and that the vector index catches up; its generation.

    Raises
    ------
    SchemaVersionError
        The schema is another one.
    StoreError
        The database cannot be read.
    """
    prepare_schema(database, create=False)
    vectors.current()
    with database.read() as connection:
        return catalog.generation(connection)


def vitals(database: Database, vectors: VectorCache) -> Vitals:
    """All figures.

    Raises
    ------
    StoreError
        The database cannot be read.
    """
    index = vectors.current()
    with database.read() as connection:
        ingests, searches = (
            catalog.runs(connection, kind, limit=1) for kind in (catalog.RunKind.INGEST, catalog.RunKind.DUPLICATES)
        )
        return Vitals(
            generation=catalog.generation(connection),
            vectors=len(index),
            counts=catalog.counts(connection),
            ingested=ingests[0].finished if ingests else None,
            searched=searches[0].finished if searches else None,
        )
