"""Paths as an ingest stores them."""

from __future__ import annotations

import os
import re
from pathlib import Path

_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/.")  # one letter before the colon is a drive


def is_elsewhere(path: Path) -> bool:
    """Whether a place is none of this machine's file system: ``s3:/bucket/key``, ``upload:/name.jpg``."""
    return _ELSEWHERE.match(os.fspath(path)) is not None


def absolute(path: Path) -> Path:
    """As an ingest would have stored it: absolute, links kept; places elsewhere as they are."""
    if is_elsewhere(path):
        return path
    path = path.expanduser() if os.fspath(path).startswith("~") and not os.path.lexists(path) else path
    if ".." in path.parts:
        return Path(os.path.realpath(path.parent)) / path.name if path.name != ".." else Path(os.path.realpath(path))
    return path.absolute()
