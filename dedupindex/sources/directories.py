"""The directories of a TIFF file, followed and counted before a library reads one of them.

A directory (IFD) names the next one of its chain and, in the tag SubIFDs, others below it. Nothing in the format keeps
such a reference from pointing backwards; the libraries then read the same directory for as long as they are allowed
to. TIFF 6.0, section 2; SubIFDs: TIFF Technical Note 1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dedupindex.errors import LimitExceededError, ReadError, Reason
from dedupindex.sources.content import Source

_BIG = 43  # version of BigTIFF; all others have the classic layout
_SUB_IFDS = 330
_MOST_TAGS = 4096  # of a directory; tifffile calls more a damaged one too
_BYTES_OF_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MOST_BELOW = 65_536  # SubIFDs of a directory; pyramids have some ten
_FREE_VALUES = 1 << 26  # bytes of tag values that any file may have
_MOST_REUSE = 16  # times the file's size that the values of all tags may have beyond that


@dataclass(frozen=True, slots=True)
class _Layout:
    """How offsets and counts are written."""

    order: str  # of bytes, as `struct` writes it
    head: struct.Struct  # number of tags
    entry: struct.Struct  # tag, type, count, value or its offset
    offset: struct.Struct
    first: int  # where the offset of the first directory stands


@dataclass(frozen=True, slots=True)
class _Directory:
    """What a directory refers to."""

    following: int  # offset of the next one; 0 = it is the last
    below: tuple[int, ...]  # offsets of SubIFDs
    values: int  # bytes that the values of its tags need


def check_directories(source: Source) -> int:
    """Number of directories in the main chain.

    A reference that leads outside of the file ends its chain here; the libraries say so when they come to it.

    Parameters
    ----------
    source : Source

    Returns
    -------
    int
        0 where the header is no TIFF header.

    Raises
    ------
    ReadError
        A directory leads back to one before or above it, or the tags share more values than the file has.
    LimitExceededError
        More directories than four for each frame of `max_frames`: overviews and masks count too.
    """
    layout = _layout(source.data)
    if layout is None:
        return 0
    size, most = len(source.data), 4 * source.settings.max_frames
    first = layout.offset.unpack_from(source.data, layout.first)[0]
    main = values = 0
    done: set[int] = set()  # all that is reachable from them has been seen
    open_: dict[int, int] = {}  # those on the way to the present one, with their place on it
    waiting = [(first, True, False)]  # offset, whether of the main chain, whether all behind it has been seen
    while waiting:
        at, chained, behind = waiting.pop()
        if behind:
            del open_[at]
            done.add(at)
            continue
        if at in open_:
            length = len(open_) - open_[at]
            raise ReadError(source.path, Reason.DAMAGED, _loop(at, length))
        if at in done or not (directory := _directory(source.data, layout, at)):
            continue
        main += chained
        values += directory.values
        if len(open_) + len(done) + len(waiting) >= most:
            detail = f"more than {most:,} directories; max_frames is {source.settings.max_frames:,}"
            raise LimitExceededError(source.path, Reason.TOO_MANY_FRAMES, detail)
        if values > _FREE_VALUES + _MOST_REUSE * size:
            raise ReadError(source.path, Reason.DAMAGED, f"its tags claim values of more than {values:,} bytes")
        open_[at] = len(open_)
        waiting.append((at, chained, True))
        waiting += [(below, False, False) for below in directory.below]
        if directory.following:
            waiting.append((directory.following, chained, False))
    return main


def _loop(at: int, length: int) -> str:
    if length == 1:
        return f"the directory at byte {at:,} points to itself"
    return f"the directories from byte {at:,} on are a loop of {length:,}"


def _layout(data: bytes) -> _Layout | None:
    order = {b"II": "<", b"EP": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 16:
        return None
    big = struct.unpack_from(order + "H", data, 2)[0] == _BIG
    forms = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    head, entry, offset = (struct.Struct(order + form) for form in forms)
    return _Layout(order, head, entry, offset, 8 if big else 4)


def _directory(data: bytes, layout: _Layout, at: int) -> _Directory | None:
    """The directory at an offset; None where none can be read there."""
    head, entry, offset = layout.head, layout.entry, layout.offset
    if not 0 < at <= len(data) - head.size:
        return None
    tags = head.unpack_from(data, at)[0]
    end = at + head.size + tags * entry.size
    if tags > _MOST_TAGS or end > len(data):
        return None
    below: tuple[int, ...] = ()
    values = 0
    for tag, kind, count, value in entry.iter_unpack(data[at + head.size : end]):
        length = count * _BYTES_OF_TYPE.get(kind, 0)
        values += length if length <= len(data) else 0  # larger ones the libraries leave out
        if tag == _SUB_IFDS and kind in (4, 13, 16, 18) and count <= _MOST_BELOW:
            below = _numbers(data, layout, kind, count, value)
    following = offset.unpack_from(data, end)[0] if end + offset.size <= len(data) else 0
    return _Directory(following, below, values)


def _numbers(data: bytes, layout: _Layout, kind: int, count: int, value: bytes) -> tuple[int, ...]:
    """Integers of a tag, which stand in the entry itself where they fit there."""
    form = f"{layout.order}{count}{'Q' if kind in (16, 18) else 'I'}"
    length = struct.calcsize(form)
    if length <= len(value):
        return struct.unpack_from(form, value)
    start = layout.offset.unpack(value)[0]
    return struct.unpack_from(form, data, start) if start + length <= len(data) else ()
