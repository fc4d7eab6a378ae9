"""Refine a map by the pixels of the region that agrees under it, in perspective.

Some tens of keypoints that are good to half a pixel leave a map pixels off away from them, and a slight perspective is
often taken for an affine map. The enhanced correlation coefficient (Evangelidis, Psarakis 2008,
doi:10.1109/TPAMI.2008.113) uses every pixel.
"""

from __future__ import annotations

import cv2
import numpy as np

from dedupindex.records.pictures import PieceFeatures
from dedupindex.verify.pieces.agreement import SMOOTHED, Region, corners_of, linear_at, moved
from dedupindex.verify.pieces.matching import Matrix, inverse, project

ROUNDS = 30  # of the iteration, at most
SETTLED = 1e-4  # change of the coefficient below which it ends
FARTHEST = 0.12  # of the region's longer side: how far its corners may move
BLUR = 5  # pixels a side of the blur before it


def refined(a: PieceFeatures, b: PieceFeatures, region: Region) -> Matrix | None:
    """The map of b onto a that correlates best over a region.

    Parameters
    ----------
    a, b : PieceFeatures
    region : Region
        From `region_of`, of the same two.

    Returns
    -------
    (3, 3) float64 or None
        (x, y, 1) of b to those of a; None where the iteration leads nowhere.
    """
    coarse, fine = (a, b) if region.coarse_is_a else (b, a)
    top, left, height, width = region.box
    onto = region.fine_to_coarse
    factor = float(np.sqrt(abs(np.linalg.det(linear_at(region)[0]))))
    still = coarse.picture[top : top + height, left : left + width].astype(np.float32)
    moving, valid = moved(fine.picture, fine.mask, onto, factor, region.box)
    seen = np.ascontiguousarray(valid & region.mask).view(np.uint8)
    still, moving = (np.asarray(cv2.GaussianBlur(one, (0, 0), SMOOTHED), np.float32) for one in (still, moving))
    ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ROUNDS, SETTLED)
    start = np.eye(3, dtype=np.float32)
    try:
        _, warp = cv2.findTransformECC(still, moving, start, cv2.MOTION_HOMOGRAPHY, ends, seen, BLUR)
    except cv2.error:  # it does not converge, or nothing has texture
        return None
    place = np.array([[1.0, 0, left + 0.5], [0, 1, top + 0.5], [0, 0, 1]])
    shift = place @ np.asarray(warp, np.float64) @ inverse(place)  # where the coarser picture's points should lie
    corners = corners_of(region.box)
    most = FARTHEST * max(height, width)
    if not np.isfinite(shift).all() or np.abs(project(shift, corners) - corners).max() > most:
        return None
    better = inverse(shift) @ onto
    matrix = better if region.coarse_is_a else inverse(better)
    result: Matrix = matrix / matrix[2, 2]
    return result
