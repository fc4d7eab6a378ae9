"""All measures of two pictures, for people who want to see every number.

Each picture is brought to luminance in 0..1 over its own valid pixels, so that 8 and 16 bits compare. Correlations use
the full range of values; differences and histograms use the range between two percentiles, which one hot pixel does not
change (differences: one range for both, where depth and range are alike). Shifts are in pixels of a at full resolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.compare import histograms
from dedupindex.compare.blocks import AGREES, block_ncc
from dedupindex.compare.correlation import CorrelationPeak, cross_correlate
from dedupindex.compare.direct import direct_scores, full_search
from dedupindex.compare.motion import (
    BLOCK,
    MIN_OVERLAP,
    ShiftMatch,
    descend_shift,
    motion_vectors,
    sad_shift,
    ssd_shift,
)
from dedupindex.compare.overlap import overlap_slices, pearson_after
from dedupindex.features.hashes import perceptual_hashes
from dedupindex.features.thumbnail import SIDE as THUMBNAIL_SIDE
from dedupindex.features.thumbnail import reduce, stretch
from dedupindex.prepare import Normalised, contrast_normalise, data_normalise
from dedupindex.prepare.masks import erode, valid_from_finite
from dedupindex.prepare.pipeline import LUMINANCE_WEIGHTS, reduce_area
from dedupindex.records import FloatArray, Mask
from dedupindex.records.measures import Better, Measure

ALIKE = 0.5  # of the ranges of two pictures of one depth that is common: from there levels share one range
FULL = 1600  # longest side up to which correlation runs at full resolution, pixels
SIDE = 512  # longest side for expensive measures
SAD_SIDE = 128  # longest side at which SAD tries every shift
ORACLE_SIDE = 48  # longest side for the full search
TEXTURED = 0.03  # standard deviation of levels 0..1: a block with less in both pictures does not count
WINDOW = 1024  # side of the middle of the overlap in which shifts are refined at full resolution


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready to be measured: (H, W) luminance in 0..1, by extremes and by percentiles, and its mask."""

    luminance: FloatArray
    levels: FloatArray
    mask: Mask

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.mask.shape[0], self.mask.shape[1]


@dataclass(frozen=True, slots=True)
class Span:
    """What luminance 0 and 1 were in samples of the file (``offset``, ``offset + scale``), and what levels 0 and 1."""

    offset: float
    scale: float
    ends: tuple[float, float]

    def inside(self, low: float, high: float) -> tuple[float, float]:
        """A range of samples as one of luminance."""
        return (float(low) - self.offset) / self.scale, (float(high) - self.offset) / self.scale


def compare_all(
    a: NDArray[Any], b: NDArray[Any], mask_a: Mask | None = None, mask_b: Mask | None = None
) -> tuple[Measure, ...]:
    """Measure two pictures in every way there is.

    Pictures of different sizes are correlated at equal pixel scale (one may be a part of the other) and with b brought
    to the longest side of a (one may be a resized copy); the better of the two is what all other shifts are sought in,
    and `Measure.detail` says which. Pictures longer than 512 pixels are reduced where every shift is tried, and the
    shift found is refined at full resolution; block motion and edges stay as coarse as their detail says.

    Parameters
    ----------
    a, b : (H, W) or (H, W, 3) arrays
        bool, integers or floats of any depth; NaN and infinities are no data.
    mask_a, mask_b : bool arrays or None
        True = valid.

    Returns
    -------
    tuple of Measure
        What cannot be measured (blocks or hashes of a picture of 7 x 7 pixels) is left out.

    Raises
    ------
    TypeError, ValueError
        No numbers, other shapes, or no valid pixel.
    """
    colour_a, colour_b = _checked(a, mask_a), _checked(b, mask_b)
    first, second = _pictures(colour_a, colour_b)
    return (
        *_shift_measures(first, second),
        *_histogram_measures(_colour(*colour_a), _colour(*colour_b)),
        *_spectrum_measures(first, second),
        *_hash_measures(first, second),
    )


