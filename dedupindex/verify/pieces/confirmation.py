"""Two pictures in, the parts that they share out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dedupindex.features.model import load_model
from dedupindex.fitted import digest
from dedupindex.records import Features, Outcome, Proof, Side
from dedupindex.records.pictures import PieceFeatures
from dedupindex.records.pieces import Box, FoundPiece, PieceMeasures
from dedupindex.verify.pieces.agreement import Region, corners_of, region_of
from dedupindex.verify.pieces.matching import Matrix, PieceMap, inverse, maps_between, project
from dedupindex.verify.pieces.proving import prove_region
from dedupindex.verify.pieces.refinement import refined
from dedupindex.verify.pieces.scoring import FITTED, accepts, score_of
from dedupindex.verify.proof import thresholds

VERSION = f"2:{digest(FITTED)}:{thresholds.MEASURES_VERSION}.{digest('proof')}"
# Mean correlation of a region from which its map is not refined, and below which a refined map is not taken: a copy
# reaches it, while eight free parameters also bring two shots of a scene somewhat nearer to each other.
WELL_LAID = 0.97
UNLIKE = (Outcome.ALTERNATE, Outcome.DIFFERENT)
MOST_PIECES = 8  # of one pair
APART = 24.0  # pixels of the stored picture by which a part and its copy inside one picture must lie apart
SAME_REGION = 0.5  # share of the smaller region on a picture that another one may cover


@dataclass(frozen=True, slots=True)
class View:
    """A picture as pieces are sought in it.

    Attributes
    ----------
    pieces : PieceFeatures
    box : (top, left, height, width)
        What of the full frame the stored picture shows, pixels.
    full_shape : (int, int)
        (H, W) of the full frame.
    """

    pieces: PieceFeatures
    box: Box
    full_shape: tuple[int, int]

    @property
    def to_full(self) -> Matrix:
        """(3, 3): the stored picture's (x, y, 1) to those of the full frame."""
        top, left, height, width = self.box
        rows, columns = self.pieces.mask.shape
        return np.array([[width / columns, 0, left], [0, height / rows, top], [0, 0, 1]], np.float64)


def view_of(features: Features) -> View | None:
    """The view of a picture; None where it has no features of pieces."""
    return None if features.pieces is None else View(features.pieces, features.box, features.full_shape)


def find_pieces(
    a: View, b: View, *, threshold: float = 0.5, mirrored: bool | None = None
) -> list[tuple[Side, FoundPiece]]:
    """Parts that two pictures share.

    Parameters
    ----------
    a, b : View
    threshold : float
        Lowest score, 0..1.
    mirrored : bool, optional
        Whether b shows the parts mirrored; None = look for both.

    Returns
    -------
    list of (Side, FoundPiece)
        Surest first; which of the two contains the part, which is the one of whose area it takes the smaller share.
    """
    accepted = [
        one
        for turned in ((False, True) if mirrored is None else (mirrored,))
        for one in _shared(a, b, threshold, turned)
    ]
    accepted.sort(key=lambda item: -item[1].score)
    kept: list[tuple[Side, FoundPiece]] = []
    for side, piece in accepted:
        if len(kept) < MOST_PIECES and not any(_same(side, piece, *other) for other in kept):
            kept.append((side, piece))
    return kept


def _shared(
    a: View, b: View, threshold: float, mirrored: bool, *, apart: float = 0
) -> Iterator[tuple[Side, FoundPiece]]:
    """Parts on which keypoints, pixels and the proof agree, as `find_pieces` gives them, in no order."""
    parity, width = load_model().local_parity, b.pieces.mask.shape[1]
    for agreed in maps_between(a.pieces.keypoints, b.pieces.keypoints, width, parity, mirrored=mirrored, apart=apart):
        one = examined(a.pieces, b.pieces, agreed)
        if one is None or one.proof.outcome is Outcome.DIFFERENT:
            continue
        score = score_of(one.measures)
        if score >= threshold:
            yield _piece(a, b, one, score)


@dataclass(frozen=True, slots=True)
class Examined:
    """A map that keypoints agree on, the region that agrees under it, and what is known of that."""

    map: PieceMap
    region: Region
    proof: Proof
    measures: PieceMeasures


def examined(a: PieceFeatures, b: PieceFeatures, agreed: PieceMap) -> Examined | None:
    """Measure and prove the part under a map, which is refined before where the pixels do not agree well.

    Parameters
    ----------
    a, b : PieceFeatures
    agreed : PieceMap

    Returns
    -------
    Examined or None
        None where a hard limit is broken.
    """
    region = region_of(a.picture, a.mask, b.picture, b.mask, agreed.matrix, agreed.points_a)
    if region is None or not accepts(measures_of(agreed, region)):
        return None
    if region.mean < WELL_LAID and (better := refined(a, b, region)) is not None:
        again = region_of(a.picture, a.mask, b.picture, b.mask, better, agreed.points_a)
        if again is not None and again.mean >= WELL_LAID and accepts(measures_of(agreed, again)):
            agreed, region = replace(agreed, matrix=better), again
    proof = prove_region(a, b, region)
    return Examined(agreed, region, proof, measures_of(agreed, region, proof))


def find_within(view: View, *, threshold: float = 0.5) -> list[FoundPiece]:
    """Parts of a picture that stand in it twice: copied and moved, also turned, resized or mirrored.

    Parameters
    ----------
    view : View
    threshold : float
        Lowest score, 0..1.

    Returns
    -------
    list of FoundPiece
        Surest first, each two places once; `box` is the one and `part_box` the other.
    """
    accepted = [one for turned in (False, True) for one in _shared(view, view, threshold, turned, apart=APART)]
    accepted.sort(key=lambda item: -item[1].score)
    kept: list[FoundPiece] = []
    for _, piece in accepted:
        if _covered(piece.box, piece.part_box) > SAME_REGION:
            continue  # a pattern that repeats, or a picture that is its own mirror image
        if len(kept) < MOST_PIECES and not any(_same(side, piece, Side.A, other) for other in kept for side in Side):
            kept.append(piece)
    return kept


