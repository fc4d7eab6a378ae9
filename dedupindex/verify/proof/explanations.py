"""Explanations of what may have been done to one of two aligned pictures, the cheapest first.

The pictures are the same where any explanation leaves no difference. So each has few free parameters (a curve, a
sharpness, an angle), which cannot be fitted to a changed place, and is only tried where there is a sign of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare.reduction import LUMINANCE_WEIGHTS
from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.proof.colour import ColourSide
from dedupindex.verify.proof.hue import hue_turn, turned
from dedupindex.verify.proof.matching import (
    Aligned,
    Changes,
    ColourPair,
    Explanation,
    as_they_are,
    by_channel,
    colours,
    full_colours,
    grey,
    soft,
    toned,
)
from dedupindex.verify.proof.palette import palette_error
from dedupindex.verify.proof.residual import TONE_SHARE, cells, halved
from dedupindex.verify.proof.sharpness import sharpened, unsharp_mask

UNTONED = 5.0  # levels of typical difference from which the tone is known to have been changed
NOISY = 3.0  # levels: noise of flat places from which the pictures are compared more coarsely
SMOOTHING = 0.25  # pixels of blur for a level of noise: leaves about 2.5 levels
MOST_SMOOTHING = 3.0  # pixels
SMOOTHER = 1.6  # times that, where it was not enough
BLOCK = 16  # side of the blocks whose noise is measured, pixels
FLAT = 0.4  # of the blocks, those with the least contrast
LEAST_BLOCKS = 30
LEVELS = 6  # groups of blocks by their level
SHARPENED = 1.15  # times the detail of the other picture: one of them was sharpened

_LUMINANCE = np.array(LUMINANCE_WEIGHTS, np.float32)


def explanations(pair: Aligned) -> Iterator[Explanation]:
    """Yield explanations of how two pictures came from each other; the caller stops when one is good enough.

    Parameters
    ----------
    pair : Aligned

    Yields
    ------
    Explanation
        The cheapest first.
    """
    laid, first, second, mask, sign = pair.laid, pair.first, pair.second, pair.mask, pair.sign
    small = colours(laid, pair.matrix)
    if sign > 0 and _typical_difference(first, second, mask) < UNTONED:
        yield as_they_are(first, second, small)
    explanation = toned(first, second, mask, sign, small)
    yield explanation
    if small is not None and (laid.still_palette is not None or laid.moving_palette is not None):
        yield _of_palettes(explanation, small, (laid.still_palette, laid.moving_palette))
    noise = added_noise(first, second, mask)
    if noise > NOISY:
        least = min(MOST_SMOOTHING, SMOOTHING * noise)
        for width in (least, SMOOTHER * least):
            softer = [np.asarray(cv2.GaussianBlur(picture, (0, 0), width), np.uint8) for picture in (first, second)]
            soft_colours = None if small is None else (_blurred(small[0], width / 2), _blurred(small[1], width / 2))
            yield _with_noise(toned(softer[0], softer[1], mask, sign, soft_colours), mask)


def further_explanations(pair: Aligned, changes: Changes) -> Iterator[Explanation]:
    """Yield explanations that cost more, and help only where the pictures mostly agree.

    Parameters
    ----------
    pair : Aligned
    changes : Changes
        What was matched so far.

    Yields
    ------
    Explanation
    """
    mask = pair.mask
    full = full_colours(pair.laid, pair.matrix)
    if full is not None and changes.tone:
        yield by_channel(*full, mask, pair.sign, sharpness=changes.sharpness)
    if pair.sign < 0:
        return
    yield from _sharpened(full, pair.first, pair.second, mask)
    if full is not None:
        rows, columns = mask.shape[0] // 2, mask.shape[1] // 2
        small = halved(full[0]), halved(full[1])
        turn = hue_turn(*small, mask[1 : 2 * rows : 2, 1 : 2 * columns : 2])
        if turn is not None:
            back = turned(full[1], -turn)
            yield toned(pair.first, grey(back), mask, pair.sign, (small[0], halved(back)))


def _typical_difference(first: ByteArray, second: ByteArray, mask: Mask) -> float:
    """Median absolute difference, levels."""
    sampled = np.s_[::8, ::8]
    away = cv2.absdiff(first[sampled], second[sampled])[mask[sampled]]
    return float(np.median(away)) if away.size else 0.0


def _with_noise(explanation: Explanation, mask: Mask) -> Explanation:
    """The same explanation, with allowance for noise, which may grow with the level as that of radar pictures does."""
    side = explanation.sides[0]
    away = np.asarray(cv2.subtract(side.own, side.predicted, dtype=cv2.CV_32F), np.float32)
    energy, level = _flat(away, side.own, mask)
    if len(energy) < LEAST_BLOCKS:
        return explanation
    groups = np.array_split(np.argsort(level), LEVELS)
    middle = np.array([np.median(np.square(level[group])) for group in groups])
    typical = np.array([np.median(energy[group]) for group in groups])
    terms = np.column_stack([np.ones(LEVELS), middle])
    fixed, growing = np.linalg.lstsq(terms, typical, rcond=None)[0]
    if growing <= 0:
        fixed, growing = float(np.median(energy)), 0.0
    variance: FloatArray = np.maximum(fixed, 0) + growing * np.square(halved(side.own).astype(np.float32))
    sides = tuple(
        replace(one, spread=variance if one.spread is None else one.spread + variance) for one in explanation.sides
    )
    return replace(explanation, sides=sides, noise=float(np.sqrt(np.quantile(energy, 0.75))))


def _flat(away: FloatArray, picture: ByteArray, mask: Mask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean square of a difference, and the level of the picture, in the blocks that show least."""
    smooth = cv2.blur(picture, (5, 5)).astype(np.float32)
    inside = cells(mask.astype(np.float32), BLOCK) > 0.99
    level = cells(smooth, BLOCK)[inside].astype(np.float64)
    if not level.size:
        return level, level
    contrast = cells(smooth * smooth, BLOCK)[inside] - np.square(level)
    flat = contrast <= np.quantile(contrast, FLAT)
    return cells(np.asarray(away * away, np.float32), BLOCK)[inside][flat].astype(np.float64), level[flat]


