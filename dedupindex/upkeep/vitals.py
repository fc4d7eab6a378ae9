"""How a database does: what somebody who watches a service wants to know, in a few cheap questions."""

from __future__ import annotations

from dedupindex.records.upkeep import Vitals
from dedupindex.search.vector_cache import VectorCache
from dedupindex.store import catalog
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema


def pulse(database: Database, vectors: VectorCache) -> int:
    """The generation of a database that answers, has the right schema, and whose vector index has caught up with it.

    Raises
    ------
    StoreError
        One of these is not so; `SchemaVersionError` where it is the schema.
    """
    prepare_schema(database, create=False)
    vectors.current()
    with database.read() as connection:
        return catalog.generation(connection)


def vitals(database: Database, vectors: VectorCache) -> Vitals:
    """All that is worth watching.

    Raises
    ------
    StoreError
    """
    index = vectors.current()
    with database.read() as connection:
        ingests, searches = (catalog.runs(connection, kind, limit=1) for kind in ("ingest", "duplicates"))
        return Vitals(
            generation=catalog.generation(connection),
            vectors=len(index),
            counts=catalog.counts(connection),
            ingested=ingests[0].finished if ingests else None,
            searched=searches[0].finished if searches else None,
        )
