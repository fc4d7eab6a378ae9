"""Reject candidates that cannot pass verification, many at once, before any of them is registered.

Two pictures with keypoints whose descriptors are not alike are accepted only when enough keypoint matches agree on one
similarity (`verification.alignments`). Here the matches of one picture with many are counted by one product of
matrices, and their votes are taken in one pass. Every bound is a little looser than `registration.py`'s own, so what
is turned away here would have been turned away there: verdicts do not change, only what they cost.

A weak geometric check before a full one: Jegou, Douze and Schmid 2008, doi:10.1007/978-3-540-88682-2_24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.descriptor import normalise_rows, unit
from dedupindex.features.model import load_model
from dedupindex.features.negative import negative_codes
from dedupindex.features.packing import descriptor_of, keypoint_table, thumbnail_shape
from dedupindex.records import CodeArray, FloatArray, Mask
from dedupindex.verify.keypoint_registration import ANGLE_TOLERANCE, LOOSE, MATCH_COSINE, MIN_VOTES, SCALE_TOLERANCE
from dedupindex.verify.orientations import may_be_stretched
from dedupindex.verify.verification import (
    FEW_KEYPOINTS,
    MIN_INLIERS,
    STRETCHED,
    UNLIKE,
    alike_from,
)

SLACK = 1e-4  # of a cosine: matrix products differ in the last bits with their shapes
LOOSER = 1.01  # factor for every other bound
MANY = 40  # matches from which a pair passes without a vote
SHARP = 0.9  # cosine of a keypoint and its double in a copy; those of look-alikes that match have less
AT_ONCE = 64  # pairs whose matches are judged together
STRIP = 512  # keypoints a product: the numbers (150, 512) of two of them stay in the cache


@dataclass(frozen=True, slots=True)
class Sketch:
    """What vetting needs of a picture: packed numbers, which are unpacked for many pictures at once.

    Attributes
    ----------
    codes : (K, C) int8
        Keypoint codes.
    position : (K, 2) uint16
        (y, x) in 1/65535 of the longest side.
    scale : (K,) float16
        Diameter over the longest side.
    angle : (K,) float16
        Radians.
    shape : (int, int)
        Of the thumbnail.
    descriptor : (D,) int8
    """

    codes: CodeArray
    position: NDArray[np.uint16]
    scale: NDArray[np.float16]
    angle: NDArray[np.float16]
    shape: tuple[int, int]
    descriptor: CodeArray


def sketch(parts: Mapping[str, bytes]) -> Sketch:
    """Sketch a picture from its packed features ``keypoints`` and ``descriptor``, and the head of ``thumbnail``.

    Raises
    ------
    KeyError, ValueError
        A feature is missing or damaged.
    """
    return Sketch(*keypoint_table(parts["keypoints"]), thumbnail_shape(parts["thumbnail"]), descriptor_of(parts))


def plausible(pairs: Sequence[tuple[Sketch, Sketch]], parity: FloatArray) -> NDArray[np.bool_]:
    """Tell which pairs of pictures can be confirmed copies.

    Parameters
    ----------
    pairs : sequence of (Sketch, Sketch)
        N of them; pairs with one picture in front cost less when they follow each other.
    parity : (C,) float32
        Signs that turn a keypoint code into that of the mirrored picture (`Model.local_parity`).

    Returns
    -------
    (N,) bool
        False: `verify` would not accept the pair, in whichever order.
    """
    if not pairs:
        return np.ones(0, bool)
    sketches = list({id(picture): picture for pair in pairs for picture in pair}.values())
    place = {id(picture): number for number, picture in enumerate(sketches)}
    first, second = np.array([[place[id(picture)] for picture in pair] for pair in pairs]).T
    vectors = unit(np.stack([picture.descriptor for picture in sketches]))
    mirrors = normalise_rows(vectors @ load_model().mirror)
    cosines = np.einsum("ij,ij->i", vectors[first], vectors[second])
    mirrored = np.einsum("ij,ij->i", mirrors[first], vectors[second])
    keypoints = np.array([len(picture.codes) for picture in sketches])
    fewest = np.minimum(keypoints[first], keypoints[second])
    alike = cosines >= np.array([alike_from(number) for number in fewest.tolist()]) - SLACK
    passed: NDArray[np.bool_] = alike | (fewest < FEW_KEYPOINTS)
    either = np.maximum(cosines, mirrored)
    aspects = np.array([may_be_stretched(one.shape, other.shape) for one, other in pairs])
    passed |= aspects & (either >= STRETCHED - SLACK)
    unlike = either < UNLIKE + SLACK
    for negative, considered in ((False, ~passed), (True, ~passed & unlike)):
        doubtful = np.flatnonzero(considered & ~passed)
        for start in range(0, len(doubtful), AT_ONCE):
            chosen = doubtful[start : start + AT_ONCE]
            passed[chosen] = _agreeing([pairs[number] for number in chosen.tolist()], parity, negative)
    return passed


def sharp_matches(pairs: Sequence[tuple[Sketch, Sketch]], parity: FloatArray) -> NDArray[np.intp]:
    """Count the keypoints of pairs of pictures that match nearly exactly, of one as it is or mirrored.

    Parameters
    ----------
    pairs : sequence of (Sketch, Sketch)
        N of them; pairs with one picture in front cost less when they follow each other.
    parity : (C,) float32
        As for `plausible`.

    Returns
    -------
    (N,) int
        Matches with a cosine of at least `SHARP` that are each other's nearest, in the orientation that has more;
        the same in either order of a pair.
    """
    counts = np.zeros(len(pairs), np.intp)
    for start in range(0, len(pairs), AT_ONCE):
        chunk = pairs[start : start + AT_ONCE]
        firsts, lengths = _runs([first for first, _ in chunk])
        here = counts[start : start + AT_ONCE]
        for _, own, _, _ in _matched(firsts, lengths, [second for _, second in chunk], parity, SHARP):
            np.maximum(here, np.bincount(own, minlength=len(chunk)), out=here)
    return counts


def _inverted(one: Sketch) -> Sketch:
    """Sketch of the negative, as far as keypoints go."""
    return replace(one, codes=negative_codes(one.codes), angle=one.angle + np.float16(np.pi))


def _agreeing(pairs: Sequence[tuple[Sketch, Sketch]], parity: FloatArray, negative: bool) -> NDArray[np.bool_]:
    """Whether enough matches of a pair may agree on a similarity, mirrored or not; or of the first's negative."""
    firsts, lengths = _runs([first for first, _ in pairs])
    if negative:
        firsts = [_inverted(first) for first in firsts]
    seconds = [second for _, second in pairs]
    front = np.repeat(np.arange(len(firsts)), lengths)  # of each pair
    passed = np.zeros(len(pairs), bool)
    for mirrored, own, row, column in _matched(firsts, lengths, seconds, parity):
        matches = np.bincount(own, minlength=len(pairs))
        passed |= matches > MANY
        voting = (matches >= max(MIN_INLIERS, MIN_VOTES)) & ~passed
        if voting.any():
            taken = voting[own]
            own, row, column = own[taken], row[taken], column[taken]
            places = _places(firsts, front[own], row), _places(seconds, own, column)
            passed[voting] = _votes(*places, own, mirrored) >= MIN_VOTES
    return passed


