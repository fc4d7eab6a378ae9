"""How mirroring and transposing a picture act on its global features: signed permutations, known without a picture.

The eight orientations of a square picture (the dihedral group) are made of two generators, the left-right mirror and
the transposition; a quarter turn is the mirror followed by the transposition. A model whose axes commute with them can
turn a stored descriptor into that of the mirrored or turned picture by one small matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.layout import CELLS, DCT_SIDE, HISTOGRAM_BINS, ORIENTATIONS, SPECTRUM_REACH
from dedupindex.records import FloatArray


@dataclass(frozen=True, slots=True)
class SignedPermutation:
    """``y = sign * x[order]``.

    Attributes
    ----------
    order : (D,) intp
    sign : (D,) float32
    """

    order: NDArray[np.intp]
    sign: FloatArray

    def apply(self, vectors: FloatArray) -> FloatArray:
        """Act on the last axis of `vectors`."""
        result: FloatArray = vectors[..., self.order] * self.sign
        return result

    def then(self, other: SignedPermutation) -> SignedPermutation:
        """Return the permutation that acts as this one followed by `other`."""
        return SignedPermutation(self.order[other.order], self.sign[other.order] * other.sign)

    @staticmethod
    def join(*parts: SignedPermutation) -> SignedPermutation:
        """Act on each part of a concatenated vector."""
        offsets = np.cumsum([0, *(len(part.order) for part in parts[:-1])])
        order = np.concatenate([part.order + offset for part, offset in zip(parts, offsets, strict=True)])
        return SignedPermutation(order, np.concatenate([part.sign for part in parts]))


def identity(size: int) -> SignedPermutation:
    """Return the permutation that changes nothing."""
    return SignedPermutation(np.arange(size), np.ones(size, np.float32))


def _plain(order: NDArray[np.intp]) -> SignedPermutation:
    return SignedPermutation(order.ravel(), np.ones(order.size, np.float32))


def mirror_global() -> SignedPermutation:
    """Action of mirroring left-right on (dct, spectrum, histogram, orientation, colour) blocks."""
    dct = identity(DCT_SIDE**2)
    odd = np.where(np.arange(DCT_SIDE**2) % DCT_SIDE % 2, -1, 1).astype(np.float32)
    spectrum = np.arange((2 * SPECTRUM_REACH + 1) * (SPECTRUM_REACH + 1)).reshape(-1, SPECTRUM_REACH + 1)
    cells = np.arange(CELLS**2 * ORIENTATIONS).reshape(CELLS, CELLS, ORIENTATIONS)
    colours = np.arange(CELLS**2 * 3).reshape(CELLS, CELLS, 3)
    return SignedPermutation.join(
        SignedPermutation(dct.order, odd),
        _plain(spectrum[::-1]),
        identity(3 * HISTOGRAM_BINS),
        _plain(cells[:, ::-1][:, :, -np.arange(ORIENTATIONS) % ORIENTATIONS]),
        _plain(colours[:, ::-1]),
    )


def transpose_global() -> SignedPermutation:
    """Action of transposing (swapping rows and columns) on the same blocks."""
    dct = np.arange(DCT_SIDE**2).reshape(DCT_SIDE, DCT_SIDE)
    reach = SPECTRUM_REACH
    spectrum = np.arange((2 * reach + 1) * (reach + 1)).reshape(-1, reach + 1)
    fy, fx = np.mgrid[-reach : reach + 1, : reach + 1]
    # |F| of a real picture is even: frequency (fx, fy) with fy < 0 is read at (-fx, -fy)
    turned = np.where(fy >= 0, spectrum[fx + reach, np.abs(fy)], spectrum[-fx + reach, np.abs(fy)])
    cells = np.arange(CELLS**2 * ORIENTATIONS).reshape(CELLS, CELLS, ORIENTATIONS)
    colours = np.arange(CELLS**2 * 3).reshape(CELLS, CELLS, 3)
    return SignedPermutation.join(
        _plain(dct.T),
        _plain(turned),
        identity(3 * HISTOGRAM_BINS),
        _plain(cells.transpose(1, 0, 2)[:, :, (ORIENTATIONS // 2 - np.arange(ORIENTATIONS)) % ORIENTATIONS]),
        _plain(colours.transpose(1, 0, 2)),
    )


def mirror_sift() -> NDArray[np.intp]:
    """Order in which the 128 numbers of an OpenCV SIFT descriptor stand for the mirrored picture.

    The layout is ((row * 4) + column) * 8 + orientation; mirroring reverses the rows and negates the orientation.
    """
    grid = np.arange(128).reshape(4, 4, 8)
    return grid[::-1][:, :, -np.arange(8) % 8].ravel()
