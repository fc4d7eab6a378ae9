"""Maps between two pictures that many matched keypoints agree on; there may be several.

Every match proposes a similarity by its places, angles and sizes, and all matches vote (as in
`keypoint_registration`). The winner is refined to an affine map, and with enough support to a homography; its matches
are taken out, and the rest votes again: a collage shows several pictures of another collage, and a picture may stand
twice in another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray
from dedupindex.records.pictures import PieceKeypoints

MATCH_COSINE = 0.62  # of two codes, at least
PROPOSALS = 256  # most matches that propose and vote, the surest ones
ANGLE_TOLERANCE = np.deg2rad(28)
SCALE_TOLERANCE = 0.6  # octaves
MAX_SCALE = 10.0  # ratio of sizes between the two stored pictures
LOOSE, FARTHER = 4.0, 0.22  # pixels a proposal may be off beside its own place, and more for each pixel away from it
TIGHT = 3.0  # pixels of the coarser picture that a fitted map may be off
SAME_PLACE = 3.0  # pixels of both pictures within which two matches are one place
MIN_PLACES = 4  # places that must agree
MOST_MAPS = 12  # maps that are tried for a pair
HOMOGRAPHY_FROM = 10  # matches that hold a homography
MAX_STRETCH = 2.2  # ratio of an affine map's singular values

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PieceMap:
    """A map of picture b onto picture a, and what holds it.

    Attributes
    ----------
    matrix : (3, 3) float64
        Homogeneous (x, y, 1) of b to those of a.
    mirrored : bool
    points_a, points_b : (M, 2) float64
        (x, y) of its matches.
    places : int
        Distinct places among them.
    weight : float
        Sum over places; those on repeated patterns count less.
    """

    matrix: Matrix
    mirrored: bool
    points_a: Matrix
    points_b: Matrix
    places: int
    weight: float


@dataclass(frozen=True, slots=True)
class _Matches:
    """Matched keypoints: (x, y) in both pictures, turn and octaves from b to a, weight."""

    a: Matrix
    b: Matrix
    turn: Matrix
    octaves: Matrix
    weight: Matrix

    def __len__(self) -> int:
        return len(self.turn)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> _Matches:
        return _Matches(self.a[chosen], self.b[chosen], self.turn[chosen], self.octaves[chosen], self.weight[chosen])


def maps_between(
    a: PieceKeypoints, b: PieceKeypoints, width_b: int, parity: FloatArray, *, mirrored: bool, apart: float = 0
) -> Iterator[PieceMap]:
    """Maps that enough matches agree on, those with the most support first.

    Parameters
    ----------
    a, b : PieceKeypoints
    width_b : int
        Of picture b, pixels.
    parity : (C,) float32
        Signs that turn a code into that of the mirrored picture (`Model.local_parity`).
    mirrored : bool
        Look for b mirrored left-right.
    apart : float
        Pixels by which two keypoints that match must lie apart: for a picture against itself.

    Yields
    ------
    PieceMap
    """
    if len(a) < 2 or len(b) < 2:
        return
    matches = _matches(a, b, width_b, parity, mirrored, apart)
    if len(matches) < MIN_PLACES:
        return
    agree, elsewhere = _agreement(matches)
    left = np.ones(len(matches), bool)
    for _ in range(MOST_MAPS):
        seed = _vote(agree, elsewhere, matches.weight, left)
        if seed is None:
            return
        matrix, inlier = _grow(matches, seed, left)
        if matrix is not None and inlier.sum() >= MIN_PLACES:
            held = matches.take(inlier)
            places = distinct(held.a, held.b, held.weight)
            if places.sum() >= MIN_PLACES:
                whole = matrix @ np.array([[-1.0, 0, width_b], [0, 1, 0], [0, 0, 1]]) if mirrored else matrix
                points_b = held.b * (-1, 1) + (width_b, 0) if mirrored else held.b
                yield PieceMap(whole, mirrored, held.a, points_b, int(places.sum()), float(held.weight[places].sum()))
        left &= ~(seed | inlier)


def _matches(
    a: PieceKeypoints, b: PieceKeypoints, width_b: int, parity: FloatArray, mirrored: bool, apart: float
) -> _Matches:
    """Nearest keypoints in either direction."""
    first, second = _unit(a), _unit(b)
    if mirrored:
        second = second * parity
    products = first @ second.T
    if apart > 0:
        distance = np.hypot(*(a.position[:, None] - b.position[None]).transpose(2, 0, 1))
        products[distance < apart] = -1
    to_b, to_a = products.argmax(1), products.argmax(0)
    rows = np.concatenate([np.arange(len(first)), to_a])
    columns = np.concatenate([to_b, np.arange(len(second))])
    pairs = np.unique(rows * len(second) + columns)
    rows, columns = np.divmod(pairs, len(second))
    cosine = products[rows, columns]
    keep = cosine > MATCH_COSINE
    rows, columns, cosine = rows[keep], columns[keep], cosine[keep]
    repeated = 1.0 + np.maximum(a.doubles[rows], b.doubles[columns]).astype(np.float64)
    weight = 1 / np.sqrt(repeated)
    order = np.argsort(-cosine * weight, kind="stable")
    order = order[:PROPOSALS]
    rows, columns, weight = rows[order], columns[order], weight[order]
    points_b, angles = b.position[columns, ::-1].astype(np.float64), b.angle[columns].astype(np.float64)
    if mirrored:
        points_b, angles = points_b * (-1, 1) + (width_b, 0), np.pi - angles
    return _Matches(
        a.position[rows, ::-1].astype(np.float64),
        points_b,
        a.angle[rows] - angles,
        np.log2(a.scale[rows].astype(np.float64) / b.scale[columns]),
        weight,
    )


def _unit(keypoints: PieceKeypoints) -> FloatArray:
    codes = keypoints.codes.astype(np.float32)
    codes /= np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-6)
    return codes


def _agreement(matches: _Matches) -> tuple[NDArray[np.bool_], FloatArray]:
    """Which matches agree with the proposal of each one, and which of them show another place (0 or 1); (N, N)."""
    x, y = matches.b.astype(np.float32).T
    u, v = matches.a.astype(np.float32).T
    turn, octaves = matches.turn.astype(np.float32), matches.octaves.astype(np.float32)
    factor = np.exp2(octaves)
    cosine, sine = (factor * np.cos(turn))[:, None], (factor * np.sin(turn))[:, None]
    dx, dy = x - x[:, None], y - y[:, None]
    du, dv = u - u[:, None], v - v[:, None]
    off = np.abs(cosine * dx - sine * dy - du)
    np.maximum(off, np.abs(sine * dx + cosine * dy - dv), out=off)
    away = np.maximum(np.abs(du), np.abs(dv))
    # In pixels of the coarser picture: where b is shrunk, of a; where it is enlarged, of b.
    agree = off < LOOSE * np.maximum(1, factor)[:, None] + FARTHER * away
    agree &= np.abs(octaves - octaves[:, None]) < SCALE_TOLERANCE
    difference = np.abs(turn - turn[:, None])
    agree &= np.abs(difference - np.round(difference / (2 * np.pi)) * (2 * np.pi)) < ANGLE_TOLERANCE
    apart = (np.maximum(np.abs(dx), np.abs(dy)) > SAME_PLACE) & (away > SAME_PLACE)
    return agree, (agree & apart).astype(np.float32)


def _vote(
    agree: NDArray[np.bool_], apart: FloatArray, weight: Matrix, left: NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    """Of the matches that are left, those that agree with the proposal with most weight; None where too few do."""
    support = (apart @ np.where(left, weight, 0).astype(np.float32) + weight) * left
    best = int(support.argmax())
    if apart[best] @ left + 1 < MIN_PLACES:
        return None
    chosen: NDArray[np.bool_] = agree[best] & left
    return chosen


def _grow(
    matches: _Matches, seed: NDArray[np.bool_], left: NDArray[np.bool_]
) -> tuple[Matrix | None, NDArray[np.bool_]]:
    """Fit, gather what fits, fit again: a similarity, then an affine map, then a homography if it explains more."""
    inlier = seed
    matrix: Matrix | None = None
    for tolerance in (3.0, 2.0, 1.5, 1.0):
        fitted = fit_similarity(matches.a[inlier], matches.b[inlier])
        if fitted is None:
            return None, seed
        gathered = _explained(fitted, matches, tolerance * TIGHT) & left
        if gathered.sum() < 3:
            return (None, seed) if matrix is None else (matrix, inlier)
        matrix, inlier = fitted, gathered
    for _ in range(3):
        if inlier.sum() < 6:
            break
        affine = fit_affine(matches.a[inlier], matches.b[inlier])
        if affine is None:
            break
        gathered = _explained(affine, matches, TIGHT) & left
        if gathered.sum() < inlier.sum():
            break
        matrix, inlier = affine, gathered
    if matrix is not None and inlier.sum() >= HOMOGRAPHY_FROM:
        wide = _explained(matrix, matches, 3 * TIGHT) & left
        projective = fit_homography(matches.a[wide], matches.b[wide])
        if projective is not None:
            gathered = _explained(projective, matches, TIGHT) & left
            if gathered.sum() > 1.1 * inlier.sum():
                matrix, inlier = projective, gathered
    return matrix, inlier


def _explained(matrix: Matrix, matches: _Matches, tolerance: float) -> NDArray[np.bool_]:
    """Matches that a map explains to *tolerance* pixels of the coarser picture, in place, angle and size."""
    moved = project(matrix, matches.b)
    local = local_linear(matrix, matches.b)
    factor = np.sqrt(np.maximum(np.abs(local[:, 0] * local[:, 3] - local[:, 1] * local[:, 2]), 1e-12))
    turn = np.arctan2(local[:, 2] - local[:, 1], local[:, 0] + local[:, 3])
    near = np.hypot(*(moved - matches.a).T) < tolerance * np.maximum(1.0, factor)
    turned = np.abs((matches.turn - turn + np.pi) % (2 * np.pi) - np.pi) < 1.5 * ANGLE_TOLERANCE
    sized = np.abs(matches.octaves - np.log2(factor)) < 1.5 * SCALE_TOLERANCE
    return np.asarray(near & turned & sized)


def distinct(points_a: Matrix, points_b: Matrix, weight: Matrix) -> NDArray[np.bool_]:
    """Choose one match of each place: of those in one cell of either picture the one with the largest weight.

    Parameters
    ----------
    points_a, points_b : (M, 2) float64
    weight : (M,) float64

    Returns
    -------
    (M,) bool
    """
    order = np.argsort(-weight, kind="stable")
    for points in (points_a, points_b):
        cell = np.floor(points[order] / (2 * SAME_PLACE)).astype(np.int64)
        _, first = np.unique(cell[:, 0] * 4_096 + cell[:, 1], return_index=True)
        order = order[np.sort(first)]
    kept = np.zeros(len(weight), bool)
    kept[order] = True
    return kept


def project(matrix: Matrix, points: Matrix) -> Matrix:
    """Move points (N, 2) by a homogeneous map (3, 3)."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    result: Matrix = moved[:, :2] / moved[:, 2:]
    return result


