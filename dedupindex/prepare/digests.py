"""The identity of decoded pixels, whatever file they came in."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Mask


def pixel_digest(pixels: NDArray[Any], mask: Mask | None = None) -> bytes:
    """SHA-256 over data type, shape, mask (unless all is valid) and samples, 32 bytes.

    Samples count in little-endian order, whatever the machine, so that the same decoded pixels give the same digest
    in every file format; those under the mask count as 0.
    """
    return pixel_digests(pixels[None], None if mask is None else mask[None])[0]


def pixel_digests(pixels: NDArray[Any], mask: Mask | None = None) -> tuple[bytes, ...]:
    """`pixel_digest` of each of N frames.

    Parameters
    ----------
    pixels : (N, H, W) or (N, H, W, C) array
    mask : (N, H, W) bool, optional
        True = valid; None = all.
    """
    header = hashlib.sha256(f"{pixels.dtype.kind}{pixels.dtype.itemsize}{pixels.shape[1:]}".encode())
    if mask is not None and mask.all():
        mask = None
    if mask is not None:
        pixels = np.where(mask if pixels.ndim == 3 else mask[..., None], pixels, pixels.dtype.type(0))
    data = np.ascontiguousarray(pixels)
    samples = data.astype(data.dtype.newbyteorder("<"), copy=False).reshape(len(data), -1).view(np.uint8)
    digests = []
    for number, frame in enumerate(samples):
        digest = header.copy()
        if mask is not None and not mask[number].all():
            digest.update(np.packbits(mask[number]).tobytes())
        digest.update(frame.data)
        digests.append(digest.digest())
    return tuple(digests)
