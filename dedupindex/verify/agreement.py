"""Where two aligned pictures agree: correlation over the valid overlap as a whole and in windows, judged by area.

Judging by area, not by energy, distinguishes two photographs under one overlay (only a few strong edges agree) from
two copies of one photograph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.compare.warping import warp
from dedupindex.records import Features, FloatArray, Mask
from dedupindex.verify.keypoint_registration import invert

WINDOW = 11  # side of the correlation windows, pixels of the coarser thumbnail
TEXTURED = 7.0  # grey levels: windows with less contrast in both pictures are not judged
SOLID = 0.95  # valid share of a warped pixel that is compared
COVER_STEP = 2  # pixels between the points that are tested for coverage
AGREES = 0.4  # NCC from which a window shows the same
EXACT = 0.8  # NCC from which a window shows the same without disturbance
STRANGE, STRANGE_CONTRAST = 0.2, 12.0  # NCC below which, grey levels above which in both, two windows differ in subject


@dataclass(frozen=True, slots=True)
class Overlay:
    """Two pictures on one grid: that of the coarser one.

    Attributes
    ----------
    a, b : (H, W) float32
        0..255.
    mask : (H, W) bool
        Where both are valid.
    on_a : bool
        The grid is that of thumbnail a.
    overlap : float
        Common valid area over the smaller valid area, 0..1.
    cover_a, cover_b : float
        Share of each picture's valid area that the other one covers, 0..1.
    """

    a: FloatArray
    b: FloatArray
    mask: Mask
    on_a: bool
    overlap: float
    cover_a: float
    cover_b: float


def overlay(a: Features, b: Features, matrix: NDArray[np.float64]) -> Overlay:
    """Bring both thumbnails onto the grid of the coarser one.

    Parameters
    ----------
    a, b : Features
    matrix : (2, 3) float64
        Thumbnail coordinates of b to those of a.

    Returns
    -------
    Overlay
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    on_a = scale <= 1
    coarse, fine = (a, b) if on_a else (b, a)
    forward = matrix if on_a else invert(matrix)
    factor = scale if on_a else 1 / scale
    moved, valid = warp(fine.thumbnail, fine.mask, forward, factor, coarse.mask.shape, minimum=SOLID)
    mask = coarse.mask & valid
    cover_a, cover_b = covered(a.mask, b.mask, invert(matrix)), covered(b.mask, a.mask, matrix)
    areas = float(coarse.mask.sum()), float(fine.mask.sum()) * factor**2
    common = max(cover_a * areas[0 if on_a else 1], cover_b * areas[1 if on_a else 0])
    still = coarse.thumbnail.astype(np.float32)
    first, second = (still, moved) if on_a else (moved, still)
    return Overlay(first, second, mask, on_a, min(1.0, common / max(1.0, min(areas))), cover_a, cover_b)


def covered(mask: Mask, other: Mask, matrix: NDArray[np.float64]) -> float:
    """Share of the valid pixels of `mask` that `matrix` maps onto valid pixels of `other`.

    Computed from point positions, so the rim is counted exactly; counting the pixels of a warped picture would lose it.

    Parameters
    ----------
    mask : (H, W) bool
    other : (H', W') bool
    matrix : (2, 3) float64
        Continuous (x, y, 1) coordinates of `mask` to those of `other`.

    Returns
    -------
    float
        0..1; 0 where `mask` has no valid pixel.
    """
    rows, columns = np.nonzero(mask[::COVER_STEP, ::COVER_STEP])
    if not len(rows):
        return 0.0
    points = np.column_stack([columns, rows]) * COVER_STEP + 0.5
    moved = np.floor(points @ matrix[:, :2].T + matrix[:, 2]).astype(np.intp)
    inside = ((moved >= 0) & (moved < other.shape[::-1])).all(axis=1)
    moved = moved[inside]
    return float(other[moved[:, 1], moved[:, 0]].sum()) / len(rows)


def window_agreement(laid: Overlay) -> tuple[FloatArray, Mask, FloatArray]:
    """Correlate the two pictures in a window around every pixel, allowing one pixel of misalignment.

    Returns
    -------
    ncc : (H, W) float32
        -1..1, 0 where a window is not judged.
    textured : (H, W) bool
        Where the window is mostly valid and at least one of the two pictures has contrast in it.
    contrast : (H, W) float32
        Standard deviation within the window of the picture that has less of it, grey levels.
    """
    weight = laid.mask.astype(np.float32)
    count = _box(weight)
    first = laid.a * weight
    mean_a = _box(first) / np.maximum(count, 1)
    spread_a = np.maximum(_box(first * laid.a) / np.maximum(count, 1) - mean_a**2, 0)
    # pictures smaller than the window count as one window
    solid = laid.mask & (count >= 0.6 * min(WINDOW, laid.mask.shape[0]) * min(WINDOW, laid.mask.shape[1]))
    best = np.full(laid.mask.shape, -1.0, np.float32)
    texture_b = np.zeros_like(best)
    for dy, dx in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)):
        second = np.roll(laid.b, (dy, dx), (0, 1)) if dy or dx else laid.b
        masked = second * weight
        mean_b = _box(masked) / np.maximum(count, 1)
        spread_b = np.maximum(_box(masked * second) / np.maximum(count, 1) - mean_b**2, 0)
        product = _box(first * second) / np.maximum(count, 1) - mean_a * mean_b
        best = np.maximum(best, product / np.sqrt(np.maximum(spread_a * spread_b, 1.0)))
        if not (dy or dx):
            texture_b = spread_b
    textured = solid & (np.maximum(spread_a, texture_b) > TEXTURED**2)
    contrast = np.sqrt(np.minimum(spread_a, texture_b)).astype(np.float32)
    return np.where(solid, best, 0).astype(np.float32), textured, contrast


