"""What was done to a picture, from the evidence of its alignment with the other one."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Features, FloatArray, Mask, Registration, Relation, Side
from dedupindex.verify.agreement import AGREES, Overlay
from dedupindex.verify.keypoint_registration import Alignment, compose, invert

WHOLE = 0.955  # share of a picture's area from which it counts as shown entirely
RESIZED = 0.02  # relative difference in scale
TURNED = 0.6  # degrees
BORDER = 0.015  # share of a side that trimming took off
TONE = 6.0  # difference of the mean colours where the pictures overlap, grey levels
CONTRAST = 0.14  # difference of the logarithms of their spreads
EDITED = 0.03  # share of the overlap that disagrees
LEVELS = 28.0  # grey levels between a window and what the tone curve makes of it in the other picture
CURVE_BINS = 32
APART = 512.0  # grey levels between the bins, when all are sorted at once
NOTABLE_SHIFT = 0.01  # of a side


@dataclass(frozen=True, slots=True)
class Found:
    """Relations with the box that goes with ``crop_of``."""

    relations: tuple[Relation, ...]
    crop_box: tuple[int, int, int, int] | None = None
    crop_of: Side | None = None


def to_full(features: Features) -> NDArray[np.float64]:
    """Map thumbnail coordinates (continuous) to those of the full frame (continuous)."""
    top, left, height, width = features.box
    rows, columns = features.mask.shape
    return np.array([[width / columns, 0.0, left], [0.0, height / rows, top]], dtype=np.float64)


def full_matrix(matrix: NDArray[np.float64], a: Features, b: Features) -> NDArray[np.float64]:
    """Turn a map between thumbnails into one between full frames.

    Parameters
    ----------
    matrix : (2, 3) float64
        Continuous (x, y, 1) thumbnail coordinates of b to those of a.
    a, b : Features

    Returns
    -------
    (2, 3) float64
        Full-frame indices of pixel centres of b to those of a.
    """
    whole = compose(to_full(a), compose(matrix, invert(to_full(b))))
    return np.column_stack([whole[:, :2], whole[:, :2] @ (0.5, 0.5) + whole[:, 2] - 0.5])


def registration_of(
    matrix: NDArray[np.float64], a: Features, b: Features, alignment: Alignment, overlap: float, confidence: float
) -> Registration:
    """Describe a map between full frames in shift, scale and rotation.

    Parameters
    ----------
    matrix : (2, 3) float64
        Pixel indices (x, y, 1) of b to those of a.
    a, b : Features
    alignment : Alignment
        Its method is recorded.
    overlap : float
        Common valid area over the smaller valid area, 0..1.
    confidence : float
        0..1.

    Returns
    -------
    Registration
        Shift in pixels of a, rotation in degrees, -180..180.
    """
    linear = matrix[:, :2]
    mirrored = bool(np.linalg.det(linear) < 0)
    upright = linear @ np.diag([-1.0, 1.0]) if mirrored else linear
    angle = np.arctan2(upright[1, 0] - upright[0, 1], upright[0, 0] + upright[1, 1])
    centre = (np.array(b.full_shape[::-1], dtype=np.float64) - 1) / 2
    stretch = np.hypot(linear[0], linear[1])
    # continuous coordinates, so that a picture at twice the size has no shift of half a pixel
    plain = stretch * (centre + 0.5) - 0.5 if not _turns(angle) else np.abs(linear) @ (centre + 0.5) - 0.5
    moved = linear @ centre + matrix[:, 2] - plain
    return Registration(
        shift=(float(moved[1]), float(moved[0])),
        scale=float(np.sqrt(abs(np.linalg.det(linear)))),
        rotation=float((-np.rad2deg(angle) + 180) % 360 - 180) + 0.0,
        mirrored=mirrored,
        overlap=overlap,
        matrix=tuple(tuple(float(v) for v in row) for row in matrix),  # type: ignore[arg-type]
        method=alignment.method,
        confidence=confidence,
    )


def _turns(angle: float) -> bool:
    return bool(abs(np.sin(angle)) > np.sin(np.deg2rad(TURNED)))


def relations_of(
    a: Features, b: Features, laid: Overlay, ncc: FloatArray, textured: Mask, registration: Registration
) -> Found:
    """Name the changes that are visible; none where only the encoding may differ.

    Whether two pictures are the same one, encoded again, cannot be seen at this size: the proof decides it.

    Parameters
    ----------
    a, b : Features
    laid : Overlay
    ncc, textured : (H, W) float32 and bool
        From `agreement`.
    registration : Registration

    Returns
    -------
    Found
    """
    relations: list[Relation] = []
    crop_box, crop_of = None, None
    whole_a, whole_b = laid.cover_a >= WHOLE, laid.cover_b >= WHOLE
    if whole_b and not whole_a:
        relations.append(Relation.CROP_OF)
        crop_of, crop_box = Side.A, _box_on(registration, b, a)
    elif whole_a and not whole_b:
        relations.append(Relation.CROP_OF)
        crop_of, crop_box = Side.B, _box_on(registration, a, b, inverse=True)
    elif not (whole_a or whole_b):
        relations.append(Relation.SHIFTED_OVERLAP)
    if abs(registration.rotation) > TURNED:
        relations.append(Relation.ROTATED)
    if registration.mirrored:
        relations.append(Relation.MIRRORED)
    if abs(registration.scale - 1) > RESIZED or _stretched(registration):
        relations.append(Relation.RESIZED)
    if _bordered(a) != _bordered(b):
        relations.append(Relation.BORDERED)
    if _tone_differs(a, b, registration):
        relations.append(Relation.TONE)
    if edited_share(laid, ncc, textured) > EDITED:
        relations.append(Relation.EDITED)
    return Found(tuple(relations), crop_box, crop_of)


def _stretched(registration: Registration) -> bool:
    large, small = np.linalg.svd(np.array(registration.matrix)[:, :2], compute_uv=False)
    return bool(large / max(small, 1e-9) > 1 + 2 * RESIZED)


def _bordered(features: Features) -> bool:
    return any(inner < (1 - BORDER) * full for inner, full in zip(features.box[2:], features.full_shape, strict=True))


def _box_on(
    registration: Registration, small: Features, large: Features, *, inverse: bool = False
) -> tuple[int, int, int, int]:
    """Bounding box, in the large picture's pixels, of what the small one shows."""
    matrix = np.array(registration.matrix, dtype=np.float64)
    if inverse:
        matrix = invert(matrix)
    top, left, height, width = small.box
    corners = np.array([[x, y] for x in (left, left + width) for y in (top, top + height)], dtype=np.float64) - 0.5
    moved = corners @ matrix[:, :2].T + matrix[:, 2] + 0.5
    limit = np.array(large.full_shape[::-1])
    low = np.clip(np.rint(moved.min(0)), 0, limit).astype(int)
    high = np.clip(np.rint(moved.max(0)), 0, limit).astype(int)
    return int(low[1]), int(low[0]), int(high[1] - low[1]), int(high[0] - low[0])


