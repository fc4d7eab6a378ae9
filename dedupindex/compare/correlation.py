"""Normalised cross-correlation of two pictures over all shifts, exact under masks, through FFTs.

Padfield 2012, doi:10.1109/TIP.2011.2181402. scikit-image's masked registration finds the same shift but throws the
score away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from dedupindex.records import FloatArray, Mask

DENOMINATOR_FLOOR = 1e-7  # relative to the largest variance product of the map: below, an overlap counts as flat
FLAT = 1e-12  # contrast relative to the level: below, a picture is constant
LADDER = (0.5, 0.594, 0.707, 0.841, 1.0, 1.189, 1.414, 1.682, 2.0)  # scales of b tried about equal longest sides


@dataclass(frozen=True, slots=True)
class CorrelationPeak:
    """The best shift of b against a.

    Attributes
    ----------
    shift : (dy, dx)
        ``b[y, x]`` lies on ``a[y + dy, x + dx]``, pixels.
    score : float
        NCC over the valid overlap, -1..1; 0 where nothing correlates.
    overlap : float
        Valid area of both at that shift over the smaller valid area, 0..1.
    """

    shift: tuple[float, float]
    score: float
    overlap: float


@dataclass(frozen=True, slots=True)
class Spectra:
    """FFTs of one picture, to be correlated with many others of the same padded shape.

    Attributes
    ----------
    shape : (int, int)
        Of the picture.
    padded : (int, int)
        Of the transforms.
    picture, squares, mask : (P, Q // 2 + 1) complex128
        Transforms of the centred picture, of its square and of its mask.
    area : float
        Valid pixels.
    """

    shape: tuple[int, int]
    padded: tuple[int, int]
    picture: NDArray[np.complex128]
    squares: NDArray[np.complex128]
    mask: NDArray[np.complex128]
    area: float


def padded_shape(shape_a: tuple[int, ...], shape_b: tuple[int, ...]) -> tuple[int, int]:
    """Return the least quick FFT size that holds every shift of two pictures without wrapping round."""
    rows, columns = (fft.next_fast_len(m + n - 1, real=True) for m, n in zip(shape_a, shape_b, strict=True))
    return rows, columns


def spectra(picture: NDArray[np.generic], mask: Mask | None, padded: tuple[int, int]) -> Spectra:
    """Transform a picture once for many correlations.

    Parameters
    ----------
    picture : (H, W) array
        Values under the mask may be anything, NaN too.
    mask : (H, W) bool or None
        True = valid; None = all.
    padded : (int, int)
        From `padded_shape`.

    Raises
    ------
    ValueError
        Shapes that do not fit.
    """
    if picture.ndim != 2 or (mask is not None and mask.shape != picture.shape):
        raise ValueError(f"picture {picture.shape} must be 2-D and as large as its mask {getattr(mask, 'shape', None)}")
    valid = np.ones(picture.shape, bool) if mask is None else mask
    values = np.where(valid, picture, 0).astype(np.float64)
    area = float(valid.sum())
    if area:
        level = np.abs(values).max()
        values -= np.where(valid, values.sum() / area, 0)  # NCC does not see it, rounding does
        largest = np.abs(values).max()
        # what rounding left of a flat picture is no contrast
        values = values / largest if largest > FLAT * level else np.zeros_like(values)
    return Spectra(
        (picture.shape[0], picture.shape[1]),
        padded,
        fft.rfft2(values, padded),
        fft.rfft2(values * values, padded),
        fft.rfft2(valid.astype(np.float64), padded),
        area,
    )


def ncc_map(a: Spectra, b: Spectra, *, min_overlap: float = 0.3) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlate two transformed pictures at every shift.

    Parameters
    ----------
    a, b : Spectra
        Of the same padded shape.
    min_overlap : float
        Smallest valid overlap over the smaller valid area, 0..1.

    Returns
    -------
    score : (P, Q) float64
        -1..1 at shift ``(row, column)``, negative shifts wrapped to the end; -inf where the overlap is too small.
        0 where one of the pictures is flat in the overlap.
    overlap : (P, Q) float64
        Pixels valid in both.

    Raises
    ------
    ValueError
        Different padded shapes.
    """
    if a.padded != b.padded:
        raise ValueError(f"spectra of padded shapes {a.padded} and {b.padded} cannot be correlated")

    def inverse(product: NDArray[np.complex128]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = fft.irfft2(product, a.padded)
        return result

    picture_b, squares_b, mask_b = np.conj(b.picture), np.conj(b.squares), np.conj(b.mask)
    overlap = np.maximum(np.rint(inverse(a.mask * mask_b)), 0)
    count = np.maximum(overlap, 1)
    sum_a, sum_b = inverse(a.picture * mask_b), inverse(a.mask * picture_b)
    product = inverse(a.picture * picture_b) - sum_a * sum_b / count
    spread_a = np.maximum(inverse(a.squares * mask_b) - sum_a**2 / count, 0)
    spread_b = np.maximum(inverse(a.mask * squares_b) - sum_b**2 / count, 0)
    denominator = np.sqrt(spread_a * spread_b)
    solid = denominator > DENOMINATOR_FLOOR * max(float(denominator.max()), 1e-12)
    score = np.divide(product, denominator, out=np.zeros_like(product), where=solid)
    enough = overlap >= max(min_overlap * min(a.area, b.area), 2)
    return np.where(enough, np.clip(score, -1, 1), -np.inf), overlap


def find_peak(
    a: Spectra, b: Spectra, *, min_overlap: float = 0.3, max_shift: float | None = None, subpixel: bool = False
) -> CorrelationPeak:
    """Find the shift at which two transformed pictures correlate best; see `cross_correlate`."""
    score, overlap = ncc_map(a, b, min_overlap=min_overlap)
    if max_shift is not None:
        rows = np.minimum(np.arange(score.shape[0]), score.shape[0] - np.arange(score.shape[0]))
        columns = np.minimum(np.arange(score.shape[1]), score.shape[1] - np.arange(score.shape[1]))
        score = np.where((rows[:, None] <= max_shift) & (columns[None, :] <= max_shift), score, -np.inf)
    row, column = (int(i) for i in np.unravel_index(int(score.argmax()), score.shape))
    best = float(score[row, column])
    if not np.isfinite(best):
        return CorrelationPeak((0.0, 0.0), 0.0, 0.0)
    dy = float(row - score.shape[0] if row >= a.shape[0] else row)
    dx = float(column - score.shape[1] if column >= a.shape[1] else column)
    if subpixel:
        dy += _vertex(score[row - 1, column], best, score[(row + 1) % score.shape[0], column])
        dx += _vertex(score[row, column - 1], best, score[row, (column + 1) % score.shape[1]])
    return CorrelationPeak((dy, dx), best, float(overlap[row, column]) / max(min(a.area, b.area), 1.0))


def _vertex(before: float, peak: float, after: float) -> float:
    """Offset of the vertex of the parabola through three neighbouring scores, -.5..+.5."""
    bend = before - 2 * peak + after
    if not np.isfinite(bend) or bend >= 0:
        return 0.0
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def cross_correlate(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    min_overlap: float = 0.3,
    max_shift: float | None = None,
    subpixel: bool = False,
) -> CorrelationPeak:
    """Find the shift at which b correlates best with a, over the pixels that both really show.

    Parameters
    ----------
    a, b : (H, W), (H', W') arrays
        Any real dtype; sizes may differ.
    mask_a, mask_b : bool arrays or None
        True = valid; values elsewhere cannot change the result.
    min_overlap : float
        Smallest valid overlap over the smaller valid area, 0..1.
    max_shift : float, optional
        Largest |dy| and |dx|, pixels.
    subpixel : bool
        Refine the shift by a parabola through the neighbouring scores.

    Returns
    -------
    CorrelationPeak

    Raises
    ------
    ValueError
        Pictures that are not 2-D, or masks of another shape.

    References
    ----------
    Padfield, "Masked object registration in the Fourier domain", 2012, doi:10.1109/TIP.2011.2181402.

    Examples
    --------
    >>> import numpy as np
    >>> scene = np.random.default_rng(0).random((40, 50))
    >>> cross_correlate(scene[5:35, 5:45], scene[2:32, 9:49]).shift
    (-3.0, 4.0)
    """
    padded = padded_shape(a.shape, b.shape)
    first, second = spectra(a, mask_a, padded), spectra(b, mask_b, padded)
    return find_peak(first, second, min_overlap=min_overlap, max_shift=max_shift, subpixel=subpixel)


def pearson(a: NDArray[np.generic], b: NDArray[np.generic], mask: Mask | None = None) -> float:
    """Correlate two pictures of one size without any shift.

    Returns
    -------
    float
        -1..1; 0 where fewer than two pixels are valid or a picture is constant there.
    """
    if a.shape != b.shape:
        raise ValueError(f"pictures of shapes {a.shape} and {b.shape} have no common pixels to correlate")
    valid = np.ones(a.shape, bool) if mask is None else mask
    first, second = a[valid].astype(np.float64), b[valid].astype(np.float64)
    if first.size < 2:
        return 0.0
    first -= first.mean()
    second -= second.mean()
    energy = float((first @ first) * (second @ second))
    return float(np.clip((first @ second) / np.sqrt(energy), -1, 1)) if energy > 1e-20 else 0.0


def search_scales(
    a: FloatArray,
    b: FloatArray,
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    min_overlap: float = 0.4,
    side: int = 64,
) -> tuple[CorrelationPeak, float]:
    """Correlate over shifts and a ladder of scales of b.

    Parameters
    ----------
    a, b : (H, W), (H', W') float32
    mask_a, mask_b : bool arrays or None
    min_overlap : float
        Smallest valid overlap over the smaller valid area, 0..1.
    side : int
        Longest side of a at which scales are compared, pixels.

    Returns
    -------
    peak : CorrelationPeak
        Shift in pixels of a.
    scale : float
        Size of b's content on a, pixels of a for a pixel of b.
    """
    from dedupindex.features.resampling import resample_masked

    valid_a = np.ones(a.shape, bool) if mask_a is None else mask_a
    valid_b = np.ones(b.shape, bool) if mask_b is None else mask_b
    reduction = min(1.0, side / max(a.shape))
    small_a = (max(2, round(a.shape[0] * reduction)), max(2, round(a.shape[1] * reduction)))
    first, share_a = resample_masked(np.where(valid_a, a, 0).astype(np.float32), valid_a.astype(np.float32), small_a)
    equal = max(a.shape) / max(b.shape)
    best, best_scale = CorrelationPeak((0.0, 0.0), 0.0, 0.0), 1.0
    for scale in sorted({1.0, *(equal * step for step in LADDER)}):
        shape = (max(2, round(b.shape[0] * scale * reduction)), max(2, round(b.shape[1] * scale * reduction)))
        if max(shape) > 4 * side:
            continue
        second, share_b = resample_masked(np.where(valid_b, b, 0).astype(np.float32), valid_b.astype(np.float32), shape)
        peak = cross_correlate(first, second, share_a >= 0.5, share_b >= 0.5, min_overlap=min_overlap, subpixel=True)
        if peak.score > best.score:
            best, best_scale = peak, scale
    shift = (best.shift[0] / reduction, best.shift[1] / reduction)
    return CorrelationPeak(shift, best.score, best.overlap), best_scale
