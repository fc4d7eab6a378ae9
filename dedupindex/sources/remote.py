"""Object stores, through fsspec: what lies there, in which state, and its bytes.

Every store is set up by its own means: environment, profiles and files that its client reads, and ``FSSPEC_*``
variables (``FSSPEC_S3_ENDPOINT_URL``). Nothing of that is ever stored or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, cast

from dedupindex.errors import LimitExceededError, ReadError, Reason, SettingsError
from dedupindex.places import ONE_BY_ONE, scheme_of, text_of
from dedupindex.records import FileStatus, FoundFile

HEADER_BLOCK = 1 << 16  # bytes a request where a shard's headers are read: small members come along
_CHUNK = 1 << 22
_GONE = (404, 410)  # HTTP status; fsspec reports other errors of a server as "not found" too
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
_TAGS = ("ETag", "etag", "generation", "version_id", "VersionId", "md5Hash", "content_md5", "crc32c", "checksum")
_SECRET = re.compile(
    r"(?i)((?:x-amz-|x-goog-)?(?:signature|credential|security-token|access_?key(?:_?id)?|secret|token|password|sig)"
    r"[=:]\s*)[^&\s'\",]+|(?<=//)[^/\s@]+@"
)


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """An object or folder inside a folder of an object store."""

    name: str  # what is left of its key below the folder; no name that a path can hold where that is odd
    is_folder: bool
    status: FileStatus


def entries(folder: Path) -> list[RemoteEntry]:
    """Entries of a folder of an object store, in the order of the keys.

    Raises
    ------
    ReadError
        There is nothing, or it cannot be listed.
    """
    with _translated(folder):
        system, inner = _opened(folder)
        system.invalidate_cache()
        start = len(inner.rstrip("/")) + 1
        entries_here = [
            RemoteEntry(item["name"][start:], item["type"] == "directory", _status(item))
            for item in system.ls(inner, detail=True)
        ]
    return sorted(entries_here, key=lambda entry: entry.name + "/" * entry.is_folder)


def is_folder(path: Path) -> bool:
    """Whether a place in an object store is a folder and no object.

    Raises
    ------
    ReadError
        There is neither, or it is not known.
    """
    if scheme_of(path) in ONE_BY_ONE:
        return False
    with _translated(path):
        system, inner = _opened(path)
        return bool(system.info(inner)["type"] == "directory")


def status(path: Path) -> FileStatus:
    """The state of an object: one request.

    Raises
    ------
    ReadError
    """
    with _translated(path):
        system, inner = _opened(path)
        entry = system.info(inner)
        if entry["type"] == "directory":
            raise FileNotFoundError(f"{text_of(path)} is a folder")
        return _status(entry)


def read(path: Path, max_bytes: int, file: FoundFile | None = None) -> tuple[bytes, FileStatus]:
    """The bytes of an object, in one request where its state is known, and never many more than *max_bytes*.

    Parameters
    ----------
    path : Path
        A place in an object store or on a web server.
    max_bytes : int
        Largest object that is wanted; more may come back where the size is not told.
    file : FoundFile, optional
        What a listing said of it; without, its state is asked for first.

    Returns
    -------
    data : bytes
    status : FileStatus
        Size, time and identity that belong to the bytes.

    Raises
    ------
    LimitExceededError
        It is known to be larger than *max_bytes*.
    ReadError
        It is gone, cannot be read, or was changed meanwhile.
    """
    known = status(path) if file is None else FileStatus(file.size, file.mtime_ns, file.inode)
    if known.size > max_bytes:
        raise LimitExceededError(path, Reason.TOO_LARGE, f"{known.size:,} bytes; max_bytes is {max_bytes:,}")
    if known.size == 0:
        return b"", known
    most = max_bytes if known.size < 0 else known.size
    with _translated(path):
        system, inner = _opened(path)
        if scheme_of(path) in ONE_BY_ONE:  # a server may ignore the range and send whatever it has
            data = _read_stream(system, inner, max_bytes + 1)
        else:
            data = system.cat_file(inner, start=0, end=most + 1)  # one more, to see whether it grew
    if known.size < 0 and len(data) <= max_bytes:
        return data, FileStatus(len(data), known.mtime_ns, known.inode)
    if len(data) != known.size and len(data) <= max_bytes:
        detail = f"{len(data):,} bytes received, {known.size:,} expected"
        raise ReadError(path, Reason.CHANGED_WHILE_READ, detail)
    return data, known


def read_range(path: Path, offset: int, size: int) -> bytes:
    """Some bytes of an object, in one request.

    Parameters
    ----------
    path : Path
        A place in an object store or on a web server.
    offset, size : int
        First byte and number of bytes.

    Returns
    -------
    bytes
        Fewer where the object ends before.

    Raises
    ------
    ReadError
    """
    with _translated(path):
        system, inner = _opened(path)
        return bytes(system.cat_file(inner, start=offset, end=offset + size))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """An object as a seekable file, for its headers.

    Raises
    ------
    ReadError
    """
    with _translated(path):
        system, inner = _opened(path)
        with system.open(inner, "rb", block_size=HEADER_BLOCK, cache_type="readahead") as file:
            yield cast(BinaryIO, file)


def digest(*parts: object) -> int:
    """A signed 64-bit number that is another one when any of the parts is."""
    return int.from_bytes(blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest(), signed=True)


def _opened(path: Path) -> tuple[Any, str]:
    """The file system of a place, and how it calls it.

    Raises
    ------
    SettingsError
        A package is missing.
    """
    try:
        import fsspec
    except ModuleNotFoundError as error:
        detail = "object stores and URLs need fsspec: install dedupindex with its extra 'objects'"
        raise SettingsError(detail) from error
    try:
        system, inner = fsspec.core.url_to_fs(text_of(path))
    except ImportError as error:
        detail = f"{scheme_of(path)}:// needs another package: {error}; install dedupindex with its extra 'objects'"
        raise SettingsError(detail) from error
    return system, str(inner)


def _read_stream(system: Any, inner: str, most: int) -> bytes:
    parts: list[bytes] = []
    total = 0
    with system.open(inner, "rb", block_size=0) as file:
        while total < most and (part := file.read(min(_CHUNK, most - total))):
            parts.append(part)
            total += len(part)
    return b"".join(parts)


def _status(item: Mapping[str, Any]) -> FileStatus:
    size = item.get("size")
    moment = next((item[name] for name in _TIMES if item.get(name)), None)
    tag = next((item[name] for name in _TAGS if item.get(name)), "")
    return FileStatus(-1 if size is None else int(size), _nanoseconds(moment), digest(tag))


def _nanoseconds(moment: object) -> int:
    """A time in whole seconds: listings may know it finer than an answer about a single object does."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return 0
    if isinstance(moment, datetime):
        since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000_000
    return int(moment) * 1_000_000_000 if isinstance(moment, int | float) else 0


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn whatever a client raises into a `ReadError` that names the place and contains no secret."""
    try:
        yield
    except (ReadError, SettingsError):
        raise
    except Exception as error:  # each client has its own exceptions
        cause = error
        if scheme_of(path) in ONE_BY_ONE:
            while isinstance(cause, FileNotFoundError) and isinstance(cause.__cause__, Exception):
                cause = cause.__cause__
        if isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) in _GONE:
            raise ReadError(path, Reason.MISSING, "there is no such object") from error
        words = _SECRET.sub(lambda match: (match[1] or "") + "...", " ".join(str(cause).split()))[:300]
        raise ReadError(path, Reason.UNREADABLE, words or type(cause).__name__) from error
