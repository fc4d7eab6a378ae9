"""Do two pictures show more than one straight edge, or one gradient?

An edge between two tones, or a sky that darkens upwards, leaves the alignment free along it and nearly all of the tone
curve free across it. Whatever two such pictures are of, one is made of the other. The eigenvalues of the structure
tensor tell (Bigun, Granlund 1987; Förstner, Gülch 1987): one of them is next to nothing then.
"""

from __future__ import annotations

import cv2
import numpy as np

from dedupindex.records import ByteArray, Mask

ONE_WAY = 0.03  # smaller over larger eigenvalue: photographs that are copies have .15 and more
FEW = 0.1  # of the windows show something: above, there is more to compare than one edge, as in a bar code
MOST, TONES = 0.95, 12  # share of the pixels, and levels by which these differ where the tones are others
WIDTH = 1.0  # standard deviation of the blur at half size, pixels: noise has no direction
RIM = 5  # side of what is left out around invalid pixels


def directions(picture: ByteArray, mask: Mask) -> float:
    """How evenly the contrast of a picture is spread over directions.

    Parameters
    ----------
    picture : (H, W) uint8
    mask : (H, W) bool
        True = valid.

    Returns
    -------
    float
        Smaller over larger eigenvalue of the structure tensor, 0..1: 0 = all edges are parallel, or there are none.
    """
    size = picture.shape[1] // 2, picture.shape[0] // 2
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    valid = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    inside = cv2.erode(valid, np.ones((RIM, RIM), np.uint8)) > 0
    soft = cv2.GaussianBlur(small, (0, 0), WIDTH)
    x = cv2.Sobel(soft, cv2.CV_32F, 1, 0)[inside].astype(np.float64)
    y = cv2.Sobel(soft, cv2.CV_32F, 0, 1)[inside].astype(np.float64)
    least, most = np.linalg.eigvalsh(np.array([[x @ x, x @ y], [x @ y, y @ y]]))
    return max(0.0, float(least)) / float(most) if most > 0 else 0.0


def is_one_edge(first: ByteArray, second: ByteArray, mask: Mask, shown: Mask) -> bool:
    """Whether two aligned pictures of other tones both show no more than one edge, or one gradient.

    Parameters
    ----------
    first, second : (H, W) uint8
    mask : (H, W) bool
        Where both are valid.
    shown : (h, w) bool
        Windows in which both show something.

    Returns
    -------
    bool
    """
    if shown.mean() > FEW or np.quantile(cv2.absdiff(first, second)[mask], MOST) <= TONES:
        return False
    return max(directions(first, mask), directions(second, mask)) < ONE_WAY
