"""What two pictures have in common once one is shifted by whole pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedupindex.compare.correlation import pearson
from dedupindex.records import Mask


def overlap_slices(
    shape_a: tuple[int, ...], shape_b: tuple[int, ...], shift: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the slices of a and of b that lie on each other.

    Parameters
    ----------
    shape_a, shape_b : (int, int)
        Heights and widths, pixels.
    shift : (dy, dx)
        Where the first pixel of b lies on a, whole pixels.

    Returns
    -------
    of_a, of_b : (slice, slice)
        Rows and columns; empty ones where the shift parts the two.
    """
    of_a, of_b = [], []
    for m, n, d in zip(shape_a, shape_b, shift, strict=True):
        low = max(d, 0)
        high = max(min(m, n + d), low)
        of_a.append(slice(low, high))
        of_b.append(slice(low - d, high - d))
    return (of_a[0], of_a[1]), (of_b[0], of_b[1])


def pearson_after(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    shift: tuple[float, float],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
) -> float:
    """Correlate two pictures over what both show once b is shifted by whole pixels.

    Parameters
    ----------
    a, b : (H, W) array
        Any real dtype; the sizes may differ.
    shift : (dy, dx)
        Where the first pixel of b lies on a, pixels; rounded.
    mask_a, mask_b : (H, W) bool, optional
        True = valid.

    Returns
    -------
    float
        -1..1; 0 where fewer than two pixels are common or a picture is constant there.
    """
    on_a, on_b = overlap_slices(a.shape, b.shape, (round(shift[0]), round(shift[1])))
    mask = np.ones(a[on_a].shape, bool)
    if mask_a is not None:
        mask &= mask_a[on_a]
    if mask_b is not None:
        mask &= mask_b[on_b]
    return pearson(a[on_a], b[on_b], mask)