def edited_share(laid: Overlay, ncc: FloatArray, textured: Mask) -> float:
    """Share of the overlap, by area, in which the pictures differ in structure or in level.

    Structure: textured windows that do not correlate. Level: windows whose mean is far from what the tone curve of the
    whole overlap (median level of one picture for each level of the other) predicts, as under an opaque patch.

    Parameters
    ----------
    laid : Overlay
    ncc : (H, W) float32
        -1..1.
    textured : (H, W) bool
        Both from `window_agreement`.

    Returns
    -------
    float
        0..1.
    """
    kernel = np.ones((3, 3), np.uint8)
    structure = np.asarray(cv2.erode((textured & (ncc < AGREES)).astype(np.uint8), kernel), bool)
    off = np.minimum(_off_curve(laid.a, laid.b, laid.mask), _off_curve(laid.b, laid.a, laid.mask))
    level = np.asarray(cv2.erode((off > LEVELS).astype(np.uint8), kernel), bool)
    return float((structure | level).sum()) / max(1.0, float(laid.mask.sum()))


def _off_curve(first: FloatArray, second: FloatArray, mask: Mask) -> FloatArray:
    """Local mean distance, grey levels, of `second` from the tone curve that `first` predicts it by."""
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    levels = np.clip(first[mask] * (CURVE_BINS / 256), 0, CURVE_BINS - 1).astype(np.intp)
    ordered = np.sort(levels * APART + second[mask].astype(np.float64))  # by level, then by value
    count = np.bincount(levels)
    occupied = np.flatnonzero(count)
    count = count[occupied]
    start = np.cumsum(count) - count
    middle = ordered[[start + (count - 1) // 2, start + count // 2]] - occupied * APART
    medians = middle.astype(np.float32).mean(0)
    predicted = np.interp(first * (CURVE_BINS / 256) - 0.5, occupied, medians)
    distance = np.where(mask, second - predicted, 0).astype(np.float32)
    weight = np.maximum(cv2.boxFilter(mask.astype(np.float32), cv2.CV_32F, (5, 5)), 0.2)
    return np.asarray(np.abs(cv2.boxFilter(distance, cv2.CV_32F, (5, 5))) / weight, np.float32)


def _tone_differs(a: Features, b: Features, registration: Registration) -> bool:
    """Compare mean and spread of the colours where b lies on a; the colour thumbnails keep absolute levels."""
    rows, columns = a.colour.shape[:2]
    full = np.array(registration.matrix, dtype=np.float64)
    continuous = np.column_stack([full[:, :2], full[:, 2] + 0.5 - full[:, :2] @ (0.5, 0.5)])
    matrix = compose(invert(_colour_to_full(a)), compose(continuous, _colour_to_full(b)))
    steps = np.column_stack([matrix[:, :2], matrix[:, :2] @ (0.5, 0.5) + matrix[:, 2] - 0.5])
    factor = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    source = b.colour.astype(np.float32)
    still = a.colour.astype(np.float32)
    # blur the finer one to the sharpness of the coarser one, so that the spread of colours can be compared
    if factor < 0.9:
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), 0.45 / factor), np.float32)
    elif factor > 1.1:
        still = np.asarray(cv2.GaussianBlur(still, (0, 0), 0.45 * factor), np.float32)
    moved = np.asarray(cv2.warpAffine(source, steps, (columns, rows), borderMode=cv2.BORDER_REPLICATE))
    weight = np.asarray(cv2.warpAffine(_seen(b).astype(np.float32), steps, (columns, rows)))
    inside = (weight > 0.95) & _seen(a)
    if inside.sum() < 4:
        return False
    first, second = still[inside], moved[inside]
    if np.abs(first.mean(0) - second.mean(0)).max() > TONE:
        return True
    spread_a, spread_b = float(first.std()), float(second.std())
    return bool(abs(np.log(max(spread_a, 1.0) / max(spread_b, 1.0))) > CONTRAST)


def _seen(features: Features) -> Mask:
    """Where the colour thumbnail shows something, clear of masked pixels (which are black)."""
    valid = np.asarray(features.colour.any(axis=2), np.uint8)
    return np.asarray(cv2.erode(valid, np.ones((3, 3), np.uint8), borderValue=1.0), bool)


def _colour_to_full(features: Features) -> NDArray[np.float64]:
    top, left, height, width = features.box
    rows, columns = features.colour.shape[:2]
    return np.array([[width / columns, 0.0, left], [0.0, height / rows, top]], dtype=np.float64)
