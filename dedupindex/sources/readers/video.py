"""Videos through FFmpeg (PyAV): the frames at which the picture changes, by their time.

A frame's number is its time after the first one, in milliseconds. Of a short clip every frame is looked at, of a long
one (`FULL_PIXELS`) the key frames alone, so the time is bounded. The container's format is told to FFmpeg, from the
first bytes, so that no playlist can lead it to other files.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import ReadError, Reason, UnsupportedImageError
from dedupindex.places import MILLISECONDS
from dedupindex.records import Frame
from dedupindex.sources.content import PART_BYTES, DecodedContent, Source, check_frame, make_frame
from dedupindex.sources.quiet import native_stderr
from dedupindex.sources.readers.packages import package

FULL_PIXELS = 4e9  # of all frames together: a clip that has more is looked at by its key frames
KEY_LOOKS = 600  # key frames of such a clip, at even steps
_LEAST_STEP = 0.5  # seconds between two of them
MOST_PIXELS = 2 * FULL_PIXELS  # decoded pixels after which the look ends, whatever the header said
LOOK = (32, 32)  # pixels of the small grey picture by which frames are compared
CHANGE = 0.05  # mean difference to the last taken frame, 0..1, at which another one is taken
SETTLED = 0.01  # mean difference between two frames in a row below which a change is over
SETTLE_MS = 500  # milliseconds for which the end of a change (a fade) is waited for
_EVERY_MS = 10_000  # a frame that differs by `LITTLE_CHANGE` is taken after so long
_LITTLE_CHANGE = 0.015
_AFTER_END_MS = 1_000  # a time that is asked for may lie so far after the last frame

_FORMATS: tuple[tuple[bytes, int, str], ...] = (  # first bytes, where they stand, FFmpeg's name
    (b"ftyp", 4, "mov"),
    (b"moov", 4, "mov"),
    (b"mdat", 4, "mov"),
    (b"wide", 4, "mov"),
    (b"\x1a\x45\xdf\xa3", 0, "matroska"),
    (b"AVI ", 8, "avi"),
    (b"FLV\x01", 0, "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, "asf"),
    (b"OggS", 0, "ogg"),
    (b"\0\0\1\xba", 0, "mpeg"),
)

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Clip:
    """Small grey pictures of a video at even steps.

    Attributes
    ----------
    looks : (N, 32, 32) float32, 0..1
    times : (N,) float64
        Seconds after the first frame.
    duration : float
        Seconds.
    """

    looks: NDArray[np.float32]
    times: NDArray[np.float64]
    duration: float


@dataclass(slots=True)
class _Taken:
    """A frame that was taken."""

    time: int  # milliseconds
    change: float  # against the one taken before it
    pixels: Array


def read_video(source: Source) -> DecodedContent:
    """The first frame and those at which the picture has changed, `video_frames` at most; or the one at a time.

    Where there are more changes, the frames that differ least from the one before them are left out.

    Raises
    ------
    ReadError
        The extra is missing, there is no video track, the track is damaged, or larger than the limits allow.
    """
    with _opened(source) as (container, stream):
        if source.wanted is not None:
            time, pixels = _frame_at(source, container, stream, source.wanted)
            return DecodedContent("VIDEO", (_frame(source, stream, pixels, time),))
        taken = _taken(source, container, stream)
        frames = tuple(_frame(source, stream, one.pixels, one.time) for one in taken)
    return DecodedContent("VIDEO", frames, len(frames), numbers=tuple(one.time for one in taken))


def read_looks(source: Source, most: int) -> Clip:
    """Small grey pictures of a clip at even steps, for laying two clips on each other.

    Parameters
    ----------
    source : Source
    most : int
        Most pictures; the step is at least half a second.

    Returns
    -------
    Clip

    Raises
    ------
    ReadError
    """
    looks: list[Array] = []
    times: list[float] = []
    with _opened(source) as (container, stream):
        duration = _duration(container, stream)
        step = max(0.5, duration / most)
        last = 0.0
        for time, frame in _frames(source, container, stream):
            last = time / MILLISECONDS
            if last >= len(looks) * step - 1e-6 and len(looks) < most:
                looks += [_look(frame)]
                times.append(last)
    return Clip(np.array(looks, np.float32).reshape(-1, *LOOK), np.array(times), max(duration, last))


@contextmanager
def _opened(source: Source) -> Iterator[tuple[Any, Any]]:
    """The container and its video track.

    Raises
    ------
    ReadError
    """
    av = package(source, "av", "video", "video")
    format = next((name for magic, at, name in _FORMATS if source.data[at:].startswith(magic)), "mpegts")
    with native_stderr(source.notes), _file(source) as file:
        try:
            with av.open(file, mode="r", format=format, metadata_errors="ignore") as container:
                streams = [one for one in container.streams.video if not _is_cover(av, one)]
                if not streams:
                    raise UnsupportedImageError(source.path, Reason.NOT_AN_IMAGE, "no video track")
                stream = streams[0]
                stream.codec_context.thread_count = 1
                check_frame(source, stream.codec_context.height, stream.codec_context.width, 3)
                yield container, stream
        except av.error.FFmpegError as error:
            raise ReadError(source.path, Reason.DAMAGED, _words(error)) from error


def _is_cover(av: Any, stream: Any) -> bool:
    """Whether a track is a cover picture; what marks it is a number, or before PyAV 18 an enum's member with one."""
    marks = (stream.disposition, av.stream.Disposition.attached_pic)
    one, other = (int(getattr(mark, "value", mark)) for mark in marks)
    return bool(one & other)


