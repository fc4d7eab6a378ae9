"""Figures about a database."""

from __future__ import annotations

import json
from collections.abc import Mapping

from dedupindex.groups.report import report
from dedupindex.records.reports import Overview
from dedupindex.settings import Settings
from dedupindex.store import catalog, catalog_proofs
from dedupindex.store.database import Connection, Database
from dedupindex.store.migrate import HEAD


def info(database: Database, settings: Settings, fingerprint: str) -> Mapping[str, int | float | str]:
    """Counts, sizes, versions and settings, by name.

    Parameters
    ----------
    database : Database
    settings : Settings
        In force.
    fingerprint : str
        Of these settings and the feature versions.

    Returns
    -------
    mapping of str to int, float or str

    Raises
    ------
    StoreError
        The database cannot be read.
    """
    with database.read() as connection:
        counts = catalog.counts(connection)
        proofs = catalog_proofs.outcomes(connection)
        segments = catalog.segments(connection)
        generation = catalog.generation(connection)
        program = catalog.get_meta(connection, "program") or ""
    files = [database.vectors / segment.file for segment in segments]
    return {
        "path": database.name,
        **counts,
        **{f"proofs.{outcome}": number for outcome, number in proofs.items()},
        "bytes": database.size() + sum(file.stat().st_size for file in files if file.is_file()),
        "vector_files": len(segments),
        "generation": generation,
        "schema": HEAD,
        "created_by": program,
        "fingerprint": fingerprint,
        **{f"settings.{name}": json.dumps(value) for name, value in settings.shaping().items()},
        **({"settings.hash_only": "true"} if settings.hash_only else {}),
    }


def overview(connection: Connection, runs: int, settings: Settings) -> Overview:
    """The report of everything, the counts and the latest runs, from the state that the transaction sees.

    Parameters
    ----------
    connection : Connection
        In a read transaction.
    runs : int
        How many runs.
    settings : Settings
        For the report.

    Returns
    -------
    Overview
    """
    whole = report(connection, settings=settings)
    return Overview(whole, catalog.counts(connection), tuple(catalog.runs(connection, limit=runs)))
