"""Sealed files of the pieces index: arrays one after the other behind a short header, read by memory mapping.

The same rules as for the vector files (`segments.py`): written aside, synced and digested before they are put in place,
and read only when the digest agrees with the database's. A file is made of ids and entries alone, so the database can
make it again, byte by byte.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import VectorIndexError
from dedupindex.features.piece_words import WORDS
from dedupindex.vectors.piece_lists import PieceLists
from dedupindex.vectors.segments import write_sealed

MAGIC = b"DIPIECE1"
SUFFIX = ".pieces"
ALIGNED = 64  # bytes
_KINDS: dict[str, np.dtype[Any]] = {
    "images": np.dtype("<i8"), "starts": np.dtype("<i8"), "owner": np.dtype("<u4"), "signature": np.dtype("<u8"),
    "angle": np.dtype("u1"), "scale": np.dtype("u1"), "place": np.dtype("<u2"),
}  # fmt: skip


def lists_digest(lists: PieceLists) -> str:
    """SHA-256 over the ids and entries of lists, hexadecimal."""
    digest = hashlib.sha256()
    for name in _KINDS:
        digest.update(np.ascontiguousarray(getattr(lists, name)).tobytes())
    return digest.hexdigest()


def serialise(lists: PieceLists) -> bytes:
    """The bytes of a file."""
    layout: dict[str, Any] = {}
    offset = 0
    for field in fields(PieceLists):
        array = getattr(lists, field.name)
        layout[field.name] = {"shape": list(array.shape), "offset": offset}
        offset += -(-array.nbytes // ALIGNED) * ALIGNED
    header = json.dumps(layout, sort_keys=True).encode()
    begin = -(-(len(MAGIC) + 4 + len(header)) // ALIGNED) * ALIGNED
    parts = [MAGIC + struct.pack("<I", len(header)) + header]
    parts[0] += bytes(begin - len(parts[0]))
    for field in fields(PieceLists):
        data = np.ascontiguousarray(getattr(lists, field.name), _KINDS[field.name]).tobytes()
        parts.append(data + bytes(-len(data) % ALIGNED))
    return b"".join(parts)


def parse(data: bytes | mmap.mmap) -> PieceLists:
    """Lists that lie in *data*; nothing is copied.

    Raises
    ------
    VectorIndexError
        It is no such file, or its arrays contradict each other.
    """
    try:
        if data[: len(MAGIC)] != MAGIC:
            raise ValueError("its first bytes are others")
        (length,) = struct.unpack_from("<I", data, len(MAGIC))
        begin = len(MAGIC) + 4 + length
        layout = json.loads(bytes(data[len(MAGIC) + 4 : begin]))
        begin = -(-begin // ALIGNED) * ALIGNED
        arrays: dict[str, NDArray[Any]] = {}
        for name, kind in _KINDS.items():
            shape = tuple(int(size) for size in layout[name]["shape"])
            count = int(np.prod(shape))
            flat = np.frombuffer(data, kind, count, begin + int(layout[name]["offset"]))
            arrays[name] = flat.reshape(shape)
        lists = PieceLists(**arrays)
        entries = len(lists.owner)
        lengths = {len(lists.signature), len(lists.angle), len(lists.scale), len(lists.place), int(lists.starts[-1])}
        if lengths != {entries} or len(lists.starts) != WORDS + 1 or (np.diff(lists.starts) < 0).any():
            raise ValueError("its arrays contradict each other")
        return lists
    except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
        raise VectorIndexError(f"no file of the pieces index: {error}") from error


def write_lists(directory: Path, lists: PieceLists) -> tuple[str, str]:
    """Write a file; returns and raises as `write_sealed`."""
    return write_sealed(directory, serialise(lists), SUFFIX)


def read_lists(directory: Path, file: str, sha256: str) -> PieceLists:
    """Map a file into memory, once its digest agrees.

    Parameters
    ----------
    directory : Path
        Folder of the vector files.
    file : str
        A plain file name.
    sha256 : str
        Expected digest, hexadecimal.

    Raises
    ------
    VectorIndexError
        It is missing, damaged, or of another kind.
    """
    path = directory / file
    if Path(file).name != file:
        raise VectorIndexError(f"{file!r} is no plain file name")
    try:
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                raise VectorIndexError(f"{path}: its digest is not the one in the database")
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise VectorIndexError(f"{path}: {error}") from error
    return parse(data)
