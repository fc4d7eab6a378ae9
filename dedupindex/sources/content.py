"""What format readers take and give, and the limits that they check from headers before they load anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import LimitExceededError, ReadError, Reason
from dedupindex.records import Frame, Mask
from dedupindex.settings import Settings
from dedupindex.sources import rasters
from dedupindex.sources.quiet import note

FREE_BYTES = 1 << 27  # frames up to this size, decoded, may come from a file of any size
PART_BYTES = 1 << 27  # decoded bytes of a stack at once, where its frames can be had one by one


@dataclass(frozen=True, slots=True)
class Source:
    """A file's bytes with what was asked of them."""

    path: Path
    data: bytes
    settings: Settings
    min_side: int | None = None  # a JPEG may be decoded reduced as long as its longest side stays this long
    wanted: int | None = None  # only this frame
    first: int | None = None  # only frames from this one on, as many as `PART_BYTES` hold
    notes: list[str] = field(default_factory=list)  # warnings for people
    exact: bool = False  # frame 0 itself, also where another frame stands for an animation
    size: int = 0  # of the file, where `data` is only its beginning (large videos)

    def note(self, text: str) -> None:
        """Add a warning, once."""
        note(self.notes, text)


@dataclass(frozen=True, slots=True)
class DecodedContent:
    """What a reader made of a file."""

    format: str
    frames: tuple[Frame, ...]
    frame_count: int = 1
    metadata_count: int = 0
    lossless: bool = False
    part: int = 0  # frames a reading, where `Source.first` asked for a part and did not get all; else 0
    quantisation: tuple[tuple[int, ...], ...] = ()  # of a JPEG: 64 steps a table, row by row, luminance first
    numbers: tuple[int, ...] = ()  # of all frames, where they are others than 0, 1, 2, ...


Reader: TypeAlias = Callable[[Source], DecodedContent]


def check_frame(source: Source, height: int, width: int, pixel_bytes: float) -> None:
    """Check one frame's size, as its header gives it, against the limits.

    Parameters
    ----------
    source : Source
        Its settings hold the limits.
    height, width : int
        Pixels.
    pixel_bytes : float
        Decoded bytes a pixel.

    Raises
    ------
    ReadError
        The frame has no pixels.
    LimitExceededError
        It is too large or too narrow.
    """
    limits = source.settings
    if height < 1 or width < 1:
        raise ReadError(source.path, Reason.DAMAGED, f"a frame of {width} x {height} pixels")
    if height * width > limits.max_pixels:
        raise _too_large(source, f"{width} x {height} pixels; max_pixels is {limits.max_pixels:,}")
    if height * width * pixel_bytes > limits.max_frame_bytes:
        text = f"{width} x {height} pixels need {height * width * pixel_bytes:,.0f} bytes"
        raise _too_large(source, f"{text}; max_frame_bytes is {limits.max_frame_bytes:,}")
    if height * width * pixel_bytes > max(FREE_BYTES, limits.max_ratio * len(source.data)):
        text = f"{width} x {height} pixels of {height * width * pixel_bytes:,.0f} bytes"
        raise _too_large(source, f"{text} in a file of {len(source.data):,}; max_ratio is {limits.max_ratio:g}")
    if max(height, width) > limits.max_aspect * min(height, width):
        raise _too_large(source, f"{width} x {height} pixels; max_aspect is {limits.max_aspect:g}")


def check_decoder(source: Source, height: int, width: int, pixel_bytes: float) -> None:
    """Check what a decoder itself needs for a frame.

    Parameters
    ----------
    source : Source
        Its setting `max_frame_bytes` is the limit.
    height, width : int
        Pixels.
    pixel_bytes : float
        Needed bytes a pixel.

    Raises
    ------
    LimitExceededError
    """
    needed = height * width * pixel_bytes
    if needed > source.settings.max_frame_bytes:
        text = f"decoding {width} x {height} pixels of this format needs {needed:,.0f} bytes"
        raise _too_large(source, f"{text}; max_frame_bytes is {source.settings.max_frame_bytes:,}")


def check_total(source: Source, size: float) -> None:
    """Check the decoded bytes of all frames that are in memory together against `max_bytes`."""
    limit = max(source.settings.max_bytes, source.settings.max_frame_bytes)
    if size > limit:
        raise _too_large(source, f"the frames together need {size:,.0f} bytes; max_bytes allows {limit:,}")


def check_part(source: Source, name: str, unpacked: int, packed: int) -> None:
    """Check a packed part of a file against `max_ratio` before it is unpacked.

    Parameters
    ----------
    source : Source
        Its settings hold the limit.
    name : str
        For the message.
    unpacked, packed : int
        Bytes.

    Raises
    ------
    LimitExceededError
        It grows too much.
    """
    if unpacked > max(FREE_BYTES, source.settings.max_ratio * packed):
        detail = f"{name} unpacks {packed:,} bytes to {unpacked:,}; max_ratio is {source.settings.max_ratio:g}"
        raise _too_large(source, detail)


def check_count(source: Source, count: int) -> None:
    """Check a number of frames, or of the parts of a file that hold them, against `max_frames`."""
    if count > source.settings.max_frames:
        detail = f"{count:,} frames; max_frames is {source.settings.max_frames:,}"
        raise LimitExceededError(source.path, Reason.TOO_MANY_FRAMES, detail)


