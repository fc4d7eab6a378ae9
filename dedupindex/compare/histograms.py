"""Distances of two pictures' colours, spectra and perceptual hashes, which ignore where things lie in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.resampling import fitted, resample_masked
from dedupindex.records import FloatArray, Mask

BINS = 32  # a channel
SPECTRUM_SIDE = 128  # longest side of a picture whose spectrum is taken, pixels


def rgb_histogram(
    picture: NDArray[np.generic],
    mask: Mask | None = None,
    *,
    bins: int = BINS,
    value_range: tuple[float, float] = (0.0, 1.0),
) -> FloatArray:
    """Count the values of each channel over the valid pixels, divided by their number.

    Parameters
    ----------
    picture : (H, W) or (H, W, 3) array
        Grey counts as three equal channels.
    mask : (H, W) bool, optional
        True = valid.
    bins : int
        Of equal width.
    value_range : (low, high)
        Ends of the first and the last bin; values outside count there.

    Returns
    -------
    (3, bins) float32
        Each channel sums to 1, so that pictures of different sizes compare.

    Raises
    ------
    ValueError
        Another shape, no valid pixel, no bins, or a range that does not rise.
    """
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3):
        raise ValueError(f"picture has shape {picture.shape}, must be (H, W) or (H, W, 3)")
    if mask is not None and mask.shape != picture.shape[:2]:
        raise ValueError(f"mask {mask.shape} must be as large as the picture {picture.shape[:2]}")
    low, high = value_range
    if bins < 1 or not low < high:
        raise ValueError(f"{bins} bins over {low}..{high}: must be at least one over a range that rises")
    planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, 2, 0)
    valid = np.ones(picture.shape[:2], bool) if mask is None else mask
    number = int(valid.sum())
    if not number:
        raise ValueError("no pixel is valid")
    samples = planes[:, valid].astype(np.float64)
    place = np.clip((samples - low) * (bins / (high - low)), 0, bins - 1).astype(np.intp)
    counts = np.stack([np.bincount(row, minlength=bins) for row in place])
    return np.ascontiguousarray(np.broadcast_to(counts / number, (3, bins)), np.float32)


def histogram_l1(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Sum of absolute differences of two histograms of equal shape, each summing to 1 as a whole: 0..2."""
    first, second = _normalised(a, b)
    return float(np.abs(first - second).sum())


def histogram_l2(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Euclidean distance of two histograms, each summing to 1 as a whole: 0..sqrt(2)."""
    first, second = _normalised(a, b)
    return float(np.sqrt(((first - second) ** 2).sum()))


def chi_square(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Return ``1/2 sum (a - b)^2 / (a + b)`` of two histograms, each summing to 1 as a whole: 0..1."""
    first, second = _normalised(a, b)
    total = first + second
    return float(0.5 * np.divide((first - second) ** 2, total, out=np.zeros_like(total), where=total > 0).sum())


def histogram_intersection(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Return ``sum min(a, b)`` of two histograms, each summing to 1 as a whole: 0..1.

    Swain and Ballard 1991, doi:10.1007/BF00130487.
    """
    first, second = _normalised(a, b)
    return float(np.minimum(first, second).sum())


def weighted_jaccard(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Return Ruzicka's similarity ``sum min(a, b) / sum max(a, b)`` of two histograms: 0..1, 1 = equal.

    Parameters
    ----------
    a, b : arrays of one shape
        Counts or shares, not negative; each is divided by its sum first, so that counts of pictures of different
        sizes compare.

    Raises
    ------
    ValueError
        Different shapes, negative or not finite counts, or nothing counted.

    Examples
    --------
    >>> import numpy as np
    >>> weighted_jaccard(np.array([2, 2, 0]), np.array([0, 10, 10]))
    0.3333333333333333
    """
    first, second = _normalised(a, b)
    return float(np.minimum(first, second).sum() / np.maximum(first, second).sum())


def _normalised(a: NDArray[np.generic], b: NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if a.shape != b.shape:
        raise ValueError(f"histograms of shapes {a.shape} and {b.shape} do not compare")
    first, second = a.astype(np.float64), b.astype(np.float64)
    for counts in (first, second):
        if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.sum() > 0):
            raise ValueError("counts must be finite, not negative, and not all zero")
    return first / first.sum(), second / second.sum()


def fft_magnitude(picture: NDArray[np.generic], mask: Mask | None = None, *, side: int = SPECTRUM_SIDE) -> FloatArray:
    """Magnitude of the Fourier transform of a picture: the same for every (cyclic) shift of it.

    The picture is brought to a longest side, its mean over the windowed mask is taken off, and it is multiplied by a
    Hann window times the mask, so that neither holes nor edges of the frame show.

    Parameters
    ----------
    picture : (H, W) array
    mask : (H, W) bool, optional
        True = valid.
    side : int
        Longest side, pixels, and size of the transform: frequencies are cycles per longest side.

    Returns
    -------
    (side, side // 2 + 1) float32
        Sums to 1; all 0 for a constant picture.

    Raises
    ------
    ValueError
        Not 2-D, a mask of another shape, or no valid pixel.
    """
    if picture.ndim != 2 or (mask is not None and mask.shape != picture.shape):
        raise ValueError(f"picture {picture.shape} must be 2-D and as large as its mask {getattr(mask, 'shape', None)}")
    valid = np.ones(picture.shape, bool) if mask is None else mask
    if not valid.any():
        raise ValueError("no pixel is valid")
    factor = side / max(picture.shape)
    shape = (
        fitted((picture.shape[0], picture.shape[1]), side)
        if factor <= 1
        else (max(1, round(picture.shape[0] * factor)), max(1, round(picture.shape[1] * factor)))
    )
    from scipy import fft  # slow to import: only when it is used

    clean = np.where(valid, picture, 0).astype(np.float64)
    clean = np.where(valid, clean - clean.sum() / valid.sum(), 0)
    values, share = resample_masked(clean.astype(np.float32), valid.astype(np.float32), shape)
    window = share.astype(np.float64) * np.outer(*(np.hanning(n + 2)[1:-1] for n in shape))
    centred = values - (values * window).sum() / window.sum()
    if np.abs(centred).max() <= 1e-6 * max(1.0, float(np.abs(picture[valid].astype(np.float64)).max())):
        return np.zeros((side, side // 2 + 1), np.float32)
    magnitude = np.abs(fft.rfft2(centred * window, (side, side)))
    return np.asarray(magnitude / magnitude.sum(), np.float32)


def spectrum_l1(a: FloatArray, b: FloatArray) -> float:
    """Sum of absolute differences of two magnitude spectra of `fft_magnitude`: 0..2."""
    _same_shape(a, b)
    return float(np.abs(a.astype(np.float64) - b).sum())


def spectrum_cosine(a: FloatArray, b: FloatArray) -> float:
    """Cosine of two magnitude spectra of `fft_magnitude`: 0..1; 0 if either picture was constant."""
    _same_shape(a, b)
    first, second = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    length = float(np.sqrt((first @ first) * (second @ second)))
    return min(1.0, float(first @ second) / length) if length > 0 else 0.0


def _same_shape(a: FloatArray, b: FloatArray) -> None:
    if a.shape != b.shape:
        raise ValueError(f"spectra of shapes {a.shape} and {b.shape} do not compare")


def hamming_distance(a: bytes, b: bytes) -> int:
    """Count the bits in which two perceptual hashes differ: 0..64 for hashes of 8 bytes.

    Raises
    ------
    ValueError
        Different lengths.
    """
    if len(a) != len(b):
        raise ValueError(f"hashes of {len(a)} and {len(b)} bytes do not compare")
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()
