"""What Pillow 13 makes of 8-bit pictures that it resizes, to the bit, for many of them at once.

Pillow weighs samples by whole numbers, columns first and then rows, or the other way round where the rows become much
fewer, and rounds to 8 bits after each. A matrix product of such numbers in double precision is exact, in whatever order
it is summed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray

Numbers: TypeAlias = NDArray[np.float64]

_ONE = 1 << 22  # what a weight of 1 is to Pillow
BOX_REACH, LANCZOS_REACH = 0.5, 3.0  # of the filters, samples of the smaller of the two pictures


def box_resized(pictures: ByteArray, shape: tuple[int, int]) -> ByteArray:
    """Resize pictures of one shape by `Image.Resampling.BOX`.

    Parameters
    ----------
    pictures : (N, H, W) uint8
    shape : (int, int)
        (h, w) of the result.

    Returns
    -------
    (N, h, w) uint8
    """
    rows_first = _rows_first((pictures.shape[1], pictures.shape[2]), shape)
    for axis in (1, 2) if rows_first else (2, 1):
        length, target = pictures.shape[axis], shape[axis - 1]
        if length == 2 * target:  # of a thumbnail the longer side always
            halves = pictures if axis == 2 else pictures.swapaxes(1, 2)
            sums = np.add(halves[..., ::2], halves[..., 1::2], dtype=np.uint16)
            sums += 1
            sums >>= 1
            small = sums.astype(np.uint8)
            pictures = small if axis == 2 else small.swapaxes(1, 2)
        elif length != target:
            levels, weights = pictures.astype(np.float64), box_weights(length, target)
            pictures = _rounded(weights @ levels if axis == 1 else levels @ weights.T).astype(np.uint8)
    return pictures


def lanczos_resized(pictures: ByteArray, shapes: Sequence[tuple[int, int]]) -> list[Numbers]:
    """Resize pictures of one shape by `Image.Resampling.LANCZOS` to each of some shapes.

    Parameters
    ----------
    pictures : (N, H, W) uint8
    shapes : sequence of (int, int)
        (h, w) of each result.

    Returns
    -------
    list of (N, h, w) float64
        Whole numbers 0..255, for each of *shapes*.
    """
    rows, columns = pictures.shape[1:]
    first_rows = [_rows_first((rows, columns), shape) for shape in shapes]
    made: dict[int, Numbers] = {}
    for by_rows in set(first_rows):
        numbers = [number for number, first in enumerate(first_rows) if first is by_rows]
        tall = np.concatenate([lanczos_weights(rows, shapes[number][0]) for number in numbers])
        wide = np.concatenate([lanczos_weights(columns, shapes[number][1]) for number in numbers]).T
        levels = pictures.astype(np.float64)
        levels = _rounded(_rounded(tall @ levels) @ wide) if by_rows else _rounded(tall @ _rounded(levels @ wide))
        top = left = 0
        for number in numbers:
            height, width = shapes[number]
            made[number] = levels[:, top : top + height, left : left + width]
            top, left = top + height, left + width
    return [made[number] for number in range(len(shapes))]


def _rows_first(shape: tuple[int, int], target: tuple[int, int]) -> bool:
    """Pillow's choice, since version 13; the order shows in the rounding."""
    fewer = shape[0] - target[0]
    return fewer > 0 and fewer > 2 * (shape[1] - target[1])


@lru_cache(maxsize=512)
def box_weights(length: int, target: int) -> Numbers:
    """(target, length): Pillow's weights for `Image.Resampling.BOX`, whole numbers that sum to about 2**22."""
    return _weights(length, target, BOX_REACH, lambda x: 1.0 if -0.5 < x <= 0.5 else 0.0)


@lru_cache(maxsize=512)
def lanczos_weights(length: int, target: int) -> Numbers:
    """(target, length): the same for `Image.Resampling.LANCZOS`."""
    return _weights(length, target, LANCZOS_REACH, lambda x: _sinc(x) * _sinc(x / 3) if -3 <= x < 3 else 0.0)


def _rounded(sums: Numbers) -> Numbers:
    sums *= 1 / _ONE
    sums += 0.5
    np.floor(sums, out=sums)
    return np.clip(sums, 0, 255, out=sums)


def _weights(length: int, target: int, reach: float, shape: Callable[[float], float]) -> Numbers:
    scale = length / target
    wide = max(scale, 1.0)
    weights = np.zeros((target, length))
    for place in range(target):
        centre = (place + 0.5) * scale
        first = max(0, int(centre - reach * wide + 0.5))
        last = min(length, int(centre + reach * wide + 0.5))
        inverse = 1.0 / wide
        row = [shape((number - centre + 0.5) * inverse) for number in range(first, last)]
        total = 0.0
        for weight in row:  # one after the other, as Pillow adds them
            total += weight
        weights[place, first:last] = [_whole(weight / total if total else weight) for weight in row]
    weights.setflags(write=False)
    return weights


def _whole(weight: float) -> int:
    return int(weight * _ONE + (0.5 if weight >= 0 else -0.5))


def _sinc(x: float) -> float:
    return 1.0 if x == 0 else math.sin(x * math.pi) / (x * math.pi)