def choose_frames(source: Source, count: int, *, stack: bool) -> Sequence[int]:
    """Numbers of the frames to decode.

    Parameters
    ----------
    source : Source
    count : int
        Frames in the file.
    stack : bool
        Each frame counts as a picture of its own; else (animation) only the first, unless `all_frames` is set.

    Returns
    -------
    sequence of int

    Raises
    ------
    ReadError
        The frame that was asked for is not there.
    LimitExceededError
        More frames than `max_frames`.
    """
    if source.wanted is not None:
        if not 0 <= source.wanted < count:
            raise ReadError(source.path, Reason.MISSING, f"no frame {source.wanted}; the file has {count}")
        return (source.wanted,)
    if not stack and not source.settings.all_frames:
        return (0,)
    check_count(source, count)
    return range(count)


def part_of(source: Source, numbers: Sequence[int], frame_bytes: float) -> tuple[Sequence[int], int]:
    """Frames to decode now, of those that `choose_frames` named, and how many a part has (0 = they are all of them).

    Parameters
    ----------
    source : Source
    numbers : sequence of int
    frame_bytes : float
        Decoded size of the largest frame.

    Returns
    -------
    numbers : sequence of int
    part : int
        Frames a part; 0 = all of them.
    """
    part = max(1, int(PART_BYTES // max(1.0, frame_bytes)))
    if source.first is None or len(numbers) <= part:
        return numbers, 0
    return numbers[source.first : source.first + part], part


def make_frame(
    source: Source,
    pixels: NDArray[np.generic],
    number: int = 0,
    *,
    mask: Mask | None = None,
    no_data: Sequence[float] = (),
    full_shape: tuple[int, int] | None = None,
    bits: int | None = None,
) -> Frame:
    """A frame of native pixels, with everything that is no data masked.

    Parameters
    ----------
    source : Source
    pixels : (H, W) or (H, W, 3) array
        Any real or boolean dtype and byte order.
    mask : (H, W) bool, optional
        Validity known so far, True = valid.
    no_data : sequence of float
        Sentinels that the file itself names, besides those of the settings.
    number : int
        Frame number.
    full_shape : (int, int), optional
        Height and width in the file, upright; by default those of *pixels*.
    bits : int, optional
        Significant bits a sample; by default those of the dtype.

    Returns
    -------
    Frame
    """
    stack = frames_of_stack(source, pixels[np.newaxis], (number,), mask=mask, no_data=no_data, bits=bits)
    frame = stack[0]
    full = frame.pixels.shape[:2] if full_shape is None else full_shape
    return Frame(frame.pixels, frame.mask, number, (full[0], full[1]), frame.bits)


def frames_of_stack(
    source: Source,
    stack: NDArray[np.generic],
    numbers: Sequence[int],
    *,
    mask: Mask | None = None,
    no_data: Sequence[float] = (),
    bits: int | None = None,
    stack_range: tuple[float, float] | None = None,
) -> list[Frame]:
    """Frames that are views into one array; where all pixels are valid they share one mask.

    Parameters
    ----------
    source : Source
    stack : (N, H, W) or (N, H, W, 3) array
    numbers : sequence of N int
        Frame numbers.
    mask : (H, W) or (N, H, W) bool, optional
    no_data : sequence of float
        Sentinels that the file itself names, besides those of the settings.
    bits : int, optional
        Significant bits a sample; by default those of the dtype.
    stack_range : (float, float), optional
        Valid minimum and maximum of the whole stack that the frames are part of.

    Returns
    -------
    list of Frame
        One for each of *numbers*.
    """
    stack = rasters.native(stack, source.note)
    depth = stack.dtype.itemsize * 8 if bits is None else bits
    sentinels = (*source.settings.no_data, *no_data)
    valid = rasters.validity(stack, no_data=sentinels, saturated=source.settings.mask_saturated, bits=depth)
    mask = rasters.both(valid, mask)
    height, width = stack.shape[1:3]
    full = (height, width)
    if mask is None:
        mask = np.ones(full, np.bool_)
    if mask.ndim == 2:
        return [Frame(pixels, mask, n, full, depth, stack_range) for pixels, n in zip(stack, numbers, strict=True)]
    return [Frame(p, m, n, full, depth, stack_range) for p, m, n in zip(stack, mask, numbers, strict=True)]


def with_stack_range(frames: list[Frame]) -> list[Frame]:
    """The same frames, each with the range of the valid samples of all of them."""
    ranges = [rasters.valid_range(frame.pixels, frame.mask) for frame in frames]
    lows = [low for low, _ in ranges if not math.isnan(low)]
    highs = [high for _, high in ranges if not math.isnan(high)]
    if len(frames) < 2 or not lows:
        return frames
    both = (min(lows), max(highs))
    return [Frame(f.pixels, f.mask, f.number, f.full_shape, f.bits, both) for f in frames]


def _too_large(source: Source, detail: str) -> LimitExceededError:
    return LimitExceededError(source.path, Reason.TOO_LARGE, detail)
