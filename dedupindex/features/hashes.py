"""Perceptual hashes through imagehash, on a correctly scaled 8-bit picture (imagehash itself would clip 16-bit)."""

from __future__ import annotations

from collections.abc import Mapping

import imagehash
import numpy as np
from PIL import Image

from dedupindex.features.resampling import fitted
from dedupindex.records import ByteArray, Mask

VERSION = "1"
MIN_SIDE = 9  # pixels; below, a 64-bit hash has more bits than the picture has structure
SIDE = 64  # longest side that is hashed; more detail than a 32 x 32 DCT can see


def perceptual_hashes(thumbnail: ByteArray, mask: Mask) -> Mapping[str, bytes]:
    """Hash a thumbnail.

    Parameters
    ----------
    thumbnail : (h, w) uint8
        Masked pixels are replaced by the valid mean.
    mask : (h, w) bool

    Returns
    -------
    mapping of {"phash", "dhash", "ahash", "whash"} to 8 bytes
        Empty for pictures with a side below `MIN_SIDE`.
    """
    if min(thumbnail.shape) < MIN_SIDE or not mask.any():
        return {}
    filled = thumbnail if mask.all() else np.where(mask, thumbnail, np.uint8(thumbnail[mask].mean()))
    height, width = fitted(filled.shape, SIDE)
    picture = Image.fromarray(filled).resize((width, height), Image.Resampling.BOX)
    makers = {
        "phash": imagehash.phash,
        "dhash": imagehash.dhash,
        "ahash": imagehash.average_hash,
        "whash": imagehash.whash,
    }
    return {name: np.packbits(make(picture).hash.ravel()).tobytes() for name, make in makers.items()}
