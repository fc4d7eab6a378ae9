"""Two registered pictures on one grid, each with its prediction from the other one: tone and sharpness matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare.reduction import LUMINANCE_WEIGHTS
from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.keypoint_registration import compose, invert
from dedupindex.verify.proof.colour import ColourSide
from dedupindex.verify.proof.picture import Laid
from dedupindex.verify.proof.residual import Side, halved
from dedupindex.verify.proof.sharpness import match_sharpness
from dedupindex.verify.proof.tone import BENT, Curve, curve_of, joint_histogram, limits, look_up, mixed

SOFT = 0.6  # standard deviation of the blur of both pictures, pixels: compensates for the warping of one
RIM = 4  # pixels of the grid along the edge of the overlap that are not compared
EXACT = 0.03  # pixels: a shift this near to whole pixels is rounded
HISTOGRAM_PIXELS = 250_000  # about as many are used for the tone curve
TONED = 8.0  # levels between the tone curve and the identity from which each channel gets its own curve
CHANNEL_CHANGE = 0.3  # change of a band's weight from which the sharpness of each channel is matched

Matrix = NDArray[np.float64]
ColourPair: TypeAlias = tuple[ByteArray, ByteArray]

_HALVES = np.array([[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]])  # pixel indices to those of averages of 2 x 2


@dataclass(frozen=True, slots=True)
class Changes:
    """Whether tone and sharpness were changed so much that they may have to be matched channel by channel."""

    tone: bool
    sharpness: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """How two aligned pictures predict each other.

    Attributes
    ----------
    sides : tuple of Side
        One for each picture; a single one where both directions are the same.
    colours : tuple of ColourSide or None
        As `sides`; None where one picture has no colours.
    plain : bool
        Nothing was matched: the typical difference of the pair is not subtracted.
    noise : float
        Noise that is left in the pictures, levels: windows with hardly more contrast are not used for agreement.
    gains : (float, float)
        Factors by which fine detail, and quantisation error, of the still and the moving picture was amplified.
    changes : Changes or None
        What was matched of the luminance.
    """

    sides: tuple[Side, ...]
    colours: tuple[ColourSide, ...] | None
    plain: bool = False
    noise: float = 0.0
    gains: tuple[float, float] = (1.0, 1.0)
    changes: Changes | None = None


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two pictures on one grid.

    Attributes
    ----------
    laid : Laid
        Where they come from.
    matrix : (2, 3) float64
        Grid pixel indices to those of the moving picture.
    first, second : (H, W) uint8
        Luminance of the still and of the moving picture.
    mask : (H, W) bool
        Where both are valid, clear of edges and holes.
    sign : float
        1; -1 for negatives.
    """

    laid: Laid
    matrix: Matrix
    first: ByteArray
    second: ByteArray
    mask: Mask
    sign: float


def aligned(laid: Laid, matrix: Matrix, sign: float) -> Aligned:
    """Bring both pictures onto the grid.

    Parameters
    ----------
    laid : Laid
    matrix : (2, 3) float64
        Grid pixel indices to those of the moving picture.
    sign : float
        1; -1 for negatives.

    Returns
    -------
    Aligned
    """
    moved = _warped(laid.moving, matrix, laid.still.shape, cv2.INTER_CUBIC)
    mask = _covered(laid.moving.shape, laid.still.shape, matrix)
    holes = [hole for hole in (laid.still_mask, _warped_mask(laid, matrix)) if hole is not None]
    if holes:
        valid = np.logical_and.reduce(holes).astype(np.uint8)
        kernel = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
        mask &= np.asarray(cv2.erode(valid, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1.0), bool)
    return Aligned(laid, matrix, laid.still, moved, mask, sign)


def _warped_mask(laid: Laid, matrix: Matrix) -> Mask | None:
    if laid.moving_mask is None:
        return None
    size = laid.still.shape[::-1]
    inside = laid.moving_mask.astype(np.uint8) * np.uint8(255)
    return np.asarray(
        cv2.warpAffine(inside, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=0.0) > 250
    )


def _covered(shape: tuple[int, ...], grid: tuple[int, ...], matrix: Matrix) -> Mask:
    """Where the grid lies on the moving picture, both without their rims."""
    rows, columns = shape[:2]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    rim = RIM * scale
    if min(rows, columns) <= 2 * rim + 1 or min(grid[:2]) <= 2 * RIM + 1:
        return np.zeros(grid[:2], np.bool_)
    right, bottom = columns - 1 - rim, rows - 1 - rim
    corners = np.array([[rim, rim], [right, rim], [right, bottom], [rim, bottom]], np.float64)
    back = invert(matrix)
    moved = np.rint((corners @ back[:, :2].T + back[:, 2]) * 16).astype(np.int32)  # sixteenths of a pixel
    mask = np.zeros(grid[:2], np.uint8)
    cv2.fillConvexPoly(mask, moved, (1,), lineType=cv2.LINE_8, shift=4)
    mask[:RIM] = mask[-RIM:] = 0
    mask[:, :RIM] = mask[:, -RIM:] = 0
    return mask.astype(np.bool_)


