"""Numbers that were fitted to data, as the scripts in ``tests/tools`` wrote them.

``NAME.json`` holds the numbers; ``NAME.manifest.json`` beside it says by which script, on which data, with which seed
and feature versions they were fitted, and what they reached. No number in these files is edited by hand.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def numbers(name: str) -> dict[str, Any]:
    """Read the numbers called *name*, e.g. ``score``; read once a process, not to be changed."""
    read: dict[str, Any] = json.loads((resources.files(__name__) / f"{name}.json").read_text(encoding="utf-8"))
    return read


@cache
def digest(name: str) -> str:
    """Eight hexadecimal digits that change with the numbers called *name*."""
    return hashlib.sha256((resources.files(__name__) / f"{name}.json").read_bytes()).hexdigest()[:8]
