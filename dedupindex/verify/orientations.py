"""Alignments for pictures that keypoints cannot align: all eight orientations, rotation and scale by log-polar spectra.

Each proposes a linear map of b; the shift that goes with it is where the masked NCC of a and the mapped b peaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.compare.correlation import cross_correlate
from dedupindex.compare.warping import warp
from dedupindex.features.descriptor import orientation_cosines
from dedupindex.records import Features, FloatArray, Mask, RegistrationMethod
from dedupindex.verify.agreement import masked_pearson
from dedupindex.verify.keypoint_registration import Alignment
from dedupindex.verify.log_polar import LIKE, Polar, polar_of, turns

SIDE = 64  # longest side at which shifts are sought, pixels
MIN_OVERLAP = 0.5
COVERED = 0.6  # valid share of a pixel that counts when a shift is sought
BEST = 3  # proposals, of up to 15, that are worth a closer look
MIN_PEAK = 0.5  # NCC at 64 pixels below which a proposal is dropped; difficult copies reach .6
SURE = 0.15  # cosine by which an orientation may be below the best one and still be tried
MIN_LOG_POLAR = 24  # pixels; spectra of smaller pictures do not resolve rotation and scale
SIMILAR_ASPECT = 1.4  # up to which two aspects count as one picture stretched
MOST_STRETCHED = 2.8  # ratio of two aspects up to which one picture may be the other one, stretched
SQUARE = 32  # pixels of the side to which both pictures are brought to be compared as wholes
ALIKE_AS_SQUARES = 0.6  # NCC of these squares from which a stretched alignment is sought; copies reach .8
MIRROR = np.diag([-1.0, 1.0])
QUARTER = np.array([[0.0, 1.0], [-1.0, 0.0]])  # counter-clockwise as seen, y pointing down


def shift_after(
    a: Features,
    b: Features,
    linear: NDArray[np.float64],
    method: RegistrationMethod,
    *,
    side: int = SIDE,
    min_overlap: float = MIN_OVERLAP,
) -> Alignment | None:
    """Find the shift that completes a linear map of thumbnail b onto thumbnail a.

    Parameters
    ----------
    a, b : Features
    linear : (2, 2) float64
        (x, y) of thumbnail b to directions in thumbnail a.
    method : RegistrationMethod
        Recorded in the alignment.
    side : int
        Longest side at which the shift is sought, pixels.
    min_overlap : float
        Of the smaller valid area, 0..1.

    Returns
    -------
    Alignment or None
        None where no shift has a positive correlation.
    """
    height, width = b.mask.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ linear.T
    low, extent = corners.min(0), np.ptp(corners, axis=0)
    factor = min(1.0, side / max(*a.mask.shape, *extent))
    shape_a = (max(1, round(a.mask.shape[0] * factor)), max(1, round(a.mask.shape[1] * factor)))
    first, mask_a = _placed(a, np.eye(2) * factor, np.zeros(2), shape_a)
    shape_b = (max(1, round(extent[1] * factor)), max(1, round(extent[0] * factor)))
    second, mask_b = _placed(b, linear * factor, -low * factor, shape_b)
    if not mask_a.any() or not mask_b.any():
        return None
    peak = cross_correlate(first, second, mask_a, mask_b, min_overlap=min_overlap, subpixel=True)
    if peak.score <= 0:
        return None
    moved = np.array(peak.shift[::-1]) / factor - low
    return Alignment(np.column_stack([linear, moved]), method, peak=peak.score)


def _placed(
    features: Features, linear: NDArray[np.float64], offset: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[FloatArray, Mask]:
    """The thumbnail, mapped by a linear map and an offset."""
    scale = float(np.sqrt(abs(np.linalg.det(linear))))
    matrix = np.column_stack([linear, offset])
    return warp(features.thumbnail, features.mask, matrix, scale, shape, minimum=COVERED, weighted=True)


def fitting(a: Features, b: Features, orientation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale an orientation (a signed permutation of the axes) so that b fills a.

    Each axis is scaled separately where the aspects are similar.

    Parameters
    ----------
    a, b : Features
    orientation : (2, 2) float64

    Returns
    -------
    (2, 2) float64
    """
    extent = np.abs(orientation) @ np.array(b.mask.shape[::-1], float)
    ratio = np.array(a.mask.shape[::-1]) / extent
    if ratio.max() / ratio.min() > SIMILAR_ASPECT:
        ratio = np.full(2, max(a.mask.shape) / extent.max())
    return np.diag(ratio) @ orientation


def eight_orientations() -> Iterator[NDArray[np.float64]]:
    """Yield the four quarter turns and their mirror images as (2, 2) maps, the identity first."""
    for first in (np.eye(2), MIRROR):
        orientation = first
        for _ in range(4):
            yield orientation
            orientation = QUARTER @ orientation


def translate(a: Features, b: Features) -> Alignment | None:
    """Align by a plain shift after bringing b to a's size."""
    return shift_after(a, b, fitting(a, b, np.eye(2)), RegistrationMethod.TRANSLATION)


