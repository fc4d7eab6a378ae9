"""Whether there is something to search for: a few queries, so that a report of what is known loads no search."""

from __future__ import annotations

from pathlib import Path

from dedupindex.search.embedding.spec import read_embedding
from dedupindex.settings import ProofMode, Settings
from dedupindex.store import catalog, catalog_images, catalog_pieces, catalog_proofs
from dedupindex.store.database import Database

EMBEDDING = "embedding"  # which embedding the images were searched with, among the facts about the database
PROFILE = "pieces"  # of the settings, with which pieces are searched for
TAKING_IN = ("ingest", "merge")  # kinds of runs after which groups may differ


def duplicates_due(database: Database, settings: Settings, *, after_any: bool) -> bool:
    """Whether there are images to search, or pairs that an interrupted run left to prove.

    Parameters
    ----------
    database : Database
    settings : Settings
    after_any : bool
        Also True where the latest run was one of `TAKING_IN`.

    Returns
    -------
    bool

    Raises
    ------
    StoreError
    """
    with database.read() as connection:
        latest = catalog.runs(connection, limit=1) if after_any else []
        return (
            bool(catalog_images.unsearched(connection, 1))
            or any(run.kind in TAKING_IN for run in latest)
            or (settings.proof is ProofMode.FULL and catalog_proofs.is_unfinished(connection))
            or (
                bool(settings.embedding)
                and catalog.get_meta(connection, EMBEDDING) != read_embedding(Path(settings.embedding)).fingerprint
            )
        )


def pieces_due(database: Database, settings: Settings) -> bool:
    """Whether there are images that were not searched for pieces yet."""
    if settings.profile != PROFILE:
        return False
    with database.read() as connection:
        return bool(catalog_pieces.unsearched(connection))
