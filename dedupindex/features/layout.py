"""Global features: coarse structure, frequencies, colours and edge directions of whole pictures, for stacks at once.

Every block is laid out on a grid so that mirroring and transposing the picture only permutes its numbers and flips
signs (`symmetry.py` relies on it). Masked pixels contribute to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.features.resampling import resample_masked
from dedupindex.records import ByteArray, FloatArray, Mask

DCT_SIDE = 12  # lowest DCT frequencies a side
SPECTRUM_REACH = 11  # lowest FFT frequencies: -11..11 by 0..11
HISTOGRAM_BINS = 16
CELLS = 4
ORIENTATIONS = 8
SQUARE = 32
SOLID = 0.99  # valid share above which a pixel's edge counts
SPECTRUM_SQUARE = 64
_ROWS = np.arange(-SPECTRUM_REACH, SPECTRUM_REACH + 1)  # of the FFT, by frequency
LARGE = 1_024  # pixels; histograms of smaller pictures are counted together


def standardise(pictures: FloatArray, weights: FloatArray) -> FloatArray:
    """Subtract the valid mean and divide by the valid standard deviation; 0 under the mask and for constant pictures.

    Parameters
    ----------
    pictures, weights : (N, H, W) float32

    Returns
    -------
    (N, H, W) float32
    """
    total = np.maximum(weights.sum((1, 2), keepdims=True), 1e-6)
    centred = (pictures - (pictures * weights).sum((1, 2), keepdims=True) / total) * (weights > 0)
    spread = np.sqrt((centred**2 * weights).sum((1, 2), keepdims=True) / total)
    return np.asarray(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-6), np.float32)


def signed_root(values: FloatArray) -> FloatArray:
    """Signed square root: reduces the weight of single large coefficients."""
    return np.sign(values) * np.sqrt(np.abs(values))


def squares(pictures: FloatArray, weights: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Pictures as `dct_block` and `orientation_block` look at them.

    Parameters
    ----------
    pictures, weights : (N, H, W) float32
        Weights None: all 1.

    Returns
    -------
    levels : (N, 32, 32) float32
        Standardised.
    share : (N, 32, 32) float32, 0..1
        Valid share of each pixel.
    """
    square, share = resample_masked(pictures, weights, (SQUARE, SQUARE))
    return standardise(square, share), share


@dataclass(frozen=True, slots=True)
class Reduced:
    """What all blocks but the histogram are made of: N pictures reduced to fixed sizes, so that shapes do not matter.

    Attributes
    ----------
    square, square_share : (N, 32, 32) float32
        Luminance, and the valid share of each pixel, 0..1.
    window, window_share : (N, 64, 64) float32
        The same for the spectrum.
    cells, cells_share : (N, 3, 4, 4) float32
        Colours, and the valid share of each cell.
    """

    square: FloatArray
    square_share: FloatArray
    window: FloatArray
    window_share: FloatArray
    cells: FloatArray
    cells_share: FloatArray

    @staticmethod
    def join(parts: Sequence[Reduced]) -> Reduced:
        """All pictures of some parts."""
        if len(parts) == 1:
            return parts[0]
        return Reduced(*(np.concatenate([getattr(part, name) for part in parts]) for name in Reduced.__slots__))


def reduce_to_fixed(
    luminance: FloatArray, weights: FloatArray | None, colours: FloatArray, colour_weights: FloatArray | None
) -> Reduced:
    """Reduce pictures of one shape.

    Parameters
    ----------
    luminance, weights : (N, h, w) float32
        Weights None: all 1.
    colours : (N, 3, H, W) float32, 0..1
    colour_weights : (N, H, W) float32
        None: all 1.

    Returns
    -------
    Reduced
    """
    cells, share = _cells_of(colours, colour_weights)
    made = (
        *resample_masked(luminance, weights, (SQUARE, SQUARE)),
        *resample_masked(luminance, weights, (SPECTRUM_SQUARE, SPECTRUM_SQUARE)),
        cells,
        np.broadcast_to(share, cells.shape),
    )
    return Reduced(*map(np.ascontiguousarray, made))  # sums over pictures in another order have other last bits


