"""Describe, verify and register plain arrays, without files or a database."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.features import rounded
from dedupindex.features.describe import describe
from dedupindex.prepare import prepare
from dedupindex.records import Features, Frame, Mask, Registration, Verification
from dedupindex.settings import Settings
from dedupindex.threads import on_one_thread
from dedupindex.verify.refinement import refined
from dedupindex.verify.verification import verify


@on_one_thread
def features_of_array(pixels: NDArray[Any], mask: Mask | None = None, *, settings: Settings | None = None) -> Features:
    """Prepare and describe an array.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) array
        uint8, uint16, uint32, int16, int32, float32 or float64; NaN and infinities are no data.
    mask : (H, W) bool, optional
        True = valid.
    settings : Settings, optional
        By default `Settings()`.

    Returns
    -------
    Features

    Raises
    ------
    TypeError, ValueError
        No numbers, other shapes, or no valid pixel.
    """
    valid = np.ones(pixels.shape[:2], np.bool_) if mask is None else mask
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    pixels = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))
    shape = (pixels.shape[0], pixels.shape[1]) if pixels.ndim > 1 else (0, 0)
    frame = Frame(pixels, valid, full_shape=shape, bits=8 * pixels.dtype.itemsize)
    wanted = Settings() if settings is None else settings
    prepared = prepare(frame, wanted)
    if not prepared.valid_share:
        raise ValueError("no pixel is valid")
    return rounded(describe(prepared, wanted))


@on_one_thread
def verify_arrays(
    a: NDArray[Any],
    b: NDArray[Any],
    mask_a: Mask | None = None,
    mask_b: Mask | None = None,
    *,
    settings: Settings | None = None,
) -> Verification:
    """Decide whether two pictures show the same, and how; no database needed.

    Parameters
    ----------
    a, b : (H, W) or (H, W, 3) arrays
        As for `features_of_array`; sizes and depths may differ.
    mask_a, mask_b : bool arrays or None
        True = valid.
    settings : Settings, optional
        By default `Settings()`; `Settings.threshold` is the smallest accepted score.

    Returns
    -------
    Verification

    Raises
    ------
    TypeError, ValueError
        No numbers, other shapes, or no valid pixel.

    See Also
    --------
    dedupindex.compare.verify : the same for features that are known already.
    """
    wanted = Settings() if settings is None else settings
    first = features_of_array(a, mask_a, settings=wanted)
    second = features_of_array(b, mask_b, settings=wanted)
    return refined(verify(first, second, threshold=wanted.threshold), a, b, mask_a, mask_b)


@on_one_thread
def register(a: NDArray[Any], b: NDArray[Any], mask_a: Mask | None = None, mask_b: Mask | None = None) -> Registration:
    """Find how b lies on a.

    Parameters
    ----------
    a, b : (H, W) or (H, W, 3) arrays
        As for `features_of_array`; sizes and depths may differ.
    mask_a, mask_b : bool arrays or None
        True = valid.

    Returns
    -------
    Registration
        The best alignment even of pictures that do not show the same: look at its `confidence`.

    Raises
    ------
    TypeError, ValueError
        No numbers, other shapes, or no valid pixel.
    """
    return verify_arrays(a, b, mask_a, mask_b).registration
