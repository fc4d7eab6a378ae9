"""Measure which of two aligned pictures holds information that the other one lacks.

A copy shows nothing that its original does not show, but a picture alone does not tell what it lacks. So both are laid
on the pixels of the finer one, and what each shows beyond the other is measured: colours, fine detail, levels, area.

Noise is no detail. It is as strong in tiles that show nothing as in tiles that show much, so the energy of the tiles
with least contrast is subtracted from that of the tiles with most. What is left of both, and their cross energy, is
compared in two bands: a blur loses the finer one, a sharpening amplifies both and loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask, ProofMeasures
from dedupindex.records.proofs import Box
from dedupindex.verify.keypoint_registration import compose, invert
from dedupindex.verify.proof.lattice import BLOCK, lattices
from dedupindex.verify.proof.picture import ProofPicture, overlap_box, to_full
from dedupindex.verify.proof.tone import Joint, curve_of, joint_histogram, look_up

WINDOW = 768  # longest side of the part that is measured, pixels of the finer picture
TILE = 64  # side of a tile, pixels
CLOSE_TILES = 500  # with fewer tiles side by side, they are laid at half their side
TEXTURED = 0.3  # share of the tiles, those with most contrast, that show something; as many show least
LEAST_TILES = 6
COARSE, MIDDLE, FINE, LIMIT = 0.04, 0.12, 0.22, 0.5  # limits of the bands, cycles a pixel of the coarser picture
SAME_SCALE = 1.04  # pixels of the finer picture for one of the coarser one, up to which they count as equal
WHOLE = 1e-3  # by which a map may leave whole pixels and count as a shift by whole pixels
RIM = 4  # pixels at the edge of the common area that are not measured
GREY_BINS = 32  # levels of luminance at which the typical colour is taken
OUTSIDE_SIDE = 512  # longest side at which the area outside is measured, pixels
ONE_COLOUR = 1  # levels around the most frequent one that count as one colour
SEAM = 5  # pixels inside the other picture's outline that are looked at
SEAM_COLOUR = 6  # levels from that colour within which they are of the same colour
GOES_ON = 0.5  # share of them from which that colour goes on inside: then it is no border
DIGITS = 4  # significant digits that are kept
# Of two pictures of which neither holds more:
LEAST_KEPT = 0.8  # share of the detail that each keeps of the other one's
LEAST_COLOUR = 0.5  # of the other one's colours
MOST_NOISE = 1.5  # times the other one's noise
QUIET = 0.5  # levels: a smaller difference of noise does not count
LEAST_LEVELS = 0.8  # ratio of what is not explained of the levels of each
EXPLAINED = 0.04  # share of the contrast below which levels count as explained
OF_FILES = (  # measures that belong to two files, not to their content
    *("step_a", "step_b", "lattice_a", "lattice_b", "colours_a", "colours_b"),
    *("ratio", "beyond"),
)

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Common:
    """A part of both pictures on the pixels of the finer one."""

    a: ByteArray
    b: ByteArray
    colour_a: ByteArray | None
    colour_b: ByteArray | None
    mask: Mask
    ratio: float  # pixels along a side of the finer picture for one of the coarser one, >= 1
    a_is_finer: bool
    corner: tuple[int, int]  # x, y of the part in the decoded finer picture


def information(
    a: ProofPicture, b: ProofPicture, matrix: Matrix, sign: float = 1.0, changed: Sequence[tuple[Box, Box]] = ()
) -> dict[str, float]:
    """Measure what each of two pictures shows beyond the other one.

    Parameters
    ----------
    a, b : ProofPicture
    matrix : (2, 3) float64
        Full-frame (x, y, 1) pixel indices of b to those of a, good to a fraction of a pixel.
    sign : float
        -1 for negatives.
    changed : sequence of (box, box)
        Places that differ, (top, left, height, width) in full-frame pixels of a and of b: detail is measured elsewhere
        where that is possible.

    Returns
    -------
    dict of str to float
        Names that end in ``_a`` or ``_b`` are of that picture; what cannot be measured is missing.

        - ``step``: typical step of a JPEG's quantisation, levels; ``colours``: of a palette.
        - ``outside``: share of the valid area, 0..1, that the other picture does not show; ``plain``: share of that
          area that is of one colour.
        - ``ratio``: pixels of the finer picture for one of the coarser one, ``beyond``: energy of the finer one above
          the limit of the coarser one, over that of the coarser one enlarged. Both without ``_a`` and ``_b``.
        - ``middle``, ``fine``: share of the picture's detail in a band that the other one has too: 1 = all, above 1 =
          amplified. ``detail``: its amplitude in the finer band, ``noise``: that of its noise, levels.
        - ``unexplained``: standard deviation of its levels that the other one's do not explain, over its contrast.
        - ``colour``: strength of colours that do not follow from luminance, levels.
        - ``lattice``: see `lattices`.
    """
    measured: dict[str, float] = {}
    for side, picture, other, there in (("a", a, b, matrix), ("b", b, a, invert(matrix))):
        if picture.quantisation:
            measured[f"step_{side}"] = typical_step(picture.quantisation[0])
        if picture.palette is not None:
            measured[f"colours_{side}"] = float(len(picture.palette))
        measured[f"outside_{side}"], measured[f"plain_{side}"] = _outside(picture, other, there)
    common = _common(a, b, matrix)
    if common is not None and common.mask.any():
        joint = joint_histogram(common.a, common.b, common.mask)
        measured |= _detail(common, joint, sign, _boxes(a if common.a_is_finer else b, common, changed))
        measured |= {"unexplained_a": _unexplained(joint.T), "unexplained_b": _unexplained(joint)}
        for side, colour, luminance in (("a", common.colour_a, common.a), ("b", common.colour_b, common.b)):
            measured[f"colour_{side}"] = 0.0 if colour is None else _own_colour(colour, luminance, common.mask)
        measured |= lattices(a, b, matrix, sign)
    return {name: float(f"{value:.{DIGITS}g}") for name, value in measured.items()}


def typical_step(table: Sequence[int]) -> float:
    """Root mean square of the steps of a JPEG for its coarser frequencies, levels."""
    steps = np.array(table, np.float64).reshape(BLOCK, BLOCK)[:4, :4]
    return float(np.sqrt(np.square(steps).mean()))


# ---------------------------------------------------------------------------------------------------- common pixels
def _common(a: ProofPicture, b: ProofPicture, matrix: Matrix) -> _Common | None:
    """The middle of what both show, on the pixels of the finer one; None where that is too small."""
    between = compose(invert(to_full(a)), compose(matrix, to_full(b)))  # decoded b to decoded a
    scale = float(np.sqrt(abs(np.linalg.det(between[:, :2]))))
    a_is_finer = scale >= 1
    fine, coarse, to_fine = (a, b, between) if a_is_finer else (b, a, invert(between))
    left, top, width, height = overlap_box(fine.luminance.shape, coarse.luminance.shape, to_fine)
    columns, rows = min(int(width), WINDOW), min(int(height), WINDOW)
    if min(columns, rows) < TILE:
        return None
    x = int(np.ceil(left)) + (int(width) - columns) // 2
    y = int(np.ceil(top)) + (int(height) - rows) // 2
    part = np.s_[y : y + rows, x : x + columns]
    luminance = fine.luminance[part]
    to_coarse = compose(invert(to_fine), np.array([[1.0, 0.0, x], [0.0, 1.0, y]]))
    moved = _warped(coarse.luminance, to_coarse, luminance.shape, cv2.INTER_LANCZOS4)
    mask = _warped_mask(coarse, to_coarse, luminance.shape)
    if fine.mask is not None:
        mask &= fine.mask[part]
    kernel = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    mask = np.asarray(cv2.erode(mask.astype(np.uint8), kernel, borderValue=0.0), bool)
    colours = (
        None if fine.colour is None else fine.colour[part],
        None if coarse.colour is None else _warped(coarse.colour, to_coarse, luminance.shape, cv2.INTER_LINEAR),
    )
    if a_is_finer:
        return _Common(luminance, moved, *colours, mask, scale, a_is_finer, (x, y))
    return _Common(moved, luminance, *colours[::-1], mask, 1 / scale, a_is_finer, (x, y))


def _warped(picture: ByteArray, matrix: Matrix, shape: tuple[int, ...], interpolation: int) -> ByteArray:
    """A picture on a grid of `shape`; `matrix` maps the grid's pixel indices to the picture's."""
    if np.abs(matrix - np.rint(matrix)).max() < WHOLE:
        matrix, interpolation = np.rint(matrix), cv2.INTER_NEAREST  # faster, and exact
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(picture, matrix, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _warped_mask(picture: ProofPicture, matrix: Matrix, shape: tuple[int, ...]) -> Mask:
    """Where a grid of `shape` lies on valid pixels of a picture."""
    valid = np.full(picture.luminance.shape, 255, np.uint8)
    if picture.mask is not None:
        valid[~picture.mask] = 0
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(valid, matrix, (shape[1], shape[0]), flags=flags, borderValue=0.0) > 250)


def _boxes(fine: ProofPicture, common: _Common, changed: Sequence[tuple[Box, Box]]) -> Mask:
    """Where places that differ lie on the common pixels."""
    covered = np.zeros(common.mask.shape, np.bool_)
    factor = fine.file_scale
    for both in changed:
        top, left, height, width = both[0 if common.a_is_finer else 1]
        x, y = left / factor - common.corner[0], top / factor - common.corner[1]
        rows = slice(max(0, int(y)), max(0, int(np.ceil(y + height / factor))))
        covered[rows, max(0, int(x)) : max(0, int(np.ceil(x + width / factor)))] = True
    return covered


# ----------------------------------------------------------------------------------------------------------- detail
def _detail(common: _Common, joint: Joint, sign: float, changed: Mask) -> dict[str, float]:
    """Energies in bands of the tiles with most contrast beyond those with least, both in the tone of the finer one."""
    if common.a_is_finer:
        first, second = common.a, look_up(common.b, curve_of(joint.T, sign).levels)
    else:
        first, second = look_up(common.a, curve_of(joint, sign).levels), common.b
    tiles = _tiles(common.mask & ~changed)
    if len(tiles) < LEAST_TILES:
        tiles = _tiles(common.mask)
    if len(tiles) < LEAST_TILES:
        return {}
    spectra = [_spectra(picture, tiles) for picture in (first, second)]
    limits = [(COARSE, FINE), (MIDDLE, FINE), (FINE, LIMIT)]
    if common.ratio > SAME_SCALE:
        limits.append((LIMIT, LIMIT * common.ratio))
    weights = _band_weights(limits, common.ratio)
    own = [(spectrum.real**2 + spectrum.imag**2).reshape(len(tiles), -1) @ weights for spectrum in spectra]
    cross = (spectra[0] * spectra[1].conj()).real.reshape(len(tiles), -1) @ weights
    order = np.argsort(own[0][:, 0] * own[1][:, 0], kind="stable")
    count = max(2, round(TEXTURED * len(tiles)))
    flat, textured = order[:count], order[-count:]
    structured = [energy[textured].mean(0) - energy[flat].mean(0) for energy in own]
    shared = cross[textured].mean(0) - cross[flat].mean(0)
    measured = {"ratio": common.ratio}
    for side, energy, everything in zip("ab", structured, own, strict=True):
        for number, name in ((1, "middle"), (2, "fine")):
            measured[f"{name}_{side}"] = float(shared[number] / energy[number]) if energy[number] > 0 else 0.0
        measured[f"detail_{side}"] = float(np.sqrt(max(0.0, energy[2])))
        measured[f"noise_{side}"] = float(np.sqrt(everything[flat, 2].mean()))
    if len(limits) > 3:
        # the finest detail may lie where the coarser detail is least: then both differences are negative
        above = [abs(float(energy[3])) for energy in structured]
        fine, coarse = above if common.a_is_finer else above[::-1]
        measured["beyond"] = fine / max(coarse, 1e-3)
    return measured


def _band_weights(limits: Sequence[tuple[float, float]], ratio: float) -> FloatArray:
    """Weights that sum the energies of a tile within each band, squared levels a pixel; (frequencies, bands)."""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :]).reshape(-1) * ratio
    inside = [(frequency >= low) & (frequency < high) for low, high in limits]
    return np.asarray(np.stack(inside, axis=1) * (2 / TILE**4), np.float32)


def _tiles(mask: Mask) -> list[tuple[int, int]]:
    """Corners (y, x) of the tiles that are valid everywhere."""
    step = TILE // 2 if mask.size < CLOSE_TILES * TILE**2 // 4 else TILE
    rows, columns = mask.shape
    corners = [(y, x) for y in range(0, rows - TILE + 1, step) for x in range(0, columns - TILE + 1, step)]
    return [(y, x) for y, x in corners if mask[y : y + TILE, x : x + TILE].all()]


def _spectra(picture: ByteArray, tiles: list[tuple[int, int]]) -> NDArray[np.complex64]:
    from scipy import fft  # slow to import: only when it is used

    window = np.hanning(TILE + 2)[1:-1]
    weight = (window[:, None] * window[None, :]).astype(np.float32)
    weight /= np.sqrt(np.square(weight).mean())
    stack = np.stack([picture[y : y + TILE, x : x + TILE] for y, x in tiles]).astype(np.float32)
    stack -= stack.mean((1, 2), keepdims=True)
    return np.asarray(fft.rfft2(stack * weight, workers=1), np.complex64)


# ---------------------------------------------------------------------------------------------------- levels, colours
def _unexplained(table: Joint) -> float:
    """Standard deviation of the levels in the columns around their mean in each row, over that of all."""
    levels = np.arange(256)
    count, total = table.sum(1), table.sum(0)
    everything = max(float(count.sum()), 1.0)
    divisor = np.maximum(count, 1)
    inner = table @ np.square(levels) / divisor - np.square(table @ levels / divisor)
    centre = float((total * levels).sum()) / everything
    spread = float((total * np.square(levels - centre)).sum()) / everything
    return float(np.sqrt(max(0.0, float((inner * count).sum())) / everything / max(spread, 1.0)))


def _own_colour(colour: ByteArray, luminance: ByteArray, mask: Mask) -> float:
    """Root mean square of the colour signals beyond those that are typical of their luminance, levels.

    A tinted picture, as in sepia, has none.
    """
    rows, columns = luminance.shape[0] // 2, luminance.shape[1] // 2
    small = cv2.resize(colour[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)[::2]
    inside = mask[: 2 * rows : 4, : 2 * columns : 2]
    planes = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)[inside].astype(np.float64)
    if not len(planes):
        return 0.0
    bins = (planes[:, 0] * (GREY_BINS / 256)).astype(np.intp)
    count = np.maximum(np.bincount(bins, minlength=GREY_BINS), 1)
    energy = 0.0
    for signal in planes[:, 1:].T:
        typical = np.bincount(bins, signal, GREY_BINS) / count
        energy += float(np.square(signal - typical[bins]).mean())
    return float(np.sqrt(energy))


# ------------------------------------------------------------------------------------------------------------- area
def _outside(picture: ProofPicture, other: ProofPicture, matrix: Matrix) -> tuple[float, float]:
    """Share of a picture's valid area that the other one does not show, and how much of that is of one colour.

    The second is 0 where that colour goes on in what both show.

    Parameters
    ----------
    picture, other : ProofPicture
    matrix : (2, 3) float64
        Full-frame pixel indices of the other one to those of the picture.
    """
    step = max(1, -(-max(picture.luminance.shape) // OUTSIDE_SIDE))
    small = picture.luminance[::step, ::step]  # not averaged: writing on a bar must not become grey
    to_picture = compose(to_full(picture), np.array([[step, 0.0, 0.0], [0.0, step, 0.0]]))
    seen = _warped_mask(other, compose(invert(to_full(other)), compose(invert(matrix), to_picture)), small.shape)
    seen = np.asarray(cv2.dilate(seen.astype(np.uint8), np.ones((3, 3), np.uint8)), bool)
    valid = np.ones(small.shape, np.bool_) if picture.mask is None else picture.mask[::step, ::step]
    outside = valid & ~seen
    levels = np.bincount(small[outside], minlength=256)
    number = int(levels.sum())
    if not number:
        return 0.0, 0.0
    near = np.convolve(levels, np.ones(2 * ONE_COLOUR + 1, np.int64), "same")
    share = number / max(1, int(valid.sum()))
    # a border ends where the other picture begins; the ground on which something stands goes on
    kernel = np.ones((2 * SEAM + 1, 2 * SEAM + 1), np.uint8)
    seam = np.asarray(cv2.dilate(outside.astype(np.uint8), kernel), bool) & valid & seen
    away = np.abs(small[seam].astype(np.int16) - int(near.argmax()))
    goes_on = away.size and float((away <= SEAM_COLOUR).mean()) > GOES_ON
    return share, 0.0 if goes_on else int(near.max()) / number


# ---------------------------------------------------------------------------------------------------- from measures
def equally_informative(measures: ProofMeasures) -> bool:
    """Whether neither of two pictures has colours, detail or levels that the other one lacks, as far as was measured.

    Parameters
    ----------
    measures : ProofMeasures
    """
    colours = _both(measures.colour_a, measures.colour_b)
    noise = _both(measures.noise_a, measures.noise_b)
    levels = _both(measures.unexplained_a, measures.unexplained_b)
    middle, fine = _both(measures.middle_a, measures.middle_b), _both(measures.fine_a, measures.fine_b)
    kept = [*(middle or ()), *(fine or ())]
    return (
        all(LEAST_KEPT <= value <= 1 / LEAST_KEPT for value in kept)
        and (colours is None or min(colours) >= LEAST_COLOUR * max(colours))
        and (noise is None or max(noise) <= max(MOST_NOISE * min(noise), min(noise) + QUIET))
        and (levels is None or max(levels) < EXPLAINED or min(levels) >= LEAST_LEVELS * max(levels))
    )


def _both(a: float | None, b: float | None) -> tuple[float, float] | None:
    return None if a is None or b is None else (a, b)


def carried(measures: ProofMeasures) -> ProofMeasures:
    """Return those of a pair's measures that hold for another pair of equally informative pictures."""
    return replace(measures, **dict.fromkeys(OF_FILES))
