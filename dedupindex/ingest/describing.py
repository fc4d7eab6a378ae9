"""The stage that describes files in workers: files in, described images out. Pure, picklable functions."""

from __future__ import annotations

import math
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupindex.errors import ReadError, Reason
from dedupindex.execution.tasks import FileResult, FileTask, PreviewResult, PreviewTask
from dedupindex.execution.worker import WORKER_GONE
from dedupindex.features import describe_stack, pack
from dedupindex.groups.thumbnails import from_frame
from dedupindex.prepare.pipeline import prepare_stack
from dedupindex.records import DecodedFile, Failure, Features, Frame, PreparedFrame
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.store.rows import FileState, NewImage

TINY_SIDE = 24  # pixels; a task may have more frames up to this size
TINY_CHUNK = 8_192  # tiny frames of a stack in a task: bounds the data between processes (about 2.6 kB a frame)
CHUNK = 1_024  # larger frames in a task
FILES_A_TASK = 8  # fewer means more traffic between processes, more means longer waits at the end
BYTES_A_TASK = 1 << 24  # of files that share a worker's time limit
HELD_BYTES = 1 << 24  # decoded pixels of several files that are held at once


def take_task(waiting: deque[FileTask]) -> list[FileTask]:
    """Take a worker's next task from the front of a queue: a few small files, or a larger one, or part of one."""
    task = [waiting.popleft()]
    size = task[0].state.size
    while waiting and len(task) < FILES_A_TASK and not task[0].first and not waiting[0].first:
        size += waiting[0].state.size
        if size > BYTES_A_TASK:
            break
        task.append(waiting.popleft())
    return task


def describe_files(tasks: Sequence[FileTask]) -> list[FileResult]:
    """Decode, prepare and describe files. A file that cannot be read gives a result with a failure, never an error.

    Small files go through every stage together: the results are the same as one by one, but it is faster. Of stacks
    after a long one fewer frames are described at once, so that the answer is less than twice as large as that of one
    file; `FileResult.rest` has the tasks for the others.

    Raises
    ------
    ValueError
        The settings of the tasks differ.
    """
    if any(task.settings != tasks[0].settings for task in tasks):
        raise ValueError("tasks with different settings")
    results: list[FileResult] = []
    held: list[_Opened | FileResult] = []
    room = 1.0  # share of the answer's size that is left
    for task in tasks:
        one = _open(task, room)
        if isinstance(one, _Opened):
            room -= len(one.frames) / _most(one.decoded)
        held.append(one)
        if sum(one.bytes for one in held if isinstance(one, _Opened)) > HELD_BYTES:
            results += _finished(held)
            held = []
    return results + _finished(held)


def describe_and_show(task: PreviewTask) -> PreviewResult:
    """Decode a file once, to describe it and to picture its first frame."""
    opened = _open(task.file, 1.0)
    [described] = _finished([opened])
    if not isinstance(opened, _Opened) or not described.images:
        return PreviewResult(described, None)
    shown = next(frame for frame in opened.frames if frame.mask.any())
    try:
        return PreviewResult(described, from_frame(shown, task.side))
    except Exception as error:
        failure = _failure(opened.state.path, error)
        return PreviewResult(FileResult(task.file, opened.state, failure=failure), None)


def died(task: FileTask, reason: Reason) -> FileResult:
    """The result for a file whose worker died or took too long, twice."""
    return FileResult(task, task.state, failure=Failure(task.state.path, reason, WORKER_GONE[reason]))


def describe_frames(frames: Sequence[Frame], settings: Settings) -> list[tuple[PreparedFrame, Features]]:
    """Prepare and describe frames of one file."""
    prepared = prepare_stack(frames, settings)
    return list(zip(prepared, describe_stack(prepared, settings), strict=True))