def added_noise(first: ByteArray, second: ByteArray, mask: Mask) -> float:
    """Standard deviation of noise that one of two aligned pictures has and the other one has not.

    It is what one shows more of at the finest scale, in blocks in which the other one shows least. Two shots of a
    scene, however much their details differ, have as much of them, and no noise in this sense.

    Parameters
    ----------
    first, second : (H, W) uint8
    mask : (H, W) bool

    Returns
    -------
    float
        Levels, after the slight blur of `soft`: the 0.75 quantile over these blocks, since noise may grow with the
        level.
    """
    fine = []
    for picture in (soft(first), soft(second)):
        away = cv2.subtract(picture, cv2.blur(picture, (5, 5)), dtype=cv2.CV_32F)
        fine.append(np.asarray(away, np.float32))
    clean, noisy = (0, 1) if float(np.square(fine[0][mask]).mean()) < float(np.square(fine[1][mask]).mean()) else (1, 0)
    picture = (first, second)[clean]
    less, _ = _flat(fine[clean], picture, mask)
    more, _ = _flat(fine[noisy], picture, mask)
    return float(np.sqrt(max(0.0, float(np.quantile(more - less, 0.75))))) if less.size else 0.0


def _sharpened(full: ColourPair | None, first: ByteArray, second: ByteArray, mask: Mask) -> Iterator[Explanation]:
    """One picture is the other one after an unsharp mask, which clips at black and white."""
    details = [_detail(picture, mask) for picture in (first, second)]
    if max(details) < SHARPENED * min(details):
        return
    softer = 0 if details[0] < details[1] else 1
    both = [first, second]
    unsharp = unsharp_mask(both[softer], both[1 - softer], mask)
    if unsharp is None:
        return
    gains = (1 + unsharp[1], 1.0) if softer == 0 else (1.0, 1 + unsharp[1])
    if full is None:
        both[softer] = sharpened(both[softer], *unsharp)
        yield replace(toned(both[0], both[1], mask, 1.0, None), gains=gains)
        return
    pair = list(full)
    pair[softer] = sharpened(pair[softer], *unsharp)
    both[softer] = grey(pair[softer])
    explanation = toned(both[0], both[1], mask, 1.0, (halved(pair[0]), halved(pair[1])))
    yield replace(explanation, gains=gains)


def _detail(picture: ByteArray, mask: Mask) -> float:
    """Root mean square of the detail finer than a few pixels, levels."""
    inside = mask[::2, ::2]
    fine = cv2.subtract(picture, cv2.GaussianBlur(picture, (0, 0), 2.0), dtype=cv2.CV_32F)[::2, ::2]
    return float(np.sqrt(np.square(fine[inside]).mean()))


def _blurred(colour: ByteArray, width: float) -> ByteArray:
    return np.asarray(cv2.GaussianBlur(colour, (0, 0), width), np.uint8)


def _of_palettes(
    explanation: Explanation, small: ColourPair, palettes: tuple[ByteArray | None, ByteArray | None]
) -> Explanation:
    """The same explanation, with allowance for colours that a palette of one of the pictures lacks."""
    luminance = np.zeros(small[0].shape[:2], np.float32)
    colour = np.zeros_like(luminance)
    for palette, other in zip(palettes, small[::-1], strict=True):
        if palette is not None:
            error = palette_error(other, palette)
            grey_error: FloatArray = error @ _LUMINANCE
            luminance += np.square(grey_error)
            # colour signals of ITU-R BT.601
            red, blue = 0.713 * (error[..., 0] - grey_error), 0.564 * (error[..., 2] - grey_error)
            colour += TONE_SHARE**2 * (np.square(red) + np.square(blue))
    sides = tuple(
        replace(side, spread=luminance if side.spread is None else side.spread + luminance)
        for side in explanation.sides
    )
    given = explanation.colours or ()
    return replace(explanation, sides=sides, colours=tuple(ColourSide(c.own, c.other, colour) for c in given) or None)
