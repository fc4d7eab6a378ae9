"""One number about two pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Better: TypeAlias = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about two pictures.

    Attributes
    ----------
    name : str
    value : float
    better : {"higher", "lower"}
        Which values mean more alike.
    detail : str
        Shift, size and the like, for people.
    """

    name: str
    value: float
    better: Better
    detail: str
