"""Apple's content identifiers, by which the picture and the video of a Live Photo name each other.

The picture has it in the maker note of its Exif data (tag 0x0011), the video as the key
``com.apple.quicktime.content.identifier`` of its metadata atom ("QuickTime File Format", Metadata Item Keys Atom).
Files can hold anything, so each number is checked against what is there; what has no identifier gives "".
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dedupindex import system

LARGEST_VIDEO = 30_000_000  # bytes; the video of a Live Photo lasts three seconds and has a few million
_HEAD = 1 << 18  # bytes of a picture in which its Exif data lies
_LARGEST_ATOM = 1 << 22  # bytes of a video's metadata that are read
_MOST_ATOMS = 1000
_MOST_FIELDS = 200
_MAKER = b"Apple iOS\0\0\1MM"
_TAG = 0x0011
_ASCII = 2
_KEY = b"com.apple.quicktime.content.identifier"
_LONGEST = 100  # bytes of an identifier


def content_id(path: Path) -> str:
    """The content identifier of a picture or video of Apple's; "" where it has none or cannot be read.

    Parameters
    ----------
    path : Path
        A JPEG, HEIC, MOV or MP4, told apart by their content.
    """
    try:
        descriptor = os.open(path, system.READ_NO_LINK)
    except OSError:
        return ""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return ""
        head = system.read_at(descriptor, _HEAD, 0)
        if _MAKER in head:
            return _of_maker_note(head)
        return _of_movie(descriptor, status.st_size) if status.st_size <= LARGEST_VIDEO else ""
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _of_maker_note(data: bytes) -> str:
    """Identifier in Apple's first maker note: an image file directory, big-endian, with offsets from its beginning."""
    start = data.index(_MAKER)
    fields = _unpack(">H", data, start + len(_MAKER))
    for number in range(min(fields[0], _MOST_FIELDS) if fields else 0):
        entry = _unpack(">HHII", data, start + len(_MAKER) + 2 + 12 * number)
        if entry and entry[:2] == (_TAG, _ASCII) and 4 < entry[2] <= _LONGEST:
            return _text(data[start + entry[3] : start + entry[3] + entry[2]])
    return ""


def _of_movie(descriptor: int, size: int) -> str:
    """Identifier in ``moov/meta``: the names of keys in ``keys``, their values by number in ``ilst``."""
    for kind, begin, end in _atoms_of_file(descriptor, size):
        if kind == b"moov" and end - begin <= _LARGEST_ATOM:
            movie = system.read_at(descriptor, end - begin, begin)
            for name, first, last in _atoms(movie, 0, len(movie)):
                if name == b"meta":
                    identifier = _of_metadata(movie[first:last])
                    if identifier:
                        return identifier
    return ""


def _of_metadata(data: bytes) -> str:
    start = 0 if data[4:8] == b"hdlr" else 4  # in MP4 a version and flags stand first
    parts = {kind: (begin, end) for kind, begin, end in _atoms(data, start, len(data))}
    if b"keys" not in parts or b"ilst" not in parts:
        return ""
    begin, end = parts[b"keys"]
    names = [data[first:last] for _, first, last in _atoms(data, begin + 8, end)]
    if _KEY not in names:
        return ""
    wanted = struct.pack(">I", names.index(_KEY) + 1)
    for number, first, last in _atoms(data, *parts[b"ilst"]):
        if number == wanted:
            for kind, value, after in _atoms(data, first, last):
                if kind == b"data" and 8 < after - value <= _LONGEST:
                    return _text(data[value + 8 : after])
    return ""


def _atoms(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Atoms in a part of some bytes: kind, and where the content begins and ends."""
    for _ in range(_MOST_ATOMS):
        head = _unpack(">I4s", data, begin)
        if head is None or head[0] < 8 or begin + head[0] > end:
            return
        yield head[1], begin + 8, begin + head[0]
        begin += head[0]


def _atoms_of_file(descriptor: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    begin = 0
    for _ in range(_MOST_ATOMS):
        data = system.read_at(descriptor, 16, begin)
        head = _unpack(">I4s", data, 0)
        if head is None:
            return
        length, start = head[0], begin + 8
        if length == 1 and (long := _unpack(">Q", data, 8)):
            length, start = long[0], begin + 16
        if length == 0:
            length = size - begin
        if length < start - begin or begin + length > size:
            return
        yield head[1], start, begin + length
        begin += length


def _unpack(form: str, data: bytes, offset: int) -> tuple[Any, ...] | None:
    size = struct.calcsize(form)
    return struct.unpack_from(form, data, offset) if 0 <= offset <= len(data) - size else None


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("ascii", "replace")