@contextmanager
def _file(source: Source) -> Iterator[BinaryIO]:
    if source.size > len(source.data):
        with source.path.open("rb") as file:
            yield file
    else:
        yield io.BytesIO(source.data)


def _frames(source: Source, container: Any, stream: Any) -> Iterator[tuple[int, Any]]:
    """Frames in the order of their times, milliseconds; of long clips key frames. Damage ends them, with a note."""
    pixels = stream.codec_context.height * stream.codec_context.width
    long = _count(container, stream) * pixels > FULL_PIXELS
    if long:
        stream.codec_context.skip_frame = "NONKEY"
    decoded, start, last = 0, None, -1
    try:
        for frame in _key_frames(container, stream) if long else container.decode(stream):
            decoded += frame.height * frame.width
            if frame.time is None:
                continue
            start = frame.time if start is None else start
            number = round((frame.time - start) * MILLISECONDS)
            if number > last:
                last = number
                yield number, frame
            if decoded > MOST_PIXELS:
                source.note(f"a long video: only the first {last / MILLISECONDS:,.0f} seconds were looked at")
                return
    except (ValueError, OSError, EOFError) as error:  # FFmpeg's errors are among them
        if last < 0:
            raise ReadError(source.path, Reason.DAMAGED, _words(error)) from error
        source.note(f"damaged {last / MILLISECONDS:,.1f} seconds after its beginning")
        return
    if last < 0:
        raise ReadError(source.path, Reason.TRUNCATED, "the file ends before the first frame")


def _key_frames(container: Any, stream: Any) -> Iterator[Any]:
    """Key frames of a long video: the ones at even steps, where its length is known, else all; some of them twice."""
    step = max(_duration(container, stream) / KEY_LOOKS, _LEAST_STEP)
    steps = int(_duration(container, stream) / step)
    start: float | None = None
    last = 0.0
    for frame in container.decode(stream):
        yield frame
        if frame.time is not None:
            start = last = float(frame.time)
            break
    if steps < 2 or start is None:
        yield from container.decode(stream)
        return
    for number in range(1, steps):
        target = start + number * step
        if target <= last:
            continue
        container.seek(int(target / stream.time_base), stream=stream, backward=True, any_frame=False)
        frame = next(container.decode(stream), None)
        if frame is None:
            return
        yield frame
        last = max(last, float(frame.time or 0.0))