def inverse(matrix: Matrix) -> Matrix:
    """The inverse of a homogeneous map (3, 3)."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def local_linear(matrix: Matrix, points: Matrix) -> Matrix:
    """Derivative of a homogeneous map at points (N, 2): du/dx, du/dy, dv/dx, dv/dy of each."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    depth = moved[:, 2]
    u, v = moved[:, 0] / depth, moved[:, 1] / depth
    columns = [
        (matrix[0, 0] - u * matrix[2, 0]) / depth,
        (matrix[0, 1] - u * matrix[2, 1]) / depth,
        (matrix[1, 0] - v * matrix[2, 0]) / depth,
        (matrix[1, 1] - v * matrix[2, 1]) / depth,
    ]
    return np.stack(columns, axis=1)


def fit_similarity(points_a: Matrix, points_b: Matrix) -> Matrix | None:
    """Fit a = s R b + t (3, 3) by least squares; None for degenerate points or a scale beyond `MAX_SCALE`."""
    centre_a, centre_b = points_a.mean(0), points_b.mean(0)
    za, zb = (points_a - centre_a) @ (1, 1j), (points_b - centre_b) @ (1, 1j)
    energy = float((np.abs(zb) ** 2).sum())
    if energy < 1e-9:
        return None
    factor = complex((np.conj(zb) * za).sum() / energy)
    if not 1 / MAX_SCALE < abs(factor) < MAX_SCALE:
        return None
    rotation = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return _homogeneous(rotation, centre_a - rotation @ centre_b)


