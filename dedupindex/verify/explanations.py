"""What may have been done to one of two aligned pictures, the cheapest explanation first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, Mask
from dedupindex.verify.matching import Explanation, as_they_are, by_channel, colours, full_colours, toned
from dedupindex.verify.proof_picture import Laid


def explanations(
    laid: Laid, matrix: NDArray[np.float64], first: ByteArray, second: ByteArray, mask: Mask, sign: float
) -> Iterator[Explanation]:
    """Yield explanations of how two pictures came from each other, until one is taken.

    Parameters
    ----------
    laid : Laid
    matrix : (2, 3) float64
        Grid pixel indices to those of the moving picture.
    first, second : (H, W) uint8
    mask : (H, W) bool
        From `aligned`.
    sign : float
        -1 for negatives.
    """
    small = colours(laid, matrix)
    if sign > 0:
        yield as_they_are(first, second, small)
    explanation, changed = toned(first, second, mask, sign, small)
    yield explanation
    full = full_colours(laid, matrix) if changed else None
    if full is not None:
        yield by_channel(*full, mask, sign)