def new_image(decoded: DecodedFile, frame: Frame, prepared: PreparedFrame, features: Features) -> NewImage:
    """Everything that is stored of a frame.

    Parameters
    ----------
    decoded : DecodedFile
        The file of the frame.
    frame : Frame
    prepared : PreparedFrame
        The frame after every prepare stage.
    features : Features
        Described from *prepared*.

    Returns
    -------
    NewImage
    """
    height, width = prepared.full_shape
    return NewImage(
        sha256=decoded.sha256,
        frame=frame.number,
        format=decoded.format,
        width=width,
        height=height,
        bits=prepared.bits,
        channels=prepared.channels,
        valid_share=float(prepared.valid_share),
        low_information=bool(prepared.low_information),
        scaling=prepared.scaling,
        lossless=decoded.lossless,
        metadata_count=decoded.metadata_count,
        frame_count=decoded.frame_count,
        pixel_sha256=prepared.pixel_sha256,
        features=pack(features),
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """A decoded file, and of its frames those that were asked for, at most `chunk`; prepared are those with pixels."""

    task: FileTask
    state: FileState
    decoded: DecodedFile
    frames: tuple[Frame, ...]
    chunk: int
    prepared: tuple[PreparedFrame, ...]

    @property
    def bytes(self) -> int:
        """Size of all decoded pixels."""
        return sum(frame.pixels.nbytes for frame in self.decoded.frames)


def _open(task: FileTask, room: float) -> _Opened | FileResult:
    """Decode and prepare a file; a result where there is nothing to describe.

    It may use at least an eighth of the answer. Preparing follows at once, while the pixels are in the cache.
    """
    path = task.state.path
    try:
        decoded = decode_file(path, task.settings, first=task.first, file=task.found)
    except Exception as error:
        return FileResult(task, task.state, failure=_failure(path, error))
    state = FileState(path, decoded.size, decoded.mtime_ns, decoded.inode)
    if task.sha256 and decoded.sha256 != task.sha256:
        failure = Failure(path, Reason.CHANGED_WHILE_READ, "other content than when its first frames were read")
        return FileResult(task, state, failure=failure, bytes_read=decoded.size)
    if task.first == 0 and (words := _too_small(decoded.frames, task.settings)):
        return FileResult(task, state, failure=Failure(path, Reason.TOO_SMALL, words), bytes_read=decoded.size)
    chunk = task.count or _chunk(decoded, max(room, 1 / FILES_A_TASK))
    end = task.first + chunk if task.count or not decoded.numbers else _ends(decoded.numbers, chunk)[0]
    frames = tuple(frame for frame in decoded.frames if task.first <= frame.number < end)
    try:
        prepared = prepare_stack([frame for frame in frames if frame.mask.any()], task.settings)
    except Exception as error:
        return FileResult(task, task.state, failure=_failure(path, error))
    return _Opened(task, state, decoded, frames, chunk, tuple(prepared))


def _too_small(frames: Sequence[Frame], settings: Settings) -> str:
    """What is said of a file of whose frames none has as many pixels as are asked for; nothing of others."""
    shapes = [frame.full_shape if all(frame.full_shape) else frame.pixels.shape[:2] for frame in frames]
    height, width = max(shapes, key=math.prod, default=(0, 0))
    if height * width >= settings.min_pixels:
        return ""
    return f"{width} x {height} pixels; min_pixels is {settings.min_pixels:,}"


def _finished(held: Sequence[_Opened | FileResult]) -> list[FileResult]:
    described = iter(_described([one for one in held if isinstance(one, _Opened)]))
    return [next(described) if isinstance(one, _Opened) else one for one in held]


def _described(opened: Sequence[_Opened]) -> list[FileResult]:
    """Results of prepared files, described together; one by one if that fails, so that only the bad file fails."""
    if not opened:
        return []
    settings = opened[0].task.settings
    try:
        features = iter(describe_stack([frame for one in opened for frame in one.prepared], settings))
    except Exception as error:
        if len(opened) > 1:
            return [result for one in opened for result in _described([one])]
        task = opened[0].task
        return [FileResult(task, task.state, failure=_failure(task.state.path, error))]
    results = []
    for one in opened:
        shown = [frame for frame in one.frames if frame.mask.any()]
        images = [new_image(one.decoded, f, p, next(features)) for f, p in zip(shown, one.prepared, strict=True)]
        results.append(_result(one, tuple(images)))
    return results


def _result(one: _Opened, images: tuple[NewImage, ...]) -> FileResult:
    """The result of a file, with the tasks for its further frames."""
    task, decoded, path = one.task, one.decoded, one.task.state.path
    rest: tuple[FileTask, ...] = ()
    if task.first == 0:
        rest = tuple(
            FileTask(one.state, task.settings, start, count, decoded.sha256, task.found)
            for start, count in _further(decoded, one.chunk)
        )
    empty = _no_valid_pixels(path, one.frames, len(images))
    if decoded.part and not one.frames:
        last = min(task.first + one.chunk, decoded.frame_count) - 1
        empty = Failure(path, Reason.NO_VALID_PIXELS, f"every pixel of frames {task.first} to {last} is masked")
    return FileResult(task, one.state, images, empty, rest, decoded.size if task.first == 0 else 0)


def _failure(path: Path, error: Exception) -> Failure:
    """The failure that is stored for a file. No error of a single file may end the run."""
    if isinstance(error, ReadError):
        return Failure(path, error.reason, error.detail)
    words = " ".join(str(error).split())[:300]
    if isinstance(error, MemoryError) or "Insufficient memory" in words:  # the latter is OpenCV's
        return Failure(path, Reason.OUT_OF_MEMORY, "not enough memory; the setting worker_memory is the limit")
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return Failure(path, Reason.INTERNAL, f"a fault of dedupindex, {type(error).__name__} in {where}: {words}")


def _further(decoded: DecodedFile, chunk: int) -> list[tuple[int, int]]:
    """First number and range of numbers of the tasks after the first one, each of at most so many frames."""
    if not decoded.numbers:
        end = decoded.frame_count if decoded.part else decoded.frames[-1].number + 1
        return [(start, chunk) for start in range(chunk, end, chunk)]
    ends = _ends(decoded.numbers, chunk)
    return [(start, end - start) for start, end in zip(decoded.numbers[chunk::chunk], ends[1:], strict=True)]


def _ends(numbers: Sequence[int], chunk: int) -> list[int]:
    """Where the ranges of so many frame numbers each end."""
    return [*numbers[chunk::chunk], numbers[-1] + 1]


def _chunk(decoded: DecodedFile, room: float) -> int:
    most = max(1, int(_most(decoded) * room))
    return min(most, decoded.part) if decoded.part else most


def _most(decoded: DecodedFile) -> int:
    """Most frames of such a file in one answer."""
    tiny = all(max(frame.mask.shape) <= TINY_SIDE for frame in decoded.frames[:1])
    return TINY_CHUNK if tiny else CHUNK


def _no_valid_pixels(path: Path, frames: Sequence[Frame], valid: int) -> Failure | None:
    if valid == len(frames):
        return None
    empty = [str(frame.number) for frame in frames if not frame.mask.any()]
    numbers = ", ".join(empty[:10]) + (f" and {len(empty) - 10} more" if len(empty) > 10 else "")
    return Failure(path, Reason.NO_VALID_PIXELS, f"every pixel of frame {numbers} is masked")


def file_state(path: Path) -> FileState:
    """The state of a file by `stat`.

    Raises
    ------
    OSError
        There is no such file, or it cannot be looked at.
    """
    status = path.stat()
    return FileState(path, status.st_size, status.st_mtime_ns, status.st_ino)
