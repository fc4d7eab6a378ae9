"""The proof of a piece: are the two regions that agree the same picture, or two shots of one scene?

Two photographs of one crate of fruit, one person or one product agree in most windows. What tells them apart is what
the proof of whole pictures measures (`dedupindex.verify.proof`): places that changed, blocks that lie off each other,
and how well the rest agrees once position, tone and sharpness are matched. Here it is taken on the two stored pictures
of some 512 pixels, over the hull of the region that agrees, at the scale of the coarser one.
"""

from __future__ import annotations

import cv2
import numpy as np

from dedupindex.records import ByteArray, Mask, Proof
from dedupindex.records.pictures import PieceFeatures
from dedupindex.verify.pieces.agreement import Region, corners_of, linear_at
from dedupindex.verify.pieces.matching import Matrix, inverse, project
from dedupindex.verify.proof.comparison import prove
from dedupindex.verify.proof.picture import ProofPicture
from dedupindex.versions import PIECE_QUALITY

STRAIGHT = 0.25  # pixels of the coarser picture by which a map may differ from an affine one over the region
# Luminance table of ITU-T T.81, table K.1; the stored pictures are JPEGs.
STANDARD = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29,
    51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120,
    101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
TABLE = tuple(max(1, (step * (200 - 2 * PIECE_QUALITY) + 50) // 100) for step in STANDARD)


def prove_region(a: PieceFeatures, b: PieceFeatures, region: Region) -> Proof:
    """Compare what two pictures show in a region that agrees.

    Parameters
    ----------
    a, b : PieceFeatures
    region : Region
        From `region_of`, of the same two.

    Returns
    -------
    Proof
        Of the coarser picture against the finer one; boxes and matrix in pixels of the stored pictures.
    """
    coarse, fine = (a, b) if region.coarse_is_a else (b, a)
    onto, picture, mask = _straightened(fine, region)
    indices = _by_indices(onto)[:2]
    still = _picture(coarse.picture, hull_of(region, coarse.mask.shape) & coarse.mask)
    return prove(still, _picture(picture, mask), indices)


def hull_of(region: Region, shape: tuple[int, ...]) -> Mask:
    """The convex hull of a region as a mask (H, W) of the coarser picture.

    Parameters
    ----------
    region : Region
    shape : (int, int)
        Of the coarser picture.
    """
    rows, columns = np.nonzero(region.mask)
    top, left = region.box[:2]
    points = np.column_stack([columns + left, rows + top]).astype(np.int32)
    filled = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return filled.astype(bool)


def _picture(picture: ByteArray, mask: Mask) -> ProofPicture:
    shape = (picture.shape[0], picture.shape[1])
    return ProofPicture(picture, None, None if mask.all() else mask, shape, (TABLE,))


def _straightened(fine: PieceFeatures, region: Region) -> tuple[Matrix, ByteArray, Mask]:
    """An affine map onto the coarser picture, and the finer picture warped so that this map holds."""
    corners, back = corners_of(region.box), inverse(region.fine_to_coarse)
    linear, place, middle = linear_at(region)
    affine = np.vstack([np.column_stack([linear, middle - linear @ place]), [0.0, 0.0, 1.0]])
    away = project(affine, project(back, corners)) - corners
    if np.abs(away).max() <= STRAIGHT:
        return affine, fine.picture, fine.mask
    steps = _by_indices(back @ affine)  # of the straightened picture to those of the given one
    size = fine.picture.shape[::-1]
    warp = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpPerspective(fine.picture, steps, size, flags=warp, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpPerspective(fine.mask.astype(np.float32), steps, size, flags=warp)
    return affine, np.asarray(picture, np.uint8), np.asarray(inside > 0.95)


def _by_indices(matrix: Matrix) -> Matrix:
    """A map of continuous coordinates as one of pixel indices: pixel centres lie at .5 of the former."""
    half = np.array([[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.asarray(inverse(half) @ matrix @ half, np.float64)
