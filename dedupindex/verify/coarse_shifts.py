"""Which linear maps of a picture are worth completing by a shift: all shifts of all maps at once, at a small size.

Pictures with few keypoints are laid on each other in eight orientations, and turned and enlarged as their log-polar
spectra propose. Each of these maps costs a correlation over all shifts, and the best ones a measurement. Here that
correlation is made at `SIDE` pixels first, where it is about as high or higher, and then the detail of the two pictures
is compared as `coarse` does. Where an orientation of one picture fills the other one, both come from spectra that are
made once for each picture (`squares`).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.features.descriptor import FEW_KEYPOINTS
from dedupindex.records import Features, FloatArray, Mask, RegistrationMethod
from dedupindex.verify.coarse import (
    FEWEST,
    SHARE_FOR_SHIFTS,
    Detail,
    Details,
    agreements,
    beyond_echo,
    higher,
    may_agree_shifted,
    shrunk,
)
from dedupindex.verify.orientations import BEST, COVERED, MIN_OVERLAP, MIN_PEAK, Proposal, fitting
from dedupindex.verify.score import needed_agreement, needed_few_agreement
from dedupindex.verify.squares import Orientation, orientation_of
from dedupindex.verify.squares import peaks as square_peaks

SIDE, PADDED = 32, 64  # longest side of both pictures, pixels, and of their transforms
BELOW = 0.03  # by which the peak at this size may be below the one at full size
APART = 0.1  # by which the order of two peaks may change
DETAIL_SIDE, DETAIL_PADDED = 64, 96  # the same for the detail: shifts of up to half a side
FLAT = 1e-5  # variance, of values in -1..1, below which an overlap is flat


def worth_shifting(
    a: Features, b: Features, proposals: Sequence[Proposal], details: Details, threshold: float
) -> list[Proposal]:
    """Keep the maps whose best shift may be accepted.

    Parameters
    ----------
    a, b : Features
    proposals : sequence of Proposal
    details : Details
    threshold : float
        Smallest score that is accepted, 0..1.

    Returns
    -------
    list of Proposal
        In the given order.
    """
    if not proposals:
        return []
    linears = np.stack([proposal.linear for proposal in proposals])
    square_a, square_b = details.square(a), details.square(b)
    filling = _filling(a.mask.shape, b.mask.shape, linears)
    orientations = [orientation_of(linear) for linear in linears]
    peaks = np.empty(len(linears), np.float32)
    rest = ~filling
    if square_a is None or square_b is None:
        rest[:] = True
    elif filling.any():
        peaks[filling] = square_peaks(square_a, square_b, _chosen(orientations, filling))
    if rest.any():
        peaks[rest] = _peaks(a, b, linears[rest])
    # the best ones at full size are measured, and which these are may differ
    kept = peaks >= max(MIN_PEAK - BELOW, sorted(peaks.tolist())[-BEST:][0] - APART)
    if not kept.any():
        return []
    first, second = details.of(a), details.of(b)
    pixels = min(first.pixels, second.pixels)
    if pixels >= FEWEST:
        agreement = np.ones(len(linears))
        if (whole := kept & filling).any():
            agreement[whole] = agreements(first, second, _chosen(orientations, whole))
        if (partial := kept & ~filling).any():
            agreement[partial] = _agreement(first, second, linears[partial])
        few = min(len(a.keypoints), len(b.keypoints)) < FEW_KEYPOINTS
        needed = np.array(
            [
                needed_few_agreement(threshold, higher(peak)) if few else needed_agreement(threshold, 0.0, pixels)
                for peak in peaks.tolist()
            ]
        )
        kept &= agreement >= np.tanh(SHARE_FOR_SHIFTS * needed)
    return [proposals[number] for number in np.flatnonzero(kept).tolist()]


def _chosen(orientations: Sequence[Orientation], those: Mask) -> list[Orientation]:
    return [orientations[number] for number in np.flatnonzero(those).tolist()]


def _filling(a: tuple[int, ...], b: tuple[int, ...], linears: NDArray[np.float64]) -> Mask:
    """(N,) whether a map turns or mirrors b along the axes, and makes it fill the whole of a."""
    one, other = (np.abs(linears[:, 0, :]), np.abs(linears[:, 1, :]))
    along = (np.minimum(one, other).max(1) == 0) & (np.minimum(one[:, 0], one[:, 1]) == 0)
    extent = np.abs(linears) @ np.array(b[::-1], float)
    return np.asarray(along & (np.abs(extent - a[::-1]).max(1) < 1e-6))


def worth_aligning(a: Features, b: Features, details: Details, threshold: float) -> bool:
    """Whether a plain shift, after b was brought to the size of a, may be accepted.

    Parameters
    ----------
    a, b : Features
    details : Details
    threshold : float
        Smallest score that is accepted, 0..1.
    """
    if min(len(a.keypoints), len(b.keypoints)) >= FEW_KEYPOINTS:
        return may_agree_shifted(a, b, details, threshold)
    plain = Proposal(fitting(a, b, np.eye(2)), RegistrationMethod.TRANSLATION)
    return bool(worth_shifting(a, b, [plain], details, threshold))


def _frames(
    a: tuple[int, ...], b: tuple[int, ...], linears: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) factors that bring a and the mapped b within *side* pixels, and (N, 2) the low corner of the mapped b."""
    corners = np.array([[0, 0], [b[1], 0], [0, b[0]], [b[1], b[0]]]) @ linears.transpose(0, 2, 1)
    low, high = corners.min(1), corners.max(1)
    factors = np.minimum(1.0, side / np.maximum((high - low).max(1), max(a))).round(6)
    return factors, low


