"""The engine that the settings name."""

from __future__ import annotations

from importlib.util import find_spec

from dedupindex.engines.embedded import Embedded
from dedupindex.errors import SettingsError
from dedupindex.execution.engine import WORK, Engine
from dedupindex.settings import Settings
from dedupindex.store.database import Database


def engine_for(settings: Settings, database: Database) -> Engine:
    """The engine that the settings name, for a database.

    Raises
    ------
    SettingsError
        There is no such engine, or what it needs is not installed.
    """
    if not settings.engine:
        return Embedded()
    kind, _, address = settings.engine.partition("://")
    needed = ("pyarrow", "fsspec") if kind == "local" else ("pyarrow", "fsspec", "ray")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        needs = " and ".join(missing)
        raise SettingsError(f"engine {settings.engine} needs {needs}: install dedupindex with its extra 'ray'")
    from dedupindex.engines.parted import PartedEngine

    return PartedEngine(settings.work or str(database.beside(WORK)), address=address if kind == "ray" else None)
