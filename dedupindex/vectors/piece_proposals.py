"""From hits in the inverted lists to pictures that may share a part with a query: votes that agree in geometry.

Two steps: a histogram of turn and change of size for each picture (weak geometric consistency: Jegou, Douze, Schmid
2008, doi:10.1007/978-3-540-88682-2_24) leaves some tens of pictures, and among their hits each proposes a similarity
that the others confirm or not. Text matches text everywhere; hits count by places, not by keypoints, and less for
keypoints with near-doubles in their own picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.piece_entries import PLACE_STEPS, angles_of, scales_of
from dedupindex.features.piece_words import PieceWords, WordIds, assign, signatures
from dedupindex.records import FloatArray
from dedupindex.records.pictures import PieceKeypoints
from dedupindex.vectors.piece_lists import MOST_BITS, PieceLists, match

WORDS_A_PROBE = 3  # words under which each keypoint of a query is looked up
FALL = 16.0  # bits by which signatures differ at which a hit weighs 1/e
TURNS, OCTAVES = 8, 7  # bins of the histogram: an eighth of a turn; an octave, from -3 to 3 and beyond
LEAST_HITS = 3
KEPT = 64  # pictures whose hits are compared in geometry
MOST_HITS = 48  # hits of a picture that are compared, those with most weight
LOOSE, FARTHER = 4.0, 0.25  # pixels that a hit may be off, and more for each pixel between the two hits
ANGLE_TOLERANCE, SCALE_TOLERANCE = 0.5, 0.6  # radians, octaves
SAME_PLACE = 3.0  # pixels within which two hits are one place


@dataclass(frozen=True, slots=True)
class Probe:
    """The keypoints of a query picture, looked up."""

    points: PieceKeypoints
    words: WordIds
    signatures: NDArray[np.uint64]

    @classmethod
    def of(cls, points: PieceKeypoints, words: PieceWords) -> Probe:
        """The probe of some keypoints."""
        assigned = assign(points.codes, words, WORDS_A_PROBE)
        return cls(points, assigned, signatures(points.codes, assigned, words))


@dataclass(frozen=True, slots=True)
class Proposals:
    """Pictures proposed for one probe, best first.

    Attributes
    ----------
    ids : (n,) int64
    scores : (n,) float32
        Weight of the hits that agree on one similarity, summed over places.
    """

    ids: NDArray[np.int64]
    scores: FloatArray


def mirrored(points: PieceKeypoints, width: int, parity: FloatArray) -> PieceKeypoints:
    """Keypoints of the picture mirrored left-right.

    Parameters
    ----------
    points : PieceKeypoints
    width : int
        Of the picture, pixels.
    parity : (C,) float32
        Signs that turn a code into that of the mirrored picture (`Model.local_parity`).

    Returns
    -------
    PieceKeypoints
    """
    place = points.position.copy()
    place[:, 1] = width - place[:, 1]
    angle = ((np.pi - points.angle) % (2 * np.pi)).astype(np.float32)
    codes = (points.codes * parity.astype(np.int8)).astype(np.int8)
    return PieceKeypoints(place, points.scale, angle, codes, points.doubles)


def propose(
    lists: PieceLists,
    probes: Sequence[Probe],
    words: PieceWords,
    *,
    hidden: NDArray[np.bool_] | None = None,
    most_bits: int = MOST_BITS,
) -> list[Proposals]:
    """Pictures of the lists that may share a part with each probe.

    Parameters
    ----------
    lists : PieceLists
    probes : sequence of Probe
        Looked up together: more of them take less time each.
    words : PieceWords
    hidden : (N,) bool, optional
        Pictures that are left out.
    most_bits : int
        Bits in which signatures may differ.

    Returns
    -------
    list of Proposals
    """
    if not probes:
        return []
    words_of = np.concatenate([probe.words.ravel() for probe in probes])
    hits = match(lists, words_of, np.concatenate([probe.signatures.ravel() for probe in probes]), most_bits=most_bits)
    ends = np.array(list(accumulate(probe.words.size for probe in probes)), np.int64)
    limits = np.searchsorted(hits.probe, np.concatenate([[0], ends]))
    falling = np.exp(-((np.arange(65, dtype=np.float32) / FALL) ** 2))
    proposals = []
    for number, probe in enumerate(probes):
        part = slice(limits[number], limits[number + 1])
        first = int(ends[number]) - probe.words.size
        asked, entry = hits.probe[part] - first, hits.entry[part]
        keypoint = asked // WORDS_A_PROBE
        heavy = words.weights[probe.words.ravel()] ** 2
        rare = np.sqrt(1.0 + probe.points.doubles.astype(np.float32))
        weight = (heavy[asked] * falling[hits.bits[part]] / rare[keypoint]).astype(np.float32)
        owner = lists.owner[entry].astype(np.int64)
        if hidden is not None and hidden.any():
            seen = ~hidden[owner]
            keypoint, entry, weight, owner = keypoint[seen], entry[seen], weight[seen], owner[seen]
        proposals.append(_proposed(lists, probe.points, keypoint, entry, weight, owner))
    return proposals


def _proposed(
    lists: PieceLists,
    points: PieceKeypoints,
    keypoint: NDArray[np.int64],
    entry: NDArray[np.int64],
    weight: FloatArray,
    owner: NDArray[np.int64],
) -> Proposals:
    counts = np.bincount(owner, minlength=len(lists.images))
    enough = counts >= LEAST_HITS
    row_of = np.cumsum(enough) - 1
    rows = np.flatnonzero(enough)
    held = enough[owner]
    keypoint, entry, weight, owner = keypoint[held], entry[held], weight[held], owner[held]
    if not len(rows):
        return Proposals(np.empty(0, np.int64), np.empty(0, np.float32))
    turn = angles_of(lists.angle[entry]) - points.angle[keypoint]
    octaves = np.log2(scales_of(lists.scale[entry]) / points.scale[keypoint])
    if len(rows) > KEPT:
        votes = _histogram(row_of[owner], turn, octaves, weight, len(rows))
        best = np.argpartition(-votes, KEPT)[:KEPT]
        kept = np.zeros(len(lists.images), bool)
        kept[rows[best]] = True
        held = kept[owner]
        keypoint, entry, weight, owner = keypoint[held], entry[held], weight[held], owner[held]
        turn, octaves = turn[held], octaves[held]
    order = np.lexsort((-weight, keypoint, owner))  # a keypoint votes once for a picture
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(owner[order]) != 0) | (np.diff(keypoint[order]) != 0)
    order = order[fresh]
    order = order[np.lexsort((-weight[order], owner[order]))]
    owner, keypoint, entry = owner[order], keypoint[order], entry[order]
    turn, octaves, weight = turn[order], octaves[order], weight[order]
    starts = np.r_[0, np.flatnonzero(np.diff(owner)) + 1]
    rank = np.arange(len(owner)) - np.repeat(starts, np.diff(np.r_[starts, len(owner)]))
    group = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(owner)]))
    taken = rank < MOST_HITS
    stored = lists.place[entry[taken]].astype(np.float32) / np.float32(PLACE_STEPS)
    columns = (*points.position[keypoint[taken]].T, *stored.T, turn[taken], octaves[taken], weight[taken])
    table = np.zeros((7, len(starts), min(MOST_HITS, int(rank.max()) + 1)), np.float32)
    for number, column in enumerate(columns):
        table[number, group[taken], rank[taken]] = column
    scores = _agreeing(table)
    ranked = np.argsort(-scores, kind="stable")
    ranked = ranked[scores[ranked] > 0]
    return Proposals(lists.images[owner[starts[ranked]]], scores[ranked])


def _histogram(
    row: NDArray[np.int64], turn: FloatArray, octaves: FloatArray, weight: FloatArray, count: int
) -> FloatArray:
    """Largest weight of a picture's hits that agree in turn and change of size, to two bins of each."""
    turned = np.floor(turn * np.float32(TURNS / (2 * np.pi))).astype(np.int64) % TURNS
    sized = np.clip(np.floor(octaves + OCTAVES / 2), 0, OCTAVES - 1).astype(np.int64)
    cells = np.bincount((row * TURNS + turned) * OCTAVES + sized, weight, minlength=count * TURNS * OCTAVES)
    votes = cells.reshape(count, TURNS, OCTAVES).astype(np.float32)
    votes = votes + np.roll(votes, -1, axis=1)
    votes = votes[:, :, 1:] + votes[:, :, :-1]
    result: FloatArray = votes.reshape(count, -1).max(1)
    return result


