"""Refine a registration to a fraction of a pixel: robust least squares on points with contrast, coarse to fine.

Inverse compositional alignment (Baker and Matthews 2004, doi:10.1023/B:VISI.0000011205.11775.fd) with Cauchy weights,
so that a part that was changed or has moved has little influence. Coarse levels compare local contrast, which tone
does not change; on the finest level a gain and an offset are fitted for the tone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.keypoint_registration import compose, invert

COARSEST = 96  # longest side below which no coarser level is made, pixels
FINEST = 640  # longest side above which the finest level is half of it: its accuracy of 1/50 pixel is enough
ROUNDS = 6  # iterations a level
SCORED = 0.5  # of the typical contrast of the points: residual whose weight in the score is one half
STILL = 0.02  # pixels of a level: a step that moves no corner further ends it
MOST_POINTS = 4_000
LEAST_POINTS = 40
NEAR = 0.5  # pixels of a level: maps that differ by less count as equal
REACH = 0.035  # share of the longest side by which the refinement may move a corner
CONTEXT = 5.0  # standard deviation of the neighbourhood that local contrast is relative to, pixels
FLOOR = 4.0  # grey levels added to the local spread, so that noise in flat areas is not amplified

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Level:
    still: FloatArray
    moving: FloatArray
    still_valid: Mask | None
    moving_valid: Mask | None
    factor: int


def refine(
    still: ByteArray,
    moving: ByteArray,
    matrix: Matrix,
    still_mask: Mask | None = None,
    moving_mask: Mask | None = None,
) -> tuple[Matrix, float]:
    """Refine an affine map between two pictures.

    Parameters
    ----------
    still, moving : (H, W), (H', W') uint8
    matrix : (2, 3) float64
        (x, y, 1) pixel indices of `still` to those of `moving`, good to a few hundredths of the side.
    still_mask, moving_mask : bool arrays or None
        True = valid.

    Returns
    -------
    matrix : (2, 3) float64
        Refined; as given where the pictures have too little contrast in common, or moved further than is plausible.
    sign : float
        1, or -1 where the pictures are negatives of each other.
    """
    first = matrix
    sign = 0.0
    side = max(still.shape)
    levels = 0
    while side / 2 ** (levels + 1) >= COARSEST and levels < 5:
        levels += 1
    finest = 1 if side > FINEST else 0
    for number in range(levels, finest - 1, -1):
        level = _level(still, moving, still_mask, moving_mask, 2**number, plain=number == finest and levels > finest)
        points = _points(level)
        if len(points) < LEAST_POINTS:
            continue
        if not sign:
            sign = _sign(level, points, matrix)
        # a coarse level can fail on a page of few, thin lines; so the given map is tried again on every level
        starts = [matrix]
        if _corner_shift(first, matrix, still.shape) > NEAR * level.factor:
            starts.append(first)
        matrix = max((_aligned(level, points, start, sign) for start in starts), key=lambda fit: fit[1])[0]
    limit = max(REACH * side, 3.0)
    if _corner_shift(first, matrix, still.shape) > limit:
        return first, sign or 1.0
    return matrix, sign or 1.0


def _level(
    still: ByteArray, moving: ByteArray, still_mask: Mask | None, moving_mask: Mask | None, factor: int, *, plain: bool
) -> _Level:
    pictures: list[FloatArray] = []
    valid: list[Mask | None] = []
    for picture, mask in ((still, still_mask), (moving, moving_mask)):
        small = _shrunk(picture, factor)
        pictures.append(small if plain else local_contrast(small))
        valid.append(None if mask is None else _shrunk_mask(mask, factor))
    return _Level(pictures[0], pictures[1], valid[0], valid[1], factor)


def _shrunk(picture: ByteArray, factor: int) -> FloatArray:
    """Every `factor`-th pixel after Gaussian smoothing: averages over squares would show thin lines by chance."""
    while factor > 1:
        picture = np.asarray(cv2.pyrDown(picture), np.uint8)
        factor //= 2
    return picture.astype(np.float32)


def _shrunk_mask(mask: Mask, factor: int) -> Mask:
    """Valid where all pixels that the smoothed pixel and its local contrast depend on are."""
    reach = 2 * factor + 1
    solid = cv2.erode(mask.astype(np.uint8), np.ones((reach, reach), np.uint8), borderValue=1.0)[::factor, ::factor]
    return np.asarray(cv2.erode(solid, np.ones((7, 7), np.uint8), borderValue=1.0), bool)


def local_contrast(picture: FloatArray) -> FloatArray:
    """Return how far each pixel is from its neighbourhood, relative to the neighbourhood's own spread."""
    centred = picture - cv2.GaussianBlur(picture, (0, 0), CONTEXT)
    spread = np.sqrt(np.maximum(cv2.GaussianBlur(centred * centred, (0, 0), CONTEXT), 0)) + FLOOR
    return np.asarray(cv2.GaussianBlur(centred / spread, (0, 0), 0.8), np.float32)


