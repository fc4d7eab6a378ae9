"""A cheap bound: alignments under which the detail of two pictures does not agree at half size are not measured.

Objects cut out on one colour, cells, faces are alike by the hundred, and nearly every alignment of two of them is
rejected in the end because their detail does not agree (`detail_agreement`). That detail is made here once for each
picture, at half the thumbnail's size: what is left of an alignment is one correlation of two small maps, and of all
shifts one product of two spectra. Half size forgives an alignment that is off by a pixel and averages noise, so copies
agree about as well as in full. The bounds ask for half of what the second rule asks for. Bounds that were measured, not
proven: `tests/benchmarks/look_alikes.py` shows what they spare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.features.descriptor import FEW_KEYPOINTS, turned_vectors, unit
from dedupindex.records import Features, FloatArray
from dedupindex.verify.detail import LENGTH, clipped, inner_of, spread, without_lines
from dedupindex.verify.keypoint_registration import Alignment, invert
from dedupindex.verify.log_polar import Polar, polar_of
from dedupindex.verify.orientations import SIMILAR_ASPECT, aspects_apart
from dedupindex.verify.score import needed_agreement, needed_few_agreement
from dedupindex.verify.squares import AS_IT_IS, Orientation, Square, oriented, square_of

HALF = 2  # thumbnail pixels a pixel of the small maps
SQUARE, PADDED = 64, 96  # sides of the maps for shifts, and of their spectra: shifts of up to half a side
NEAR, FAR = 2, 16  # pixels from the best shift between which an echo is looked for
LEAST_SHARE, LEAST_SHARE_MASKED = 0.45, 0.25  # of the square that two shifted pictures have in common
SHARE_OF_NEED = 0.5  # of the agreement that the second rule asks for; an alignment with less is not measured
MOST_ASKED = 0.35  # agreement with which an alignment is measured however little texture it is told by
LITTLE = 3_200  # thumbnail pixels with texture, as few lines of text have: they agree badly at half size, half is asked
SHARE_FOR_SHIFTS = 0.25  # the same of a shift: aligned to two thumbnail pixels only, and as a whole picture
REDUCED_BELOW = 0.8  # scale below which a picture is averaged over areas before it is mapped
SOLID = 0.5  # share of a pixel that has texture, above which it counts for the limit of detail
HIGHER, MOST = 0.1, 0.9999  # Fisher's z by which a correlation may be above its peak at a smaller size; highest peak
FEWEST = 400  # thumbnail pixels with texture; with fewer the second rule goes by the outline too


@dataclass(frozen=True)
class Detail:
    """What the detail of one picture is made from, at half the size of its thumbnail.

    Attributes
    ----------
    picture : (h, w) float32
        0..255.
    valid, texture : (h, w) float32
        Shares of each pixel that are valid, and that have texture; 0..1.
    values : (h, w) float32
        The detail as it was measured in the thumbnail, about -1..1, 0 where there is no texture.
    shape : (int, int)
        Of the thumbnail.
    """

    picture: FloatArray
    valid: FloatArray
    texture: FloatArray
    values: FloatArray
    shape: tuple[int, int]

    @cached_property
    def pixels(self) -> float:
        """Thumbnail pixels with texture."""
        return float(self.texture.sum()) * self.shape[0] * self.shape[1] / self.texture.size

    @cached_property
    def whole(self) -> bool:
        """The picture has no mask."""
        return bool(self.valid.min() >= 1)

    @cached_property
    def still(self) -> FloatArray:
        """(h, w) `detail_within` the picture as it lies."""
        return detail_within(self.picture, self.valid, self.texture)

    @cached_property
    def square(self) -> FloatArray:
        """(SQUARE, SQUARE) the values stretched to a square, of unit energy."""
        square = np.asarray(cv2.resize(self.values, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA), np.float32)
        return np.asarray(square / max(float(np.vdot(square, square)), 1e-12) ** 0.5, np.float32)

    @cached_property
    def spectrum(self) -> NDArray[np.complex64]:
        """(PADDED, PADDED // 2 + 1) transform of the square."""
        from scipy import fft  # slow to import: only when it is used

        spectrum: NDArray[np.complex64] = fft.rfft2(self.square, (PADDED, PADDED))
        return spectrum

    @cached_property
    def swapped(self) -> NDArray[np.complex64]:
        """The same of the square with its rows and columns swapped."""
        from scipy import fft  # slow to import: only when it is used

        spectrum: NDArray[np.complex64] = fft.rfft2(self.square.T, (PADDED, PADDED))
        return spectrum

    def mapped(
        self, linear: NDArray[np.float64], offset: NDArray[np.float64], shape: tuple[int, int]
    ) -> tuple[FloatArray, FloatArray]:
        """The detail of the picture under a map, and its texture: both of that shape, 0 beyond the picture.

        Lines are removed along rows and columns, so the picture is mapped first.

        Parameters
        ----------
        linear : (2, 2) float64
        offset : (2,) float64
            Continuous (x, y) of the thumbnail to those of the result.
        shape : (int, int)
            Height and width of the result, pixels.

        Returns
        -------
        detail, texture : (h, w) float32
        """
        rows, columns = self.picture.shape
        linear = linear * (self.shape[1] / columns, self.shape[0] / rows)
        planes = np.stack([self.picture, self.valid, self.texture], axis=2)
        planes, steps = shrunk(planes, linear, offset, REDUCED_BELOW)
        size = shape[::-1]
        picture = np.asarray(cv2.warpAffine(planes[..., 0], steps, size, borderMode=cv2.BORDER_REPLICATE), np.float32)
        shares = np.asarray(cv2.warpAffine(planes[..., 1:], steps, size), np.float32)
        texture = shares[..., 1].copy()
        return detail_within(picture, shares[..., 0].copy(), texture), texture


def shrunk(
    planes: FloatArray, linear: NDArray[np.float64], offset: NDArray[np.float64], below: float
) -> tuple[FloatArray, NDArray[np.float64]]:
    """Planes that a map makes smaller, averaged over areas before, and the map that is left for OpenCV.

    Parameters
    ----------
    planes : (H, W) or (H, W, C) float32
    linear : (2, 2) float64
    offset : (2,) float64
        Continuous (x, y) of the planes to those of the result.
    below : float
        Scale from which on they are reduced.

    Returns
    -------
    planes : (h, w) or (h, w, C) float32
    steps : (2, 3) float64
        Of pixel indices.
    """
    height, width = planes.shape[:2]
    scale = abs(linear[0, 0] * linear[1, 1] - linear[0, 1] * linear[1, 0]) ** 0.5
    if scale < below:
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        planes = np.asarray(cv2.resize(planes, small, interpolation=cv2.INTER_AREA), np.float32)
        linear = linear * (width / small[0], height / small[1])
    # continuous coordinates have pixel centres at .5, OpenCV has them at whole numbers
    steps = np.empty((2, 3))
    steps[:, :2] = linear
    steps[:, 2] = 0.5 * linear.sum(1) + offset - 0.5
    return planes, steps


def detail_within(picture: FloatArray, valid: FloatArray, texture: FloatArray) -> FloatArray:
    """The detail of a picture at half size, 0 where it has no texture.

    Parameters
    ----------
    picture : (h, w) float32
        Grey levels.
    valid, texture : (h, w) float32
        Share of each pixel that is valid, and that has texture, 0..1.

    Returns
    -------
    (h, w) float32
        About -1..1.
    """
    return np.asarray(
        clipped(without_lines(picture, valid, LENGTH // HALF, 0.0), texture > SOLID) * texture, np.float32
    )


class Details:
    """Details of pictures, each made once, because a picture is compared with many."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Features, Detail]] = {}
        self._turned: dict[int, tuple[Features, FloatArray]] = {}
        self._squares: dict[int, tuple[Features, Square | None]] = {}
        self._turning: dict[int, tuple[Features, Polar]] = {}

    def of(self, features: Features) -> Detail:
        """`detail_of` these very features."""
        known = self._made.get(id(features))  # the entry keeps the picture, so that no other one gets its id
        if known is None:
            known = self._made[id(features)] = (features, detail_of(features))
        return known[1]

    def cosines(self, a: Features, b: Features) -> FloatArray:
        """`orientation_cosines` of these very features."""
        known = self._turned.get(id(b))
        if known is None:
            known = self._turned[id(b)] = (b, turned_vectors(b))
        cosines: FloatArray = known[1] @ unit(a.descriptor[None])[0]
        return cosines

    def square(self, features: Features) -> Square | None:
        """`square_of` these very features."""
        known = self._squares.get(id(features))
        if known is None:
            known = self._squares[id(features)] = (features, square_of(features))
        return known[1]

    def polar(self, features: Features) -> Polar:
        """`polar_of` these very features."""
        known = self._turning.get(id(features))
        if known is None:
            known = self._turning[id(features)] = (features, polar_of(features))
        return known[1]


def detail_of(features: Features) -> Detail:
    """The detail of a picture where it has texture.

    Parameters
    ----------
    features : Features

    Returns
    -------
    Detail
    """
    valid = features.mask.astype(np.float32)
    picture = features.thumbnail.astype(np.float32)
    texture = inner_of(spread(picture, valid), features.mask).astype(np.float32)
    values = clipped(without_lines(picture, valid), features.mask, step=HALF) * texture
    height, width = features.mask.shape
    small = (max(1, width // HALF), max(1, height // HALF))
    planes = np.stack([picture, valid, texture, values], axis=2)
    reduced = np.asarray(cv2.resize(planes, small, interpolation=cv2.INTER_AREA), np.float32)
    picture, valid, texture, values = np.moveaxis(reduced.reshape(small[1], small[0], 4), 2, 0).copy()
    return Detail(picture, valid, texture, values, (height, width))


def may_agree(a: Features, b: Features, alignment: Alignment, details: Details, threshold: float) -> bool:
    """Whether an alignment is worth measuring.

    Parameters
    ----------
    a, b : Features
    alignment : Alignment
        Of the thumbnail of b on that of a.
    details : Details
    threshold : float
        Smallest score that is accepted, 0..1.

    Returns
    -------
    bool
        True too where it cannot be told: by few keypoints, with little texture.
    """
    few = min(len(a.keypoints), len(b.keypoints)) < FEW_KEYPOINTS
    if few and alignment.inliers:
        return True
    matrix = alignment.matrix
    still, moving = details.of(a), details.of(b)
    if alignment.scale > 1:
        still, moving = moving, still
        matrix = invert(matrix)
    smaller = np.array(still.picture.shape[::-1]) / still.shape[::-1]
    values, texture = moving.mapped(smaller[:, None] * matrix[:, :2], smaller * matrix[:, 2], still.picture.shape)
    common = still.texture * texture
    pixels = float(common.sum()) * HALF**2
    if pixels < FEWEST:
        return True
    weighted = still.still * common
    energy = float(np.vdot(weighted, still.still)) * float(np.vdot(values * common, values))
    agreement = float(np.vdot(weighted, values)) / max(energy, 1e-12) ** 0.5
    if few:
        needed = needed_few_agreement(threshold, higher(alignment.peak))
    else:
        needed = needed_agreement(threshold, alignment.inliers / max(alignment.matches, 1), pixels)
    limit = min(float(np.tanh(SHARE_OF_NEED * needed)), MOST_ASKED)
    return bool(agreement >= (limit / 2 if pixels < LITTLE else limit))


def higher(peak: float) -> float:
    """The correlation at full size may be a little higher than the peak at a smaller one."""
    return float(np.tanh(np.arctanh(min(peak, MOST)) + HIGHER))


def may_agree_shifted(a: Features, b: Features, details: Details, threshold: float) -> bool:
    """Whether a plain shift, after b was brought to the size of a, is worth looking for.

    Compared are the best shift and the second best: detail that agrees by chance, or repeats itself, agrees about as
    well elsewhere.

    Parameters
    ----------
    a, b : Features
    details : Details
    threshold : float
        Smallest score that is accepted, 0..1.

    Returns
    -------
    bool
        True too where it cannot be told: few keypoints, little texture, aspects far apart.
    """
    if (
        min(len(a.keypoints), len(b.keypoints)) < FEW_KEYPOINTS
        or aspects_apart(a.mask.shape, b.mask.shape) > SIMILAR_ASPECT
    ):
        return True
    first, second = details.of(a), details.of(b)
    pixels = min(first.pixels, second.pixels)
    if pixels < FEWEST:
        return True
    [agreement] = agreements(first, second, [AS_IT_IS])
    return bool(agreement >= np.tanh(SHARE_FOR_SHIFTS * needed_agreement(threshold, 0.0, pixels)))


def agreements(a: Detail, b: Detail, orientations: Sequence[Orientation]) -> list[float]:
    """By how much the detail of two pictures brought to one square agrees better at the best shift than near it.

    Parameters
    ----------
    a, b : Detail
    orientations : sequence of Orientation
        Of b, N of them.

    Returns
    -------
    list of float
        `beyond_echo` of each.
    """
    from scipy import fft  # slow to import: only when it is used

    least = LEAST_SHARE if a.whole and b.whole else LEAST_SHARE_MASKED
    products = np.stack([a.spectrum * oriented(b.swapped if one[0] else b.spectrum, one) for one in orientations])
    surfaces = fft.irfft2(products, (PADDED, PADDED))
    return [
        beyond_echo(surface * _share(least, rows, columns))
        for surface, (_, rows, columns) in zip(surfaces, orientations, strict=True)
    ]


def beyond_echo(surface: FloatArray) -> float:
    """By how much detail agrees better at the best shift than near it.

    Parameters
    ----------
    surface : (P, P) float32
        Correlation at every shift, negative ones wrapped to the end.

    Returns
    -------
    float
        The highest number beyond its echo, the highest one `NEAR` to `FAR` away from it (at least 0), over what it
        could be beyond that.
    """
    side = len(surface)
    row, column = divmod(int(surface.argmax()), side)
    best = float(surface[row, column])
    around = np.arange(-FAR, FAR + 1)
    window = surface.take(row + around, 0, mode="wrap").take(column + around, 1, mode="wrap")
    window[FAR - NEAR : FAR + NEAR + 1, FAR - NEAR : FAR + NEAR + 1] = 0
    echo = max(0.0, float(window.max()))
    return (best - echo) / max(1 - echo, 0.1)


@lru_cache(maxsize=8)
def _share(least: float, rows: bool, columns: bool) -> FloatArray:
    """(PADDED, PADDED) what the correlation at a shift is multiplied with for its overlap; 0 = not looked at.

    Of squares whose rows or columns are in reverse, shifts stand further on (`oriented`).
    """
    shift = np.arange(PADDED)
    along = np.maximum(0, 1 - np.minimum(shift, PADDED - shift) / SQUARE)
    share = along[:, None] * along[None, :]
    share = np.roll(share, [SQUARE - 1 if backwards else 0 for backwards in (rows, columns)], (0, 1))
    return np.where(share >= least, 1 / np.maximum(share, least), 0).astype(np.float32)
