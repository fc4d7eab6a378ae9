"""The limits of the proof, as `tests/tools/fit_proof.py` fitted them; `proof_thresholds.json` says from what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of what counts as changed, as alike and as the same.

    Attributes
    ----------
    low : float
        Unexplained difference of a window from which it belongs to a changed place, levels of 0..255.
    high : float
        Weight of a changed place (`Place.weight`) from which it counts, levels.
    agreement : float
        Mean correlation of the windows in which both show something, below which nothing is proven the same.
    displaced : float
        Pixels of the grid that nine tenths of the blocks lie off each other at most, in copies.
    unlike : float
        Mean correlation below which they are different pictures.
    different : float
        Share of what the pictures show (windows with contrast) that differs, above which they are different pictures.
    alternate : float
        The same share, above which they are alternates and not an edit.
    places : int
        Changed places above which they are alternates where a quarter of that share differs.
    """

    low: float
    high: float
    agreement: float
    displaced: float
    unlike: float
    different: float
    alternate: float
    places: int


THRESHOLDS = Thresholds(
    low=4.0, high=10.3, agreement=0.84, displaced=0.4, unlike=0.4, different=0.5, alternate=0.2, places=8
)
VERSION = "1"
