"""Normalised cross-correlation of two pictures over all shifts, exact under masks, through FFTs.

Padfield 2012, doi:10.1109/TIP.2011.2181402. scikit-image's masked registration finds the same shift but does not
return the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Mask

DENOMINATOR_FLOOR = 1e-7  # relative to the largest variance product of the map: below, an overlap counts as flat
FLAT = 16.0  # units in the last place of the level: a picture with less contrast is constant up to rounding
TIE = 1e-9  # scores that differ by less are equal: rounding must not choose the shift


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


@dataclass(frozen=True)
class Spectra:
    """One picture with its FFTs, to be correlated with many others of the same padded shape.

    Every transform is made when it is first needed and kept: two pictures without masks need only that of `picture`.

    Attributes
    ----------
    values : (H, W) float64
        Centred and scaled to -1..1; 0 where not valid.
    valid : (H, W) bool or None
        None = all.
    padded : (int, int)
        (P, Q) of the transforms.
    area : float
        Valid pixels.
    """

    values: NDArray[np.float64]
    valid: Mask | None
    padded: tuple[int, int]
    area: float

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.values.shape[0], self.values.shape[1]

    @cached_property
    def picture(self) -> NDArray[np.complex128]:
        """(P, Q // 2 + 1) transform of the values."""
        return self._transform(self.values)

    @cached_property
    def squares(self) -> NDArray[np.complex128]:
        """(P, Q // 2 + 1) transform of their squares."""
        return self._transform(self.values * self.values)

    @cached_property
    def mask(self) -> NDArray[np.complex128]:
        """(P, Q // 2 + 1) transform of the mask."""
        return self._transform(np.ones(self.shape) if self.valid is None else self.valid.astype(np.float64))

    @cached_property
    def sums(self) -> NDArray[np.float64]:
        """(2, H + 1, W + 1) running sums of the values and of their squares, from the top left."""
        sums = np.zeros((2, self.shape[0] + 1, self.shape[1] + 1))
        sums[0, 1:, 1:], sums[1, 1:, 1:] = self.values, self.values * self.values
        running: NDArray[np.float64] = sums.cumsum(1, out=sums).cumsum(2, out=sums)
        return running

    def _transform(self, values: NDArray[np.float64]) -> NDArray[np.complex128]:
        from scipy import fft  # slow to import: only when it is used

        result: NDArray[np.complex128] = fft.rfft2(values, self.padded)
        return result


def padded_shape(shape_a: tuple[int, ...], shape_b: tuple[int, ...]) -> tuple[int, int]:
    """Return the least quick FFT size that holds every shift of two pictures without wrapping round."""
    from scipy import fft  # slow to import: only when it is used

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

    Returns
    -------
    Spectra

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
        # what rounding left of a flat picture, perhaps when it was resized as float32, is no contrast
        precision = np.finfo(picture.dtype.name if picture.dtype.kind == "f" else "float64").eps
        values = values / largest if largest > FLAT * float(precision) * level else np.zeros_like(values)
    return Spectra(values, None if valid.all() else valid, padded, area)


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

    overlap, sum_a, sum_b, squares_a, squares_b = _overlap_sums(a, b)
    # in place throughout: allocating memory would take longer than the arithmetic
    share = 1 / np.maximum(overlap, 1)
    score = _inverse(a.picture * np.conj(b.picture), a.padded)
    score -= sum_a * sum_b * share
    squares_a -= np.multiply(np.square(sum_a, out=sum_a), share, out=sum_a)
    squares_b -= np.multiply(np.square(sum_b, out=sum_b), share, out=sum_b)
    spread = np.maximum(squares_a, 0, out=squares_a)
    spread *= np.maximum(squares_b, 0, out=squares_b)
    np.sqrt(spread, out=spread)
    floor = DENOMINATOR_FLOOR * max(float(spread.max()), 1e-12)
    flat = spread <= floor
    score /= np.maximum(spread, floor, out=spread)
    score[flat] = 0
    np.clip(score, -1, 1, out=score)
    score[overlap < max(min_overlap * min(a.area, b.area), 2)] = -np.inf
    return score, overlap


def _inverse(product: NDArray[np.complex128], padded: tuple[int, int]) -> NDArray[np.float64]:
    from scipy import fft  # slow to import: only when it is used

    result: NDArray[np.float64] = fft.irfft2(product, padded)
    return result


def _overlap_sums(a: Spectra, b: Spectra) -> tuple[NDArray[np.float64], ...]:
    """Sum over the common pixels of every shift: their number, a, b, a squared, b squared; (P, Q) each."""
    if a.valid is None and b.valid is None:
        # the overlap is a rectangle: four corners of a running sum
        rows_a, rows_b = _spans(a.shape[0], b.shape[0], a.padded[0])
        columns_a, columns_b = _spans(a.shape[1], b.shape[1], a.padded[1])
        overlap = np.outer(rows_a[1] - rows_a[0], columns_a[1] - columns_a[0]).astype(np.float64)
        sum_a, squares_a = _rectangles(a.sums, rows_a, columns_a)
        sum_b, squares_b = _rectangles(b.sums, rows_b, columns_b)
        return overlap, sum_a, sum_b, squares_a, squares_b
    mask_b = np.conj(b.mask)
    overlap = np.maximum(np.rint(_inverse(a.mask * mask_b, a.padded)), 0)
    sum_a, squares_a = _inverse(a.picture * mask_b, a.padded), _inverse(a.squares * mask_b, a.padded)
    sum_b = _inverse(a.mask * np.conj(b.picture), a.padded)
    squares_b = _inverse(a.mask * np.conj(b.squares), a.padded)
    return overlap, sum_a, sum_b, squares_a, squares_b


def _spans(length_a: int, length_b: int, padded: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the overlap starts and ends in a and in b, (2, padded) each, for every shift along one axis."""
    shift = np.arange(padded)
    shift[length_a:] -= padded
    start, end = np.maximum(shift, 0), np.minimum(shift + length_b, length_a)
    end = np.maximum(start, end)  # padding may be longer than all shifts
    start_b = np.clip(start - shift, 0, length_b)
    return np.stack([start, end]), np.stack([start_b, np.minimum(start_b + end - start, length_b)])


def _rectangles(
    sums: NDArray[np.float64], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum the values and their squares over the rectangle of every shift, (P, Q) each."""
    values, squares = (
        bands.take(columns[1], 1) - bands.take(columns[0], 1)
        for bands in (plane.take(rows[1], 0) - plane.take(rows[0], 0) for plane in sums)
    )
    return values, squares


def masked_ncc_map(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    min_overlap: float = 0.3,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlate two pictures at every shift, in the order of `scipy.signal.correlate2d(mode="full")`.

    Parameters
    ----------
    a, b : (H, W), (H', W') arrays
    mask_a, mask_b : bool arrays or None
    min_overlap : float
        Smallest valid overlap over the smaller valid area, 0..1.

    Returns
    -------
    score : (H + H' - 1, W + W' - 1) float64
        -1..1 at shift ``(row - H' + 1, column - W' + 1)``; -inf where the overlap is too small.
    overlap : (H + H' - 1, W + W' - 1) float64
        Pixels valid in both.
    """
    padded = padded_shape(a.shape, b.shape)
    maps = ncc_map(spectra(a, mask_a, padded), spectra(b, mask_b, padded), min_overlap=min_overlap)
    order = np.ix_(*(np.arange(-n + 1, m) for m, n in zip(a.shape, b.shape, strict=True)))
    return maps[0][order], maps[1][order]


def find_peak(
    a: Spectra, b: Spectra, *, min_overlap: float = 0.3, max_shift: float | None = None, subpixel: bool = False
) -> CorrelationPeak:
    """Find the shift at which two transformed pictures correlate best; see `cross_correlate`.

    Parameters
    ----------
    a, b : Spectra
        Transforms of the two pictures, padded to one size.
    min_overlap : float
        Least overlap of valid pixels over the smaller picture's valid pixels, 0..1.
    max_shift : float, optional
        Largest shift along each axis, pixels.
    subpixel : bool
        Refine the shift by a parabola through the neighbouring scores.

    Returns
    -------
    CorrelationPeak
        Zero shift, score and overlap where no shift is allowed.
    """
    score, overlap = ncc_map(a, b, min_overlap=min_overlap)
    shifts = [np.arange(length) for length in a.padded]
    for axis in (0, 1):
        shifts[axis][a.shape[axis] :] -= a.padded[axis]
    if max_shift is not None:
        far = [np.abs(shift) > max_shift for shift in shifts]
        score[far[0][:, None] | far[1][None, :]] = -np.inf
    best = float(score.max())
    if not np.isfinite(best):
        return CorrelationPeak((0.0, 0.0), 0.0, 0.0)
    rows, columns = np.nonzero(score >= best - TIE)
    # a periodic picture fits at many shifts: the widest overlap counts, then the smallest shift
    first = np.lexsort((np.abs(shifts[0][rows]) + np.abs(shifts[1][columns]), -overlap[rows, columns]))[0]
    row, column = int(rows[first]), int(columns[first])
    dy, dx = float(shifts[0][row]), float(shifts[1][column])
    if subpixel:
        dy += parabola_vertex(score[row - 1, column], best, score[(row + 1) % score.shape[0], column])
        dx += parabola_vertex(score[row, column - 1], best, score[row, (column + 1) % score.shape[1]])
    share = float(overlap[row, column]) / max(min(a.area, b.area), 1.0)
    return CorrelationPeak((dy, dx), float(score[row, column]), share)


def parabola_vertex(before: float, peak: float, after: float) -> float:
    """Return the vertex of the parabola through three neighbouring scores.

    Parameters
    ----------
    before, peak, after : float
        Scores at -1, 0 and +1.

    Returns
    -------
    float
        Offset from the middle, -0.5..0.5; 0 where the middle is no peak.
    """
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

    Parameters
    ----------
    a, b : (H, W) or (H, W, C) array
        Any real dtype, finite where valid.
    mask : bool array, optional
        True = valid in both; (H, W) or the shape of *a*. By default all is valid.

    Returns
    -------
    float
        -1..1; 0 where fewer than two samples are valid or a picture is constant there.

    Raises
    ------
    ValueError
        The shapes differ.
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
