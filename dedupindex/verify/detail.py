"""Agreement of two aligned pictures in what is not layout: without lines, without outlines, without a smooth trend.

Pages of one layout have their lines of text and rules in the same places, objects cut out on one colour have an
outline, slowly changing fields have a direction. These agree between pictures that have nothing else in common, and
they make up most of the contrast. In copies, what remains without them agrees too.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray, Mask

LENGTH = 11  # pixels: length of the windows whose mean is subtracted to remove lines
SOFT = 0.8  # sigma of the blur before that, pixels: detail of one pixel is mostly noise
CLIPPED = 3.0  # times the median magnitude at which detail is clipped, to limit the influence of a few strong marks
LEAST_CLIP = 2.0  # grey levels
FLAT = 2.5  # grey levels: standard deviation within `FLAT_SIDE` pixels below which a pixel counts as flat
FLAT_SIDE = 5
INWARD = 4  # pixels between the inner part and flat areas: an outline and the blur around it
LEAST_INNER = 40  # pixels: a smaller inner part is not judged by itself
FEW = 24  # pixels of a side
LEVEL = 1.0  # grey levels: rounding error that is always assumed in a picture without its trend
NEAR, FAR = 3, 32  # pixels between which a repetition of the detail is sought
SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))  # pixels that an alignment may be off


def detail_agreement(a: FloatArray, b: FloatArray, mask: Mask) -> Mapping[str, float]:
    """Measure how two aligned pictures agree in their detail.

    Parameters
    ----------
    a, b : (H, W) float32
        0..255.
    mask : (H, W) bool
        Where both are valid.

    Returns
    -------
    mapping
        ``detail``, the correlation of what `without_lines` leaves; ``inner``, the same within `inner_part`, and where
        that is too small ``detail`` again; ``inner_pixels``, its size; ``echo``, the highest correlation of the detail
        when one picture is shifted against the other by `NEAR` to `FAR` pixels, at least 0 (it is high for the
        rows and columns of a table); ``trendless``, the correlation of the pictures without their quadratic trend. All
        correlations -1..1, 0 where there is nothing to correlate.
    """
    weight = mask.astype(np.float32)
    inner = inner_part(a, b, mask)
    inner_pixels = int(np.count_nonzero(inner))
    first, second = (clipped(without_lines(picture, weight), mask) for picture in (a, b))
    best, best_inner = -1.0, -1.0
    for dy, dx in SHIFTS:
        moved = np.roll(second, (dy, dx), (0, 1)) if dy or dx else second
        whole = _cosine(first, moved, weight)
        if whole > best:
            best = whole
            if inner_pixels >= LEAST_INNER:
                best_inner = _cosine(first, moved, inner.astype(np.float32))
    if inner_pixels < LEAST_INNER:
        best_inner = best
    return {
        "detail": best,
        "inner": best_inner,
        "inner_pixels": float(inner_pixels),
        "echo": _echo(first * weight, second * weight),
        "trendless": _trendless_correlation(a, b, mask),
    }


def without_lines(picture: FloatArray, weight: FloatArray, length: int = LENGTH, soft: float = SOFT) -> FloatArray:
    """Remove what is constant along a row or along a column, within `length` pixels around each pixel.

    Rules, frames, baselines and the rows of a text vanish, with all that changes slowly; letters, words and texture
    stay.

    Parameters
    ----------
    picture : (H, W) float32
    weight : (H, W) float32
        1 = valid, 0 = not.
    length : int
        Pixels.
    soft : float
        Sigma of the blur before that, pixels; 0 = none.

    Returns
    -------
    (H, W) float32
    """
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), soft), np.float32) if soft else picture
    row, column, both = (_mean(blurred, weight, size) for size in ((length, 1), (1, length), (length, length)))
    return np.asarray(blurred - row - column + both, np.float32)


def inner_part(a: FloatArray, b: FloatArray, mask: Mask) -> Mask:
    """Where neither picture is flat, and `INWARD` pixels further in, so that the outline of an object is left out.

    A pixel that is flat in one picture counts as flat: noise on the background of a copy must not make it part of the
    object.

    Parameters
    ----------
    a, b : (H, W) float32
        0..255.
    mask : (H, W) bool
        Where both are valid.

    Returns
    -------
    (H, W) bool
        The whole mask where nothing is flat.
    """
    weight = mask.astype(np.float32)
    return inner_of(np.minimum(spread(a, weight), spread(b, weight)), mask)


def inner_of(contrast: FloatArray, mask: Mask) -> Mask:
    """`inner_part` from the contrast within `FLAT_SIDE` pixels around each pixel (`spread`), grey levels."""
    seen = ((contrast > FLAT) & mask).astype(np.uint8)
    closed = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, np.ones((FLAT_SIDE, FLAT_SIDE), np.uint8))
    side = 2 * INWARD + 1
    solid = cv2.erode(closed, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    inner: Mask = solid.astype(bool) & mask
    return inner


def _mean(picture: FloatArray, weight: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Mean of the valid pixels in a window (width, height) around each pixel."""
    total, count = (
        cv2.boxFilter(values, cv2.CV_32F, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
        for values in (picture * weight, weight)
    )
    return np.asarray(total / np.maximum(count, 1), np.float32)


def spread(picture: FloatArray, weight: FloatArray) -> FloatArray:
    """Standard deviation within `FLAT_SIDE` pixels around each pixel."""
    size = (FLAT_SIDE, FLAT_SIDE)
    variance = _mean(picture * picture, weight, size) - _mean(picture, weight, size) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0)), np.float32)


