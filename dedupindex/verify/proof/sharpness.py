"""Bring two aligned pictures to one sharpness: the sharper one is filtered until it predicts the other one best.

Blur, resampling and sharpening change the weights of the frequency bands of a picture. The weights of three bands are
fitted where there is detail, robustly, so that a changed place has little influence; the sharper picture is rebuilt
with them. Where hardly anything is left of the finest band, a Gaussian blur is fitted instead, which three bands
describe badly.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, Mask

WIDTHS = 0.8, 2.0, 4.5  # standard deviations that divide the bands, pixels
LEAST_CHANGE = 0.06  # of the weight of a band: smaller changes are left alone
MOST_SAMPLES = 14_000
EDGE_SHARE = 0.3  # share of the samples, those with most detail, that is used for the fit
LEAST_DETAIL = 2.0  # levels
LEAST_SAMPLES = 200
BLURRED = 0.3  # weight of the finest band below which the picture was blurred: a Gaussian is fitted then
GAUSSIANS = tuple(0.9 * 1.25**k for k in range(10))  # standard deviations that are tried, pixels
NEARER = 1.1  # factor of the two further widths that are tried around the best of these
MASKS = 0.7, 1.0, 1.5, 2.0, 3.0, 4.5, 7.0  # standard deviations of unsharp masks that are tried, pixels
BETTER = 0.8  # of the residual without a mask: a mask must leave less than this share
LEAST_AMOUNT = 0.2  # smallest factor of an unsharp mask: weaker ones are handled by the bands
CLIPPED = 3  # levels from black and white within which a sharpened picture may be clipped
LEVEL = 2.0  # levels: scale of the residuals in Cauchy's function
ROUNDS = 3  # of reweighting

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matched:
    """Two pictures of one sharpness.

    Attributes
    ----------
    first, second : (H, W) uint8
        At least one of them is unchanged.
    widths : (float, float)
        Standard deviations of the Gaussians with which they were blurred, pixels; 0 = with none.
    change : float
        Largest change of the weight of a band; 1 where a picture was blurred.
    """

    first: ByteArray
    second: ByteArray
    widths: tuple[float, float] = (0.0, 0.0)
    change: float = 0.0


def match_sharpness(first: ByteArray, second: ByteArray, mask: Mask) -> Matched:
    """Filter the sharper one of two aligned pictures.

    Parameters
    ----------
    first, second : (H, W) uint8
    mask : (H, W) bool
        Where both are valid.

    Returns
    -------
    Matched
    """
    softer = [[np.asarray(cv2.GaussianBlur(p, (0, 0), width), np.uint8) for width in WIDTHS] for p in (first, second)]
    there = _weights(first, second, softer[1], mask)  # of the second's bands, to be like the first
    back = _weights(second, first, softer[0], mask)
    if there is None or back is None:
        return Matched(first, second)
    if there.sum() <= back.sum():  # the second has more detail
        if _is_blur(there):
            made, width = blurred_like(first, second, mask)
            return Matched(first, made, (0.0, width), 1.0)
        return Matched(first, _filtered(second, softer[1], there), change=_change(there))
    if _is_blur(back):
        made, width = blurred_like(second, first, mask)
        return Matched(made, second, (width, 0.0), 1.0)
    return Matched(_filtered(first, softer[0], back), second, change=_change(back))


def blurred_like(target: ByteArray, picture: ByteArray, mask: Mask) -> tuple[ByteArray, float]:
    """Blur a picture by the Gaussian that makes it most like another one, whose tone may differ.

    Parameters
    ----------
    target, picture : (H, W) uint8
        Aligned; `picture` is blurred.
    mask : (H, W) bool
        Where both are valid.

    Returns
    -------
    picture : (H, W) uint8
    width : float
        Standard deviation of the Gaussian, pixels.
    """
    sampled = _sampling(target)
    values = target[sampled][mask[sampled]].astype(np.float64)
    tried: dict[float, tuple[float, ByteArray]] = {}

    def left(width: float) -> float:
        if width not in tried:
            soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), width), np.uint8)
            terms = np.column_stack([soft[sampled][mask[sampled]], np.ones(len(values))]).astype(np.float64)
            tried[width] = _robust(terms, values)[1], soft
        return tried[width][0]

    best = GAUSSIANS[0]
    for width in GAUSSIANS[1:]:
        if left(width) > left(best):
            break
        best = width
    best = min((best / NEARER, best, best * NEARER), key=left)
    return tried[best][1], best


def unsharp_mask(soft: ByteArray, sharp: ByteArray, mask: Mask) -> tuple[float, float] | None:
    """Find the unsharp mask that makes one picture most like another one, whose tone may differ.

    Parameters
    ----------
    soft, sharp : (H, W) uint8
    mask : (H, W) bool
        Where both are valid.

    Returns
    -------
    (width, amount) or None
        Standard deviation in pixels, and the factor of the finer detail that is added; None where no mask fits.
    """
    sampled = _sampling(soft)
    inside = mask[sampled] & (sharp[sampled] > CLIPPED) & (sharp[sampled] < 255 - CLIPPED)
    values = sharp[sampled][inside].astype(np.float64)
    if len(values) < LEAST_SAMPLES:
        return None
    level = soft[sampled][inside].astype(np.float64)
    best: tuple[float, float] | None = None
    least = BETTER * _robust(np.column_stack([level, np.ones(len(level))]), values)[1]
    for width in MASKS:
        fine = level - cv2.GaussianBlur(soft, (0, 0), width)[sampled][inside]
        solution, left = _robust(np.column_stack([level, fine, np.ones(len(level))]), values)
        if left < least and solution[0] > 0:
            least, best = left, (width, float(solution[1] / solution[0]))
    return None if best is None or best[1] < LEAST_AMOUNT else best


def sharpened(picture: ByteArray, width: float, amount: float) -> ByteArray:
    """Apply an unsharp mask.

    Parameters
    ----------
    picture : (H, W) or (H, W, 3) uint8
    width : float
        Standard deviation of the Gaussian, pixels.
    amount : float
        Factor of the finer detail that is added.

    Returns
    -------
    (H, W) or (H, W, 3) uint8
        Clipped to 0..255.
    """
    soft = cv2.GaussianBlur(picture, (0, 0), width)
    return np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), np.uint8)


def _change(weights: Weights) -> float:
    return float(np.abs(weights - 1).max())


def _is_blur(weights: Weights) -> bool:
    return bool(weights[0] < BLURRED and weights[1] < 1)


def _sampling(picture: ByteArray) -> tuple[slice, slice]:
    step = max(1, int(np.ceil(np.sqrt(picture.size / MOST_SAMPLES))))
    return slice(None, None, step), slice(None, None, step)


def _robust(terms: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[Weights, float]:
    """Robust least squares: the solution, and the mean of Cauchy's function of the residuals."""
    weight = np.ones(len(values))
    solution: Weights = np.zeros(terms.shape[1])
    away: Weights = np.zeros(len(values))
    for _ in range(ROUNDS):
        weighted = terms * weight[:, None]
        normal = weighted.T @ terms
        normal[np.diag_indices(len(normal))] += 1e-9 * float(np.trace(normal)) + 1e-9
        solution[:] = np.linalg.solve(normal, weighted.T @ values)
        away[:] = np.abs(values - terms @ solution)
        weight[:] = 1 / (1 + (away / (1.5 * float(np.median(away)) + 0.5)) ** 2)
    return solution, float(np.log1p((away / LEVEL) ** 2).mean())