def _agreeing(table: FloatArray) -> FloatArray:
    """For each of G pictures, the largest weight of hits that agree with the similarity that one of them proposes.

    Parameters
    ----------
    table : (7, G, H) float32
        y, x of the query; y, x of the entry; turn, octaves, weight (0 = no hit).

    Returns
    -------
    (G,) float32
        Without the weight of the hit that proposes: a single hit agrees with nothing.
    """
    yq, xq, ye, xe, turn, octaves, weight = table
    factor = np.exp2(octaves)
    cosine, sine = (factor * np.cos(turn))[:, :, None], (factor * np.sin(turn))[:, :, None]
    dx, dy = xq[:, None, :] - xq[:, :, None], yq[:, None, :] - yq[:, :, None]
    du, dv = xe[:, None, :] - xe[:, :, None], ye[:, None, :] - ye[:, :, None]
    off = np.maximum(np.abs(cosine * dx - sine * dy - du), np.abs(sine * dx + cosine * dy - dv))
    away = np.maximum(np.abs(du), np.abs(dv))
    agree = off < LOOSE * np.maximum(1, factor)[:, :, None] + FARTHER * away
    agree &= np.abs(octaves[:, None, :] - octaves[:, :, None]) < SCALE_TOLERANCE
    difference = np.abs(turn[:, None, :] - turn[:, :, None])
    agree &= np.abs(difference - np.round(difference / (2 * np.pi)) * (2 * np.pi)) < ANGLE_TOLERANCE
    agree &= (np.maximum(np.abs(dx), np.abs(dy)) > SAME_PLACE) & (away > SAME_PLACE)
    support = np.einsum("gij,gj->gi", agree, weight) * (weight > 0)
    result: FloatArray = support.max(1).astype(np.float32)
    return result
