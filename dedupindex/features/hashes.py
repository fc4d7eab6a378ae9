"""Perceptual hashes: those of the package imagehash on a correctly scaled 8-bit picture, for many pictures at once.

imagehash itself would clip 16-bit pictures, and takes one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.byte_resampling import Numbers, box_resized, lanczos_resized
from dedupindex.features.resampling import fitted
from dedupindex.records import ByteArray, Mask

MIN_SIDE = 9  # pixels; below, a 64-bit hash has more bits than the picture has structure
SIDE = 64  # longest side that is hashed; more detail than a 32 x 32 DCT can see
BLOCKS = 8  # of a hash, a side
WAVES = 32  # side of the picture whose lowest frequencies are hashed, pixels
NAMES = ("phash", "dhash", "ahash", "whash")


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
    return hash_all([thumbnail], [mask])[0]


def hash_all(thumbnails: Sequence[ByteArray], masks: Sequence[Mask]) -> list[Mapping[str, bytes]]:
    """`perceptual_hashes` of many thumbnails, of any shapes; those of one shape together take less time."""
    alike: dict[tuple[int, int], list[int]] = {}
    for number, (thumbnail, mask) in enumerate(zip(thumbnails, masks, strict=True)):
        if min(thumbnail.shape) >= MIN_SIDE and mask.any():
            alike.setdefault((thumbnail.shape[0], thumbnail.shape[1]), []).append(number)
    hashed: list[Mapping[str, bytes]] = [{}] * len(thumbnails)
    for numbers in alike.values():
        bits = _bits(np.stack([_filled(thumbnails[number], masks[number]) for number in numbers]))
        for number, rows in zip(numbers, np.packbits(bits, axis=-1), strict=True):
            hashed[number] = {name: row.tobytes() for name, row in zip(NAMES, rows, strict=True)}
    return hashed


def _filled(thumbnail: ByteArray, mask: Mask) -> ByteArray:
    return thumbnail if mask.all() else np.where(mask, thumbnail, np.uint8(thumbnail[mask].mean()))


def _bits(pictures: ByteArray) -> NDArray[np.bool_]:
    """All hashes of pictures (N, h, w) uint8: (N, 4, 64) bool, in the order of `NAMES`."""
    small = box_resized(pictures, fitted((pictures.shape[1], pictures.shape[2]), SIDE))
    side = _wavelet_side(small.shape[1:])
    shapes = ((WAVES, WAVES), (BLOCKS, BLOCKS + 1), (BLOCKS, BLOCKS), (side, side))
    waves, steps, cells, *more = lanczos_resized(small, shapes[: 3 if side == WAVES else 4])
    count = len(pictures)
    bits = np.empty((count, len(NAMES), BLOCKS, BLOCKS), np.bool_)
    bits[:, 0] = _wave_hashes(waves)
    bits[:, 1] = steps[:, :, 1:] > steps[:, :, :-1]
    bits[:, 2] = cells * cells[0].size > cells.sum((1, 2), keepdims=True)  # above their mean
    bits[:, 3] = _block_hashes(more[0] if more else waves)
    return bits.reshape(count, len(NAMES), -1)


def _wave_hashes(pictures: Numbers) -> NDArray[np.bool_]:
    """Of pictures (N, 32, 32), which of the 8 x 8 lowest frequencies of the DCT are above their median."""
    from scipy import fft  # slow to import: only when it is used

    lowest = fft.dct(fft.dct(pictures, axis=1)[:, :BLOCKS], axis=2)[:, :, :BLOCKS]
    return _above_median(lowest)


def wavelet_hash(picture: ByteArray) -> NDArray[np.bool_]:
    """`imagehash.whash` without its wavelets, which is faster.

    What is left of a Haar transform at that level are sums over blocks, and the overall mean that is taken off before
    cancels out. Bits differ from imagehash's only where a block equals the median, which is rounding there, 0 here.

    Parameters
    ----------
    picture : (h, w) uint8
        Longest side at most `SIDE`.

    Returns
    -------
    (8, 8) bool
    """
    side = _wavelet_side(picture.shape)
    [hashed] = _block_hashes(lanczos_resized(picture[None], [(side, side)])[0])
    return np.asarray(hashed)


def _wavelet_side(shape: Sequence[int]) -> int:
    return max(BLOCKS, 1 << (min(shape).bit_length() - 1))


def _block_hashes(pictures: Numbers) -> NDArray[np.bool_]:
    """Of pictures (N, side, side), whole numbers, which of 8 x 8 blocks are above their median."""
    blocks = _blocks(pictures.shape[1])
    return _above_median(blocks @ pictures @ blocks.T)


@lru_cache(maxsize=8)
def _blocks(side: int) -> Numbers:
    """(8, side): ones where a sample lies in a block."""
    blocks: Numbers = np.repeat(np.eye(BLOCKS), side // BLOCKS, axis=1)
    blocks.setflags(write=False)
    return blocks


def _above_median(numbers: Numbers) -> NDArray[np.bool_]:
    """Of each 8 x 8 numbers (N, 8, 8), which are above the median."""
    ranked = np.sort(numbers.reshape(len(numbers), -1), axis=1)
    middle = ranked.shape[1] // 2
    median = (ranked[:, middle - 1] + ranked[:, middle]) / 2
    above: NDArray[np.bool_] = numbers > median[:, None, None]
    return above
