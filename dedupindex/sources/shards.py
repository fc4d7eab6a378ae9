"""Tar shards (WebDataset): each regular member is a file of its own, at the place ``SHARD/member``.

Only headers are read to see what there is, and a member is read by its offset: nothing is unpacked. Of compressed
tars (`dedupindex.sources.archives`) the headers are read here too. A name in an
archive may be anything (``/etc/x``, ``../x``); here it is only a name, and stays below its shard.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from dedupindex.errors import LimitExceededError, ReadError, Reason
from dedupindex.places import is_local, shards_above
from dedupindex.records import FileStatus, FoundFile
from dedupindex.sources import remote
from dedupindex.sources.reasons import words_of
from dedupindex.sources.sniff import HEAD_BYTES, has_picture_name, sniff

SHARD = ".tar"
_LONGEST_HEADER = 1 << 20  # bytes; a longer one is damage
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Member:
    """A regular member of a shard."""

    name: str  # below the shard
    offset: int  # of its bytes
    size: int
    head: bytes | None  # where the name does not say what it is, its first bytes; empty where they are no picture's


@dataclass(slots=True)
class Contents:
    """What the headers of a shard say."""

    status: FileStatus
    members: dict[str, Member] = field(default_factory=dict)  # of two of one name the later one, as tar has it
    others: int = 0  # members that are no regular files: folders, links, devices, sparse files
    damage: tuple[Reason, str] | None = None  # where the shard cannot be read to its end


def scan(shard: Path, status: FileStatus) -> Contents:
    """Read the headers of a plain tar; damage ends the reading, what was read before stays.

    Raises
    ------
    ReadError
        It cannot be read at all.
    """
    contents = Contents(status)
    with opened(shard) as file:
        scan_into(contents, file, shard, status.size, size=status.size)
    return contents


def scan_into(contents: Contents, file: TarBytes, archive: Path, most: int, *, size: int | None = None) -> None:
    """Add what the headers of a tar say; see `scan`.

    Parameters
    ----------
    contents : Contents
    file : binary file
        Of the unpacked tar, at its beginning.
    archive : Path
        For messages.
    most : int
        Most members.
    size : int, optional
        Of the unpacked tar, where it is known.
    """
    count = 0
    try:
        for item in _headers(file):
            count += 1
            if count > most:
                contents.damage = Reason.TOO_MANY_FRAMES, f"more than {most:,} members; max_frames is {most:,}"
                break
            if item.size < 0 or (size is not None and item.isreg() and item.offset_data + item.size > size):
                contents.damage = Reason.TRUNCATED, f"{item.name} ends behind the end of the shard"
                break
            if not item.isreg() or item.issparse():
                contents.others += 1
                continue
            name = safe_name(item.name)
            if name:
                contents.members[name] = Member(name, item.offset_data, item.size, _head(file, name, item))
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        contents.damage = Reason.DAMAGED, words_of(error)
    except ReadError as error:
        contents.damage = error.reason, error.detail


def status_of_shard(shard: Path) -> FileStatus:
    """The state of a shard.

    Raises
    ------
    ReadError
    """
    if not is_local(shard):
        return remote.status(shard)
    try:
        status = shard.stat()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise ReadError(shard, Reason.MISSING if missing else Reason.UNREADABLE, str(error.strerror)) from error
    return FileStatus(status.st_size, status.st_mtime_ns, status.st_ino)


def safe_name(name: str) -> str:
    """The name of a member as a place below its shard; the same for every spelling of one path.

    ``/a`` and ``./a`` become ``a``; ``..`` becomes ``%2e%2e``, so that no name leads out of the shard.
    """
    parts = ("%2e%2e" if part == ".." else part for part in name.split("/") if part not in ("", "."))
    return "/".join(parts).replace("\0", "%00")


def member_found(shard: Path, status: FileStatus, member: Member) -> FoundFile:
    """A member of a tar shard as a file.

    Parameters
    ----------
    shard : Path
    status : FileStatus
        Of the shard.
    member : Member
        Its name, offset and size in the shard.

    Returns
    -------
    FoundFile
        With the time of the shard, and as inode a digest of the shard's state and the offset.
    """
    return FoundFile(
        shard / member.name, member.size, status.mtime_ns, identity(status, member.offset), offset=member.offset
    )


def read_found(path: Path, member: FoundFile, max_bytes: int) -> tuple[bytes, FileStatus]:
    """The bytes of a member whose place in its shard is known, by one seek or one request.

    Parameters
    ----------
    path : Path
        Shard and name of the member.
    member : FoundFile
        From `member_found`.
    max_bytes : int
        Largest member that is read.

    Returns
    -------
    data : bytes
    status : FileStatus

    Raises
    ------
    LimitExceededError
        It is larger than *max_bytes*.
    ReadError
        The shard is gone, cannot be read, or is another one by now.
    """
    if member.size > max_bytes:
        raise LimitExceededError(path, Reason.TOO_LARGE, f"{member.size:,} bytes; max_bytes is {max_bytes:,}")
    offset = member.offset or 0
    shard = next((above for above in shards_above(path) if not is_local(above) or above.is_file()), None)
    if shard is None:
        raise ReadError(path, Reason.MISSING, "there is no such shard")
    if not member.size:
        data = b""
    elif is_local(shard):
        with opened(shard) as file:
            file.seek(offset)
            data = file.read(member.size)
        if identity(status_of_shard(shard), offset) != member.inode:
            raise ReadError(path, Reason.CHANGED_WHILE_READ, "the shard has changed since its headers were read")
    else:
        data = remote.read_range(shard, offset, member.size)
    if len(data) != member.size:
        raise ReadError(path, Reason.CHANGED_WHILE_READ, f"{len(data):,} bytes received, {member.size:,} expected")
    return data, FileStatus(member.size, member.mtime_ns, member.inode)


def identity(status: FileStatus, offset: int) -> int:
    """Inode of a member: a digest of the state of its archive and of where it lies."""
    return remote.digest(status.size, status.mtime_ns, status.inode, offset)


@contextmanager
def opened(shard: Path) -> Iterator[BinaryIO]:
    """A shard as a seekable file.

    Raises
    ------
    ReadError
    """
    if not is_local(shard):
        with remote.opened(shard) as file:
            yield file
        return
    try:
        with shard.open("rb") as file:
            yield file
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise ReadError(shard, Reason.MISSING if missing else Reason.UNREADABLE, str(error.strerror)) from error


class TarBytes(Protocol):
    """Where the bytes of a tar come from."""

    def read(self, size: int, /) -> bytes:
        """At most so many of the next bytes."""

    def seek(self, position: int, /) -> int:
        """Go to a position."""

    def tell(self) -> int:
        """The position."""


class _Bounded:
    """A file that gives no more at once than a header may be long: a number in a header costs no memory."""

    def __init__(self, file: TarBytes) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._file.read(size)


def _headers(file: TarBytes) -> Iterator[tarfile.TarInfo]:
    with tarfile.open(fileobj=cast(BinaryIO, _Bounded(file)), mode="r:", errors="surrogateescape") as archive:
        while (item := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would remember them all
            yield item
        file.seek(archive.offset)
        rest = file.read(_BLOCK)
    if rest.strip(b"\0"):  # tarfile ends without an error at an invalid header
        raise tarfile.ReadError(f"no header at byte {archive.offset:,}")


def _head(file: TarBytes, name: str, item: tarfile.TarInfo) -> bytes | None:
    if has_picture_name(name):
        return None
    file.seek(item.offset_data)
    head = file.read(min(HEAD_BYTES, item.size))
    return head if sniff(head) else b""
