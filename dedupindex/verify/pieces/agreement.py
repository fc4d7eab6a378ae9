"""Where two pictures agree under a map: masked correlation in windows, and the region that agrees as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.pieces.matching import Matrix, inverse, local_linear, project

WINDOW = 11  # pixels a side of the windows that are correlated
SMOOTHED = 0.8  # pixels of blur before correlating: encoding and resampling differ in the finest detail
TEXTURE = 3.0  # standard deviation, grey levels, from which a window has texture
AGREES = 0.6  # correlation from which a window with texture agrees
SPREAD = 15  # pixels a side over which agreement is averaged before it makes a region
DENSE = 0.6  # share of the texture around that must agree
JOINED = 17  # pixels a side of the closing that joins what agrees across areas without texture
LEAST_SIDE = 12  # pixels of the overlap: smaller ones are not correlated
GREY = 255.0


@dataclass(frozen=True, slots=True)
class Region:
    """The part of the overlap that agrees, in the coarser picture's pixels.

    Attributes
    ----------
    mask : (h, w) bool
        Of the region, within *box*.
    box : (top, left, height, width)
        Of the region, in the coarser picture.
    coarse_is_a : bool
        Which of the two pictures that is.
    fine_to_coarse : (3, 3) float64
    area : float
        Pixels of the region.
    agreeing : float
        Pixels with texture that agree.
    agreement : float
        Share of the region's texture that agrees, 0..1.
    textured : float
        Share of the region that has texture, 0..1.
    mean : float
        Mean correlation of the windows with texture, -1..1.
    ncc : float
        Correlation over the region as a whole, -1..1.
    thickness : float
        Width of the region at its widest place: twice the largest distance to its outline, pixels.
    flat : float
        Share of the region's texture that is drawn: few levels on an even ground, as text and line art, 0..1.
    """

    mask: Mask
    box: tuple[int, int, int, int]
    coarse_is_a: bool
    fine_to_coarse: Matrix
    area: float
    agreeing: float
    agreement: float
    textured: float
    mean: float
    ncc: float
    thickness: float
    flat: float


def corners_of(box: tuple[int, int, int, int]) -> Matrix:
    """Corners (4, 2) float64 of a box (top, left, height, width), as (x, y) in the order of its outline."""
    top, left, height, width = box
    return np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]], np.float64)


def linear_at(region: Region) -> tuple[Matrix, Matrix, Matrix]:
    """The map of the finer picture onto the coarser one near the middle of a region.

    Parameters
    ----------
    region : Region

    Returns
    -------
    linear : (2, 2) float64
    on_fine, on_coarse : (2,) float64
        The middle, (x, y) in pixels of either picture.
    """
    on_coarse = corners_of(region.box).mean(0)
    on_fine = project(inverse(region.fine_to_coarse), on_coarse[None])
    linear = local_linear(region.fine_to_coarse, on_fine)[0].reshape(2, 2)
    return linear, on_fine[0], on_coarse


def region_of(
    picture_a: ByteArray, mask_a: Mask, picture_b: ByteArray, mask_b: Mask, matrix: Matrix, points_a: Matrix
) -> Region | None:
    """The region around matched keypoints in which the pictures agree under a map.

    Parameters
    ----------
    picture_a, picture_b : (H, W) uint8
    mask_a, mask_b : (H, W) bool
        True = valid.
    matrix : (3, 3) float64
        (x, y, 1) of b to those of a.
    points_a : (M, 2) float64
        (x, y) in a of the matches that hold the map.

    Returns
    -------
    Region or None
        None where they share too little, or nothing agrees.
    """
    back = inverse(matrix)
    local = local_linear(matrix, project(back, points_a).mean(0)[None])[0]
    factor = float(np.sqrt(abs(local[0] * local[3] - local[1] * local[2])))
    coarse_is_a = factor <= 1
    if coarse_is_a:
        return _region(picture_a, mask_a, picture_b, mask_b, matrix, factor, points_a, coarse_is_a)
    points_b = project(back, points_a)
    return _region(picture_b, mask_b, picture_a, mask_a, back, 1 / factor, points_b, coarse_is_a)


def _region(
    coarse: ByteArray, coarse_mask: Mask, fine: ByteArray, fine_mask: Mask, matrix: Matrix, factor: float,
    points: Matrix, coarse_is_a: bool,
) -> Region | None:  # fmt: skip
    window = _window(coarse.shape, fine.shape, matrix)
    if window is None:
        return None
    top, left, height, width = window
    still = coarse[top : top + height, left : left + width].astype(np.float32)
    moving, valid = moved(fine, fine_mask, matrix, factor, window)
    valid &= coarse_mask[top : top + height, left : left + width]
    if valid.sum() < LEAST_SIDE**2:
        return None
    still = np.asarray(cv2.GaussianBlur(still, (0, 0), SMOOTHED), np.float32)
    moving = np.asarray(cv2.GaussianBlur(moving, (0, 0), SMOOTHED), np.float32)
    ncc, spread_still, spread_moving = windowed(still, moving, valid)
    textured = valid & (np.maximum(spread_still, spread_moving) > TEXTURE)
    agrees = textured & (ncc > AGREES) & (np.minimum(spread_still, spread_moving) > TEXTURE / 3)
    share = _mean(agrees.astype(np.float32), SPREAD)
    around = _mean(textured.astype(np.float32), SPREAD)
    dense = valid & (share > DENSE * np.maximum(around, 0.05))
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (JOINED, JOINED))
    padded = cv2.copyMakeBorder(dense.astype(np.uint8), JOINED, JOINED, JOINED, JOINED, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[JOINED:-JOINED, JOINED:-JOINED]
    closed = np.asarray(closed, np.uint8) & valid
    count, labels = cv2.connectedComponents(np.ascontiguousarray(closed), connectivity=4)
    if count < 2:
        return None
    columns = np.floor(points[:, 0] - left).astype(int).clip(0, width - 1)
    rows = np.floor(points[:, 1] - top).astype(int).clip(0, height - 1)
    held = np.bincount(labels[rows, columns], minlength=count)
    held[0] = 0
    if not held.any():
        return None
    inside = labels == held.argmax()
    texture = inside & textured
    good = inside & agrees
    if not texture.any():
        return None
    rows_in, columns_in = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    y0, y1, x0, x1 = int(rows_in[0]), int(rows_in[-1]) + 1, int(columns_in[0]), int(columns_in[-1]) + 1
    cut = np.ascontiguousarray(inside[y0:y1, x0:x1])
    framed = cv2.copyMakeBorder(cut.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    drawn = _drawn(still, valid) & texture
    return Region(
        mask=cut,
        box=(top + y0, left + x0, y1 - y0, x1 - x0),
        coarse_is_a=coarse_is_a,
        fine_to_coarse=matrix,
        area=float(inside.sum()),
        agreeing=float(good.sum()),
        agreement=float(good.sum() / texture.sum()),
        textured=float(texture.sum() / inside.sum()),
        mean=float(ncc[texture].mean()),
        ncc=_correlation(still[inside], moving[inside]),
        thickness=2 * float(cv2.distanceTransform(framed, cv2.DIST_L2, 3).max()),
        flat=float(drawn.sum() / texture.sum()),
    )


def _window(shape: tuple[int, ...], other: tuple[int, ...], matrix: Matrix) -> tuple[int, int, int, int] | None:
    """Bounding box, within a picture of *shape*, of what a picture of shape *other* covers under a map onto it."""
    height, width = other[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    depth = corners @ matrix[2, :2] + matrix[2, 2]
    if (depth <= 1e-9).any():
        return None
    moved = project(matrix, corners)
    limit = np.array(shape[1::-1], np.float64)
    low = np.clip(np.floor(moved.min(0)), 0, limit).astype(int)
    high = np.clip(np.ceil(moved.max(0)), 0, limit).astype(int)
    if (high - low).min() < LEAST_SIDE:
        return None
    return int(low[1]), int(low[0]), int(high[1] - low[1]), int(high[0] - low[0])


def moved(
    fine: ByteArray, mask: Mask, matrix: Matrix, factor: float, window: tuple[int, int, int, int]
) -> tuple[FloatArray, Mask]:
    """The finer picture laid on a window of the coarser one, by area averages and then interpolation.

    Parameters
    ----------
    fine : (H, W) uint8
    mask : (H, W) bool
        True = valid.
    matrix : (3, 3) float64
        (x, y, 1) of the finer picture to those of the coarser one.
    factor : float
        Pixels of the coarser picture for one of the finer one, near the window.
    window : (top, left, height, width)
        In the coarser picture.

    Returns
    -------
    picture : (height, width) float32
    valid : (height, width) bool
    """
    top, left, height, width = window
    source, valid = fine, mask.astype(np.float32)
    onto = matrix
    if factor < 0.75:
        rows, columns = max(4, round(fine.shape[0] * factor)), max(4, round(fine.shape[1] * factor))
        size = (columns, rows)
        source = np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.uint8)
        valid = np.asarray(cv2.resize(valid, size, interpolation=cv2.INTER_AREA), np.float32)
        onto = matrix @ np.diag([fine.shape[1] / columns, fine.shape[0] / rows, 1.0])
    half = np.array([[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    shift = np.array([[1.0, 0, -left - 0.5], [0, 1, -top - 0.5], [0, 0, 1]])
    steps = shift @ onto @ half
    warped = cv2.warpPerspective(
        source.astype(np.float32), steps, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = cv2.warpPerspective(valid, steps, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, np.float32), np.asarray(inside > 0.95)


def windowed(still: FloatArray, moving: FloatArray, valid: Mask) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Correlation of two pictures in the window around each pixel, and the spread of each, over valid pixels.

    Parameters
    ----------
    still, moving : (H, W) float32
        Grey levels.
    valid : (H, W) bool

    Returns
    -------
    ncc : (H, W) float32
        -1..1; 0 where a picture is constant.
    spread_still, spread_moving : (H, W) float32
        Standard deviations, grey levels.
    """
    weight = valid.astype(np.float32)
    centre = np.float32(128)
    one, other = (still - centre) * weight, (moving - centre) * weight
    total = np.maximum(_mean(weight, WINDOW), 1e-6)
    mean_one, mean_other = _mean(one, WINDOW) / total, _mean(other, WINDOW) / total
    variance_one = np.maximum(_mean(one * one, WINDOW) / total - mean_one**2, 0)
    variance_other = np.maximum(_mean(other * other, WINDOW) / total - mean_other**2, 0)
    covariance = _mean(one * other, WINDOW) / total - mean_one * mean_other
    norm = np.sqrt(variance_one * variance_other)
    ncc = np.where(norm > 0.05, covariance / np.maximum(norm, 0.05), 0).clip(-1, 1)
    return ncc.astype(np.float32), np.sqrt(variance_one), np.sqrt(variance_other)


def _mean(values: FloatArray, side: int) -> FloatArray:
    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_CONSTANT), np.float32)


def _correlation(one: FloatArray, other: FloatArray) -> float:
    first, second = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / norm) if norm > 1e-6 else 0.0


def _drawn(picture: FloatArray, valid: Mask) -> NDArray[np.bool_]:
    """Where a picture looks drawn or written: an even ground of one level with something darker or lighter on it.

    In each window of `SPREAD` pixels: a large share of pixels lies within a few levels of the lightest or darkest ones
    (the ground), and has no slope.
    """
    kernel = np.ones((SPREAD, SPREAD), np.uint8)
    high, low = cv2.dilate(picture, kernel), cv2.erode(picture, kernel)
    span = np.maximum(high - low, 1e-3)
    near = np.maximum(4.0, 0.06 * span)
    light = _mean((picture > high - near).astype(np.float32) * valid, SPREAD)
    dark = _mean((picture < low + near).astype(np.float32) * valid, SPREAD)
    return np.asarray((np.maximum(light, dark) > 0.3) & (span > 20))
