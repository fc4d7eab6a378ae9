"""The limits of the proof; `proof_thresholds.json` says how they were fitted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of what counts as changed.

    Attributes
    ----------
    low, high : float
        Unexplained difference of a window, levels of 0..255: from which it belongs to a changed region, and which a
        region must reach somewhere.
    different : float
        Share of what the pictures show (windows with contrast) that differs, above which they are different pictures.
    alternate : float
        The same share, above which they are alternates and not an edit.
    places : int
        Regions above which they are alternates where a quarter of that share differs.
    """

    low: float
    high: float
    different: float
    alternate: float
    places: int


THRESHOLDS = Thresholds(low=4.0, high=13.5, different=0.5, alternate=0.15, places=8)
VERSION = "1"