def _box(values: FloatArray) -> FloatArray:
    return np.asarray(
        cv2.boxFilter(values, cv2.CV_32F, (WINDOW, WINDOW), normalize=False, borderType=cv2.BORDER_CONSTANT)
    )


def masked_pearson(a: NDArray[np.floating], b: NDArray[np.floating], mask: Mask) -> float:
    """Correlate two pictures over the mask.

    Parameters
    ----------
    a, b : (H, W) arrays of floats
    mask : (H, W) bool
        True = used.

    Returns
    -------
    float
        -1..1; 0 where the mask has fewer than 8 pixels or one picture is constant there.
    """
    if mask.sum() < 8:
        return 0.0
    first, second = a[mask].astype(np.float64), b[mask].astype(np.float64)
    first -= first.mean()
    second -= second.mean()
    energy = float((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / np.sqrt(energy)) if energy > 1e-9 else 0.0


def agreement(laid: Overlay) -> tuple[Mapping[str, float], FloatArray, Mask]:
    """Measure how two aligned pictures agree.

    Returns
    -------
    measures : mapping
        ``ncc`` over the overlap; ``fine_ncc`` of what remains after a Gaussian of 4 pixels is subtracted, so that two
        smooth skies do not pass; ``area_agreement`` and ``area_exact``, the shares of textured windows with an NCC
        above `AGREES` and `EXACT`; ``area_mean``, their mean NCC; ``shared_mean`` and ``shared_low``, mean NCC and
        share of disagreement weighted by the contrast that both pictures have there (noise lowers the NCC where there
        is little contrast, another subject where there is much); ``strange_patch``, the share of the overlap that is
        covered by the largest patch in which both have contrast and do not correlate (at most .04 for copies, .04 to
        .2 for two photographs in one frame or layout); ``textured``, the share of the overlap that has texture;
        ``overlap``, ``cover_a``, ``cover_b``; ``pixels``, the size of the overlap on the coarser grid.
    ncc, textured : (H, W) arrays
        From `window_agreement`.
    """
    ncc, textured, contrast = window_agreement(laid)
    share = float(textured.sum()) / max(1.0, float(laid.mask.sum()))
    values, weight = ncc[textured], contrast[textured]
    total = max(float(weight.sum()), 1e-3)
    measures = {
        "ncc": masked_pearson(laid.a, laid.b, laid.mask),
        "fine_ncc": _fine_ncc(laid),
        "area_agreement": float((values > AGREES).mean()) if values.size else 0.0,
        "area_exact": float((values > EXACT).mean()) if values.size else 0.0,
        "area_mean": float(values.mean()) if values.size else 0.0,
        "shared_mean": float((values * weight).sum()) / total,
        "shared_low": float(weight[values < AGREES].sum()) / total,
        "strange_patch": strange_patch(ncc, textured, contrast) / max(1.0, float(laid.mask.sum())),
        "textured": share,
        "overlap": laid.overlap,
        "cover_a": laid.cover_a,
        "cover_b": laid.cover_b,
        "pixels": float(laid.mask.sum()),
    }
    return measures, ncc, textured


def strange_patch(ncc: FloatArray, textured: Mask, contrast: FloatArray) -> float:
    """Size of the largest connected patch in which both pictures have contrast and do not correlate.

    Noise and speckle lower the correlation a little everywhere; another subject removes it in one place.

    Parameters
    ----------
    ncc : (H, W) float32
        -1..1.
    textured : (H, W) bool
    contrast : (H, W) float32
        Grey levels. All three from `window_agreement`.

    Returns
    -------
    float
        Pixels.
    """
    strange = (textured & (ncc < STRANGE) & (contrast > STRANGE_CONTRAST)).astype(np.uint8)
    kernel = np.ones((5, 5), np.uint8)
    solid = cv2.morphologyEx(cv2.morphologyEx(strange, cv2.MORPH_OPEN, kernel), cv2.MORPH_CLOSE, kernel)
    count, _, statistics, _ = cv2.connectedComponentsWithStats(solid)
    return float(statistics[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0.0


def _fine_ncc(laid: Overlay) -> float:
    weight = laid.mask.astype(np.float32)
    soft = np.maximum(cv2.GaussianBlur(weight, (0, 0), 4.0), 1e-3)
    fine = [
        plane - np.asarray(cv2.GaussianBlur(plane * weight, (0, 0), 4.0)) / soft
        for plane in (
            np.asarray(cv2.GaussianBlur(laid.a, (0, 0), 0.8)),
            np.asarray(cv2.GaussianBlur(laid.b, (0, 0), 0.8)),
        )
    ]
    return masked_pearson(fine[0], fine[1], laid.mask)
