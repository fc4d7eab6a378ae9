"""Decisions that were just made, and how people name a picture by its content."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dedupindex.records.answers import Decision

KEY = re.compile(r"(?P<digits>[0-9a-fA-F]{8,64})(?:#(?:frame=)?(?P<frame>[0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions that were made, and the generation of the database that holds them."""

    decisions: tuple[Decision, ...]
    generation: int