def _weights(target: ByteArray, source: ByteArray, softer: list[ByteArray], mask: Mask) -> Weights | None:
    """Weights of the bands of `source`, finest first, relative to that of the coarsest part."""
    sampled = _sampling(target)
    inside = mask[sampled]
    levels = [plane[sampled][inside].astype(np.float64) for plane in (source, *softer)]
    if levels[0].size < LEAST_SAMPLES:
        return None
    bands = [upper - lower for upper, lower in itertools.pairwise(levels)]
    detail = np.abs(bands[0]) + np.abs(bands[1])
    chosen = detail >= max(LEAST_DETAIL, float(np.quantile(detail, 1 - EDGE_SHARE)))
    if chosen.sum() < LEAST_SAMPLES:
        return None
    terms = np.column_stack([*bands, levels[-1], np.ones(len(detail))])[chosen]
    values = target[sampled][inside][chosen].astype(np.float64)
    solution = _robust(terms, values)[0]
    if abs(solution[-2]) < 0.05:
        return None
    weights: Weights = (solution[:-2] / solution[-2]).clip(0, 3)
    return weights


def _filtered(picture: ByteArray, softer: list[ByteArray], weights: Weights) -> ByteArray:
    if _change(weights) < LEAST_CHANGE:
        return picture
    ends = np.concatenate([weights, [1.0]])
    result = picture.astype(np.float32) * np.float32(weights[0])
    for plane, change in zip(softer, np.diff(ends), strict=True):
        result += plane * np.float32(change)
    return np.asarray(cv2.convertScaleAbs(np.maximum(result, 0)), np.uint8)
