"""How one picture lies on another: similarity or affine from keypoints, from log-polar spectra, or a plain shift.

Coordinates here are those of the two thumbnails: (x, y), continuous, the centre of the first pixel at (.5, .5).
`verification.py` turns the result into a `Registration` in pixels of the full frames.

Every keypoint match carries a scale and an angle, so that it proposes a whole similarity by itself (Lowe 2004,
doi:10.1023/B:VISI.0000029664.99615.94). All matches propose, all vote: what RANSAC samples at random is enumerated,
and the result is the same in every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Features, FloatArray, Keypoints, RegistrationMethod

MATCH_COSINE = 0.65  # of two mirror-aware PCA codes; RootSIFT products of .8 lie about here
ANGLE_TOLERANCE = np.deg2rad(30)
SCALE_TOLERANCE = 0.6  # octaves
LOOSE, TIGHT = 9.0, 3.5  # thumbnail pixels a match may be off: a one-match proposal, a fitted map
MIN_VOTES = 4  # matches that must agree on a proposal before it is fitted
MAX_STRETCH = 2.8  # ratio of an affine map's singular values
MAX_SCALE = 4.0  # between equal thumbnails: a crop of a sixteenth of the area

_Matrix: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alignment:
    """A map of thumbnail *b* onto thumbnail *a*.

    Attributes
    ----------
    matrix : (2, 3) float64
        (x, y, 1) of b to (x, y) of a.
    method : RegistrationMethod
    matches : int
        Mutual nearest keypoints before any geometry.
    inliers : int
        Of them, those that the map explains.
    peak : float
        NCC at which a shift was found, -1..1; 0 where none was sought.
    """

    matrix: NDArray[np.float64]
    method: RegistrationMethod
    matches: int = 0
    inliers: int = 0
    peak: float = 0.0

    @property
    def scale(self) -> float:
        """Pixels of thumbnail a for a pixel of thumbnail b."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))


def compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 3) map that applies `inner`, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def invert(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of a (2, 3) map."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])


def mirror_map(width: float) -> NDArray[np.float64]:
    """Return the left-right mirror of a picture that is `width` wide."""
    return np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0]])


