"""Perceptual hashes through imagehash, on a correctly scaled 8-bit picture (imagehash itself would clip 16-bit)."""

from __future__ import annotations

from collections.abc import Mapping

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedupindex.features.resampling import fitted
from dedupindex.records import ByteArray, Mask

MIN_SIDE = 9  # pixels; below, a 64-bit hash has more bits than the picture has structure
SIDE = 64  # longest side that is hashed; more detail than a 32 x 32 DCT can see
BLOCKS = 8  # of the wavelet hash, a side


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
    }
    bits = {name: make(picture).hash for name, make in makers.items()} | {"whash": wavelet_hash(picture)}
    return {name: np.packbits(signs.ravel()).tobytes() for name, signs in bits.items()}


def wavelet_hash(picture: Image.Image) -> NDArray[np.bool_]:
    """`imagehash.whash` without its wavelets, which is faster.

    What is left of a Haar transform at that level are sums over blocks, and the overall mean that is taken off before
    cancels out. Bits differ from imagehash's only where a block equals the median, which is rounding there, 0 here.

    Parameters
    ----------
    picture : PIL.Image.Image
        Mode L.

    Returns
    -------
    (8, 8) bool
    """
    side = max(BLOCKS, 1 << (min(picture.size).bit_length() - 1))
    levels = np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS), np.int64)
    sums = levels.reshape(BLOCKS, side // BLOCKS, BLOCKS, side // BLOCKS).sum((1, 3))
    above: NDArray[np.bool_] = sums > np.median(sums)
    return above