def _points(level: _Level) -> NDArray[np.intp]:
    """The point of most contrast of each small cell: (y, x) rows."""
    picture = level.still
    if min(picture.shape) < 8:
        return np.empty((0, 2), np.intp)
    contrast = np.abs(picture[1:-1, 2:] - picture[1:-1, :-2]) + np.abs(picture[2:, 1:-1] - picture[:-2, 1:-1])
    if level.still_valid is not None:
        contrast = contrast * level.still_valid[1:-1, 1:-1]
    cell = max(1, int(np.ceil(np.sqrt(contrast.size / MOST_POINTS))))
    rows, columns = contrast.shape[0] // cell, contrast.shape[1] // cell
    cells = contrast[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell).swapaxes(1, 2)
    flat = cells.reshape(rows, columns, cell * cell)
    best = flat.argmax(2)
    value = np.take_along_axis(flat, best[..., None], 2)[..., 0]
    y = np.arange(rows)[:, None] * cell + best // cell + 1
    x = np.arange(columns)[None, :] * cell + best % cell + 1
    kept = value > 0.05 * max(float(value.max()), 1e-6)
    return np.column_stack([y[kept], x[kept]])


def _sampled(
    picture: FloatArray, valid: Mask | None, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Mask]:
    """Bilinear samples, and which of them lie inside."""
    rows, columns = picture.shape
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    inside = (left >= 0) & (top >= 0) & (left < columns - 1) & (top < rows - 1)
    left, top = np.clip(left, 0, columns - 2), np.clip(top, 0, rows - 2)
    if valid is not None:
        inside &= valid[top, left]
    u, v = x - left, y - top
    flat = picture.reshape(-1)
    start = top * columns + left
    upper = flat[start] * (1 - u) + flat[start + 1] * u
    lower = flat[start + columns] * (1 - u) + flat[start + columns + 1] * u
    return upper * (1 - v) + lower * v, inside


def _at_level(matrix: Matrix, factor: int) -> Matrix:
    """The map between pictures of which every `factor`-th pixel is left."""
    return np.column_stack([matrix[:, :2], matrix[:, 2] / factor])


def _from_level(matrix: Matrix, factor: int) -> Matrix:
    return np.column_stack([matrix[:, :2], matrix[:, 2] * factor])


def _moved(
    level: _Level, own: Matrix, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Mask]:
    """The moving picture where points of the still one lie on it."""
    return _sampled(
        level.moving,
        level.moving_valid,
        own[0, 0] * x + own[0, 1] * y + own[0, 2],
        own[1, 0] * x + own[1, 1] * y + own[1, 2],
    )


