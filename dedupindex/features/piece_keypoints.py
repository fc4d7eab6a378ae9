"""Local features for finding pieces: many SIFT keypoints of every size, with repeated patterns told apart.

The keypoints of `keypoints.py` describe a picture as a whole. A piece is a small part of a picture, often at another
size: a tile of a collage shows its original at a quarter of the pixels, where only the large keypoints of the original
are left. So keypoints are dealt out by size first, then by place, and only then by strength. Repeated patterns, text
above all, match everywhere; a keypoint with near-doubles in its own picture is chosen last and counts less
(burstiness: Jegou, Douze, Schmid 2009, doi:10.1109/CVPR.2009.5206609).
"""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.features.model import encode_codes, load_model
from dedupindex.records import ByteArray, CodeArray, FloatArray, Mask
from dedupindex.records.pictures import PieceKeypoints
from dedupindex.versions import PIECE_COUNT, PIECE_SIDE

SIDE, COUNT = PIECE_SIDE, PIECE_COUNT
DESCRIBED = 1_000  # most keypoints that are described before the choice
SIGMA = 1.6  # blur of the lowest layer of the doubled picture, pixels of that
DOUBLED_OFF = 0.25  # pixel x lies at 2 x + .5 of the doubled picture, and OpenCV takes half of that for x
MIN_SIDE = 16  # pixels; smaller pictures have no room for a SIFT window
MASK_CLEARANCE = 0.75  # of the keypoint's diameter between its centre and the nearest masked pixel
SIZES = (3.2, 6.4, 12.8, 25.6)  # limits of the classes of diameter, pixels
CELLS = (8, 6, 4, 3, 2)  # cells a side among which the keypoints of each class are spread
DOUBLE = 0.85  # cosine from which two keypoints of one picture are near-doubles
MOST_DOUBLES = 2  # near-doubles of a keypoint that is chosen like any other

_local = threading.local()  # an OpenCV detector is not safe to share between threads


def _detector() -> Any:
    if not hasattr(_local, "detector"):
        _local.detector = cv2.SIFT.create(nfeatures=0, contrastThreshold=0.02, edgeThreshold=12, sigma=SIGMA)
        _local.describer = cv2.SIFT.create(sigma=SIGMA / 2)
    return _local.detector


def extract(picture: ByteArray, mask: Mask, *, count: int = COUNT) -> PieceKeypoints:
    """Detect, describe and choose keypoints.

    Parameters
    ----------
    picture : (H, W) uint8
        Luminance, longest side at most `SIDE`.
    mask : (H, W) bool
        True = valid. No keypoint lies within `MASK_CLEARANCE` of its diameter of a masked pixel.
    count : int
        Most keypoints.

    Returns
    -------
    PieceKeypoints
        The first ones chosen come first; empty for pictures below `MIN_SIDE` pixels.
    """
    if min(picture.shape) < MIN_SIDE:
        return no_keypoints()
    whole = bool(mask.all())
    detected = _detector().detect(picture, None if whole else mask.view(np.uint8))
    if not detected:
        return no_keypoints()
    table = np.array([(*k.pt, k.size, k.angle, k.response) for k in detected], np.float32)
    table[:, :2] -= DOUBLED_OFF
    clear = np.arange(len(table))
    if not whole:
        distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3)
        columns, rows = np.rint(table[:, 0]).astype(int), np.rint(table[:, 1]).astype(int)
        inside = distance[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)]
        clear = np.flatnonzero(inside > MASK_CLEARANCE * table[:, 2])
    if not len(clear):
        return no_keypoints()
    rank = ranks(table[clear, :2], table[clear, 2], table[clear, 4], picture.shape)
    chosen = clear[np.lexsort((-table[clear, 4], rank))[:DESCRIBED]]
    codes = _described(picture, detected, table, chosen)
    table = table[chosen]
    doubles = near_doubles(codes, table[:, :2], table[:, 2])
    common = doubles > MOST_DOUBLES
    rank = ranks(table[:, :2], table[:, 2], table[:, 4] * ~common, picture.shape)
    best = np.lexsort((-table[:, 4], rank, common))[:count]
    table = table[best]
    return PieceKeypoints(
        table[:, 1::-1] + np.float32(0.5),
        table[:, 2].copy(),
        np.deg2rad(table[:, 3]),
        codes[best],
        np.minimum(doubles[best], 255).astype(np.uint8),
    )


