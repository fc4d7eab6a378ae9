"""The small pictures that are kept: luminance stretched to its valid range, and colour."""

from __future__ import annotations

import cv2
import numpy as np

from dedupindex.features.resampling import fitted, resample, resample_masked
from dedupindex.records import ByteArray, FloatArray, Mask

SIDE = 128  # longest side of the luminance thumbnail, pixels
COLOUR_SIDE = 32
LOW, HIGH = 0.5, 99.5  # percentiles of the valid pixels that become 0 and 255
SAMPLE, TAIL_PERCENT = 512, 3  # pixels by which the tails that hold these are found, and how wide they are made
TAILED = 2_048  # pixels from which that is worth it


def stretch(luminance: FloatArray, mask: Mask) -> ByteArray:
    """Stretch the valid range of a picture to 0..255, whatever its depth and exposure were.

    Parameters
    ----------
    luminance : (H, W) float32
    mask : (H, W) bool

    Returns
    -------
    (H, W) uint8
        Masked pixels hold the valid mean, so that later smoothing makes no edge of them. Constant pictures are 128.
    """
    whole = bool(mask.all())
    valid = luminance.ravel() if whole else luminance[mask]
    if not valid.size:
        return np.full(luminance.shape, 128, np.uint8)
    step = max(1, valid.size // 16384)
    low, high = _percentiles(valid[::step])
    if high - low < 1e-6:
        low, high = float(valid.min()), float(valid.max())
    if high - low < 1e-9:
        return np.full(luminance.shape, 128, np.uint8)
    levels: FloatArray = luminance - np.float32(low)
    levels *= 255 / (high - low)
    np.clip(levels, 0, 255, out=levels)
    if not whole:
        levels = np.where(mask, levels, levels[mask].mean())
    return np.asarray(np.rint(levels, out=levels), np.uint8)


def _percentiles(values: FloatArray) -> tuple[float, float]:
    """Return the `LOW` and `HIGH` percentiles, as `numpy.percentile` does, without most of its work."""
    low, high = _tails(values)
    last = len(values) - 1
    return _at(low, LOW / 100 * last), _at(high, HIGH / 100 * last - (len(values) - len(high)))


def _tails(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The smallest and the largest values, as far as a sample says that the percentiles lie among them; or all."""
    if len(values) < TAILED:
        return values, values
    sample = np.sort(values[:: len(values) // SAMPLE])
    margin = len(sample) * TAIL_PERCENT // 100
    low, high = values[values <= sample[margin]], values[values >= sample[-1 - margin]]
    enough = LOW / 100 * len(values) + 2  # the two values beside the percentile, and one for rounding
    return (low, high) if min(len(low), len(high)) >= enough else (values, values)


def _at(values: FloatArray, place: float) -> float:
    """The value at a place in the order of size, counted from 0, linear in between."""
    below = int(place)
    above = min(below + 1, len(values) - 1)
    ranked = np.partition(values, (below, above))
    return float(ranked[below]) + (place - below) * float(ranked[above] - ranked[below])


def reduce(picture: ByteArray, mask: Mask, side: int) -> tuple[ByteArray, Mask]:
    """Bring the longest side down to `side` by area averaging over valid pixels; smaller pictures stay.

    Parameters
    ----------
    picture : (H, W) or (H, W, 3) uint8
    mask : (H, W) bool
    side : int

    Returns
    -------
    picture : (h, w) or (h, w, 3) uint8
    mask : (h, w) bool
        Valid where at least half of the pixel's area is.
    """
    shape = fitted(mask.shape, side)
    if shape == mask.shape:
        return picture, mask
    if mask.all():
        small = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8), np.ones(shape, bool)
    planes = np.moveaxis(np.atleast_3d(picture).astype(np.float32), 2, 0)
    values, share = resample_masked(planes, mask.astype(np.float32)[None], shape)
    valid: Mask = share[0] >= 0.5
    for plane in values:
        plane[~valid] = plane[valid].mean() if valid.any() else 128
    levels = np.rint(np.moveaxis(values, 0, 2)).astype(np.uint8)
    return (levels if picture.ndim == 3 else levels[..., 0]), valid


def small_colour(planes: FloatArray, mask: Mask) -> ByteArray:
    """Return the colour thumbnail.

    Parameters
    ----------
    planes : (3, H, W) or (1, H, W) float32, 0..1
        Three channels, or three equal ones.
    mask : (H, W) bool

    Returns
    -------
    (h, w, 3) uint8
        Longest side at most 32; black under the mask.
    """
    shape = fitted(mask.shape, COLOUR_SIDE)
    if shape == mask.shape:
        values = planes * mask
    elif mask.all():
        values = resample(planes, shape)
    else:
        values = resample_masked(planes, mask.astype(np.float32)[None], shape)[0]
    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    picture: ByteArray = np.empty((*shape, 3), np.uint8)
    picture[...] = levels.transpose(1, 2, 0)
    return picture
