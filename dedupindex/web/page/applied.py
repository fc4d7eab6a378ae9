"""Results of plans that the page carried out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Applied:
    """Result of a plan."""

    id: str
    words: str
    troubles: tuple[str, ...]
    journal: Path
    undone: bool = False
    anything: bool = True  # there is something to take back