def fit_affine(points_a: Matrix, points_b: Matrix) -> Matrix | None:
    """Fit a = A b + t (3, 3) by least squares; None for degenerate points or an unlikely map."""
    centre_a, centre_b = points_a.mean(0), points_b.mean(0)
    moved_a, moved_b = points_a - centre_a, points_b - centre_b
    normal = moved_b.T @ moved_b
    if np.linalg.eigvalsh(normal)[0] < 16.0 * len(points_a):  # spread of less than 4 pixels across
        return None
    linear = np.linalg.solve(normal, moved_b.T @ moved_a).T
    large, small = np.linalg.svd(linear, compute_uv=False)
    if small < 1e-6 or large / small > MAX_STRETCH or np.linalg.det(linear) <= 0:
        return None
    if not 1 / MAX_SCALE < np.sqrt(large * small) < MAX_SCALE:
        return None
    return _homogeneous(linear, centre_a - linear @ centre_b)


def fit_homography(points_a: Matrix, points_b: Matrix) -> Matrix | None:
    """Fit a homography (3, 3) by least squares on all points; None where it is degenerate or turns the plane over."""
    fitted, _ = cv2.findHomography(points_b.astype(np.float32), points_a.astype(np.float32), 0)
    if fitted is None or not np.isfinite(fitted).all():
        return None
    matrix: Matrix = np.asarray(fitted, np.float64)
    depth = points_b @ matrix[2, :2] + matrix[2, 2]
    if (depth <= 0).any():
        return None
    local = local_linear(matrix, points_b)
    if (local[:, 0] * local[:, 3] - local[:, 1] * local[:, 2] <= 0).any():
        return None
    return matrix


def _homogeneous(linear: Matrix, shift: Matrix) -> Matrix:
    return np.vstack([np.column_stack([linear, shift]), [0.0, 0.0, 1.0]])
