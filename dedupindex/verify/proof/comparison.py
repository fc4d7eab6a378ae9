"""Compare two registered pictures at the resolution that both have: are they the same picture?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import FloatArray, Mask, ProofMeasures
from dedupindex.records.proofs import Affine, Box, Outcome, Proof, Region, turned_round
from dedupindex.verify.keypoint_registration import compose, invert
from dedupindex.verify.proof.colour import colour_excess
from dedupindex.verify.proof.displacement import displacements
from dedupindex.verify.proof.explanations import explanations, further_explanations
from dedupindex.verify.proof.information import information
from dedupindex.verify.proof.matching import Aligned, Changes, Explanation, aligned, halved_mask
from dedupindex.verify.proof.outcome import Evidence, agreements, filled, judge, replaced_share
from dedupindex.verify.proof.picture import GRID_SIDE, Laid, ProofPicture, lay
from dedupindex.verify.proof.quantisation import Tables
from dedupindex.verify.proof.regions import SOUGHT, Place, changed_places, movement
from dedupindex.verify.proof.residual import BIN_CELLS, SHOWN, Residual, Side, halved, residual
from dedupindex.verify.proof.structure import is_one_edge
from dedupindex.verify.proof.subpixel import refine
from dedupindex.verify.proof.thresholds import THRESHOLDS, VERSION

LEAST_SIDE = 16  # pixels of the grid: smaller overlaps are not compared
MOST_REGIONS = 32
MOST_PLACES = 40  # above which movement is not searched for: equal letters are all over a page
NEARLY_DISPLACED = 0.5  # of the limit: from here on the registration is refined without the changed places
HOPELESS = 0.75  # mean correlation below which no further explanations are tried
DISPLACED_SHARE = 0.9  # quantile of the displacements of the blocks that is used
COPIES = (Outcome.SAME, Outcome.EDITED)

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Compared:
    """Two pictures on one grid with their difference."""

    pair: Aligned
    residual: Residual
    side: Side
    excess: FloatArray
    colour: bool
    changed: int  # cells of the places that count


def prove(a: ProofPicture, b: ProofPicture, matrix: Matrix, *, side: int = GRID_SIDE) -> Proof:
    """Compare two pictures at the resolution that both have.

    Parameters
    ----------
    a, b : ProofPicture
        Decoded at the sides that `sides_for` gives, or finer.
    matrix : (2, 3) float64
        Full-frame (x, y, 1) pixel indices of b to those of a (`Registration.matrix`), good to about a pixel of a
        thumbnail of 128 pixels.
    side : int
        Longest side of the grid, pixels.

    Returns
    -------
    Proof
        The same for (b, a) with the inverse matrix, turned round.

    Raises
    ------
    ValueError
        The matrix is no invertible map.
    """
    given = np.asarray(matrix, np.float64)
    if given.shape != (2, 3) or not np.isfinite(given).all() or abs(np.linalg.det(given[:, :2])) < 1e-12:
        raise ValueError(f"registration {given.tolist()} is no invertible (2, 3) map")
    if a.key > b.key:
        return turned_round(_prove(b, a, invert(given), side))
    return _prove(a, b, given, side)


def _prove(a: ProofPicture, b: ProofPicture, matrix: Matrix, side: int) -> Proof:
    laid = lay(a, b, matrix, side)
    if laid is None or min(laid.still.shape) < LEAST_SIDE:
        return _nothing(matrix, "too little is shown by both to compare")
    refined, sign = refine(laid.still, laid.moving, laid.matrix, laid.still_mask, laid.moving_mask)
    best = _best(a, b, laid, refined, sign)
    if best is None:
        return _nothing(matrix, "too little is shown by both to compare")
    changed = _changed(best)
    if changed.any() and (away := _displaced(best, changed)) > NEARLY_DISPLACED * THRESHOLDS.displaced:
        # changed places may have biased the registration: refine it without them
        size = laid.still.shape[::-1]
        rest = cv2.resize(changed.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) == 0
        given = rest if laid.still_mask is None else rest & laid.still_mask
        again, sign = refine(laid.still, laid.moving, refined, np.asarray(given), laid.moving_mask)
        other = _best(a, b, laid, again, sign)
        if other is not None and _displaced(other, _changed(other)) < away:
            best = other
    return _judged(a, b, laid, best)


def _best(a: ProofPicture, b: ProofPicture, laid: Laid, matrix: Matrix, sign: float) -> _Compared | None:
    """The comparison under the explanation that leaves least changed; None where the two share too little."""
    pair = aligned(laid, matrix, sign)
    if pair.mask.sum() < LEAST_SIDE**2:
        return None
    best: _Compared | None = None
    changes = Changes(tone=False, sharpness=False)
    for further in (False, True):
        for explanation in further_explanations(pair, changes) if further else explanations(pair):
            tables = [_tables(a, b, laid, matrix, explanation.gains, number) for number in (0, 1)]
            compared = _compared(pair, explanation, tables)
            if _is_settled(compared):
                return compared
            if not explanation.plain and (best is None or compared.changed < best.changed):
                best = compared
            if explanation.changes is not None and not further:
                changes = explanation.changes
        if best is not None and _agreement(best.residual) < HOPELESS:
            break
    return best


def _changed(compared: _Compared) -> Mask:
    """Cells of the places that count."""
    places, labels = changed_places(compared.excess, THRESHOLDS.low)
    return np.isin(labels, [place.label for place in places if place.weight > THRESHOLDS.high])


def _compared(pair: Aligned, explanation: Explanation, tables: Sequence[Tables]) -> _Compared:
    difference = residual(explanation.sides, pair.mask, tables[0], plain=explanation.plain, noise=explanation.noise)
    excess, in_colour = _with_colours(difference, explanation, halved_mask(pair.mask), tables[1])
    # nothing was subtracted, so any place counts
    limit = 0.0 if explanation.plain else THRESHOLDS.high
    changed = sum(place.cells for place in changed_places(excess, THRESHOLDS.low)[0] if place.weight > limit)
    return _Compared(pair, difference, explanation.sides[0], excess, in_colour, changed)


def _is_settled(compared: _Compared) -> bool:
    """Whether no difference is left that another explanation could explain."""
    return not compared.changed and _agreement(compared.residual) >= THRESHOLDS.agreement


def _agreement(difference: Residual) -> float:
    """Mean correlation of the windows in which both pictures show something; 1 where next to none does."""
    return float(difference.correlation[difference.shown].mean()) if difference.shown.sum() >= BIN_CELLS else 1.0


def _with_colours(
    difference: Residual, explanation: Explanation, mask: Mask, tables: Tables
) -> tuple[FloatArray, bool]:
    """The larger of the differences of luminance and colours; and whether colours were compared."""
    if explanation.colours is None:
        return difference.excess, False
    colours = colour_excess(explanation.colours, mask, tables, plain=explanation.plain)
    if colours is None:
        return difference.excess, False
    excess = difference.excess.copy()
    rows, columns = min(excess.shape[0], colours.shape[0]), min(excess.shape[1], colours.shape[1])
    part = excess[:rows, :columns]
    np.maximum(part, colours[:rows, :columns] * difference.valid[:rows, :columns], out=part)
    return excess, True


def _tables(
    a: ProofPicture, b: ProofPicture, laid: Laid, matrix: Matrix, gains: tuple[float, float], number: int
) -> Tables:
    """Quantisation tables (0 luminance, 1 colour) of both files with the pixels of each file for one of the grid."""
    still, moving = (b, a) if laid.swapped else (a, b)
    tables = []
    to_moving = compose(laid.moving_to_full, matrix)
    linears = laid.still_to_full[:, :2], to_moving[:, :2]
    for picture, linear, gain in zip((still, moving), linears, gains, strict=True):
        if picture.quantisation:
            table = picture.quantisation[min(number, len(picture.quantisation) - 1)]
            tables.append((table, float(np.sqrt(abs(np.linalg.det(linear)))), gain))
    return tables


def _judged(a: ProofPicture, b: ProofPicture, laid: Laid, compared: _Compared) -> Proof:
    difference = compared.residual
    every, labels = changed_places(compared.excess, THRESHOLDS.low)
    places = [place for place in every if place.weight > THRESHOLDS.high]
    changed = np.isin(labels, [place.label for place in places])
    area = max(1, int(difference.valid.sum()))
    share = float(changed.sum()) / area
    moves: list[tuple[int, int] | None] = []
    if 0 < len(places) <= MOST_PLACES:
        halves = halved(compared.pair.first), halved(compared.pair.second)
        small = compared.pair.mask[1::2, 1::2][: halves[0].shape[0], : halves[0].shape[1]]
        moves = [movement(*halves, small, place, labels == place.label) for place in places[:SOUGHT]]
    moved_cells = sum(place.cells for place, move in zip(places, moves, strict=False) if move is not None)
    agreement, rest = agreements(difference, changed, _correlation(compared, changed))
    evidence = Evidence(
        places=len(places),
        share=share,
        replaced=replaced_share(difference, changed),
        fill=filled(places),
        agreement=agreement,
        rest=rest,
        displaced=_displaced(compared, changed),
        moved=moved_cells / area,
    )
    outcome, reason = judge(evidence, THRESHOLDS)
    to_moving = compose(laid.moving_to_full, compared.pair.matrix)
    to_a, to_b = (to_moving, laid.still_to_full) if laid.swapped else (laid.still_to_full, to_moving)
    regions = []
    for number, place in enumerate(places[:MOST_REGIONS]):
        move = moves[number] if number < len(moves) else None
        regions.append(_region(place, move, area, to_a, to_b, a, b, swapped=laid.swapped))
    full = compose(to_a, invert(to_b))
    if outcome in COPIES and is_one_edge(
        compared.pair.first, compared.pair.second, compared.pair.mask, difference.shown
    ):
        return _nothing(full, "of other tones, and both show one edge or one gradient and no more: nothing to compare")
    covered = float(compared.pair.mask.sum()) * abs(float(np.linalg.det(to_a[:, :2])))
    smaller = min(_valid_area(a), _valid_area(b) * abs(float(np.linalg.det(full[:, :2]))))
    return Proof(
        outcome=outcome,
        regions=tuple(regions),
        changed=share,
        moved=moved_cells / area,
        largest=min(1.0, difference.largest / 255),
        noise=difference.noise / 255,
        grid=(compared.pair.first.shape[0], compared.pair.first.shape[1]),
        scale_a=float(np.sqrt(abs(np.linalg.det(to_a[:, :2])))),
        scale_b=float(np.sqrt(abs(np.linalg.det(to_b[:, :2])))),
        compared=min(1.0, covered / max(smaller, 1.0)),
        colour=compared.colour,
        reason=reason,
        matrix=_plain(full),
        measures=ProofMeasures(
            peak=float(compared.excess.max()),
            weight=every[0].weight if every else 0.0,
            places=float(evidence.places),
            replaced=evidence.replaced,
            fill=evidence.fill,
            agreement=evidence.agreement,
            rest=evidence.rest,
            displaced=evidence.displaced,
            doubt=float(difference.texture.max()),
            **(_information(a, b, full, compared.pair.sign, regions) if outcome in COPIES else {}),
        ),
        version=VERSION,
    )


def _information(
    a: ProofPicture, b: ProofPicture, matrix: Matrix, sign: float, regions: Sequence[Region]
) -> dict[str, float]:
    """What each of two copies shows beyond the other one."""
    return information(a, b, matrix, sign, [(region.box, region.box_b) for region in regions])


def _displaced(compared: _Compared, changed: Mask) -> float:
    """Displacement of blocks outside the changed places, pixels of the grid."""
    own, predicted = halved(compared.side.own), halved(compared.side.predicted)
    mask = compared.pair.mask[1::2, 1::2][: own.shape[0], : own.shape[1]]
    if changed.any():
        size = mask.shape[::-1]
        mask = mask & (cv2.resize(changed.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) == 0)
    steps = displacements(own, predicted, mask)
    return 2 * float(np.quantile(np.hypot(*steps.T), DISPLACED_SHARE)) if len(steps) else 0.0


def _correlation(compared: _Compared, changed: Mask) -> float:
    """Correlation of a whole picture with its prediction.

    Where one of these is flat: 1, unless both pictures show something outside the changed places. Then no tone makes
    one of the other, and they have nothing in common.
    """
    inside = compared.pair.mask[::4, ::4]
    side = compared.side
    own, predicted = (picture[::4, ::4][inside].astype(np.float64) for picture in (side.own, side.predicted))
    own, predicted = own - own.mean(), predicted - predicted.mean()
    spread = float(np.sqrt(np.square(own).sum() * np.square(predicted).sum()))
    if spread > len(own):
        return float((own * predicted).sum()) / spread
    rest = inside & (cv2.resize(changed.astype(np.uint8), inside.shape[::-1], interpolation=cv2.INTER_NEAREST) == 0)
    shown = [
        float(picture[::4, ::4][rest].std()) if rest.any() else 0.0
        for picture in (compared.pair.first, compared.pair.second)
    ]
    return 0.0 if min(shown) > SHOWN else 1.0


def _region(
    place: Place, move: tuple[int, int] | None, area: int, to_a: Matrix, to_b: Matrix,
    a: ProofPicture, b: ProofPicture, *, swapped: bool,
) -> Region:  # fmt: skip
    moved = None
    if move is not None:
        # the shift is of the second picture's content on the grid: that of b, unless the two are swapped
        dy, dx = (-move[0], -move[1]) if swapped else move
        step = to_a[:, :2] @ (dx, dy)
        moved = float(step[1]), float(step[0])
    return Region(
        box=_box(place, to_a, a.full_shape),
        box_b=_box(place, to_b, b.full_shape),
        share=place.cells / area,
        contrast=min(1.0, place.peak / 255),
        moved=moved,
    )


def _box(place: Place, matrix: Matrix, shape: tuple[int, int]) -> Box:
    """The bounding box of a region in pixels of a full frame."""
    left, top = place.left - 0.5, place.top - 0.5
    corners = np.array([[left + x * place.width, top + y * place.height] for x in (0, 1) for y in (0, 1)], np.float64)
    moved = corners @ matrix[:, :2].T + matrix[:, 2] + 0.5
    limit = np.array(shape[::-1], np.float64)
    low = np.clip(np.floor(moved.min(0)), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(moved.max(0)), low + 1, limit).astype(int)
    return int(low[1]), int(low[0]), int(high[1] - low[1]), int(high[0] - low[0])


def _valid_area(picture: ProofPicture) -> float:
    """Valid pixels of the full frame."""
    whole = float(picture.full_shape[0] * picture.full_shape[1])
    return whole if picture.mask is None else whole * float(picture.mask.mean())


def _plain(matrix: Matrix) -> Affine:
    (xx, xy, x0), (yx, yy, y0) = matrix.tolist()
    return (xx, xy, x0), (yx, yy, y0)


def _nothing(matrix: Matrix, reason: str) -> Proof:
    return Proof(Outcome.NONE, reason=reason, matrix=_plain(matrix), version=VERSION)
