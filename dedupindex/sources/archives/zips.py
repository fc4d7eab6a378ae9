"""Zip archives (`.zip`, `.cbz`): the central directory says what there is; a member is read by itself.

The directory is checked before it is trusted: number of entries, its size, members that lie over each other (a zip
bomb that shares its data), and how much all pictures unpack to.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, cast

from dedupindex.errors import LimitExceededError, ReadError, Reason, UnsupportedImageError
from dedupindex.sources.archives.limits import ArchiveLimits, check_expansion, check_member, check_members
from dedupindex.sources.shards import Contents, Member, safe_name
from dedupindex.sources.sniff import HEAD_BYTES, has_picture_name, sniff

_END, _END_BYTES = b"PK\5\6", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\6\7", 20
_END_64, _END_64_BYTES = b"PK\6\6", 56
_LOCAL, _LOCAL_BYTES = b"PK\3\4", 30
_LONGEST_COMMENT = 0xFFFF
_ENTRY_BYTES = 1 << 10  # of the central directory for each allowed member
_ENCRYPTED = 0x1
_READ = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
_BROKEN = (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, ValueError, struct.error, LookupError)


class ZipMembers:
    """The members of a zip archive, for reading."""

    def __init__(self, archive: Path, file: BinaryIO, contents: Contents, limits: ArchiveLimits) -> None:
        """Read the central directory.

        Raises
        ------
        ReadError
            It cannot be read, or announces more than the limits allow.
        """
        self._archive, self._limits = archive, limits
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self.contents = contents
        size = contents.status.size
        count, length = _announced(file, size)
        check_members(archive, max(count, length // _ENTRY_BYTES), limits)
        try:
            with zipfile.ZipFile(file) as directory:
                entries = directory.infolist()
        except _BROKEN as error:
            raise ReadError(archive, Reason.DAMAGED, "its central directory is damaged") from error
        check_members(archive, len(entries), limits)
        _check_overlaps(archive, entries, size)
        for entry in entries:
            self._take(entry)
        pictures = (entry.file_size for name, entry in self._entries.items() if has_picture_name(name))
        check_expansion(archive, sum(pictures), size, limits)

    def add_heads(self, file: BinaryIO) -> None:
        """Read the first bytes of those members whose name does not say what they are."""
        for name, member in list(self.contents.members.items()):
            if has_picture_name(name):
                continue
            try:
                head = self._unpacked(file, self._archive / name, self._entries[name], HEAD_BYTES)
            except (ReadError, *_BROKEN):
                continue  # what cannot be looked at is passed over as no picture
            self.contents.members[name] = Member(name, member.offset, member.size, head if sniff(head) else b"")

    def read(self, file: BinaryIO, name: str) -> bytes:
        """The bytes of a member.

        Raises
        ------
        ReadError
        """
        place = self._archive / name
        entry = self._entries[name]
        check_member(place, entry.file_size, entry.compress_size, self._limits)
        try:
            data = self._unpacked(file, place, entry, entry.file_size)
        except _BROKEN as error:
            raise ReadError(place, Reason.DAMAGED, "what is compressed in the archive is damaged") from error
        if len(data) != entry.file_size:
            raise ReadError(place, Reason.TRUNCATED, "the archive ends before this member does")
        return data

    def _take(self, entry: zipfile.ZipInfo) -> None:
        if entry.is_dir() or (entry.external_attr >> 28) not in (0, 8):  # links, devices: the Unix mode
            self.contents.others += 1
            return
        name = safe_name(entry.filename)
        if name:
            self._entries[name] = entry
            self.contents.members[name] = Member(name, entry.header_offset, entry.file_size, None)

    def _unpacked(self, file: BinaryIO, place: Path, entry: zipfile.ZipInfo, most: int) -> bytes:
        if entry.flag_bits & _ENCRYPTED:
            raise UnsupportedImageError(place, Reason.UNSUPPORTED, "is encrypted; take it out of its archive first")
        if entry.compress_type not in _READ:
            detail = f"compressed in the archive by method {entry.compress_type}, which is not read"
            raise UnsupportedImageError(place, Reason.UNSUPPORTED, detail)
        file.seek(entry.header_offset)
        local = file.read(_LOCAL_BYTES)
        if len(local) < _LOCAL_BYTES or not local.startswith(_LOCAL):
            raise ReadError(place, Reason.DAMAGED, "the archive has no member where its directory says")
        name, extra = struct.unpack_from("<HH", local, 26)
        file.seek(name + extra, io.SEEK_CUR)
        # The standard library reads from the file in small steps, stops at the announced size, and checks the CRC.
        stream = cast(IO[bytes], file)
        with zipfile.ZipExtFile(stream, "r", entry, close_fileobj=False) as member:
            return bytes(member.read(most))


def _announced(file: BinaryIO, size: int) -> tuple[int, int]:
    """Number of entries and bytes of the central directory, as the end of the file says; zeros where it says nothing.

    Python's reader takes memory for as much as is announced, so this is looked at before.
    """
    start = max(0, size - _END_BYTES - _LONGEST_COMMENT)
    file.seek(start)
    tail = file.read(size - start)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        return 0, 0
    count, length = struct.unpack_from("<H", tail, at + 10)[0], struct.unpack_from("<I", tail, at + 12)[0]
    if at >= _LOCATOR_BYTES and tail[at - _LOCATOR_BYTES :].startswith(_LOCATOR):
        offset = struct.unpack_from("<Q", tail, at - _LOCATOR_BYTES + 8)[0]
        if offset <= size - _END_64_BYTES:
            file.seek(offset)
            wide = file.read(_END_64_BYTES)
            if len(wide) == _END_64_BYTES and wide.startswith(_END_64):
                return struct.unpack_from("<Q", wide, 32)[0], struct.unpack_from("<Q", wide, 40)[0]
    return count, min(length, size)


def _check_overlaps(archive: Path, entries: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse an archive whose members share bytes.

    Raises
    ------
    LimitExceededError
    """
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end and entry.compress_size:
            detail = "members of the archive lie over each other, as in a zip bomb"
            raise LimitExceededError(archive, Reason.TOO_LARGE, detail)
        end = max(end, entry.header_offset + _LOCAL_BYTES + len(entry.orig_filename) + entry.compress_size)
    if end > size + _LONGEST_COMMENT:
        raise ReadError(archive, Reason.TRUNCATED, "a member ends behind the end of the archive")
