"""Local features: SIFT keypoints of the prepared picture, as RootSIFT, spread over the picture, clear of the mask.

SIFT: Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94. RootSIFT: Arandjelovic and Zisserman 2012,
doi:10.1109/CVPR.2012.6248018.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

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
    return extract_all([picture], [mask], count=count)[0]


def extract_all(pictures: Sequence[ByteArray], masks: Sequence[Mask], *, count: int = COUNT) -> list[LocalFeatures]:
    """`extract` of many pictures, step by step: code that just ran is in the processor's cache.

    Parameters
    ----------
    pictures : sequence of (H, W) uint8
        Of any shapes.
    masks : sequence of (H, W) bool
    count : int
        Most keypoints of each.

    Returns
    -------
    list of LocalFeatures
        One a picture.
    """
    detected = [_detected(picture, mask) for picture, mask in zip(pictures, masks, strict=True)]
    chosen = [_choose(*one, count) for one in zip(detected, pictures, masks, strict=True)]
    described = [
        _describe(picture, keypoints) for picture, (keypoints, *_) in zip(pictures, chosen, strict=True) if keypoints
    ]
    if not described:
        return [_empty()] * len(pictures)
    sift = np.concatenate(described)
    root = np.sqrt(sift / np.maximum(sift.sum(1, keepdims=True), 1e-6))
    result, start = [], 0
    for picture, (keypoints, points, sizes, angles) in zip(pictures, chosen, strict=True):
        side, end = max(picture.shape), start + len(keypoints)
        position = (points[:, ::-1] + np.float32(0.5)) / side
        result.append(LocalFeatures(position, sizes / side, np.deg2rad(angles), root[start:end]))
        start = end
    return result


_Chosen: TypeAlias = tuple[list[Any], FloatArray, FloatArray, FloatArray]  # keypoints, (x, y), diameters, degrees


def _detected(picture: ByteArray, mask: Mask) -> Sequence[Any]:
    if min(picture.shape) < MIN_SIDE:
        return ()
    keypoints: Sequence[Any] = _detector().detect(picture, None if mask.all() else mask.view(np.uint8))
    return keypoints


def _choose(detected: Sequence[Any], picture: ByteArray, mask: Mask, count: int) -> _Chosen:
    """The keypoints that are kept, strongest first, as `_describer` has to see them."""
    none = np.zeros(0, np.float32)
    if not detected:
        return [], np.zeros((0, 2), np.float32), none, none
    points = np.asarray(cv2.KeyPoint.convert(detected), np.float32) - np.float32(DOUBLED_OFF)  # (x, y)
    response = np.array([keypoint.response for keypoint in detected], np.float32)
    if mask.all():
        chosen = spread(points, response, picture.shape, count)
    else:
        sizes = np.array([keypoint.size for keypoint in detected], np.float32)
        clear = np.flatnonzero(_is_clear(points, sizes, mask))
        chosen = clear[spread(points[clear], response[clear], picture.shape, count)]
    kept = [detected[number] for number in chosen.tolist()]
    points = points[chosen]
    for keypoint, (x, y) in zip(kept, points.tolist(), strict=True):
        _to_full_size(keypoint, x, y)
    sizes = np.array([keypoint.size for keypoint in kept], np.float32)
    return kept, points, sizes, np.array([keypoint.angle for keypoint in kept], np.float32)


def _describe(picture: ByteArray, keypoints: list[Any]) -> FloatArray:
    """SIFT descriptors (K, 128) float32."""
    kept, described = _describer().compute(picture, keypoints)
    if len(kept) != len(keypoints):
        raise RuntimeError(f"OpenCV described {len(kept)} of {len(keypoints)} keypoints")
    return np.asarray(described, np.float32)


def _is_clear(points: FloatArray, sizes: FloatArray, mask: Mask) -> Mask:
    """Which keypoints, (x, y) and diameters in pixels, lie far enough from every masked pixel."""
    distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3)
    columns, rows = np.rint(points[:, 0]).astype(int), np.rint(points[:, 1]).astype(int)
    inside = distance[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)]
    clear: Mask = inside > MASK_CLEARANCE * sizes
    return clear


def _to_full_size(keypoint: Any, x: float, y: float) -> None:
    """Change a keypoint to what `_describer` has to see: at (x, y), one octave up, in the same layer.

    OpenCV keeps octave and layer in one number.
    """
    octave = keypoint.octave
    keypoint.octave = (octave & 0xFF00) | ((octave + 1) & 0xFF)
    keypoint.pt = (x, y)


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
    cell = (points[:, 1] * GRID / shape[0]).astype(np.int16).clip(0, GRID - 1) * GRID
    cell += (points[:, 0] * GRID / shape[1]).astype(np.int16).clip(0, GRID - 1)
    strongest = np.argsort(-response, kind="stable")
    by_cell = strongest[np.argsort(cell[strongest], kind="stable")]
    quota = max(1, count // (2 * GRID * GRID))  # half of the places are dealt out evenly, the rest go by strength
    ranked = cell[by_cell]
    late = np.zeros(len(points), np.bool_)  # not among the first of its cell
    late[by_cell[quota:]] = ranked[quota:] == ranked[:-quota]
    late = late[strongest]
    chosen = np.concatenate((strongest[~late], strongest[late]))[:count]
    return chosen[np.argsort(-response[chosen], kind="stable")]


def _empty() -> LocalFeatures:
    return LocalFeatures(
        np.zeros((0, 2), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, 128), np.float32),
    )