def aspects_apart(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """Ratio of the aspects of two shapes (height, width), at least 1."""
    ratio = a[1] * b[0] / (a[0] * b[1])
    return max(ratio, 1 / ratio)


def may_be_stretched(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two shapes (height, width) are so far apart that keypoints may not match a copy that was stretched."""
    return SIMILAR_ASPECT < aspects_apart(a, b) <= MOST_STRETCHED


def stretched(a: Features, b: Features) -> Iterator[Alignment]:
    """Propose that b fills the whole of a, as it is or mirrored, though their aspects are far apart.

    Keypoints do not match where one side is twice as long as it was. Proposed is what correlates as two squares, so
    that nearly all pairs cost next to nothing.

    Parameters
    ----------
    a, b : Features

    Yields
    ------
    Alignment
    """
    if not may_be_stretched(a.mask.shape, b.mask.shape):
        return
    filling = np.diag(np.array(a.mask.shape[::-1]) / np.array(b.mask.shape[::-1]))
    first, valid_a = _squared(a)
    second, valid_b = _squared(b)
    for linear in (np.eye(2), MIRROR):
        if linear[0, 0] < 0:
            second, valid_b = second[:, ::-1], valid_b[:, ::-1]
        if masked_pearson(first, second, valid_a & valid_b) >= ALIKE_AS_SQUARES:
            alignment = shift_after(a, b, filling @ linear, RegistrationMethod.TRANSLATION)
            if alignment is not None:
                yield alignment


def _squared(features: Features) -> tuple[FloatArray, Mask]:
    """The thumbnail as a square of `SQUARE` pixels, whatever its aspect, and its mask."""
    weight = features.mask.astype(np.float32)
    share = cv2.resize(weight, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA)
    total = cv2.resize(features.thumbnail * weight, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA)
    return np.asarray(total / np.maximum(share, 1e-6), np.float32), np.asarray(share >= COVERED)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A linear map of thumbnail b, (2, 2), to be completed by a shift."""

    linear: NDArray[np.float64]
    method: RegistrationMethod


Worth: TypeAlias = Callable[[list[Proposal]], list[Proposal]]
Cosines: TypeAlias = Callable[[Features, Features], FloatArray]
Polars: TypeAlias = Callable[[Features], Polar]


def without_keypoints(
    a: Features,
    b: Features,
    worth: Worth | None = None,
    polar: Polars | None = None,
    cosines: Cosines = orientation_cosines,
) -> list[Alignment]:
    """The `BEST` of the likely turned orientations and log-polar registrations, by the peak of their correlation.

    Likely are those whose descriptor cosine is within `SURE` of the best one.

    Parameters
    ----------
    a, b : Features
    worth : callable, optional
        Keeps of all proposals those whose shift is worth looking for.
    polar : callable, optional
        As for `log_polar`.
    cosines : callable
        `orientation_cosines`, or one that keeps what it made.

    Returns
    -------
    list of Alignment
    """
    alike = cosines(a, b)
    likely = alike >= alike.max() - SURE
    proposals = list(turned(a, b, likely))
    if min(*a.mask.shape, *b.mask.shape) >= MIN_LOG_POLAR:
        proposals += log_polar(a, b, (bool(likely[:4].any()), bool(likely[4:].any())), polar)
    if worth is not None:
        proposals = worth(proposals)
    good = [alignment for alignment in shifted(a, b, proposals) if alignment.peak >= MIN_PEAK]
    return sorted(good, key=lambda alignment: -alignment.peak)[:BEST]


def shifted(a: Features, b: Features, proposals: Iterable[Proposal]) -> list[Alignment]:
    """Complete proposals with their best shifts.

    Parameters
    ----------
    a, b : Features
    proposals : iterable of Proposal

    Returns
    -------
    list of Alignment
        Without those whose correlation is nowhere positive.
    """
    alignments = (shift_after(a, b, proposal.linear, proposal.method) for proposal in proposals)
    return [alignment for alignment in alignments if alignment is not None]


def turned(a: Features, b: Features, likely: NDArray[np.bool_] | None = None) -> Iterator[Proposal]:
    """Propose the seven orientations other than the identity, or the likely ones among them.

    Parameters
    ----------
    a, b : Features
    likely : (8,) bool or None
        In the order of `eight_orientations`; None = all.

    Yields
    ------
    Proposal
    """
    for number, orientation in enumerate(eight_orientations()):
        if number and (likely is None or likely[number]):
            yield Proposal(fitting(a, b, orientation), RegistrationMethod.TRANSLATION)


def log_polar(
    a: Features, b: Features, likely: tuple[bool, bool] = (True, True), polar: Polars | None = None
) -> Iterator[Proposal]:
    """Propose rotations and scales from the log-polar spectra.

    Parameters
    ----------
    a, b : Features
    likely : (bool, bool)
        Whether to try b as it is, and mirrored.
    polar : callable, optional
        `polar_of`, if it keeps what it made. With it, rotations under which the spectra are hardly alike are left out.

    Yields
    ------
    Proposal
    """
    first, second = (polar or polar_of)(a), (polar or polar_of)(b)
    for mirror, wanted in zip((np.eye(2), MIRROR), likely, strict=True):
        if not wanted:
            continue
        for turn in turns(first, second, bool(mirror[0, 0] < 0)):
            if polar is not None and turn.like < LIKE:
                continue
            # half a turn does not change the magnitude of a spectrum, so both angles are tried
            for half in (0.0, np.pi):
                cosine, sine = np.cos(turn.radians + half) * turn.scale, np.sin(turn.radians + half) * turn.scale
                linear = np.array([[cosine, -sine], [sine, cosine]]) @ mirror
                yield Proposal(linear, RegistrationMethod.LOG_POLAR)
