"""Correlation block by block of two aligned pictures: where they agree, and on how much of their area.

`agreement.py` does the same in a window around every pixel of two thumbnails; this is for arrays of any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray, Mask

BLOCK = 12  # side of a block, pixels
AGREES = 0.4  # NCC of a block that shows the same
FLAT = 1e-6  # standard deviation relative to the picture's range: below, a block is constant up to rounding


@dataclass(frozen=True, slots=True)
class BlockScores:
    """Correlation of two pictures in each block.

    Attributes
    ----------
    ncc : (By, Bx) float32
        -1..1; 0 where a block is flat in either picture or has fewer than two valid pixels.
    share : (By, Bx) float32
        Valid share of the block, 0..1; blocks at the lower and right edge may hang over.
    spread_a, spread_b : (By, Bx) float32
        Standard deviations over the block's valid pixels, in the pictures' own units.
    """

    ncc: FloatArray
    share: FloatArray
    spread_a: FloatArray
    spread_b: FloatArray

    def agreement(self, texture: float, *, min_share: float = 0.5) -> float:
        """Share of blocks that agree among those with at least that contrast in either picture, 0..1; 0 for none."""
        compared = (self.share >= min_share) & (np.maximum(self.spread_a, self.spread_b) > texture)
        return float((self.ncc[compared] > AGREES).mean()) if compared.any() else 0.0


def block_ncc(
    a: NDArray[np.generic], b: NDArray[np.generic], mask: Mask | None = None, *, block: int = BLOCK
) -> BlockScores:
    """Correlate two aligned pictures in each block of a grid.

    Parameters
    ----------
    a, b : (H, W) arrays
        Values under the mask may be anything, NaN too.
    mask : (H, W) bool, optional
        True = valid in both.
    block : int
        Side of a block, pixels.

    Returns
    -------
    BlockScores

    Raises
    ------
    ValueError
        Different shapes, not 2-D, or a block of nothing.
    """
    if a.ndim != 2 or a.shape != b.shape or (mask is not None and mask.shape != a.shape) or block < 1:
        raise ValueError(f"pictures {a.shape}, {b.shape} must be 2-D, alike and as large as their mask; block {block}")
    valid = np.ones(a.shape, bool) if mask is None else mask
    weight = _in_blocks(valid.astype(np.float64), block)
    count = weight.sum((1, 3))
    number = np.maximum(count, 1)
    (first, spread_a, flat_a), (second, spread_b, flat_b) = (_centred(p, valid, weight, number, block) for p in (a, b))
    product = np.einsum("iyjx,iyjx->ij", first, second) / number
    solid = ~flat_a & ~flat_b & (count >= 2)
    ncc = np.divide(product, spread_a * spread_b, out=np.zeros_like(product), where=solid)
    return BlockScores(
        np.clip(ncc, -1, 1).astype(np.float32),
        (count / block**2).astype(np.float32),
        spread_a.astype(np.float32),
        spread_b.astype(np.float32),
    )


def _in_blocks(values: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """(By, block, Bx, block), filled up with zeros."""
    rows, columns = (-(-n // block) for n in values.shape)
    padding = ((0, rows * block - values.shape[0]), (0, columns * block - values.shape[1]))
    return np.pad(values, padding).reshape(rows, block, columns, block)


def _centred(
    picture: NDArray[np.generic], valid: Mask, weight: NDArray[np.float64], number: NDArray[np.float64], block: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], Mask]:
    """Values less their block's mean, their standard deviation, and whether that is nothing but rounding."""
    values = np.where(valid, picture, 0).astype(np.float64)
    blocks = _in_blocks(values, block)
    mean = blocks.sum((1, 3)) / number
    centred = (blocks - mean[:, None, :, None]) * weight
    spread = np.sqrt(np.einsum("iyjx,iyjx->ij", centred, centred) / number)
    contrast = float(np.ptp(values[valid])) if valid.any() else 0.0
    precision = np.finfo(picture.dtype.name if picture.dtype.kind == "f" else "float64").eps
    flat: Mask = spread <= FLAT * contrast + 4 * float(precision) * float(np.abs(values).max(initial=0.0))
    return centred, spread, flat
