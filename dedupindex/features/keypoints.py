"""Local features: SIFT keypoints of the prepared picture, as RootSIFT, spread over the picture, clear of the mask.

SIFT: Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94. RootSIFT: Arandjelovic and Zisserman 2012,
doi:10.1109/CVPR.2012.6248018.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask

COUNT = 150  # most keypoints a picture
DETECTED = 240  # found before the spread is chosen
DOUBLED_OFF = 0.25  # pixel x lies at 2 x + .5 of the doubled picture, and OpenCV takes half of that for x
SIGMA = 1.6  # blur of the lowest layer of the doubled picture, pixels of that
MIN_SIDE = 16  # pixels; smaller pictures have no room for a SIFT window
GRID = 6  # cells a side among which keypoints are spread
MASK_CLEARANCE = 0.75  # of the keypoint's diameter between its centre and the nearest masked pixel

_local = threading.local()  # an OpenCV detector is not safe to share between threads


@dataclass(frozen=True, slots=True)
class LocalFeatures:
    """Keypoints with their full descriptors, as training and encoding need them.

    Attributes
    ----------
    position : (K, 2) float32
        (y, x) over the longest side, pixel centres at (i + .5) / side.
    scale : (K,) float32
        Diameter over the longest side.
    angle : (K,) float32
        Radians, 0..2 pi, clockwise in image coordinates.
    descriptors : (K, 128) float32
        RootSIFT, unit length.
    """

    position: FloatArray
    scale: FloatArray
    angle: FloatArray
    descriptors: FloatArray


def _detector() -> Any:
    """SIFT on the picture, which OpenCV doubles first.

    Without the doubling detection is faster, but fewer copies are found, small crops above all.
    """
    if not hasattr(_local, "detector"):
        _local.detector = cv2.SIFT.create(nfeatures=DETECTED, contrastThreshold=0.02, edgeThreshold=12, sigma=SIGMA)
    return _local.detector


def _describer() -> Any:
    """SIFT on the picture at its own size, of which a layer is exactly as blurred as in the detector's doubled one.

    A descriptor sums gradients over an area whose size follows from the keypoint. On a doubled picture that area has
    four times the pixels, most of them interpolated, so it takes four times as long. The two descriptors of a keypoint
    are nearly equal and find the same copies. OpenCV centres the area on a whole pixel: up to half a pixel of the
    picture away from the keypoint here, up to a quarter of a pixel on a doubled picture.
    """
    if not hasattr(_local, "describer"):
        _local.describer = cv2.SIFT.create(sigma=SIGMA / 2)
    return _local.describer


def extract(picture: ByteArray, mask: Mask, *, count: int = COUNT) -> LocalFeatures:
    """Detect and describe keypoints.

    Parameters
    ----------
    picture : (H, W) uint8
        Luminance, stretched to 0..255.
    mask : (H, W) bool
        True = valid. No keypoint lies within `MASK_CLEARANCE` of its diameter of a masked pixel.
    count : int
        Most keypoints, strongest of each cell first.

    Returns
    -------
    LocalFeatures
        Strongest first; empty for pictures below `MIN_SIDE` pixels.
    """
    if min(picture.shape) < MIN_SIDE:
        return _empty()
    whole = bool(mask.all())
    detector = _detector()
    detected = detector.detect(picture, None if whole else mask.view(np.uint8))
    if not detected:
        return _empty()
    table = np.array([(*k.pt, k.size, k.angle, k.response) for k in detected], np.float32)
    table[:, :2] -= DOUBLED_OFF
    clear = np.arange(len(table))
    if not whole:
        distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3)
        columns, rows = np.rint(table[:, 0]).astype(int), np.rint(table[:, 1]).astype(int)
        inside = distance[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)]
        clear = np.flatnonzero(inside > MASK_CLEARANCE * table[:, 2])
    chosen = clear[spread(table[clear, :2], table[clear, 4], picture.shape, count)]
    if not len(chosen):
        return _empty()
    table = table[chosen]
    places = table[:, :2].tolist()
    points = [_at_full_size(detected[number], x, y) for number, (x, y) in zip(chosen, places, strict=True)]
    kept, described = _describer().compute(picture, points)
    if len(kept) != len(points):
        raise RuntimeError(f"OpenCV described {len(kept)} of {len(points)} keypoints")
    descriptors = np.asarray(described, np.float32)
    side = max(picture.shape)
    return LocalFeatures(
        (table[:, 1::-1] + np.float32(0.5)) / side,
        table[:, 2] / side,
        np.deg2rad(table[:, 3]),
        np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-6)),
    )


def _at_full_size(keypoint: Any, x: float, y: float) -> Any:
    """The keypoint as `_describer` has to see it: one octave up, in the same layer; OpenCV keeps both in one number."""
    octave = (keypoint.octave & 0xFF00) | ((keypoint.octave + 1) & 0xFF)
    return cv2.KeyPoint(x, y, keypoint.size, keypoint.angle, keypoint.response, octave)


def spread(points: FloatArray, response: FloatArray, shape: tuple[int, int], count: int) -> NDArray[np.intp]:
    """Choose at most `count` keypoints: strong ones, spread over all parts of the picture.

    Parameters
    ----------
    points : (K, 2) float32
        (x, y) in pixels.
    response : (K,) float32
    shape : (int, int)
        (H, W) in pixels.
    count : int

    Returns
    -------
    (min(K, count),) intp
        Indices, strongest first.
    """
    if len(points) <= count:
        return np.argsort(-response, kind="stable")
    cell = (points[:, 1] * GRID / shape[0]).astype(int).clip(0, GRID - 1) * GRID
    cell += (points[:, 0] * GRID / shape[1]).astype(int).clip(0, GRID - 1)
    order = np.lexsort((-response, cell))
    starts = np.r_[0, np.flatnonzero(np.diff(cell[order])) + 1]
    rank = np.empty(len(points), np.intp)
    rank[order] = np.arange(len(points)) - np.repeat(starts, np.diff(np.r_[starts, len(points)]))
    quota = max(1, count // (2 * GRID * GRID))  # half of the places are dealt out evenly, the rest go by strength
    chosen = np.lexsort((-response, rank >= quota))[:count]
    return chosen[np.argsort(-response[chosen], kind="stable")]


def _empty() -> LocalFeatures:
    return LocalFeatures(
        np.zeros((0, 2), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, 128), np.float32),
    )
