"""The shift between two pictures without correlation: sums of differences, block matching, descent; all mask-aware.

Every shift is ``(dy, dx)`` in pixels: ``b[y, x]`` lies on ``a[y + dy, x + dx]``. Differences are means over the pixels
that both show, so that overlaps of any size compare; they see gain and offset, unlike correlation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.compare.correlation import padded_shape
from dedupindex.compare.overlap import overlap_slices
from dedupindex.records import ByteArray, FloatArray, Mask

MIN_OVERLAP = 0.25  # of the smaller valid area: below, a few pixels that agree by chance would win
BLOCK = 32  # side of a block, pixels
REACH = 10  # largest |dy| and |dx| of a block, pixels
BLOCK_SHARE = 0.5  # of a block's pixels that must be valid in both
TEXTURED = 0.1  # standard deviation of a block over the picture's: below, every vector fits about equally well
COARSEST = 12  # shortest side of the coarsest level of the pyramid, pixels
ROUNDING = 1e-12  # of the mean square: what FFTs leave of a difference of nothing

Valid = tuple[FloatArray, ByteArray]


@dataclass(frozen=True, slots=True)
class ShiftMatch:
    """The shift at which two pictures differ least.

    Attributes
    ----------
    shift : (dy, dx)
        Pixels of a.
    value : float
        Mean difference per common valid pixel there: squared for SSD and descent, absolute for SAD.
    overlap : float
        Common valid area over the smaller valid area, 0..1.
    """

    shift: tuple[int, int]
    value: float
    overlap: float


@dataclass(frozen=True, slots=True)
class MotionField:
    """Motion vectors of the blocks of b, and what most of them say.

    Attributes
    ----------
    positions : (N, 2) int
        (y, x) of each compared block's upper left corner in b.
    vectors : (N, 2) int
        (dy, dx) of each.
    shift : (dy, dx)
        Median of the vectors within a pixel of the most frequent one.
    agreement : float
        Share of compared blocks within a pixel of `shift`, among those that a shows there, 0..1.
    """

    positions: NDArray[np.int64]
    vectors: NDArray[np.int64]
    shift: tuple[float, float]
    agreement: float


@dataclass(frozen=True, slots=True)
class Descent:
    """Where a descent of the mean squared difference ended.

    Attributes
    ----------
    shift : (dy, dx)
        Pixels of a.
    value : float
        Mean squared difference of the blurred pictures there.
    steps : int
        Steps of one pixel, on all levels.
    """

    shift: tuple[int, int]
    value: float
    steps: int


def ssd_shift(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    limit: int | None = None,
    min_overlap: float = MIN_OVERLAP,
) -> ShiftMatch:
    """Find the shift with the least mean squared difference, over all shifts at once through FFTs.

    ``sum m_a m_b (a - b)^2 / sum m_a m_b``, each sum a correlation of masked pictures and squares.

    Parameters
    ----------
    a, b : (H, W), (H', W') arrays
        Any real dtype, on one scale of values; sizes may differ.
    mask_a, mask_b : bool arrays or None
        True = valid; values elsewhere cannot change the result.
    limit : int, optional
        Largest |dy| and |dx|; by default whatever overlap is left.
    min_overlap : float
        Smallest common valid area over the smaller valid area, 0..1.

    Returns
    -------
    ShiftMatch

    Raises
    ------
    ValueError
        Pictures that are not 2-D, masks of another shape, or no shift with enough overlap.
    """
    from scipy import fft  # slow to import: only when it is used

    first, valid_a = _masked(a, mask_a, np.float64)
    second, valid_b = _masked(b, mask_b, np.float64)
    smallest = _smallest(valid_a, valid_b, min_overlap)
    level = float(first.sum() / valid_a.sum())  # common to both: changes no difference, spares digits
    first, second = (first - level) * valid_a, (second - level) * valid_b
    padded = padded_shape(first.shape, second.shape)

    def transformed(values: NDArray[np.float64]) -> NDArray[np.complex128]:
        result: NDArray[np.complex128] = fft.rfft2(values, padded)
        return result

    def inverse(product: NDArray[np.complex128]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = fft.irfft2(product, padded)
        return result

    area_a, area_b = transformed(valid_a.astype(np.float64)), np.conj(transformed(valid_b.astype(np.float64)))
    count = np.rint(inverse(area_a * area_b))
    total = inverse(
        transformed(first**2) * area_b
        + area_a * np.conj(transformed(second**2))
        - 2 * transformed(first) * np.conj(transformed(second))
    )
    floor = ROUNDING * float((first**2).sum() + (second**2).sum())
    total[total < floor] = 0.0
    enough = count >= smallest
    if limit is not None:
        enough &= np.logical_and.outer(*(np.minimum(np.arange(n), n - np.arange(n)) <= limit for n in padded))
    if not enough.any():
        raise ValueError(f"no shift within {limit} leaves an overlap of {min_overlap}")
    mean = np.divide(total, count, out=np.full(padded, np.inf), where=enough)
    row, column = (int(i) for i in np.unravel_index(int(mean.argmin()), padded))
    dy = row - padded[0] if row >= first.shape[0] else row
    dx = column - padded[1] if column >= first.shape[1] else column
    common = float(count[row, column])
    return ShiftMatch((dy, dx), float(mean[row, column]), common / min(int(valid_a.sum()), int(valid_b.sum())))


def sad_shift(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    limit: int = 16,
    min_overlap: float = MIN_OVERLAP,
    start: tuple[int, int] = (0, 0),
    squared: bool = False,
) -> ShiftMatch:
    """Find the shift with the least mean absolute difference, one shift after the other.

    Parameters
    ----------
    a, b : (H, W), (H', W') arrays
        Compared as float32; sizes may differ.
    mask_a, mask_b : bool arrays or None
        True = valid.
    limit : int
        Largest distance from `start` along y and x, pixels; the time grows with its square.
    min_overlap : float
        Smallest common valid area over the smaller valid area, 0..1.
    start : (dy, dx)
        Middle of the search; of equal shifts the nearest to it wins.
    squared : bool
        Mean squared difference instead.

    Returns
    -------
    ShiftMatch

    Raises
    ------
    ValueError
        As `ssd_shift`.
    """
    first, second = _float_pair(a, b, mask_a, mask_b)
    smallest = _smallest(first[1], second[1], min_overlap)
    area = min(int(first[1].sum()), int(second[1].sum()))
    best: ShiftMatch | None = None
    for dy, dx in _rings(limit):
        shift = (start[0] + dy, start[1] + dx)
        value, common = _difference(first, second, shift, squared=squared)
        if common >= smallest and (best is None or value < best.value):
            best = ShiftMatch(shift, value, common / area)
    if best is None:
        raise ValueError(f"no shift within {limit} of {start} leaves an overlap of {min_overlap}")
    return best


def motion_vectors(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    block: int = BLOCK,
    reach: int = REACH,
    start: tuple[int, int] = (0, 0),
) -> MotionField:
    """Find where each block of b lies on a (least SAD within a reach), and the shift that most blocks share.

    Blocks that are masked by half or have hardly any contrast are not compared.

    Parameters
    ----------
    a, b : (H, W), (H', W') arrays
        Compared as float32; sizes may differ.
    mask_a, mask_b : bool arrays or None
        True = valid.
    block : int
        Side of a block, pixels.
    reach : int
        Largest distance from `start` along y and x, pixels.
    start : (dy, dx)
        Middle of the search.

    Returns
    -------
    MotionField

    Raises
    ------
    ValueError
        Pictures that are not 2-D, masks of another shape, or no block that can be compared.
    """
    first, second = _float_pair(a, b, mask_a, mask_b)
    rows, columns = second[0].shape[0] // block, second[0].shape[1] // block
    if not rows or not columns:
        raise ValueError(f"picture {second[0].shape} has no block of {block} pixels")
    height, width = rows * block, columns * block
    picture, valid = second[0][:height, :width], second[1][:height, :width].astype(np.float32)
    canvas, canvas_valid = _canvas(first, (height, width), reach, start)
    shifts = list(_rings(reach))
    cost = np.full((len(shifts), rows, columns), np.inf)
    for i, (dy, dx) in enumerate(shifts):
        place = slice(reach + dy, reach + dy + height), slice(reach + dx, reach + dx + width)
        both = canvas_valid[place] * valid
        share = _block_means(both, (rows, columns))
        difference = _block_means(cv2.absdiff(canvas[place], picture) * both, (rows, columns))
        np.divide(difference, share, out=cost[i], where=share >= BLOCK_SHARE)
    compared = np.isfinite(cost).any(0) & _textured(picture, valid, (rows, columns))
    if not compared.any():
        raise ValueError("no block has contrast and lies on the other picture")
    steps = np.array(shifts)
    best = steps[cost.argmin(0)[compared]]
    votes = cv2.boxFilter(_votes(best, reach), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    mode = np.array(np.unravel_index(int((votes + 1e-3 * _votes(best, reach)).argmax()), votes.shape)) - reach
    shift = np.median(best[np.abs(best - mode).max(1) <= 1], axis=0)
    near = np.abs(best - shift).max(1) <= 1
    there = int(np.abs(steps - shift).max(1).argmin())
    shown = near | np.isfinite(cost[there][compared])
    return MotionField(
        positions=np.argwhere(compared) * block,
        vectors=best + np.array(start),
        shift=(float(shift[0]) + start[0], float(shift[1]) + start[1]),
        agreement=float(near.sum() / max(1, shown.sum())),
    )


def descend_shift(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    start: tuple[int, int] = (0, 0),
    blur: float = 1.5,
    min_overlap: float = MIN_OVERLAP,
) -> Descent:
    """Descend the mean squared difference, a pixel at a time, from coarse to fine blurred pictures.

    On each level of a Gaussian pyramid the shift moves to the best of its eight neighbours until none is better. It
    finds the nearest minimum, which need not be the global one.

    Parameters
    ----------
    a, b : (H, W), (H', W') arrays
        Compared as float32; sizes may differ.
    mask_a, mask_b : bool arrays or None
        True = valid.
    start : (dy, dx)
        Where the descent begins, pixels.
    blur : float
        Standard deviation of the Gaussian on every level, pixels of the level.
    min_overlap : float
        Smallest common valid area over the smaller valid area that the descent may reach, 0..1.

    Returns
    -------
    Descent

    Raises
    ------
    ValueError
        Pictures that are not 2-D, masks of another shape, or too little overlap at the start.
    """
    levels = [_float_pair(a, b, mask_a, mask_b)]
    while min(*levels[-1][0][0].shape, *levels[-1][1][0].shape) >= 2 * COARSEST:
        smaller = _halved(levels[-1][0]), _halved(levels[-1][1])
        if not (smaller[0][1].any() and smaller[1][1].any()):
            break
        levels.append(smaller)
    divisor = 2 ** (len(levels) - 1)
    shift, steps, value = (round(start[0] / divisor), round(start[1] / divisor)), 0, np.inf
    for depth, (first, second) in enumerate(reversed(levels)):
        if depth:
            shift = (2 * shift[0], 2 * shift[1])
        shift, value, taken = _walk(_blurred(first, blur), _blurred(second, blur), shift, min_overlap)
        steps += taken
    if not np.isfinite(value):
        raise ValueError(f"at the start {start} the pictures overlap by less than {min_overlap}")
    return Descent(shift, value, steps)


def _masked(picture: NDArray[np.generic], mask: Mask | None, dtype: type) -> tuple[NDArray[np.float64], Mask]:
    if picture.ndim != 2 or (mask is not None and mask.shape != picture.shape):
        raise ValueError(f"picture {picture.shape} must be 2-D and as large as its mask {getattr(mask, 'shape', None)}")
    valid = np.ones(picture.shape, bool) if mask is None else mask
    if not valid.any():
        raise ValueError("no pixel is valid")
    return np.where(valid, picture, 0).astype(dtype), valid


def _float_pair(
    a: NDArray[np.generic], b: NDArray[np.generic], mask_a: Mask | None, mask_b: Mask | None
) -> tuple[Valid, Valid]:
    (first, valid_a), (second, valid_b) = _masked(a, mask_a, np.float32), _masked(b, mask_b, np.float32)
    return (first.astype(np.float32, copy=False), valid_a.astype(np.uint8)), (
        second.astype(np.float32, copy=False),
        valid_b.astype(np.uint8),
    )


def _smallest(valid_a: NDArray[np.generic], valid_b: NDArray[np.generic], min_overlap: float) -> float:
    return max(min_overlap * min(int((valid_a != 0).sum()), int((valid_b != 0).sum())), 1.0)


def _rings(limit: int) -> Iterator[tuple[int, int]]:
    """All whole shifts up to a limit along each axis, the nearest first."""
    steps = np.mgrid[-limit : limit + 1, -limit : limit + 1].reshape(2, -1).T
    for dy, dx in steps[np.argsort((steps**2).sum(1), kind="stable")]:
        yield int(dy), int(dx)


def _difference(first: Valid, second: Valid, shift: tuple[int, int], *, squared: bool) -> tuple[float, int]:
    """Mean difference over the common valid pixels, and their number."""
    on_a, on_b = overlap_slices(first[0].shape, second[0].shape, shift)
    if not first[0][on_a].size:
        return np.inf, 0
    both = cv2.bitwise_and(first[1][on_a], second[1][on_b])
    common = cv2.countNonZero(both)
    if not common:
        return np.inf, 0
    kind = cv2.NORM_L2SQR if squared else cv2.NORM_L1
    return float(cv2.norm(first[0][on_a], second[0][on_b], kind, both)) / common, common


def _canvas(
    picture: Valid, shape: tuple[int, int], reach: int, start: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """The part of a that blocks of b can reach, and where it is valid."""
    size = (shape[0] + 2 * reach, shape[1] + 2 * reach)
    values, valid = np.zeros(size, np.float32), np.zeros(size, np.float32)
    on_canvas, on_a = overlap_slices(size, picture[0].shape, (reach - start[0], reach - start[1]))
    values[on_canvas] = picture[0][on_a]
    valid[on_canvas] = picture[1][on_a]
    return values, valid


def _block_means(values: FloatArray, shape: tuple[int, int]) -> FloatArray:
    return np.asarray(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_AREA), np.float32).reshape(shape)


def _textured(picture: FloatArray, valid: FloatArray, shape: tuple[int, int]) -> Mask:
    share = np.maximum(_block_means(valid, shape), np.float32(1e-6))
    mean = float((picture * valid).sum() / max(float(valid.sum()), 1.0))
    centred = (picture - np.float32(mean)) * valid
    variance = _block_means(centred**2, shape) / share - (_block_means(centred, shape) / share) ** 2
    overall = float((centred**2).sum() / max(float(valid.sum()), 1.0))
    result: Mask = (variance > TEXTURED**2 * overall) & (share >= BLOCK_SHARE)
    return result


def _votes(vectors: NDArray[np.int64], reach: int) -> FloatArray:
    votes = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    np.add.at(votes, (vectors[:, 0] + reach, vectors[:, 1] + reach), 1)
    return votes


def _halved(picture: Valid) -> Valid:
    """Half the size, every second pixel of a Gaussian over the valid ones: a shift is halved exactly."""
    weight = cv2.pyrDown(picture[1].astype(np.float32), borderType=cv2.BORDER_REPLICATE)
    total = cv2.pyrDown(picture[0] * picture[1], borderType=cv2.BORDER_REPLICATE)
    return _quotient(total, weight)


def _blurred(picture: Valid, sigma: float) -> Valid:
    if sigma <= 0:
        return picture
    weight = cv2.GaussianBlur(picture[1].astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    total = cv2.GaussianBlur(picture[0] * picture[1], (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    values, _ = _quotient(total, weight)
    return values, picture[1]


def _quotient(total: NDArray[Any], weight: NDArray[Any]) -> Valid:
    values = np.divide(total, weight, out=np.zeros(total.shape, np.float32), where=weight > 1e-4)
    return values, (weight >= 0.5).astype(np.uint8)


def _walk(
    first: Valid, second: Valid, shift: tuple[int, int], min_overlap: float
) -> tuple[tuple[int, int], float, int]:
    smallest = _smallest(first[1], second[1], min_overlap)
    known: dict[tuple[int, int], float] = {}

    def value(at: tuple[int, int]) -> float:
        if at not in known:
            mean, common = _difference(first, second, at, squared=True)
            known[at] = mean if common >= smallest else np.inf
        return known[at]

    steps = 0
    while True:
        neighbours = [(shift[0] + dy, shift[1] + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        best = min(neighbours, key=value)
        if not value(best) < value(shift):
            return shift, value(shift), steps
        shift, steps = best, steps + 1