def _checked(pixels: NDArray[Any], mask: Mask | None) -> tuple[NDArray[Any], Mask]:
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ValueError(f"pixels have shape {pixels.shape}, must be (H, W) or (H, W, 3) and not empty")
    if mask is not None and (mask.shape != pixels.shape[:2] or mask.dtype != np.bool_):
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, must be bool {pixels.shape[:2]}")
    valid = valid_from_finite(pixels, channels=pixels.ndim == 3)
    if mask is not None:
        valid = valid & mask
    if not valid.any():
        raise ValueError("no pixel is valid")
    return (pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels), valid


def _pictures(a: tuple[NDArray[Any], Mask], b: tuple[NDArray[Any], Mask]) -> tuple[Picture, Picture]:
    """Both pictures, their levels over one range where depth and exposure are alike, else each over its own.

    Two windows of one picture have percentiles of their own; differences would take that for a change of exposure.
    """
    first, second = _picture(*a), _picture(*b)
    if a[0].dtype != b[0].dtype:
        return first[0], second[0]
    low, high = np.array([first[1].ends, second[1].ends]).T
    common, union = float(high.min()) - float(low.max()), float(high.max()) - float(low.min())
    if not (np.isfinite(union) and common >= ALIKE * union):
        return first[0], second[0]
    one, other = (
        replace(picture, levels=data_normalise(picture.luminance, value_range=span.inside(low.min(), high.max())))
        for picture, span in (first, second)
    )
    return one, other


def _picture(pixels: NDArray[Any], mask: Mask) -> tuple[Picture, Span]:
    whole = contrast_normalise(pixels, mask, by="minmax", channels=pixels.ndim == 3)
    values = whole.values
    if values.ndim == 3:
        values = np.asarray(cv2.transform(values, np.array([LUMINANCE_WEIGHTS], np.float32)), np.float32)
        values = np.minimum(values.reshape(mask.shape), np.float32(1))
    part = _levels(values, mask)
    offset, scale = float(whole.offset), float(whole.scale)
    low, high = float(part.offset), float(part.offset + part.scale)
    return Picture(values, part.values, mask), Span(offset, scale, (offset + scale * low, offset + scale * high))


def _levels(values: FloatArray, mask: Mask, *, channels: bool = False) -> Normalised:
    result = contrast_normalise(values, mask, by="percentile", channels=channels)
    if result.constant:  # nearly empty: a few pixels hold all the contrast
        result = contrast_normalise(values, mask, by="minmax", channels=channels)
    return result


def _colour(pixels: NDArray[Any], mask: Mask) -> tuple[FloatArray, Mask]:
    return reduce_area(_levels(pixels, mask, channels=pixels.ndim == 3).values, mask, SIDE)


def _resized(picture: Picture, longest: int) -> Picture:
    """Bring to a longest side, larger or smaller."""
    factor = longest / max(picture.shape)
    if factor == 1:
        return picture
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    weight = np.asarray(cv2.resize(picture.mask.astype(np.float32), size, interpolation=how), np.float32)
    planes = [
        np.asarray(cv2.resize(np.where(picture.mask, plane, np.float32(0)), size, interpolation=how), np.float32)
        for plane in (picture.luminance, picture.levels)
    ]
    return _weighed(planes, weight)


def _weighed(planes: list[FloatArray], weight: FloatArray) -> Picture:
    mask: Mask = weight >= np.float32(0.5 - 1e-5)
    first, second = (np.divide(plane, weight, out=np.zeros_like(plane), where=mask) for plane in planes)
    return Picture(first, second, mask)


