"""The limits of the proof, as `tests/tools/fit_proof.py` fitted them: ``fitted/proof.json`` and its manifest."""

from __future__ import annotations

from dataclasses import dataclass

from dedupindex.fitted import digest, numbers


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
        Largest displacement of nine tenths of the blocks in copies, pixels of the grid.
    unlike : float
        Mean correlation below which they are different pictures.
    different : float
        Share of the area, or of what both pictures show (windows with contrast), that differs, above which they are
        different pictures where they do not agree as a whole either.
    alternate : float
        The share of what both show, above which they are alternates and not an edit.
    places : int
        Changed places up to which they are few where half of that share differs, and above which they are many: a
        tenth of that share makes alternates then.
    template : float
        Mean correlation outside the changed places, where these are many and small, below which two pictures share no
        more than a layout.
    solid : float
        Share of their boxes that half as many places or fewer fill, from which they are an edit whatever they cover.
    """

    low: float
    high: float
    agreement: float
    displaced: float
    unlike: float
    different: float
    alternate: float
    places: int
    template: float
    solid: float


MEASURES_VERSION = "6"  # of the measures and the rules: a change needs a new fit
THRESHOLDS = Thresholds(**numbers("proof"))
INFORMATION_VERSION = "1"  # of the measures of which picture holds more; see `information`
FINER_VERSION = "1"  # of when and how a second, finer look is taken; see `finer`
# changes with the fitted limits too
VERSION = f"{MEASURES_VERSION}.{digest('proof')}.{INFORMATION_VERSION}.{FINER_VERSION}"
