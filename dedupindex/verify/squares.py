"""All orientations of a picture laid on another one at a small size: what every shift is worth, from spectra made once.

Where one picture, turned or mirrored, is brought to fill another one, both are the same square, whatever their aspects.
So each picture is brought to a square once, and of a turned square no spectrum is needed: a mirror along an axis makes
the correlation along it a convolution, a quarter turn swaps the axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Features, FloatArray

SIDE, PADDED = 32, 64  # of the squares and of their transforms, pixels
REACH = 16  # pixels of a shift along either axis: beyond, less than half of the squares is common
MIN_COMMON = 0.5  # of the squares
FLAT = 1e-5  # variance, of values in -1..1, below which an overlap is flat
Orientation: TypeAlias = tuple[bool, bool, bool]  # axes swapped; then rows in reverse, columns in reverse
AS_IT_IS: Orientation = (False, False, False)


def orientation_of(linear: NDArray[np.float64]) -> Orientation:
    """What a signed permutation of the axes (2, 2), times positive numbers, does to the array of a picture."""
    swapped = linear[0, 0] == 0
    return bool(swapped), bool(linear[1].sum() < 0), bool(linear[0].sum() < 0)


def oriented(spectrum: NDArray[np.complex64], orientation: Orientation) -> NDArray[np.complex64]:
    """The factor that makes a product of spectra the correlation with an oriented picture.

    Parameters
    ----------
    spectrum : (P, P // 2 + 1) complex64
        Of the picture, its axes swapped where the orientation says so.
    orientation : Orientation

    Returns
    -------
    (P, P // 2 + 1) complex64
        Along an axis in reverse, the correlation at a shift stands as many places further on as the picture has pixels
        there, less one.
    """
    _, rows, columns = orientation
    if rows != columns:
        spectrum = spectrum[-np.arange(len(spectrum)) % len(spectrum)]
    return spectrum if columns else np.conj(spectrum)


@dataclass(frozen=True)
class Square:
    """A picture without a mask, as a square.

    Attributes
    ----------
    values : (SIDE, SIDE) float32
        About -1..1, mean 0.
    """

    values: FloatArray

    @cached_property
    def spectrum(self) -> NDArray[np.complex64]:
        """(PADDED, PADDED // 2 + 1) transform."""
        return _transform(self.values)

    @cached_property
    def swapped(self) -> NDArray[np.complex64]:
        """The same, rows and columns swapped."""
        return _transform(self.values.T)

    @cached_property
    def still(self) -> NDArray[np.complex64]:
        """The same as `spectrum`, the picture moved by `REACH` so that no shift within it is negative."""
        return np.asarray(self.spectrum * _moved(), np.complex64)

    @cached_property
    def windows(self) -> tuple[FloatArray, FloatArray]:
        """Two (2 REACH + 1, 2 REACH + 1) arrays for shifts from -REACH to REACH of another square.

        The sum over what both have in common, over the root of its pixels; and one over the root of the sum of the
        squared differences from the mean there, 0 where that is flat.
        """
        sums = np.zeros((2, SIDE + 1, SIDE + 1))
        sums[0, 1:, 1:], sums[1, 1:, 1:] = self.values, self.values**2
        sums = sums.cumsum(1).cumsum(2)
        shift = np.arange(-REACH, REACH + 1)
        start, end = np.maximum(shift, 0), np.minimum(shift + SIDE, SIDE)
        along = sums[:, end] - sums[:, start]
        total, squares = along[:, :, end] - along[:, :, start]
        count = _common()
        spread = squares - total**2 / count
        inverse = np.where(spread > FLAT * count, 1 / np.sqrt(np.maximum(spread, 1e-12)), 0)
        return (total / np.sqrt(count)).astype(np.float32), inverse.astype(np.float32)


def square_of(features: Features) -> Square | None:
    """The thumbnail as a square; None where it has a mask, or is smaller than that."""
    if min(features.mask.shape) < SIDE or not features.mask.all():
        return None
    small = cv2.resize(features.thumbnail.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Square(np.asarray((small - small.mean()) / np.float32(128), np.float32))


def peaks(a: Square, b: Square, orientations: Sequence[Orientation]) -> FloatArray:
    """The highest correlation over all shifts that leave half of the squares in common, for orientations of b.

    Parameters
    ----------
    a, b : Square
    orientations : sequence of Orientation
        N of them.

    Returns
    -------
    (N,) float32
        -1..1.
    """
    from scipy import fft  # slow to import: only when it is used

    products = np.stack([a.still * oriented(b.swapped if one[0] else b.spectrum, one) for one in orientations])
    surfaces = fft.irfft2(products, (PADDED, PADDED))
    total_a, inverse_a = a.windows
    allowed = _allowed()
    best = np.empty(len(orientations), np.float32)
    for number, (surface, (swapped, rows, columns)) in enumerate(zip(surfaces, orientations, strict=True)):
        row, column = (SIDE - 1 if backwards else 0 for backwards in (rows, columns))
        score = surface[row : row + 2 * REACH + 1, column : column + 2 * REACH + 1]
        # of b the window of the opposite shift counts, of an axis in reverse that of the same one
        step = np.s_[:: 1 if rows else -1, :: 1 if columns else -1]
        total_b, inverse_b = ((window.T if swapped else window)[step] for window in b.windows)
        best[number] = ((score - total_a * total_b) * (inverse_a * inverse_b) * allowed).max()
    return best


def _transform(values: FloatArray) -> NDArray[np.complex64]:
    from scipy import fft  # slow to import: only when it is used

    spectrum: NDArray[np.complex64] = fft.rfft2(values, (PADDED, PADDED))
    return spectrum


@lru_cache(maxsize=1)
def _moved() -> NDArray[np.complex64]:
    """What moves a picture by `REACH` along both axes."""
    phase = np.exp(-2j * np.pi * REACH / PADDED * np.arange(PADDED))
    return np.outer(phase, phase[: PADDED // 2 + 1]).astype(np.complex64)


@lru_cache(maxsize=1)
def _common() -> NDArray[np.float64]:
    """(2 REACH + 1, 2 REACH + 1) pixels that two squares have in common."""
    along = SIDE - np.abs(np.arange(-REACH, REACH + 1)).astype(np.float64)
    return np.outer(along, along)


@lru_cache(maxsize=1)
def _allowed() -> FloatArray:
    """1 for shifts with enough in common, else 0."""
    return (_common() >= MIN_COMMON * SIDE**2).astype(np.float32)