def _steps(a: Picture, b: Picture, side: int) -> tuple[int, int]:
    """Whole factors (rows, columns) by which both pictures are reduced to at most `side`."""
    factor = -(-max(*a.shape, *b.shape) // side)
    rows, columns = (min(factor, max(1, min(m, n) // 8)) for m, n in zip(a.shape, b.shape, strict=True))
    return rows, columns


def _reduced(picture: Picture, steps: tuple[int, int]) -> Picture:
    """Average whole blocks of pixels, so that a shift of the small pictures is a whole multiple of the full one."""
    if steps == (1, 1):
        return picture
    rows, columns = (n // step for n, step in zip(picture.shape, steps, strict=True))
    part = slice(0, rows * steps[0]), slice(0, columns * steps[1])

    def mean(values: NDArray[Any]) -> FloatArray:
        small = cv2.resize(
            np.ascontiguousarray(values[part], np.float32), (columns, rows), interpolation=cv2.INTER_AREA
        )
        return np.asarray(small, np.float32)

    valid = picture.mask
    planes = [mean(np.where(valid, plane, np.float32(0))) for plane in (picture.luminance, picture.levels)]
    return _weighed(planes, mean(valid))


def _middle(a: Picture, b: Picture, shift: tuple[int, int]) -> tuple[Picture, Picture]:
    """The middle of what both show at a shift, at most `WINDOW` pixels wide and high."""
    slices = []
    for on in overlap_slices(a.shape, b.shape, shift):
        spare = [max(0, s.stop - s.start - WINDOW) // 2 for s in on]
        slices.append(tuple(slice(s.start + m, s.stop - m) for s, m in zip(on, spare, strict=True)))
    first, second = (Picture(p.luminance[on], p.levels[on], p.mask[on]) for p, on in zip((a, b), slices, strict=True))
    return first, second


def _times(shift: tuple[float, float], steps: tuple[int, int]) -> tuple[int, int]:
    return round(shift[0] * steps[0]), round(shift[1] * steps[1])


def _plus(shift: tuple[int, int], other: tuple[float, float]) -> tuple[int, int]:
    return shift[0] + round(other[0]), shift[1] + round(other[1])


def _correlated(a: Picture, b: Picture, side: int) -> CorrelationPeak:
    """Correlation peak with its shift in full pixels, sought at most at `side`."""
    steps = _steps(a, b, side)
    first, second = _reduced(a, steps), _reduced(b, steps)
    peak = cross_correlate(first.luminance, second.luminance, first.mask, second.mask, min_overlap=MIN_OVERLAP)
    return CorrelationPeak((peak.shift[0] * steps[0], peak.shift[1] * steps[1]), peak.score, peak.overlap)


def _peak(a: Picture, b: Picture) -> CorrelationPeak:
    """Correlation peak, right to the pixel."""
    if max(*a.shape, *b.shape) <= FULL:
        return cross_correlate(a.luminance, b.luminance, a.mask, b.mask, min_overlap=MIN_OVERLAP)
    coarse = _correlated(a, b, WINDOW)
    shift = _times(coarse.shift, (1, 1))
    first, second = _middle(a, b, shift)
    reach = max(_steps(a, b, WINDOW)) + 1
    fine = cross_correlate(first.luminance, second.luminance, first.mask, second.mask, max_shift=reach)
    shift = _plus(shift, fine.shift)
    score = pearson_after(a.luminance, b.luminance, shift, a.mask, b.mask)
    return CorrelationPeak((float(shift[0]), float(shift[1])), score, coarse.overlap)


def _said(shift: tuple[float, float]) -> str:
    return f"shift ({round(shift[0]):+d}, {round(shift[1]):+d})"


def _shift_measures(a: Picture, b: Picture) -> Iterator[Measure]:
    fitted = _resized(b, max(a.shape))
    how = "" if a.shape == b.shape else f"; b resized to {fitted.shape[1]}x{fitted.shape[0]}"
    common = ", ".join(f"{min(m, n)}" for m, n in zip(a.shape[::-1], fitted.shape[::-1], strict=True))
    zero = pearson_after(a.luminance, fitted.luminance, (0, 0), a.mask, fitted.mask)
    yield Measure("pearson", zero, Better.HIGHER, f"zero shift over the common {common.replace(', ', 'x')} px{how}")

    other = ""
    if max(a.shape) != max(b.shape):
        plain, resized = (_correlated(a, candidate, SIDE) for candidate in (b, fitted))
        if resized.score > plain.score:
            b, other = fitted, f"{how} ({plain.score:.3f} at equal pixel scale)"
        else:
            other = f"; at equal pixel scale ({resized.score:.3f} with b resized)"
    elif a.shape != b.shape:
        other = "; at equal pixel scale"
    peak = _peak(a, b)
    shift = _times(peak.shift, (1, 1))
    yield Measure("ncc_peak", peak.score, Better.HIGHER, f"{_said(shift)}, overlap {peak.overlap:.1%}{other}")
    yield from _slow_checks(a, b, peak)
    shifts: dict[str, tuple[int, int]] = {"ncc": shift}
    for name, match in (("ssd", _least(a, b, squared=True)), ("sad", _least(a, b, squared=False))):
        if match is not None:
            shifts[name] = match.shift
            what = "squared" if name == "ssd" else "absolute"
            detail = f"{_said(match.shift)}, overlap {match.overlap:.1%}; mean {what} difference of levels 0..1"
            yield Measure(name, match.value, Better.LOWER, detail)
    yield from _motion_measures(a, b, shifts)
    try:
        descent = descend_shift(a.levels, b.levels, a.mask, b.mask)
    except ValueError:  # the two have nothing in common where the descent would begin
        pass
    else:
        shifts["descent"] = descent.shift
        detail = f"{_said(descent.shift)} in {descent.steps} steps from zero shift; blurred pictures"
        yield Measure("gradient_descent", descent.value, Better.LOWER, detail)
    scores = {name: pearson_after(a.luminance, b.luminance, moved, a.mask, b.mask) for name, moved in shifts.items()}
    best = max(scores, key=lambda name: scores[name])
    listed = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    yield _block_measure(a, b, shifts[best])
    yield Measure("pearson_compensated", scores[best], Better.HIGHER, f"{_said(shifts[best])} by {best}; {listed}")
    yield _edge_measure(a, b)


def _slow_checks(a: Picture, b: Picture, peak: CorrelationPeak) -> Iterator[Measure]:
    shift = _times(peak.shift, (1, 1))
    first, second = _middle(a, b, shift)
    around = direct_scores(first.luminance, second.luminance, (0, 0), first.mask, second.mask)
    whole = pearson_after(a.luminance, b.luminance, shift, a.mask, b.mask)
    top = "none of its 8 neighbours is better" if around[1, 1] >= around.max() - 1e-9 else "a neighbour is better"
    detail = f"{_said(shift)} pixel by pixel; differs from FFT by {abs(whole - peak.score):.1e}; {top}"
    yield Measure("ncc_direct", whole, Better.HIGHER, detail)
    steps = _steps(a, b, ORACLE_SIDE)
    first, second = _reduced(a, steps), _reduced(b, steps)
    if not (first.mask.any() and second.mask.any()) or first.mask.size * second.mask.size > (2 * ORACLE_SIDE) ** 4:
        return
    small = first.luminance, second.luminance, first.mask, second.mask
    slow, quick = (search(*small, min_overlap=MIN_OVERLAP) for search in (full_search, cross_correlate))
    detail = (
        f"{_said(_times(slow.shift, steps))} +-{max(steps)}, correlate2d at {first.shape[1]}x{first.shape[0]} px; "
        f"differs from FFT by {abs(slow.score - quick.score):.1e}"
    )
    yield Measure("ncc_full_search", slow.score, Better.HIGHER, detail)


def _least(a: Picture, b: Picture, *, squared: bool) -> ShiftMatch | None:
    """Least difference over all shifts: every one at a small size, then refined at full resolution."""
    steps = _steps(a, b, SIDE if squared else SAD_SIDE)
    first, second = _reduced(a, steps), _reduced(b, steps)
    try:
        if squared:
            match = ssd_shift(first.levels, second.levels, first.mask, second.mask)
        else:
            limit = round((1 - MIN_OVERLAP) * max(*first.shape, *second.shape))
            match = sad_shift(first.levels, second.levels, first.mask, second.mask, limit=limit)
        shift = _times(match.shift, steps)
        if steps != (1, 1):
            middle_a, middle_b = _middle(a, b, shift)
            fine = sad_shift(
                middle_a.levels, middle_b.levels, middle_a.mask, middle_b.mask, limit=max(steps) + 1, squared=squared
            )
            shift = _plus(shift, fine.shift)
        return sad_shift(a.levels, b.levels, a.mask, b.mask, limit=0, start=shift, min_overlap=0, squared=squared)
    except ValueError:  # too few common valid pixels
        return None


def _motion_measures(a: Picture, b: Picture, shifts: dict[str, tuple[int, int]]) -> Iterator[Measure]:
    steps = _steps(a, b, SIDE)
    first, second = _reduced(a, steps), _reduced(b, steps)
    peak = (round(shifts["ncc"][0] / steps[0]), round(shifts["ncc"][1] / steps[1]))
    for name, start in (("motion_vectors", (0, 0)), ("motion_vectors_compensated", peak)):
        try:
            field = motion_vectors(first.levels, second.levels, first.mask, second.mask, start=start)
        except ValueError:  # no block of 32 pixels that shows something in both
            continue
        shift = _times(field.shift, steps)
        shifts["motion" if name == "motion_vectors" else "motion_compensated"] = shift
        where = "zero shift" if start == (0, 0) else _said(shifts["ncc"])
        detail = (
            f"share of {len(field.vectors)} blocks of {BLOCK} px that agree on {_said(shift)}"
            f"{f' +-{max(steps)}' if max(steps) > 1 else ''}; sought about {where}"
        )
        yield Measure(name, field.agreement, Better.HIGHER, detail)


def _block_measure(a: Picture, b: Picture, shift: tuple[int, int]) -> Measure:
    on_a, on_b = overlap_slices(a.shape, b.shape, shift)
    scores = block_ncc(a.levels[on_a], b.levels[on_b], a.mask[on_a] & b.mask[on_b])
    detail = f"share of textured 12x12 px blocks with NCC > {AGREES} at {_said(shift)}"
    return Measure("block_agreement", scores.agreement(TEXTURED), Better.HIGHER, detail)


def _edge_measure(a: Picture, b: Picture) -> Measure:
    steps = _steps(a, b, SIDE)
    (edges_a, mask_a), (edges_b, mask_b) = (_edges(_reduced(picture, steps)) for picture in (a, b))
    peak = cross_correlate(edges_a, edges_b, mask_a, mask_b, min_overlap=MIN_OVERLAP)
    coarse = f" +-{max(steps)}" if max(steps) > 1 else ""
    detail = f"{_said(_times(peak.shift, steps))}{coarse}, overlap {peak.overlap:.1%}; NCC of gradient magnitudes"
    return Measure("edge_correlation", peak.score, Better.HIGHER, detail)


def _edges(picture: Picture) -> tuple[FloatArray, Mask]:
    """Gradient magnitude where all the pixels that it is made of are valid."""
    values = np.where(picture.mask, picture.luminance, np.float32(0))
    dy, dx = cv2.Sobel(values, cv2.CV_32F, 0, 1), cv2.Sobel(values, cv2.CV_32F, 1, 0)
    return np.asarray(cv2.magnitude(dy, dx), np.float32), erode(picture.mask, 1)


def _histogram_measures(a: tuple[FloatArray, Mask], b: tuple[FloatArray, Mask]) -> Iterator[Measure]:
    first, second = histograms.rgb_histogram(*a), histograms.rgb_histogram(*b)
    detail = f"RGB, {histograms.BINS} bins a channel, valid pixels"
    yield Measure("histogram_l1", histograms.histogram_l1(first, second), Better.LOWER, detail)
    yield Measure("histogram_l2", histograms.histogram_l2(first, second), Better.LOWER, detail)
    yield Measure("histogram_chi_square", histograms.chi_square(first, second), Better.LOWER, detail)
    yield Measure("histogram_intersection", histograms.histogram_intersection(first, second), Better.HIGHER, detail)
    detail = f"{detail}; Ruzicka"
    yield Measure("histogram_weighted_jaccard", histograms.weighted_jaccard(first, second), Better.HIGHER, detail)


def _spectrum_measures(a: Picture, b: Picture) -> Iterator[Measure]:
    first, second = (histograms.fft_magnitude(picture.luminance, picture.mask) for picture in (a, b))
    detail = f"magnitudes at a longest side of {histograms.SPECTRUM_SIDE} px, Hann window times mask"
    yield Measure("fft_l1", histograms.spectrum_l1(first, second), Better.LOWER, detail)
    yield Measure("fft_cosine", histograms.spectrum_cosine(first, second), Better.HIGHER, detail)


def _hash_measures(a: Picture, b: Picture) -> Iterator[Measure]:
    first, second = (
        perceptual_hashes(*reduce(stretch(picture.luminance, picture.mask), picture.mask, THUMBNAIL_SIDE))
        for picture in (a, b)
    )
    for name in (name for name in first if name in second):
        distance = histograms.hamming_distance(first[name], second[name])
        yield Measure(name, float(distance), Better.LOWER, f"Hamming distance of {8 * len(first[name])} bits")
