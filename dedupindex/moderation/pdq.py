"""PDQ, the perceptual hash of ThreatExchange, by the reference implementation (package pdqhash).

Davis, Rosen, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", Facebook, 2019.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import SettingsError
from dedupindex.prepare.rgb8 import rgb8
from dedupindex.records import Frame
from dedupindex.records.banks import Signal, SignalKind

VERSION = "1"
FEATURE = "pdq"  # its name among the stored features
_BYTES = 32


def require_pdqhash() -> None:
    """Raise before the work begins where pdqhash is missing.

    Raises
    ------
    SettingsError
    """
    if find_spec("pdqhash") is None:
        raise SettingsError("PDQ needs pdqhash: install dedupindex with its extra 'moderation'")


def pdq(pixels: NDArray[np.generic]) -> tuple[bytes, int]:
    """Hash a picture.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) array
        As decoded, upright. Depths above 8 bits are scaled by the range of their type, floats by their own range.

    Returns
    -------
    hash : bytes
        32 bytes, the first bit first, as the hexadecimal form is written.
    quality : int
        0..100; pictures below 50 have too little structure to be matched.

    Raises
    ------
    SettingsError
        pdqhash is not installed.
    """
    require_pdqhash()
    import pdqhash

    bits, quality = pdqhash.compute(rgb8(pixels))
    return np.packbits(np.asarray(bits, np.uint8)).tobytes(), int(quality)


def pdq_of(frame: Frame, name: str = "") -> Signal:
    """PDQ of a decoded frame, as a signal of that name."""
    value, quality = pdq(frame.pixels)
    return Signal(SignalKind.PDQ, value, name, quality)


def packed(signal: Signal) -> bytes:
    """A PDQ signal as a stored feature: the hash and its quality."""
    return signal.value + bytes([signal.quality or 0])


def unpacked(data: bytes, name: str) -> Signal:
    """A PDQ signal from a stored feature.

    Raises
    ------
    ValueError
        It is damaged.
    """
    if len(data) != _BYTES + 1:
        raise ValueError(f"damaged feature blob: PDQ of {len(data)} bytes")
    return Signal(SignalKind.PDQ, data[:_BYTES], name, data[_BYTES])