def _matched(
    firsts: Sequence[Sketch],
    lengths: Sequence[int],
    seconds: Sequence[Sketch],
    parity: FloatArray,
    least: float = MATCH_COSINE,
) -> Iterator[tuple[bool, NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
    """Matches of pairs: as they are, then with the second one mirrored.

    Of each match the number of its pair, and its keypoint among those of all first and of all second pictures.
    """
    axes = np.argsort(-parity, kind="stable")  # even ones first: the parts of a code are slices then
    left = _unit(np.concatenate([first.codes for first in firsts])[:, axes])
    right = _unit(np.concatenate([second.codes for second in seconds])[:, axes])
    rows, columns, same, odd = _matches(left, right, firsts, seconds, lengths, int((parity > 0).sum()), least)
    owner = np.repeat(np.arange(len(seconds)), [len(second.codes) for second in seconds])
    for mirrored, cosines in ((False, same + odd), (True, same - odd)):
        near = np.flatnonzero(cosines > least - SLACK)
        match = near[_mutual(rows[near], columns[near], cosines[near], owner, len(left))]
        yield mirrored, owner[columns[match]], rows[match], columns[match]


def _runs(sketches: Sequence[Sketch]) -> tuple[list[Sketch], list[int]]:
    """Pictures that follow each other, each once, and how often."""
    runs = [list(run) for _, run in groupby(sketches, key=id)]
    return [run[0] for run in runs], [len(run) for run in runs]


def _matches(
    left: FloatArray,
    right: FloatArray,
    firsts: Sequence[Sketch],
    seconds: Sequence[Sketch],
    lengths: Sequence[int],
    even: int,
    least: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray, FloatArray]:
    """`_near` of each first picture and those it is paired with, as rows and columns of all of them."""
    ends = np.cumsum([0, *(len(first.codes) for first in firsts)]).tolist()
    last = np.cumsum([0, *(len(second.codes) for second in seconds)])
    stops = last[np.cumsum([0, *lengths])].tolist()
    parts = []
    for row, row_end, column, column_end in zip(ends[:-1], ends[1:], stops[:-1], stops[1:], strict=True):
        rows, columns, same, odd = _near(left[row:row_end], right[column:column_end], even, least)
        parts.append((rows + row, columns + column, same, odd))
    rows, columns, same, odd = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    return rows, columns, same, odd


def _near(
    first: FloatArray, second: FloatArray, even: int, least: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray, FloatArray]:
    """Rows and columns of codes with a cosine above *least*, mirrored or not: a few tens for each pair of pictures.

    With the parts of their cosines from the axes that are even under the mirror, of which there are *even*, and from
    the odd ones after them: the sum is the cosine of the codes, the difference that with one of them mirrored.
    """
    parts = [(first[:, axes], second[:, axes].T) for axes in (slice(even), slice(even, None))]
    strips = []
    for start in range(0, max(len(second), 1), STRIP):  # one strip where there is nothing: pictures without keypoints
        same, odd = (left @ right[:, start : start + STRIP] for left, right in parts)
        place = np.flatnonzero(np.abs(odd) + same > least - SLACK)
        row, column = np.divmod(place, max(same.shape[1], 1))
        strips.append((row, column + start, same.ravel()[place], odd.ravel()[place]))
    rows, columns, same, odd = (np.concatenate(pieces) for pieces in zip(*strips, strict=True))
    return rows, columns, same, odd


def _unit(codes: CodeArray) -> FloatArray:
    values = codes.astype(np.float32)
    values /= np.maximum(np.sqrt(np.einsum("ij,ij->i", values, values)), 1e-6)[:, None]
    return values


def _places(pictures: Sequence[Sketch], own: NDArray[np.intp], chosen: NDArray[np.intp]) -> FloatArray:
    """(5, M) x and y in pixels of the thumbnail, octaves of the diameter, angle, width of the thumbnail.

    Of the keypoints *chosen* among all of the pictures'; *own* says whose each is.
    """
    side = np.array([max(p.shape) for p in pictures], np.float32)[own]
    width = np.array([p.shape[1] for p in pictures], np.float32)[own]
    position = np.concatenate([p.position for p in pictures])[chosen].astype(np.float32) * (side / 65535)[:, None]
    scale = np.concatenate([p.scale for p in pictures])[chosen].astype(np.float32) * side
    angle = np.concatenate([p.angle for p in pictures])[chosen].astype(np.float32)
    octaves = np.log2(np.maximum(scale, np.float32(1e-6)))
    return np.stack([position[:, 1], position[:, 0], octaves, angle, width])


def _mutual(
    rows: NDArray[np.intp], columns: NDArray[np.intp], cosines: FloatArray, owner: NDArray[np.intp], count: int
) -> Mask:
    """Which matches are each other's nearest of their pair: that of the column. Rows are below *count*."""
    cell = owner[columns] * count + rows
    cells, cell = np.unique(cell, return_inverse=True)
    best_of_row = np.zeros(len(cells), np.float32)
    best_of_column = np.zeros(len(owner), np.float32)
    np.maximum.at(best_of_row, cell, cosines)
    np.maximum.at(best_of_column, columns, cosines)
    mutual: Mask = (cosines >= best_of_row[cell] - SLACK) & (cosines >= best_of_column[columns] - SLACK)
    return mutual


def _votes(first: FloatArray, second: FloatArray, own: NDArray[np.intp], mirrored: bool) -> NDArray[np.intp]:
    """Most matches that agree with the similarity that one of them proposes, for each pair in the order of *own*.

    The cheap tests that reject most come first: two matches that differ in scale or angle need no positions.
    """
    order = np.argsort(own, kind="stable")
    own, first, second = own[order], first[:, order], second[:, order]
    x, y, octaves, angle, width = second
    if mirrored:
        x, angle = width - x, np.float32(np.pi) - angle
    octave, turn = first[2] - octaves, first[3] - angle
    starts = np.flatnonzero(np.r_[True, own[1:] != own[:-1]])
    i, j = _pairings(starts, len(own))
    near = np.abs(octave[i] - octave[j]) < LOOSER * SCALE_TOLERANCE
    i, j = i[near], j[near]
    apart = np.abs(np.mod(turn[i] - turn[j] + np.float32(np.pi), np.float32(2 * np.pi)) - np.float32(np.pi))
    near = apart < LOOSER * ANGLE_TOLERANCE
    i, j = i[near], j[near]  # match i proposes, match j votes
    factor = np.exp2(octave)
    cosine, sine = (factor * np.cos(turn))[i], (factor * np.sin(turn))[i]
    dx, dy = x[j] - x[i], y[j] - y[i]
    off_x = first[0][i] + cosine * dx - sine * dy - first[0][j]
    off_y = first[1][i] + sine * dx + cosine * dy - first[1][j]
    # in pixels of the coarser picture: the pair may be registered in either order
    limit = (LOOSER * LOOSE * np.maximum(factor, 1)) ** 2
    votes = np.bincount(i[off_x**2 + off_y**2 < limit[i]], minlength=len(own))
    most: NDArray[np.intp] = np.maximum.reduceat(votes, starts)
    return most


def _pairings(starts: NDArray[np.intp], total: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All ordered pairs within runs of the numbers below *total*, each with itself too; runs begin at *starts*."""
    length = np.diff(starts, append=total)
    partners = np.repeat(length, length)  # of each number
    i = np.repeat(np.arange(total), partners)
    ends = np.cumsum(partners)
    j = np.arange(len(i)) - np.repeat(ends - partners - np.repeat(starts, length), partners)
    return i, j
