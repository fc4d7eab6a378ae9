"""Area resampling of stacks of pictures by two small matrices: mask-aware, any size to any size, vectorised."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dedupindex.records import FloatArray


@lru_cache(maxsize=512)
def area_matrix(length: int, target: int) -> FloatArray:
    """Weights that resample a signal by area (box) averaging; piecewise constant when it grows.

    Parameters
    ----------
    length, target : int
        Samples before and after.

    Returns
    -------
    (target, length) float32
        Rows sum to 1.
    """
    edges = np.linspace(0.0, length, target + 1)
    low, high = edges[:-1, None], edges[1:, None]
    cell = np.arange(length)[None, :]
    cover = np.clip(np.minimum(high, cell + 1) - np.maximum(low, cell), 0.0, None)
    matrix: FloatArray = (cover / cover.sum(1, keepdims=True)).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def resample(pictures: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Resample the last two axes to `shape` by area averaging.

    Parameters
    ----------
    pictures : (..., H, W) float32
    shape : (int, int)

    Returns
    -------
    (..., h, w) float32
    """
    rows, columns = area_matrix(pictures.shape[-2], shape[0]), area_matrix(pictures.shape[-1], shape[1])
    return np.asarray(rows @ pictures @ columns.T, np.float32)


def resample_masked(
    pictures: FloatArray, weights: FloatArray | None, shape: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Resample by the average of the valid part of each target pixel's area.

    Parameters
    ----------
    pictures : (..., H, W) float32
    weights : (..., H, W) float32, 0..1, or None
        Validity of each pixel; broadcasts against `pictures`. None = all 1; the result is the same, and faster.
    shape : (int, int)

    Returns
    -------
    values : (..., h, w) float32
        0 where nothing is valid.
    share : (..., h, w) float32, 0..1
        Valid share of each target pixel's area.
    """
    if weights is None:
        whole = _whole_share(pictures.shape[-2], pictures.shape[-1], shape)
        values = resample(pictures, shape)
        return values / whole, np.broadcast_to(whole, values.shape)
    share = resample(weights, shape)
    values = resample(pictures * weights, shape)
    return np.divide(values, share, out=np.zeros_like(values), where=share > 1e-6), share


@lru_cache(maxsize=512)
def _whole_share(height: int, width: int, shape: tuple[int, int]) -> FloatArray:
    """What `resample` makes of ones: 1, give or take the last bit."""
    share = resample(np.ones((height, width), np.float32), shape)
    share.setflags(write=False)
    return share


def fitted(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size of a picture of `shape` when its longest side is brought down to `side`; never larger."""
    longest = max(shape)
    if longest <= side:
        return shape
    return max(1, round(shape[0] * side / longest)), max(1, round(shape[1] * side / longest))