def _sign(level: _Level, points: NDArray[np.intp], matrix: Matrix) -> float:
    moved, inside = _moved(
        level, _at_level(matrix, level.factor), points[:, 1].astype(float), points[:, 0].astype(float)
    )
    still = level.still[points[:, 0], points[:, 1]]
    return -1.0 if float((moved * still)[inside].sum()) < 0 else 1.0


def _aligned(level: _Level, points: NDArray[np.intp], matrix: Matrix, sign: float) -> tuple[Matrix, float]:
    """The map that explains the points best, of those on the way from `matrix`; and how well, 0..1."""
    picture = level.still
    row, column = points[:, 0], points[:, 1]
    target = picture[row, column].astype(np.float64)
    gx = (picture[row, column + 1] - picture[row, column - 1]).astype(np.float64) / 2
    gy = (picture[row + 1, column] - picture[row - 1, column]).astype(np.float64) / 2
    centre = np.array(picture.shape[::-1]) / 2
    unit = float(max(picture.shape)) / 2
    x, y = column.astype(np.float64), row.astype(np.float64)
    u, v = (x - centre[0]) / unit, (y - centre[1]) / unit
    jacobian = np.column_stack([gx, gx * u, gx * v, gy, gy * u, gy * v, target, np.ones(len(x))])
    scale = SCORED * (float(np.median(np.abs(target - np.median(target)))) + 1e-6)
    own = best = _at_level(matrix, level.factor)
    gain, offset, best_score = sign, 0.0, -1.0
    for number in range(ROUNDS + 1):
        moved, inside = _moved(level, own, x, y)
        if inside.sum() < LEAST_POINTS:
            break
        if number == 0:
            gain, offset = _gain(target[inside], moved[inside], sign)
        residual = gain * moved + offset - target
        score = float(np.mean(inside / (1 + (residual / scale) ** 2)))
        if score > best_score:
            best, best_score = own, score
        elif score < best_score - 0.02:
            break
        if number == ROUNDS:
            break
        spread = 1.5 * float(np.median(np.abs(residual[inside][::3]))) + 1e-6
        weight = np.where(inside, 1 / (1 + (residual / spread) ** 2), 0.0)
        weighted = jacobian * weight[:, None]
        normal = weighted.T @ jacobian
        normal[np.diag_indices(8)] += 1e-6 * np.diag(normal) + 1e-12
        step = np.linalg.solve(normal, weighted.T @ residual)
        # the step's gain and offset refer to the target, so they are applied inversely to those of the moving picture
        gain, offset = gain * (1 - step[6]), offset * (1 - step[6]) - step[7]
        change = np.array([[step[1], step[2]], [step[4], step[5]]]) / unit
        shift = np.array([step[0], step[3]]) - change @ centre
        own_step = np.column_stack([np.eye(2) + change, shift])
        own = compose(own, invert(own_step))
        if _corner_shift(own_step, np.eye(2, 3), picture.shape) < STILL:
            best = own if best is not None and score >= best_score else best
            break
    return _from_level(best, level.factor), best_score


def _gain(target: NDArray[np.float64], moved: NDArray[np.float64], sign: float) -> tuple[float, float]:
    """Gain and offset of `moved` that give it the spread and the median of `target`."""
    middle_t, middle_m = float(np.median(target)), float(np.median(moved))
    spread_t = float(np.median(np.abs(target - middle_t)))
    spread_m = float(np.median(np.abs(moved - middle_m)))
    if min(spread_t, spread_m) < 1e-3:
        spread_t, spread_m = float(target.std()) + 1e-3, float(moved.std()) + 1e-3
    gain = sign * min(8.0, max(0.125, spread_t / spread_m))
    return gain, middle_t - gain * middle_m


def _corner_shift(first: Matrix, second: Matrix, shape: tuple[int, ...]) -> float:
    rows, columns = shape[:2]
    corners = np.array([[0, 0, 1], [columns, 0, 1], [0, rows, 1], [columns, rows, 1]], np.float64)
    return float(np.abs(corners @ (first - second).T).max())