def _taken(source: Source, container: Any, stream: Any) -> list[_Taken]:
    """Frames at which the picture has changed."""
    height, width = stream.codec_context.height, stream.codec_context.width
    most = max(1, min(source.settings.video_frames or 1, int(4 * PART_BYTES // _bytes(source, height, width))))
    taken: list[_Taken] = []
    shown: Array | None = None  # look of the last taken frame
    waiting: tuple[int, int, Any, Array] | None = None  # when a change was seen, and the latest frame of it

    def take(time: int, frame: Any, look: Array) -> None:
        nonlocal shown
        change = 1.0 if shown is None else float(np.abs(look - shown).mean())
        shown = look
        taken.append(_Taken(time, change, _pixels(source, frame)))
        if len(taken) > most:
            least = min(range(1, len(taken)), key=lambda n: taken[n].change)
            del taken[least]

    for time, frame in _frames(source, container, stream):
        look = _look(frame)
        if shown is None:
            take(time, frame, look)
        elif waiting is not None:
            began, held_time, held, held_look = waiting
            if float(np.abs(look - held_look).mean()) <= SETTLED or time - began > SETTLE_MS:
                take(held_time, held, held_look)
                waiting = None
            else:
                waiting = (began, time, frame, look)
        if waiting is None and shown is not None:
            change = float(np.abs(look - shown).mean())
            if change > CHANGE or (change > _LITTLE_CHANGE and time - taken[-1].time > _EVERY_MS):
                waiting = (time, time, frame, look)
    if waiting is not None:
        take(waiting[1], waiting[2], waiting[3])
    return taken


def _frame_at(source: Source, container: Any, stream: Any, wanted: int) -> tuple[int, Array]:
    """The frame that is shown at a time, and the time of its beginning, milliseconds.

    Raises
    ------
    ReadError
        The video ends before.
    """
    start = next((frame.time for frame in container.decode(stream) if frame.time is not None), None)
    if start is None:
        raise ReadError(source.path, Reason.TRUNCATED, "the file ends before the first frame")
    target = int((start + wanted / MILLISECONDS) / stream.time_base)
    container.seek(target, stream=stream, backward=True, any_frame=False)
    chosen, last = _shown_at(container, stream, start, wanted)
    if chosen is None:  # containers without times in their index seek to somewhere
        container.seek(0, stream=stream, backward=True)
        chosen, last = _shown_at(container, stream, start, wanted)
    if chosen is None or (last < wanted - _AFTER_END_MS):
        seconds = f"{wanted / MILLISECONDS:g} seconds"
        raise ReadError(source.path, Reason.MISSING, f"no frame at {seconds}; the video ends before")
    return chosen[0], _pixels(source, chosen[1])


def _shown_at(container: Any, stream: Any, start: float, wanted: int) -> tuple[tuple[int, Any] | None, int]:
    """The last frame that begins at a time or before it, of those from here on; and the time of the last one seen."""
    chosen: tuple[int, Any] | None = None
    last = -1
    for frame in container.decode(stream):
        if frame.time is None:
            continue
        last = round((frame.time - start) * MILLISECONDS)
        if last > wanted:
            return chosen, last
        chosen = (last, frame)
        if last == wanted:
            break
    return chosen, last


def _count(container: Any, stream: Any) -> float:
    """Frames of the track, as far as the header says."""
    if stream.frames:
        return float(stream.frames)
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    return _duration(container, stream) * rate


def _duration(container: Any, stream: Any) -> float:
    """Seconds, as far as the header says."""
    if stream.duration is not None and stream.time_base:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, (container.duration or 0) / 1e6)


def _look(frame: Any) -> Array:
    grey = frame.reformat(width=LOOK[1], height=LOOK[0], format="gray", interpolation="AREA").to_ndarray()
    return np.asarray(grey, np.float32) / np.float32(255)


def _bytes(source: Source, height: int, width: int) -> int:
    height, width = _shape(source, height, width)
    return 3 * height * width


def _shape(source: Source, height: int, width: int) -> tuple[int, int]:
    """Height and width at which a frame is kept."""
    longest = max(height, width)
    if source.min_side is None or longest <= 2 * source.min_side:
        return height, width
    scale = 2 * source.min_side / longest
    return max(1, round(height * scale)), max(1, round(width * scale))


def _pixels(source: Source, frame: Any) -> Array:
    """A frame as upright (H, W, 3) RGB, reduced as far as is allowed."""
    check_frame(source, frame.height, frame.width, 3)
    height, width = _shape(source, frame.height, frame.width)
    smaller = "BICUBIC" if (height, width) == (frame.height, frame.width) else "AREA"
    pixels = frame.reformat(width=width, height=height, format="rgb24", interpolation=smaller).to_ndarray()
    turns = round((frame.rotation or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns))


def _frame(source: Source, stream: Any, pixels: Array, time: int) -> Frame:
    height, width = stream.codec_context.height, stream.codec_context.width
    if (pixels.shape[0] > pixels.shape[1]) != (height > width):
        height, width = width, height
    return make_frame(source, pixels, time, full_shape=(height, width), bits=8)


def _words(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or "the video is damaged").lower()