def dct_block(levels: FloatArray, share: FloatArray) -> FloatArray:
    """Lowest DCT-II coefficients of the square thumbnail without the mean, signed square root.

    Parameters
    ----------
    levels, share : (N, 32, 32) float32
        From `squares`.

    Returns
    -------
    (N, 144) float32
        (DCT_SIDE, DCT_SIDE) grid, rows = vertical frequency; the first entry is 0.
    """
    from scipy import fft  # slow to import: only when it is used

    coefficients = fft.dctn(levels * np.minimum(share * 2, 1), axes=(1, 2), norm="ortho")
    block = signed_root(coefficients[:, :DCT_SIDE, :DCT_SIDE].astype(np.float32))
    block[:, 0, 0] = 0
    return block.reshape(len(levels), -1)


def log_spectrum(pictures: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Log-magnitude of the FFT of the windowed square thumbnail: invariant to (cyclic) shifts.

    The picture is standardised over its valid part and multiplied by a Hann window times the mask, and the magnitude
    is divided by the root of the windowed mask's energy, so that holes do not change its level.

    Parameters
    ----------
    pictures, weights : (N, H, W) float32
        Weights None: all 1.

    Returns
    -------
    (N, 23, 12) float32
        Frequencies fy = -11..11 (rows) by fx = 0..11 (columns), cycles a picture side.
    """
    return spectrum_of(*resample_masked(pictures, weights, (SPECTRUM_SQUARE, SPECTRUM_SQUARE)))


def spectrum_of(square: FloatArray, share: FloatArray) -> FloatArray:
    """`log_spectrum` of pictures that are reduced (`Reduced.window`)."""
    from scipy import fft  # slow to import: only when it is used

    window = share * _hann(SPECTRUM_SQUARE)
    total = np.maximum(window.sum((1, 2), keepdims=True), 1e-6)
    centred = square - (square * window).sum((1, 2), keepdims=True) / total
    energy = np.sqrt(np.maximum((centred**2 * window**2).sum((1, 2), keepdims=True), 1e-12))
    waves = fft.rfft2(centred * window / energy, axes=(1, 2))[:, _ROWS, : SPECTRUM_REACH + 1]
    result: FloatArray = np.log(np.abs(waves) + 0.05).astype(np.float32)
    return result


@lru_cache(maxsize=1)
def _hann(side: int) -> FloatArray:
    """Return the (side, side) window whose zeros lie just outside."""
    ramp = np.hanning(side + 2)[1:-1].astype(np.float32)
    window: FloatArray = ramp[:, None] * ramp[None, :]
    window.setflags(write=False)
    return window


def spectrum_block(spectrum: FloatArray) -> FloatArray:
    """`log_spectrum` with its mean removed, flattened to (N, 276) float32."""
    flat = spectrum.reshape(len(spectrum), -1)
    centred: FloatArray = flat - flat.mean(1, keepdims=True)
    return centred


def level_counts(colours: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Histogram of every channel over 256 levels, each summing to 1 over the valid pixels.

    Parameters
    ----------
    colours : (N, C, H, W) float32, 0..1
    weights : (N, H, W) float32
        None: all 1.

    Returns
    -------
    (N, C, 256) float32
        All 0 where nothing is valid.
    """
    scaled = colours * np.float32(255)
    scaled += np.float32(0.5)
    level = np.clip(scaled, 0, 255.5, out=scaled).astype(np.uint8)
    count, channels = level.shape[:2]
    masks = [None] * count if weights is None else list(weights > 0)
    if level[0, 0].size > LARGE and (weights is None or np.array_equal(weights > 0, weights)):
        sums = np.array([[_count(plane, mask) for plane in planes] for planes, mask in zip(level, masks, strict=True)])
    else:
        place = level + np.arange(count * channels).reshape(count, channels, 1, 1) * 256
        weight = None if weights is None else np.broadcast_to(weights[:, None], level.shape).ravel()
        sums = np.bincount(place.ravel(), weight, count * channels * 256).reshape(count, channels, 256)
    result: FloatArray = (sums / np.maximum(sums.sum(2, keepdims=True), 1e-9)).astype(np.float32)
    return result


def _count(plane: ByteArray, mask: Mask | None) -> NDArray[np.float64]:
    """Counts (256,) of the levels of a plane where the mask is True; faster than `numpy.bincount`."""
    counts = cv2.calcHist([plane], [0], None if mask is None or mask.all() else mask.view(np.uint8), [256], [0, 256])
    return np.asarray(counts, np.float64).reshape(-1)


@lru_cache(maxsize=4)
def _soft_bins(bins: int) -> FloatArray:
    """Return the (256, bins) share of each level in each bin, linear between bin centres."""
    position = np.arange(256)[:, None] / 255 * (bins - 1)
    return np.asarray(np.clip(1 - np.abs(position - np.arange(bins)), 0, None), np.float32)


def histogram_block(levels: FloatArray) -> FloatArray:
    """Square roots of the RGB histograms, softly binned.

    Parameters
    ----------
    levels : (N, 3, 256) float32
        From `level_counts`.

    Returns
    -------
    (N, 48) float32
        3 channels x 16 bins.
    """
    result: FloatArray = np.sqrt(levels @ _soft_bins(HISTOGRAM_BINS)).reshape(len(levels), -1)
    return result


def orientation_block(levels: FloatArray, share: FloatArray) -> FloatArray:
    """Edge energy by direction (8 over 180 degrees) in 4 x 4 cells, square root.

    Parameters
    ----------
    levels, share : (N, 32, 32) float32
        From `squares`.

    Returns
    -------
    (N, 128) float32
        (CELLS, CELLS, ORIENTATIONS) grid; direction k is centred on k * 22.5 degrees.
    """
    dy, dx = _slopes(levels), _slopes(levels.swapaxes(1, 2)).swapaxes(1, 2)
    strength = np.hypot(dx, dy)
    if share.min() <= SOLID:
        solid = (share > SOLID).astype(np.float32)
        solid[:, 1:-1] *= solid[:, 2:] * solid[:, :-2]  # no edge of the mask itself
        solid[:, :, 1:-1] *= solid[:, :, 2:] * solid[:, :, :-2]
        strength *= solid
    angle = np.arctan2(dy, dx)
    angle[angle < 0] += np.float32(np.pi)  # an edge has no side; pi itself is the first direction again
    position = angle * np.float32(ORIENTATIONS / np.pi)
    low = position.astype(np.intp)
    high_share = position - low
    low %= ORIENTATIONS
    side = SQUARE // CELLS
    base = _cell_starts() + np.arange(len(levels))[:, None, None] * (CELLS**2 * ORIENTATIONS)
    size = len(levels) * CELLS**2 * ORIENTATIONS
    sums = np.bincount((base + low).ravel(), (strength * (1 - high_share)).ravel(), size)
    sums += np.bincount((base + (low + 1) % ORIENTATIONS).ravel(), (strength * high_share).ravel(), size)
    grid = np.sqrt(sums.reshape(len(levels), -1) / side**2)
    return np.asarray(grid, np.float32)


def _slopes(levels: FloatArray) -> FloatArray:
    """`numpy.gradient` along axis 1."""
    slopes = np.empty_like(levels)
    slopes[:, 1:-1] = (levels[:, 2:] - levels[:, :-2]) / 2
    slopes[:, 0] = levels[:, 1] - levels[:, 0]
    slopes[:, -1] = levels[:, -1] - levels[:, -2]
    return slopes


@lru_cache(maxsize=1)
def _cell_starts() -> NDArray[np.intp]:
    """(32, 32): where the cell of each pixel begins in the grid of an `orientation_block`."""
    place = np.arange(SQUARE) // (SQUARE // CELLS)
    return (place[:, None] * CELLS + place[None, :]) * ORIENTATIONS


def colour_block(colours: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Mean colours of 4 x 4 cells, standardised over the cells and channels together.

    Parameters
    ----------
    colours : (N, 3, H, W) float32, 0..1
    weights : (N, H, W) float32
        None: all 1.

    Returns
    -------
    (N, 48) float32
        (CELLS, CELLS, 3) grid.
    """
    return colours_of(*_cells_of(colours, weights))


def _cells_of(colours: FloatArray, weights: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    return resample_masked(colours, None if weights is None else weights[:, None], (CELLS, CELLS))


def colours_of(cells: FloatArray, share: FloatArray) -> FloatArray:
    """`colour_block` of pictures that are reduced (`Reduced.cells`)."""
    valid = np.broadcast_to(share > 0.05, cells.shape).astype(np.float32)
    count = np.maximum(valid.sum((1, 2, 3), keepdims=True), 1)
    centred = (cells - (cells * valid).sum((1, 2, 3), keepdims=True) / count) * valid
    result: FloatArray = np.moveaxis(centred, 1, -1).reshape(len(cells), -1)
    return result
