"""What the stages of `prepare` pass on: one frame, or some small frames of one kind, as arrays with a leading axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare import borders, scaling
from dedupindex.prepare.borders import Box
from dedupindex.prepare.corners import TiltedRectangle
from dedupindex.prepare.depth import scaling_policy
from dedupindex.prepare.filter_names import NamedFilter, parse_filters
from dedupindex.records import FloatArray, Frame, Mask
from dedupindex.settings import Settings

_TINY_SIDE = 64  # pixels: a batch of larger frames would not be faster than one after the other
_NO_SHARES = np.empty(0)
_NO_VALUES: FloatArray = np.empty((0, 0, 0), np.float32)
_NO_MASK: Mask = np.empty((0, 0, 0), np.bool_)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for; no stage changes it.

    Attributes
    ----------
    frames : sequence of Frame
        One, or several of one shape, data type, depth and stack range that no stage changes in shape.
    settings : Settings
    working_side : int
        Longest side of the result, pixels.
    policy : str
        The scaling: ``dtype``, ``minmax``, ``max``, ``stack`` or ``percentile``.
    filters : tuple of NamedFilter
    shape : (int, int)
        (H, W) of each frame as it was decoded.
    dtype : numpy.dtype
        Of each frame as it was decoded.
    trims : bool
        Borders and empty corners are looked for.
    """

    frames: Sequence[Frame]
    settings: Settings
    working_side: int
    policy: str
    filters: tuple[NamedFilter, ...]
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    trims: bool


class Batch(NamedTuple):
    """N frames on their way through the stages; every stage returns another batch (`_replace`).

    A named tuple, because `dataclasses.replace` of a record of this size is slow.

    Attributes
    ----------
    request : Request
    pixels : (N, H, W) or (N, H, W, 3) array
        The part of the frames that is left: native depth; float32 in steps of 0..255 once `reduced_first`;
        floats once filtered.
    valid : (N, H, W) bool, or None
        Of `pixels`, True = valid; None = all.
    box : (top, left, height, width)
        The part of the decoded frames that is left, pixels.
    digests : tuple of bytes
        Of the decoded pixels of each frame.
    valid_shares : (N,) float64
        Share of valid pixels of each whole frame, 0..1.
    preview : (h, w) or (h, w, 3) float32, or None
        A small picture of the one frame in steps of 0..255, on which borders and corners are found.
    preview_valid : (h, w) bool, or None
        Its mask; None = all.
    tilted : TiltedRectangle or None
        The picture proper, where the frame has empty corners.
    reduced_first : bool
        `pixels` were reduced before they were scaled.
    values : (N, h, w) or (N, h, w, 3) float32
        Scaled to 0..1 and, later, reduced to the working side.
    mask : (N, h, w) bool
        Of the reduced `values`, True = valid.
    scalings : tuple of str
        How each frame was scaled, for people.
    luminance : (N, h, w) float32
        0..1.
    flat : tuple of bool
        Each frame is constant or nearly empty.
    """

    request: Request
    pixels: NDArray[Any]
    valid: Mask | None
    box: Box
    digests: tuple[bytes, ...] = ()
    valid_shares: NDArray[np.float64] = _NO_SHARES
    preview: FloatArray | None = None
    preview_valid: Mask | None = None
    tilted: TiltedRectangle | None = None
    reduced_first: bool = False
    values: FloatArray = _NO_VALUES
    mask: Mask = _NO_MASK
    scalings: tuple[str, ...] = ()
    luminance: FloatArray = _NO_VALUES
    flat: tuple[bool, ...] = ()

    @property
    def is_colour(self) -> bool:
        """Whether the frames have three channels."""
        return self.pixels.ndim == 4

    @property
    def is_trimmed(self) -> bool:
        """Whether a border was cut off."""
        return self.box[2:] != self.request.shape


def batches(frames: Sequence[Frame], settings: Settings, working_side: int) -> Iterator[Batch]:
    """Split frames into batches: all in one where they are small and alike, else one each.

    Parameters
    ----------
    frames : sequence of Frame
        Of one file.
    settings : Settings
    working_side : int
        Longest side of a prepared frame, pixels, at least 1.

    Yields
    ------
    Batch

    Raises
    ------
    ValueError
        An empty frame, shapes that do not fit, or a working side below 1.
    TypeError
        Samples that are no numbers.
    SettingsError
        A filter that is not known.
    """
    if len(frames) > 1 and _go_together(frames, settings, working_side):
        yield _batch(frames, settings, working_side)
        return
    for frame in frames:
        yield _batch((frame,), settings, working_side)


def _batch(frames: Sequence[Frame], settings: Settings, working_side: int) -> Batch:
    first = frames[0]
    _check(first, working_side)
    shape = (first.pixels.shape[0], first.pixels.shape[1])
    request = Request(
        frames=frames,
        settings=settings,
        working_side=working_side,
        policy=scaling_policy(first, settings),
        filters=parse_filters(settings.filters),
        shape=shape,
        dtype=first.pixels.dtype,
        trims=settings.trim_borders and min(shape) >= borders.MINIMUM_SIDE,
    )
    if len(frames) == 1:
        return Batch(request, first.pixels[None], first.mask[None], (0, 0, *shape))
    pixels = np.stack([frame.pixels for frame in frames])
    return Batch(request, pixels, np.stack([frame.mask for frame in frames]), (0, 0, *shape))


def _check(frame: Frame, working_side: int) -> None:
    pixels = frame.pixels
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ValueError(f"pixels have shape {pixels.shape}, must be (H, W) or (H, W, 3) and not empty")
    if frame.mask.shape != pixels.shape[:2] or frame.mask.dtype != np.bool_:
        raise ValueError(f"mask is {frame.mask.dtype} {frame.mask.shape}, must be bool {pixels.shape[:2]}")
    if working_side < 1:
        raise ValueError(f"working side is {working_side}, must be at least 1")
    scaling.dtype_range(pixels.dtype)


def _go_together(frames: Sequence[Frame], settings: Settings, working_side: int) -> bool:
    """Whether frames are small and alike, and no stage that runs looks at a pixel's neighbours or changes the shape."""
    first = frames[0]
    shape, dtype = first.pixels.shape, first.pixels.dtype
    return (
        first.pixels.ndim == 2
        and min(shape) > 0
        and dtype.kind in "iuf"
        and max(shape) <= min(working_side, _TINY_SIDE)
        and (min(shape) < borders.MINIMUM_SIDE or not settings.trim_borders)
        and not settings.filters
        and settings.erode_mask == 0
        and all(
            frame.pixels.shape == shape
            and frame.pixels.dtype == dtype
            and frame.mask.shape == shape
            and frame.mask.dtype == np.bool_
            and frame.bits == first.bits
            and frame.stack_range == first.stack_range
            for frame in frames
        )
    )