def _placed(planes: FloatArray, linear: NDArray[np.float64], offset: NDArray[np.float64], side: int) -> FloatArray:
    """Planes (H, W) or (H, W, C), mapped by continuous coordinates, in a square; 0 beyond. They shrink by areas."""
    planes, steps = shrunk(planes, linear, offset, 1.0)
    return np.asarray(cv2.warpAffine(planes, steps, (side, side), flags=cv2.INTER_LINEAR, borderValue=0.0))


def _peaks(a: Features, b: Features, linears: NDArray[np.float64]) -> FloatArray:
    """(N,) the highest masked correlation over all shifts, for each map of b."""
    from scipy import fft  # slow to import: only when it is used

    factors, low = _frames(a.mask.shape, b.mask.shape, linears, SIDE)
    sizes, size = np.unique(factors, return_inverse=True)  # many maps leave a at one size
    first = _stacked(a, sizes[:, None, None] * np.eye(2), np.zeros((len(sizes), 2)))
    second = _stacked(b, factors[:, None, None] * linears, -factors[:, None] * low)
    mask_a, values_a, squares_a = fft.rfft2(first, (PADDED, PADDED))[:, size]
    mask_b, values_b, squares_b = np.conj(fft.rfft2(second, (PADDED, PADDED)))
    products = np.stack(
        [
            mask_a * mask_b,
            values_a * values_b,
            values_a * mask_b,
            squares_a * mask_b,
            mask_a * values_b,
            mask_a * squares_b,
        ]
    )
    count, product, sum_a, square_a, sum_b, square_b = fft.irfft2(products, (PADDED, PADDED))
    areas = np.minimum(first[0].sum((1, 2))[size], second[0].sum((1, 2)))
    usual = count >= np.maximum(MIN_OVERLAP * areas - 0.5, 2)[:, None, None]
    share = 1 / np.maximum(count, 1)
    square_a -= sum_a * sum_a * share
    square_b -= sum_b * sum_b * share
    product -= sum_a * sum_b * share
    spread = np.maximum(square_a, 0) * np.maximum(square_b, 0)
    solid = usual & (np.minimum(square_a, square_b) > FLAT * count)
    return np.asarray(np.where(solid, product / np.sqrt(np.maximum(spread, 1e-12)), 0).max((1, 2)), np.float32)


def _stacked(picture: Features, linears: NDArray[np.float64], offsets: NDArray[np.float64]) -> FloatArray:
    """(3, N, SIDE, SIDE) mask, values and squares of a picture under N maps; values about -1..1, 0 where not valid."""
    weight = picture.mask.astype(np.float32)
    level = float((picture.thumbnail * weight).sum() / max(float(weight.sum()), 1.0))
    values = (picture.thumbnail - np.float32(level)) * (weight / np.float32(128))
    planes = np.stack([values, weight], axis=2)
    placed = np.stack([_placed(planes, *mapped, SIDE) for mapped in zip(linears, offsets, strict=True)])
    valid = placed[..., 1] > COVERED
    stack = np.zeros((3, *valid.shape), np.float32)
    stack[0] = valid
    np.divide(placed[..., 0], placed[..., 1], out=stack[1], where=valid)
    np.square(stack[1], out=stack[2])
    return stack


def _agreement(a: Detail, b: Detail, linears: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) by how much the detail agrees better at the best shift than near it, for each map of b."""
    from scipy import fft  # slow to import: only when it is used

    factors, low = _frames(a.shape, b.shape, linears, DETAIL_SIDE)
    sizes, size = np.unique(factors, return_inverse=True)
    square, origin = (DETAIL_SIDE, DETAIL_SIDE), np.zeros(2)
    first = np.stack([_unit(a.mapped(factor * np.eye(2), origin, square)[0]) for factor in sizes.tolist()])
    placed = zip(factors.tolist(), linears, low, strict=True)
    second = np.stack([_unit(b.mapped(factor * linear, -factor * low, square)[0]) for factor, linear, low in placed])
    spectrum_a, spectrum_b = (fft.rfft2(stack, (DETAIL_PADDED, DETAIL_PADDED)) for stack in (first, second))
    surfaces = fft.irfft2(spectrum_a[size] * np.conj(spectrum_b), (DETAIL_PADDED, DETAIL_PADDED))
    return np.array([beyond_echo(surface) for surface in surfaces])


def _unit(values: FloatArray) -> FloatArray:
    return np.asarray(values / np.float32(max(float(np.vdot(values, values)), 1e-12) ** 0.5))
