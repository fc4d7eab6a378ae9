"""Folders of this machine that belong to a catalogue on a server."""

from __future__ import annotations

import os
from pathlib import Path

from dedupindex.places import at_home

CACHE_VARIABLE = "DEDUPINDEX_CACHE"


def cache_folder(catalogue: str) -> Path:
    """Where this machine keeps copies of a catalogue's vector files. What is removed there is fetched again."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (at_home(Path(chosen)).absolute() if chosen else _home("XDG_CACHE_HOME", ".cache")) / catalogue


def state_folder(catalogue: str) -> Path:
    """Where this machine keeps what cannot be made again: plans that were applied, and their journals."""
    return _home("XDG_STATE_HOME", ".local/state") / catalogue


def _home(variable: str, default: str) -> Path:
    chosen = Path(os.environ.get(variable, ""))
    return (chosen if chosen.is_absolute() else Path.home() / default) / "dedupindex"