def _described(picture: ByteArray, detected: Any, table: FloatArray, chosen: NDArray[np.intp]) -> CodeArray:
    """Codes (K, 64) of the chosen keypoints, described on the picture at its own size (as in `keypoints.py`)."""
    places = table[chosen, :2].tolist()
    points = []
    for number, (x, y) in zip(chosen.tolist(), places, strict=True):
        k = detected[number]
        octave = (k.octave & 0xFF00) | ((k.octave + 1) & 0xFF)
        points.append(cv2.KeyPoint(x, y, k.size, k.angle, k.response, octave))
    kept, described = _local.describer.compute(picture, points)
    if len(kept) != len(points):
        raise RuntimeError(f"OpenCV described {len(kept)} of {len(points)} keypoints")
    sift = np.asarray(described, np.float32)
    root = np.sqrt(sift / np.maximum(sift.sum(1, keepdims=True), 1e-6))
    model = load_model()
    return encode_codes((root - model.local_mean) @ model.local_basis)


def ranks(points: FloatArray, size: FloatArray, response: FloatArray, shape: tuple[int, int]) -> NDArray[np.intp]:
    """Rank of each keypoint, by strength, among those of its class of size in its cell of the picture.

    Taking keypoints by rank deals them out evenly over sizes and places.

    Parameters
    ----------
    points : (K, 2) float32
        (x, y) in pixels.
    size, response : (K,) float32
    shape : (int, int)
        (H, W) in pixels.

    Returns
    -------
    (K,) intp
        From 0.
    """
    kind = np.searchsorted(np.array(SIZES, np.float32), size, side="right")
    cells = np.array(CELLS)[kind]
    row = np.minimum((points[:, 1] * cells / shape[0]).astype(int).clip(0), cells - 1)
    column = np.minimum((points[:, 0] * cells / shape[1]).astype(int).clip(0), cells - 1)
    bucket = (kind * max(CELLS) + row) * max(CELLS) + column
    order = np.lexsort((-response, bucket))
    starts = np.r_[0, np.flatnonzero(np.diff(bucket[order])) + 1]
    rank = np.empty(len(points), np.intp)
    rank[order] = np.arange(len(points)) - np.repeat(starts, np.diff(np.r_[starts, len(points)]))
    return rank


def near_doubles(codes: CodeArray, points: FloatArray, size: FloatArray) -> NDArray[np.int64]:
    """Number of keypoints elsewhere in the picture that look like each one.

    Parameters
    ----------
    codes : (K, 64) int8
    points : (K, 2) float32
        Pixels. Keypoints closer than the diameter of one of them show the same place.
    size : (K,) float32
        Diameter, pixels.

    Returns
    -------
    (K,) int64
    """
    unit = codes.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-6)
    alike = unit @ unit.T > DOUBLE
    row, column = np.nonzero(alike)
    apart = np.hypot(*(points[row] - points[column]).T) > np.maximum(size[row], size[column])
    return np.bincount(row[apart], minlength=len(codes))


def no_keypoints() -> PieceKeypoints:
    """Keypoints of a picture without any."""
    width = load_model().local_basis.shape[1]
    empty = np.zeros(0, np.float32)
    codes: CodeArray = np.zeros((0, width), np.int8)
    return PieceKeypoints(np.zeros((0, 2), np.float32), empty, empty, codes, np.zeros(0, np.uint8))
