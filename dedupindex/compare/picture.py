"""A picture of an alignment: both pictures, one laid over the other, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dedupindex.prepare import contrast_normalise
from dedupindex.prepare.masks import valid_from_finite
from dedupindex.prepare.pipeline import LUMINANCE_WEIGHTS, reduce_area
from dedupindex.records import ByteArray, FloatArray, Mask, Registration
from dedupindex.records.proofs import Box, Proof

PANEL = 640  # longest side of a panel, pixels
GAP = 8
LABEL = 15  # height of the letters, pixels
BACKGROUND = 24
OUTLINE_A = (255, 215, 0)
OUTLINE_B = (255, 0, 200)
OUTLINE_REGION = (0, 255, 120)
SMALLEST = 160  # a picture smaller than this is enlarged by whole pixels to be seen

Affine = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Laid:
    """A picture laid over another one, on that one's grid.

    Attributes
    ----------
    first, second : (H, W, 3) uint8
        Black where nothing is; the second is shown where it lies on the first.
    difference : (H, W, 3) uint8
        Of the levels, matched in mean and contrast: from black over red and yellow to white.
    first_valid, second_valid : (H, W) bool
        Where each shows something.
    """

    first: ByteArray
    second: ByteArray
    difference: ByteArray
    first_valid: Mask
    second_valid: Mask


def lay_over(
    first: ByteArray,
    second: ByteArray,
    matrix: Affine,
    first_shape: tuple[int, int],
    second_shape: tuple[int, int],
    first_mask: Mask | None = None,
    second_mask: Mask | None = None,
) -> Laid:
    """Lay a small picture over another small one by the registration of the full ones.

    Parameters
    ----------
    first, second : (h, w) or (h, w, 3) uint8
        Reduced pictures.
    matrix : (2, 3)
        Full (x, y, 1) pixel indices of the second to those of the first.
    first_shape, second_shape : (int, int)
        Height and width of the full pictures.
    first_mask, second_mask : (h, w) bool, optional
        True = valid, of the reduced pictures.

    Returns
    -------
    Laid

    Raises
    ------
    ValueError
        A map that is not invertible.
    """
    colours = [np.repeat(p[..., None], 3, axis=2) if p.ndim == 2 else p for p in (first, second)]
    fulls = (first_shape, second_shape)
    factors = [(full[0] / c.shape[0], full[1] / c.shape[1]) for full, c in zip(fulls, colours, strict=True)]
    between = _between(np.asarray(matrix, np.float64), factors[0], factors[1])
    values = [c.astype(np.float32) / np.float32(255) for c in colours]
    masks = [
        np.ones(c.shape[:2], np.bool_) if mask is None else mask
        for c, mask in zip(colours, (first_mask, second_mask), strict=True)
    ]
    planes = [_warped(values[1][..., c], masks[1], between, colours[0].shape[:2]) for c in range(3)]
    moved, valid = np.dstack([plane for plane, _ in planes]), planes[0][1]
    difference, _ = _difference(_grey(values[0]), _grey(moved), valid & masks[0])
    return Laid(np.ascontiguousarray(colours[0]), _bytes(moved), difference, masks[0], valid)


def draw_alignment(
    a: NDArray[Any],
    b: NDArray[Any],
    registration: Registration,
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    proof: Proof | None = None,
) -> ByteArray:
    """Draw a, b, b on a (red = a only, cyan = b only, grey = both), and their difference, side by side.

    Mask outlines are yellow for a and magenta for b. The difference is taken where both are valid, after the mean and
    the contrast of b are matched to those of a there, so that a change of exposure does not hide an edit; black = none.

    Parameters
    ----------
    a, b : (H, W) or (H, W, 3) arrays
        Any depth; each is shown between its own percentiles.
    registration : Registration
        `Registration.matrix` maps full (x, y, 1) pixel indices of b to those of a.
    mask_a, mask_b : bool arrays or None
        True = valid.
    proof : Proof, optional
        Of a and b: its regions are outlined in green, and its largest difference is given as a number.

    Returns
    -------
    (H, W, 3) uint8
        RGB; each panel at most 640 pixels wide and high.

    Raises
    ------
    TypeError, ValueError
        No numbers, other shapes, no valid pixel, or a map that is not invertible.
    """
    colour_a, valid_a, factors_a = _shown(a, mask_a)
    colour_b, valid_b, factors_b = _shown(b, mask_b)
    matrix = _between(np.array(registration.matrix, np.float64), factors_a, factors_b)
    grey_a, grey_b = _grey(colour_a), _grey(colour_b)
    moved, moved_valid = _warped(grey_b, valid_b, matrix, grey_a.shape)
    both = valid_a & moved_valid
    panel_a, panel_b = _bytes(colour_a), _bytes(colour_b)
    draw_outline(panel_a, valid_a, OUTLINE_A)
    draw_outline(panel_b, valid_b, OUTLINE_B)
    over = _bytes(np.dstack([grey_a * valid_a, moved * moved_valid, moved * moved_valid]))
    draw_outline(over, valid_a, OUTLINE_A)
    draw_outline(over, moved_valid, OUTLINE_B)
    difference, mean = _difference(grey_a, moved, both)
    draw_outline(difference, both, OUTLINE_A)
    if proof is not None:
        for panel in (panel_a, over, difference):
            draw_boxes(panel, [region.box for region in proof.regions], a.shape)
        draw_boxes(panel_b, [region.box_b for region in proof.regions], b.shape)
    panels = (panel_a, panel_b, over, difference)
    return _side_by_side([_enlarged(panel) for panel in panels], _labels(a, b, registration, mean, proof))


def _shown(pixels: NDArray[Any], mask: Mask | None) -> tuple[FloatArray, Mask, tuple[float, float]]:
    """(h, w, 3) colours in 0..1, their mask, and pixels of the picture for one shown (y, x)."""
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ValueError(f"pixels have shape {pixels.shape}, must be (H, W) or (H, W, 3) and not empty")
    if mask is not None and (mask.shape != pixels.shape[:2] or mask.dtype != np.bool_):
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, must be bool {pixels.shape[:2]}")
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8)
    colour = pixels.ndim == 3
    valid = valid_from_finite(pixels, channels=colour)
    if mask is not None:
        valid = valid & mask
    if not valid.any():
        raise ValueError("no pixel is valid")
    result = contrast_normalise(pixels, valid, by="percentile", channels=colour)
    if result.constant:  # nearly empty: a few pixels hold all the contrast
        result = contrast_normalise(pixels, valid, by="minmax", channels=colour)
    values, small = reduce_area(result.values, valid, PANEL)
    if not colour:
        values = np.repeat(values[..., None], 3, axis=2)
    return values, small, (pixels.shape[0] / small.shape[0], pixels.shape[1] / small.shape[1])


def _between(full: Affine, factors_a: tuple[float, float], factors_b: tuple[float, float]) -> Affine:
    """A map between full pixel indices as one between shown ones; pixel centres lie at index + 1/2."""
    (ya, xa), (yb, xb) = factors_a, factors_b
    linear = full[:, :2] * np.array([[xb, yb]]) / np.array([[xa], [ya]])
    centre_b = np.array([xb, yb]) / 2 - 0.5  # full index of the middle of the first shown pixel
    offset = (full[:, :2] @ centre_b + full[:, 2] + 0.5) / np.array([xa, ya]) - 0.5
    result = np.column_stack([linear, offset])
    if abs(np.linalg.det(linear)) < 1e-9 or not np.isfinite(result).all():
        raise ValueError(f"matrix {full.tolist()} cannot be drawn: it folds the picture to a line")
    return result


def _warped(picture: FloatArray, mask: Mask, matrix: Affine, shape: tuple[int, ...]) -> tuple[FloatArray, Mask]:
    """Lay a picture on a grid of another shape, over its valid pixels; smoothed first where it shrinks."""
    weight = mask.astype(np.float32)
    values = np.where(mask, picture, np.float32(0))
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.8:
        sigma = 0.45 * np.sqrt(1 / scale**2 - 1)
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
        weight = np.asarray(cv2.GaussianBlur(weight, (0, 0), sigma), np.float32)
    size = (shape[1], shape[0])
    values = np.asarray(cv2.warpAffine(values, matrix, size), np.float32)
    weight = np.asarray(cv2.warpAffine(weight, matrix, size), np.float32)
    valid: Mask = weight >= 0.5
    return np.divide(values, weight, out=np.zeros_like(values), where=valid), valid


def _grey(colour: FloatArray) -> FloatArray:
    return np.asarray(colour @ np.array(LUMINANCE_WEIGHTS, np.float32), np.float32)


def _bytes(values: FloatArray) -> ByteArray:
    return np.ascontiguousarray(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))


def draw_outline(panel: ByteArray, mask: Mask, colour: tuple[int, int, int]) -> None:
    """Draw the inner edge of a mask into a picture, in place. The picture's own border is no edge.

    Parameters
    ----------
    panel : (H, W, 3) uint8
        RGB.
    mask : (H, W) bool
        True = valid.
    colour : (int, int, int)
        RGB, 0..255.
    """
    if mask.all() or not mask.any():
        return
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    panel[mask & (inner == 0)] = colour


def draw_boxes(
    panel: ByteArray,
    boxes: Sequence[Box],
    shape: tuple[int, ...],
    colour: tuple[int, int, int] = OUTLINE_REGION,
) -> None:
    """Draw the edges of boxes, (top, left, height, width) in pixels of a full picture, into a reduced RGB one of it.

    Parameters
    ----------
    panel : (h, w, 3) uint8
        Is drawn into.
    boxes : sequence of (int, int, int, int)
    shape : (int, int, ...)
        Height and width of the full picture.
    colour : (int, int, int)
        RGB, 0..255.
    """
    rows, columns = panel.shape[0] / shape[0], panel.shape[1] / shape[1]
    for top, left, height, width in boxes:
        first = round(left * columns) - 1, round(top * rows) - 1
        last = round((left + width) * columns), round((top + height) * rows)
        cv2.rectangle(panel, first, last, colour, 1)


def _difference(a: FloatArray, b: FloatArray, both: Mask) -> tuple[ByteArray, float]:
    """Absolute difference after levels are matched, from black over red and yellow to white, and its mean, 0..1."""
    result = np.zeros((*both.shape, 3), np.float32)
    if not both.any():
        return _bytes(result), 0.0
    first, second = a[both].astype(np.float64), b[both].astype(np.float64)
    spread = float(second.std())
    gain = float(first.std()) / spread if spread > 1e-6 else 1.0
    difference = np.abs(first - ((second - second.mean()) * gain + first.mean()))
    result[both] = np.clip(3 * difference[:, None] - np.arange(3), 0, 1)
    return _bytes(result), float(difference.mean())


def _enlarged(panel: ByteArray) -> ByteArray:
    times = max(1, SMALLEST // max(panel.shape[:2]))
    return np.repeat(np.repeat(panel, times, axis=0), times, axis=1)


def _labels(
    a: NDArray[Any], b: NDArray[Any], registration: Registration, mean: float, proof: Proof | None
) -> tuple[str, str, str, str]:
    dy, dx = registration.shift
    parts = [f"shift ({dy:+.1f}, {dx:+.1f})"]
    if abs(registration.scale - 1) > 0.001:
        parts.append(f"scale {registration.scale:.3f}")
    if abs(registration.rotation) > 0.05:
        parts.append(f"turn {registration.rotation:+.1f} deg")
    if registration.mirrored:
        parts.append("mirrored")
    largest = "" if proof is None or not proof.compared else f", largest {proof.largest_level} of 255"
    how = ", ".join(parts) if registration.confidence > 0 else "no alignment found"
    return (
        f"a  {a.shape[1]}x{a.shape[0]} {a.dtype}",
        f"b  {b.shape[1]}x{b.shape[0]} {b.dtype}",
        f"b on a: {how}",
        f"|a - b|, mean {mean:.1%} of the range{largest}",
    )


def _side_by_side(panels: Sequence[ByteArray], labels: Sequence[str]) -> ByteArray:
    """Panels in a row, a label above each, wrapped onto as many lines as its width needs."""
    font = ImageFont.load_default(LABEL)
    wrapped = [
        _wrapped(label, font, max(panel.shape[1], SMALLEST)) for panel, label in zip(panels, labels, strict=True)
    ]
    head = GAP + (LABEL + 4) * max(len(lines) for lines in wrapped) + GAP // 2
    widths = [max(panel.shape[1], SMALLEST) for panel in panels]
    height = head + max(panel.shape[0] for panel in panels) + GAP
    canvas = np.full((height, sum(widths) + GAP * (len(panels) + 1), 3), BACKGROUND, np.uint8)
    lefts = np.cumsum([GAP, *(width + GAP for width in widths[:-1])])
    for panel, left in zip(panels, lefts, strict=True):
        canvas[head : head + panel.shape[0], left : left + panel.shape[1]] = panel
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    for lines, left in zip(wrapped, lefts, strict=True):
        draw.multiline_text((int(left), GAP // 2), "\n".join(lines), font=font, fill=(235, 235, 235), spacing=4)
    return np.asarray(picture, np.uint8)


def _wrapped(text: str, font: Any, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