def colours(laid: Laid, matrix: Matrix) -> tuple[ByteArray, ByteArray] | None:
    """Colours of the still and of the moving picture at half the scale of the grid; None where one has none."""
    if laid.still_colour is None or laid.moving_colour is None:
        return None
    rows, columns = laid.still.shape
    if _whole_shift(matrix, laid.still.shape) is not None:
        return halved(laid.still_colour), halved(
            _warped(laid.moving_colour, matrix, laid.still.shape, cv2.INTER_LINEAR)
        )
    averages = np.asarray(
        cv2.blur(laid.moving_colour, (2, 2)), np.uint8
    )  # of 2 x 2 pixels, the last of them at the index
    between = compose(np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]), compose(matrix, invert(_HALVES)))
    moved = _warped(averages, between, (rows // 2, columns // 2), cv2.INTER_LINEAR)
    return halved(laid.still_colour), moved


def as_they_are(first: ByteArray, second: ByteArray, small: ColourPair | None) -> Explanation:
    """Each picture predicts the other one without any change.

    Parameters
    ----------
    first, second : (H, W) uint8
        From `aligned`.
    small : two (H // 2, W // 2, 3) uint8 or None
        From `colours`.

    Returns
    -------
    Explanation
    """
    first, second = soft(first), soft(second)
    sides = (Side(own=first, predicted=second, low=second, high=second),)
    return Explanation(sides, None if small is None else (ColourSide(*small),), plain=True)


def toned(first: ByteArray, second: ByteArray, mask: Mask, sign: float, small: ColourPair | None) -> Explanation:
    """Match the luminance by one tone curve and one sharpness, in both directions.

    Parameters
    ----------
    first, second : (H, W) uint8
    mask : (H, W) bool
        From `aligned`.
    sign : float
        1; -1 for negatives.
    small : two (H // 2, W // 2, 3) uint8 or None
        From `colours`.

    Returns
    -------
    Explanation
        With what was changed.
    """
    even = match_sharpness(first, second, mask)
    if small is not None:
        small = _as_blurred(small[0], even.widths[0]), _as_blurred(small[1], even.widths[1])
    first, second = soft(even.first), soft(even.second)
    curves = _curves(first, second, mask, sign)
    sides = _side(first, second, curves[0], sign), _side(second, first, curves[1], sign)
    off = max(_off(second, mask, curves[0], sign), _off(first, mask, curves[1], sign))
    both = None if small is None else (ColourSide(*small), ColourSide(*small[::-1]))
    return Explanation(sides, both, changes=Changes(off >= TONED, even.change > CHANNEL_CHANGE))


def by_channel(still: ByteArray, moved: ByteArray, mask: Mask, sign: float, *, sharpness: bool = True) -> Explanation:
    """Match each channel by a tone curve of its own, in both directions: for clipping, posterisation and white balance.

    Parameters
    ----------
    still, moved : (H, W, 3) uint8
        Colours on the grid.
    mask : (H, W) bool
        Where both are valid.
    sign : float
        1; -1 for negatives.
    sharpness : bool
        Match the sharpness of each channel, too.

    Returns
    -------
    Explanation
    """
    channels = []
    for number in range(3):
        first, second = _plane(still, number), _plane(moved, number)
        if sharpness:
            even = match_sharpness(first, second, mask)
            first, second = even.first, even.second
        channels.append(_both_ways(soft(first), soft(second), mask, sign))
    there, moved_toned = _in_colour([one for one, _ in channels])
    back, still_toned = _in_colour([other for _, other in channels])
    colour_sides = (
        ColourSide(halved(still), halved(moved_toned), _unsure(there)),
        ColourSide(halved(moved), halved(still_toned), _unsure(back)),
    )
    return Explanation((there, back), colour_sides)


def full_colours(laid: Laid, matrix: Matrix) -> ColourPair | None:
    """Colours of the still and of the moving picture on the grid; None where one has none."""
    still, moving = laid.still_colour, laid.moving_colour
    if still is None or moving is None:
        return None
    return still, _warped(moving, matrix, laid.still.shape, cv2.INTER_LINEAR)


def _whole_shift(matrix: Matrix, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """(dx, dy) where a map is a shift by whole pixels to within `EXACT`; else None."""
    step = np.rint(matrix[:, 2])
    away = matrix - np.column_stack([np.eye(2), step])
    corners = np.array([[x, y, 1] for x in (0, shape[1]) for y in (0, shape[0])], np.float64)
    if np.abs(corners @ away.T).max() > EXACT:
        return None
    return int(step[0]), int(step[1])


def _warped(picture: ByteArray, matrix: Matrix, shape: tuple[int, ...], interpolation: int) -> ByteArray:
    """A picture on a grid of `shape`; `matrix` maps the grid's pixel indices to the picture's."""
    whole = _whole_shift(matrix, shape)
    if whole is not None:
        if whole == (0, 0) and picture.shape[:2] == shape[:2]:
            return picture
        matrix, interpolation = np.column_stack([np.eye(2), whole]), cv2.INTER_NEAREST
    size = shape[1], shape[0]
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def halved_mask(mask: Mask) -> Mask:
    """The mask at half the scale of the grid, without a rim: colours are less exact along the edges of a file."""
    rows, columns = mask.shape[0] // 2, mask.shape[1] // 2
    small = mask[1 : 2 * rows : 2, 1 : 2 * columns : 2] & mask[: 2 * rows : 2, : 2 * columns : 2]
    cross = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.erode(small.astype(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=0.0), bool)


def _side(own: ByteArray, other: ByteArray, curve: Curve, sign: float) -> Side:
    low, high = limits(curve, sign)
    return Side(
        own=own,
        predicted=look_up(other, curve.levels),
        low=look_up(other, low),
        high=look_up(other, high),
        mixed=mixed(other, curve) if curve.bent > BENT else None,
        spread=np.asarray(cv2.LUT(halved(other), np.square(curve.spread).astype(np.float32)), np.float32),
        untoned=other if sign > 0 else None,
    )


def _both_ways(first: ByteArray, second: ByteArray, mask: Mask, sign: float) -> tuple[Side, Side]:
    """Two planes, each with its prediction by the tone curve from the other one."""
    there, back = _curves(first, second, mask, sign)
    return _side(first, second, there, sign), _side(second, first, back, sign)


def _in_colour(channels: Sequence[Side]) -> tuple[Side, ByteArray]:
    """The luminance of three channels, and their prediction, (H, W, 3)."""
    predicted = _merged([side.predicted for side in channels])
    spread = np.zeros((predicted.shape[0] // 2, predicted.shape[1] // 2), np.float32)
    for share, side in zip(LUMINANCE_WEIGHTS, channels, strict=True):
        # errors of the channels are correlated: standard deviations are added, not variances
        if side.spread is not None:
            spread += share * np.sqrt(side.spread)
    chords = [side.predicted if side.mixed is None else side.mixed for side in channels]
    side = Side(
        own=grey(_merged([side.own for side in channels])),
        predicted=grey(predicted),
        low=grey(_merged([side.low for side in channels])),
        high=grey(_merged([side.high for side in channels])),
        mixed=grey(_merged(chords)) if any(side.mixed is not None for side in channels) else None,
        spread=np.square(spread),
    )
    return side, predicted


def _plane(colour: ByteArray, number: int) -> ByteArray:
    return np.asarray(cv2.extractChannel(colour, number), np.uint8)


def _merged(planes: Sequence[ByteArray]) -> ByteArray:
    return np.asarray(cv2.merge(planes), np.uint8)


def _as_blurred(colour: ByteArray, width: float) -> ByteArray:
    """Colours at half the scale of a luminance that was blurred."""
    return np.asarray(cv2.GaussianBlur(colour, (0, 0), width / 2), np.uint8) if width else colour


def _unsure(side: Side) -> FloatArray:
    """Squared uncertainty of colours whose channels were predicted one by one: more where one of them is clipped."""
    clipped = cv2.subtract(halved(side.high), halved(side.low)).astype(np.float32)
    spread = 0.0 if side.spread is None else np.sqrt(side.spread)
    return np.asarray(np.square(spread + clipped), np.float32)


def soft(picture: ByteArray) -> ByteArray:
    """Blur a picture slightly, to compensate for the warping of one of two pictures."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), SOFT), np.uint8)


def _curves(first: ByteArray, second: ByteArray, mask: Mask, sign: float) -> tuple[Curve, Curve]:
    sampled = np.s_[:: max(1, first.size // HISTOGRAM_PIXELS)]
    joint = joint_histogram(first[sampled], second[sampled], mask[sampled])
    return curve_of(joint.T, sign), curve_of(joint, sign)


def _off(other: ByteArray, mask: Mask, curve: Curve, sign: float) -> float:
    """Distance of the tone curve from the identity, levels: the 0.9 quantile over the pixels of the picture."""
    levels = other[::8, ::8][mask[::8, ::8]]
    if not levels.size:
        return 0.0
    if sign < 0:
        return 255.0
    return float(np.quantile(np.abs(curve.levels - np.arange(256))[levels], 0.9))


def grey(colour: ByteArray) -> ByteArray:
    """Luminance of colours."""
    weights = np.array([LUMINANCE_WEIGHTS], np.float32)
    return np.asarray(cv2.transform(colour, weights), np.uint8).reshape(colour.shape[:2])