def measures_of(one: PieceMap, region: Region, proof: Proof | None = None) -> PieceMeasures:
    """What was measured of a piece.

    Parameters
    ----------
    one : PieceMap
    region : Region
        That agrees under it.
    proof : Proof, optional
        Of the region.

    Returns
    -------
    PieceMeasures
    """
    return PieceMeasures(
        places=float(one.places),
        weight=one.weight,
        area=region.area,
        agreeing=region.agreeing,
        agreement=region.agreement,
        textured=region.textured,
        mean=region.mean,
        ncc=region.ncc,
        thickness=region.thickness,
        drawn=region.flat,
        matched=None if proof is None else proof.measures.agreement,
        rest=None if proof is None else proof.measures.rest,
        changed=None if proof is None else proof.changed,
        unlike=None if proof is None else float(proof.outcome in UNLIKE),
    )


def _piece(a: View, b: View, seen: Examined, score: float) -> tuple[Side, FoundPiece]:
    """The piece as it lies on both full frames."""
    one, region, proof = seen.map, seen.region, seen.proof
    coarse, fine = (a, b) if region.coarse_is_a else (b, a)
    corners = corners_of(region.box)
    on_coarse = project(coarse.to_full, corners)
    onto_fine = inverse(region.fine_to_coarse)
    rows, columns = fine.pieces.mask.shape
    inside = np.clip(project(onto_fine, corners), 0, (columns, rows))
    on_fine = project(fine.to_full, inside)
    filled = region.area / (region.box[2] * region.box[3])
    share_coarse = _share(on_coarse, coarse) * filled
    share_fine = _share(project(fine.to_full @ onto_fine, corners), fine) * filled
    fine_contains = share_fine < share_coarse
    container, part = (fine, coarse) if fine_contains else (coarse, fine)
    on_container, on_part = (on_fine, on_coarse) if fine_contains else (on_coarse, on_fine)
    side = Side.A if region.coarse_is_a != fine_contains else Side.B
    to_a = a.to_full @ one.matrix @ inverse(b.to_full)  # b's full frame to a's
    matrix = to_a if side is Side.A else inverse(to_a)
    matrix = matrix / matrix[2, 2]
    part_box = _box(on_part, part.full_shape)
    y, x, h, w = part_box
    quad = project(matrix, corners_of(part_box))
    turn, scale = _motion(matrix, np.array([x + w / 2, y + h / 2]), one.mirrored)
    return side, FoundPiece(
        score=score,
        box=_box(on_container, container.full_shape),
        quad=tuple((float(px), float(py)) for px, py in quad),  # type: ignore[arg-type]
        share=float(min(share_coarse, share_fine, 1.0)),
        part_box=part_box,
        part_share=float(min(max(share_coarse, share_fine), 1.0)),
        mirrored=one.mirrored,
        scale=scale,
        rotation=turn,
        matrix=tuple(tuple(float(v) for v in row) for row in matrix),  # type: ignore[arg-type]
        measures=seen.measures,
        version=VERSION,
        proof=Proof(proof.outcome, changed=proof.changed, reason=proof.reason),
    )


def _share(corners: Matrix, view: View) -> float:
    """Area of a quadrilateral over that of the full frame."""
    x, y = corners.T
    area = 0.5 * abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()))
    return area / max(1.0, float(view.full_shape[0]) * view.full_shape[1])


def _box(corners: Matrix, shape: tuple[int, int]) -> Box:
    limit = np.array(shape[::-1])
    low = np.clip(np.rint(corners.min(0)), 0, limit).astype(int)
    high = np.clip(np.rint(corners.max(0)), 0, limit).astype(int)
    return int(low[1]), int(low[0]), int(high[1] - low[1]), int(high[0] - low[0])


def _motion(matrix: Matrix, centre: Matrix, mirrored: bool) -> tuple[float, float]:
    """Rotation, degrees counter-clockwise, and scale of a map at a point."""
    moved = matrix @ (*centre, 1.0)
    u, v = moved[:2] / moved[2]
    linear = (matrix[:2, :2] - np.outer((u, v), matrix[2, :2])) / moved[2]
    upright = linear @ np.diag([-1.0, 1.0]) if mirrored else linear
    angle = np.arctan2(upright[1, 0] - upright[0, 1], upright[0, 0] + upright[1, 1])
    turn = float((-np.rad2deg(angle) + 180) % 360 - 180) + 0.0
    return turn, float(np.sqrt(abs(np.linalg.det(linear))))


def _same(side: Side, piece: FoundPiece, other_side: Side, other: FoundPiece) -> bool:
    """Whether two pieces are one region of both pictures, found twice."""
    mine, theirs = (piece.box, piece.part_box), (other.box, other.part_box)
    if side is not other_side:
        theirs = theirs[::-1]
    return all(_covered(one, two) > SAME_REGION for one, two in zip(mine, theirs, strict=True))


def _covered(one: Box, two: Box) -> float:
    """Area that two boxes share over that of the smaller one."""
    height = min(one[0] + one[2], two[0] + two[2]) - max(one[0], two[0])
    width = min(one[1] + one[3], two[1] + two[3]) - max(one[1], two[1])
    smaller = min(one[2] * one[3], two[2] * two[3])
    return max(0, height) * max(0, width) / max(1, smaller)
