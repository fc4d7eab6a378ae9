"""A file's frame as it is compared for a proof; the only part of the proof that reads files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import ReadError, Reason
from dedupindex.prepare.depth import scale_frames, scaling_policy
from dedupindex.prepare.masks import valid_from_finite
from dedupindex.prepare.reduction import LUMINANCE_WEIGHTS, reduced_shape
from dedupindex.records import DecodedFile, Frame, Mask
from dedupindex.settings import Settings
from dedupindex.sources.decode import decode_file
from dedupindex.verify.proof.palette import palette_of
from dedupindex.verify.proof.picture import GRID_SIDE, MOST_OVER, ProofPicture

DEEP_PERCENTILES = 0.05, 99.95  # of deep data: less is cut off than for features, which must ignore hot pixels


def read_proof_picture(path: Path, settings: Settings, *, frame: int = 0, side: int = GRID_SIDE) -> ProofPicture:
    """Read a frame of a file for a proof.

    Parameters
    ----------
    path : Path
    settings : Settings
        Limits, no-data values and mask file pattern: those with which the index decodes.
    frame : int
        Number in its file, from 0.
    side : int
        Longest side that is needed, pixels; see `sides_for`. A JPEG is decoded at a half, a quarter or an eighth
        where that is at least as fine.

    Returns
    -------
    ProofPicture

    Raises
    ------
    ReadError
        As `decode_file`, and where the frame is missing or has no valid pixel.
    """
    return proof_picture_of(decode_file(path, settings, min_side=side, frame=frame), settings, frame=frame, side=side)


def proof_picture_of(
    decoded: DecodedFile, settings: Settings, *, frame: int = 0, side: int = GRID_SIDE
) -> ProofPicture:
    """Return a frame of a decoded file for a proof: for callers that check the digest of what they decoded.

    Parameters
    ----------
    decoded : DecodedFile
    settings : Settings
        `scaling` and its percentiles are used for deep data.
    frame : int
        Number in the file, from 0.
    side : int
        Longest side of the result, pixels.

    Returns
    -------
    ProofPicture

    Raises
    ------
    ReadError
        The frame was not decoded, or has no valid pixel.
    """
    chosen = next((one for one in decoded.frames if one.number == frame), None)
    if chosen is None:
        raise ReadError(decoded.path, Reason.MISSING, f"frame {frame} has no valid pixel or was not decoded")
    return proof_picture_from_frame(chosen, settings, side=side, quantisation=decoded.quantisation)


def proof_picture_from_frame(
    frame: Frame, settings: Settings, *, side: int = GRID_SIDE, quantisation: tuple[tuple[int, ...], ...] = ()
) -> ProofPicture:
    """Reduce a frame to at most `side` pixels by averages over areas, and to 8 bits of its own range.

    Parameters
    ----------
    frame : Frame
        As decoded, any depth.
    settings : Settings
        `scaling` and its percentiles are used for deep data.
    side : int
        Longest side of the result, pixels; a picture that is smaller, or hardly larger, keeps its size.
    quantisation : tuple of tuples of 64 int
        Quantisation tables of the JPEG that the frame comes from.

    Returns
    -------
    ProofPicture
    """
    pixels = frame.pixels
    valid = frame.mask
    if pixels.dtype.kind == "f":
        valid = valid & valid_from_finite(pixels, channels=pixels.ndim == 3)
    mask = None if valid.all() else valid
    near = max(pixels.shape[:2]) <= MOST_OVER * side
    shape = (pixels.shape[0], pixels.shape[1]) if near else reduced_shape(pixels.shape, side)
    if pixels.dtype == np.uint8 and scaling_policy(frame, settings) == "dtype":
        values, mask = _reduced(pixels, mask, shape)
    else:
        low, high = DEEP_PERCENTILES
        fine = replace(settings, low_percentile=low, high_percentile=high)
        seen = None if mask is None else mask[None]
        scaled, _ = scale_frames(pixels[None], seen, frame, fine, scaling_policy(frame, settings))
        scaled = np.nan_to_num(scaled[0] * np.float32(255), copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        values, mask = _reduced(scaled, mask, shape)
        values = np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
    full = frame.full_shape if min(frame.full_shape) > 0 else (pixels.shape[0], pixels.shape[1])
    if values.ndim == 2:
        return ProofPicture(np.ascontiguousarray(values, np.uint8), None, mask, full, quantisation)
    palette = palette_of(np.asarray(pixels, np.uint8)) if pixels.dtype == np.uint8 and not quantisation else None
    weights = np.array([LUMINANCE_WEIGHTS], np.float32)
    colour = np.ascontiguousarray(values, np.uint8)
    luminance = np.asarray(cv2.transform(colour, weights), np.uint8).reshape(values.shape[:2])
    return ProofPicture(luminance, colour, mask, full, quantisation, palette)


def _reduced(values: NDArray[Any], mask: Mask | None, shape: tuple[int, int]) -> tuple[NDArray[Any], Mask | None]:
    """Averages over areas; a pixel is valid where all pixels that went into it are."""
    if shape == values.shape[:2]:
        return values, mask
    size = shape[::-1]
    if mask is None:
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA)), None
    inside = mask if values.ndim == 2 else mask[..., None]
    clean = np.where(inside, values, values.dtype.type(0))
    share = np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.resize(clean, size, interpolation=cv2.INTER_AREA)), share > 0.999