def register_keypoints(a: Features, b: Features, parity: FloatArray, least: int = 2) -> Alignment | None:
    """Register by keypoints, mirrored or not, whichever more matches agree on.

    Parameters
    ----------
    a, b : Features
    parity : (C,) float32
        Signs that turn a keypoint code into that of the mirrored picture (`Model.local_parity`).
    least : int
        Matches with which an alignment is looked for, at least 2.

    Returns
    -------
    Alignment or None
        None when too few matches agree.
    """
    if len(a.keypoints) < least or len(b.keypoints) < least:
        return None
    side_a, side_b = float(max(a.thumbnail.shape)), float(max(b.thumbnail.shape))
    width = float(b.thumbnail.shape[1])
    codes_a, codes_b = _unit(a.keypoints), _unit(b.keypoints)
    best: Alignment | None = None
    for mirrored in (False, True):
        first, second = mutual_nearest(codes_a, codes_b * parity if mirrored else codes_b)
        if len(first) < least:
            continue
        points_a = a.keypoints.position[first, ::-1].astype(np.float64) * side_a
        points_b = b.keypoints.position[second, ::-1].astype(np.float64) * side_b
        angles = b.keypoints.angle[second].astype(np.float64)
        if mirrored:
            points_b = points_b * (-1, 1) + (width, 0)
            angles = np.pi - angles
        turn = a.keypoints.angle[first] - angles
        ratio = (a.keypoints.scale[first] * side_a) / (b.keypoints.scale[second] * side_b)
        seed = _vote(points_a, points_b, turn, np.log2(ratio.astype(np.float64)))
        if seed.sum() < MIN_VOTES or (best is not None and seed.sum() <= best.inliers // 2):
            continue
        matrix, inliers = _grow(points_a, points_b, seed)
        if matrix is None or (best is not None and inliers <= best.inliers):
            continue
        whole = compose(matrix, mirror_map(width)) if mirrored else matrix
        best = Alignment(whole, RegistrationMethod.KEYPOINTS, len(first), inliers)
    return best


def mutual_nearest(codes_a: FloatArray, codes_b: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Match keypoints that are each other's nearest, with a cosine above `MATCH_COSINE`.

    Parameters
    ----------
    codes_a, codes_b : (K, C), (L, C) float32
        Unit length.

    Returns
    -------
    first, second : (M,) intp
        Indices into the two sets.
    """
    products = codes_a @ codes_b.T
    second = products.argmax(1)
    first = np.arange(len(codes_a))
    keep = (products.argmax(0)[second] == first) & (products[first, second] > MATCH_COSINE)
    return first[keep], second[keep]


def _unit(keypoints: Keypoints) -> FloatArray:
    codes = keypoints.codes.astype(np.float32)
    codes /= np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-6)
    return codes


def _vote(points_a: _Matrix, points_b: _Matrix, turn: _Matrix, octaves: _Matrix) -> NDArray[np.bool_]:
    """Let every match propose its similarity; return the matches that agree with the most popular proposal."""
    factor = 2.0**octaves
    cosine, sine = factor * np.cos(turn), factor * np.sin(turn)
    x, y = points_b[:, 0], points_b[:, 1]
    # proposal i maps point j: its own point is mapped exactly
    dx = x[None, :] - x[:, None]
    dy = y[None, :] - y[:, None]
    off_x = points_a[:, 0][:, None] + cosine[:, None] * dx - sine[:, None] * dy - points_a[:, 0][None, :]
    off_y = points_a[:, 1][:, None] + sine[:, None] * dx + cosine[:, None] * dy - points_a[:, 1][None, :]
    difference = np.abs((turn[:, None] - turn[None, :] + np.pi) % (2 * np.pi) - np.pi)
    agree = (off_x**2 + off_y**2 < LOOSE**2) & (difference < ANGLE_TOLERANCE)
    agree &= np.abs(octaves[:, None] - octaves[None, :]) < SCALE_TOLERANCE
    return np.asarray(agree[agree.sum(1).argmax()])


def _grow(points_a: _Matrix, points_b: _Matrix, inlier: NDArray[np.bool_]) -> tuple[_Matrix | None, int]:
    """Fit, gather what fits, fit again: a similarity first, an affine map once it is held by enough matches."""
    matrix: _Matrix | None = None
    for tolerance in (LOOSE, 0.5 * (LOOSE + TIGHT), TIGHT, TIGHT):
        fitted = fit_similarity(points_a[inlier], points_b[inlier])
        if fitted is None:
            return None, 0
        explained = _explained(fitted, points_a, points_b, tolerance)
        settled = tolerance == TIGHT and np.array_equal(explained, inlier)  # fitting these again gives the same
        matrix, inlier = fitted, explained
        if inlier.sum() < 2:
            return None, 0
        if settled:
            break
    for _ in range(4):
        if inlier.sum() < 6:
            break
        affine = fit_affine(points_a[inlier], points_b[inlier])
        if affine is None:
            break
        explained = _explained(affine, points_a, points_b, TIGHT)
        if explained.sum() < inlier.sum():
            break
        settled = np.array_equal(explained, inlier)
        matrix, inlier = affine, explained
        if settled:
            break
    return matrix, int(inlier.sum())


def _explained(matrix: _Matrix, points_a: _Matrix, points_b: _Matrix, tolerance: float) -> NDArray[np.bool_]:
    off = points_b @ matrix[:, :2].T + matrix[:, 2] - points_a
    # measured in the coarser of the two pictures, so that enlarging does not tighten the tolerance
    (xx, xy), (yx, yy) = matrix[:, :2].tolist()
    unit = max(1.0, abs(xx * yy - xy * yx) ** 0.5)
    return np.asarray((off**2).sum(1) < (tolerance * unit) ** 2)


def fit_similarity(points_a: NDArray[np.float64], points_b: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Fit a = s R b + t by least squares (Umeyama 1991, doi:10.1109/34.88573, without reflection).

    Returns
    -------
    (2, 3) float64 or None
        None for degenerate points or a scale beyond `MAX_SCALE`.
    """
    centre_a, centre_b = points_a.mean(0), points_b.mean(0)
    za = (points_a - centre_a) @ (1, 1j)
    zb = (points_b - centre_b) @ (1, 1j)
    energy = float((np.abs(zb) ** 2).sum())
    if energy < 1e-9:
        return None
    factor = complex((np.conj(zb) * za).sum() / energy)
    if not 1 / MAX_SCALE < abs(factor) < MAX_SCALE:
        return None
    rotation = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([rotation, centre_a - rotation @ centre_b])


def fit_affine(points_a: NDArray[np.float64], points_b: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Fit a = A b + t by least squares; None for degenerate points or an unlikely map."""
    centre_a, centre_b = points_a.mean(0), points_b.mean(0)
    moved_a, moved_b = points_a - centre_a, points_b - centre_b
    normal = moved_b.T @ moved_b
    if np.linalg.eigvalsh(normal)[0] < 4.0 * len(points_a):  # spread of less than 2 pixels across
        return None
    linear = np.linalg.solve(normal, moved_b.T @ moved_a).T
    large, small = np.linalg.svd(linear, compute_uv=False)
    if small < 1e-6 or large / small > MAX_STRETCH or np.linalg.det(linear) <= 0:
        return None
    if not 1 / MAX_SCALE < np.sqrt(large * small) < MAX_SCALE:
        return None
    return np.column_stack([linear, centre_a - linear @ centre_b])