def clipped(detail: FloatArray, mask: Mask, step: int = 1) -> FloatArray:
    """Compress large values smoothly towards a limit that is a multiple of the median magnitude.

    Parameters
    ----------
    detail : (H, W) float32
        From `without_lines`.
    mask : (H, W) bool
    step : int
        The median is that of every *step*-th row and column.

    Returns
    -------
    (H, W) float32
        -1..1.
    """
    magnitudes = np.abs(detail[::step, ::step][mask[::step, ::step]])
    if not magnitudes.size:
        return detail
    limit = max(CLIPPED * float(np.median(magnitudes)), LEAST_CLIP)
    return np.asarray(detail / np.sqrt(detail**2 + limit**2), np.float32)


def _cosine(a: FloatArray, b: FloatArray, weight: FloatArray) -> float:
    """Correlation of two pictures whose means are about 0."""
    weighted = (a * weight).ravel()
    energy = float(weighted @ a.ravel()) * float((b * weight).ravel() @ b.ravel())
    return float(weighted @ b.ravel()) / energy**0.5 if energy > 1e-12 else 0.0


def _echo(a: FloatArray, b: FloatArray) -> float:
    """Highest correlation over shifts larger than `NEAR`, by FFT; pixels outside the frame are 0."""
    height, width = a.shape
    reach_y, reach_x = min(FAR, height // 2), min(FAR, width // 2)
    energy = float(a.ravel() @ a.ravel()) * float(b.ravel() @ b.ravel())
    if max(reach_y, reach_x) <= NEAR or energy < 1e-12:
        return 0.0
    from scipy.fft import irfft2, next_fast_len, rfft2  # slow to import: only when it is used

    shape = (next_fast_len(height + reach_y, real=True), next_fast_len(width + reach_x, real=True))
    surface = irfft2(rfft2(a, shape) * np.conj(rfft2(b, shape)), shape)
    rows, columns = np.arange(-reach_y, reach_y + 1), np.arange(-reach_x, reach_x + 1)
    near = np.maximum(np.abs(rows)[:, None], np.abs(columns)[None, :]) <= NEAR
    shifted = surface[np.ix_(rows, columns)]  # negative shifts stand at the end
    # correct for the smaller overlap of shifted pictures
    share = (1 - np.abs(rows) / height)[:, None] * (1 - np.abs(columns) / width)[None, :]
    shifted = shifted / np.maximum(share, 0.25)
    return max(0.0, float(np.where(near, -np.inf, shifted).max()) / float(np.sqrt(energy)))


def _trendless_correlation(a: FloatArray, b: FloatArray, mask: Mask) -> float:
    """Correlate what is left after a quadratic fit; what is smaller than `LEVEL` counts as noise."""
    if min(mask.shape) > 2 * FEW:  # every second pixel is enough for a trend and for what it leaves
        a, b, mask = a[::2, ::2], b[::2, ::2], mask[::2, ::2]
    rows, columns = np.nonzero(mask)
    if len(rows) < 8:
        return 0.0
    height, width = mask.shape
    y, x = (2 * rows + 1) / height - 1, (2 * columns + 1) / width - 1
    terms: NDArray[np.float64] = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    values = np.stack([a[mask], b[mask]], axis=1).astype(np.float64)
    # the normal equations of six well scaled terms; a little ridge for a mask that is a line
    normal = terms.T @ terms + 1e-6 * len(x) * np.eye(terms.shape[1])
    left = values - terms @ np.linalg.solve(normal, terms.T @ values)
    energy = (left**2).sum(0) + LEVEL**2 * len(x)
    return float(left[:, 0] @ left[:, 1] / np.sqrt(energy[0] * energy[1]))
