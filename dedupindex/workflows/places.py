"""Paths as an ingest stores them."""

from __future__ import annotations

import os
from pathlib import Path


def absolute(path: Path) -> Path:
    """As an ingest would have stored it: absolute, links kept."""
    path = path.expanduser() if os.fspath(path).startswith("~") and not os.path.lexists(path) else path
    if ".." in path.parts:
        return Path(os.path.realpath(path.parent)) / path.name if path.name != ".." else Path(os.path.realpath(path))
    return path.absolute()
