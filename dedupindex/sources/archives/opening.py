"""One face for all kinds of archives: what there is in one, and the bytes of a member.

Which kind an archive is, its first bytes tell, so a `.cbr` that is a zip is read as one. An archive that was looked
into is remembered for a while, as long as it does not change: its directory, and for compressed ones how far it was
unpacked. Archives are opened in worker processes, as all decoding is.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

from dedupindex.errors import LimitExceededError, ReadError, Reason, UnsupportedImageError
from dedupindex.places import is_local, shards_above
from dedupindex.records import FileStatus, FoundFile
from dedupindex.sources import shards
from dedupindex.sources.archives.limits import ArchiveLimits, check_member
from dedupindex.sources.archives.sevenzips import MAGIC as SEVEN_ZIP
from dedupindex.sources.archives.sevenzips import SevenZipMembers
from dedupindex.sources.archives.streams import STREAM_MAGIC, Inflated
from dedupindex.sources.archives.zips import ZipMembers
from dedupindex.sources.shards import Contents, Member
from dedupindex.sources.sniff import has_picture_name

_HEAD_BYTES = 8
_REMEMBERED = 4  # archives
HELD_BYTES = 1 << 27  # of members of an archive that were asked for together, unpacked
_ZIP = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")
_NO_TARS = (".zip", ".cbz", ".7z", ".cb7", ".rar", ".cbr")
_RAR = b"Rar!\x1a\x07"
_LZ4 = b"\x04\x22\x4d\x18"
DEFAULT = ArchiveLimits()


class _TarMembers:
    """The members of a tar, plain or compressed, for reading."""

    def __init__(self, stream: Inflated | None, contents: Contents) -> None:
        self.stream, self.contents = stream, contents

    def read(self, file: BinaryIO, member: Member) -> bytes:
        """The bytes of a member."""
        source = file if self.stream is None else self.stream
        source.seek(member.offset)
        return source.read(member.size)


_Members: TypeAlias = "_TarMembers | ZipMembers | SevenZipMembers"


class _Open:
    """An archive that is looked into; its file stays open."""

    def __init__(self, archive: Path, status: FileStatus, limits: ArchiveLimits) -> None:
        self.archive, self.status, self.limits = archive, status, limits
        self.held: dict[str, bytes] = {}  # members that were read together
        self._close = shards.opened(archive)
        self.file = self._close.__enter__()
        try:
            self.kind = self._kind()
        except BaseException:
            self.close()
            raise
        self.members: _Members | None = None
        self.stream = self._inflated()

    def close(self) -> None:
        with suppress(ReadError, OSError):
            self._close.__exit__(None, None, None)

    def contents(self) -> Contents:
        """What there is in the archive, with the first bytes of members whose name does not tell what they are."""
        if self.members is None:
            self.members = self._read_directory()
        return self.members.contents

    def read(self, place: Path, member: FoundFile, *, together: Sequence[str] = ()) -> bytes:
        """The bytes of a member, by its name and offset."""
        name = str(place.relative_to(self.archive))
        if name in self.held:
            return self.held[name]
        check_member(place, member.size, self.status.size, self.limits)  # it is packed to its archive's size at most
        known = Member(name, member.offset or 0, member.size, None)
        if self.kind == "tar":
            return _TarMembers(self.stream, Contents(self.status)).read(self.file, known)
        members = self.contents().members
        if name not in members or members[name].offset != known.offset:
            raise ReadError(place, Reason.MISSING, f"{self.archive.name} has no such member")
        if isinstance(self.members, SevenZipMembers):
            wanted = {other: members[other] for other in together if other in members}
            return self.members.read(self.file, name, first=wanted or None)
        if isinstance(self.members, ZipMembers):
            return self.members.read(self.file, name)
        raise ReadError(place, Reason.MISSING, f"{self.archive.name} has no such member")

    def _kind(self) -> str:
        self.file.seek(0)
        head = self.file.read(_HEAD_BYTES)
        if head.startswith(_ZIP):
            return "zip"
        if head.startswith(SEVEN_ZIP):
            return "7z"
        for magic, name in ((_RAR, "RAR"), (_LZ4, "lz4")):
            if head.startswith(magic):
                detail = f"{name} archives are not read; pack it as zip, tar or 7z"
                raise UnsupportedImageError(self.archive, Reason.UNSUPPORTED, detail)
        if not head:
            raise UnsupportedImageError(self.archive, Reason.EMPTY, "the file has no bytes")
        if self.archive.name.lower().endswith(_NO_TARS) and not head.startswith(tuple(STREAM_MAGIC)):
            raise ReadError(self.archive, Reason.DAMAGED, "it does not begin as an archive does")
        return "tar"

    def _inflated(self) -> Inflated | None:
        self.file.seek(0)
        head = self.file.read(_HEAD_BYTES)
        kind = next((kind for magic, kind in STREAM_MAGIC.items() if head.startswith(magic)), None)
        return None if kind is None else Inflated(self.archive, self.file, kind, self.limits)

    def _read_directory(self) -> _Members:
        contents = Contents(self.status)
        if self.kind == "zip":
            members = ZipMembers(self.archive, self.file, contents, self.limits)
            members.add_heads(self.file)
            return members
        if self.kind == "7z":
            return SevenZipMembers(self.archive, self.file, contents, self.limits)
        if self.stream is not None:
            self.stream.seek(0)
            shards.scan_into(contents, self.stream, self.archive, self.limits.members)
        else:
            self.file.seek(0)
            shards.scan_into(contents, self.file, self.archive, self.limits.members, size=self.status.size)
        return _TarMembers(self.stream, contents)


_open: dict[Path, _Open] = {}  # the one that was used last at the end
_guard = threading.RLock()


def scan(archive: Path, limits: ArchiveLimits = DEFAULT) -> Contents:
    """What there is in an archive; damage ends the look at it, and what was seen before stays.

    Parameters
    ----------
    archive : Path
        A file, here or in an object store.
    limits : ArchiveLimits

    Returns
    -------
    Contents

    Raises
    ------
    ReadError
        It cannot be read at all, is of a kind that is not read, needs a package, is encrypted, or breaks the limits.
    """
    with _guard:
        try:
            return _opened(archive, shards.status_of_shard(archive), limits).contents()
        except OSError as error:
            raise ReadError(archive, Reason.UNREADABLE, error.strerror or str(error)) from error


def is_solid(archive: Path) -> bool:
    """Whether to look into an archive means to unpack all of it, by its name."""
    name = archive.name.lower()
    return name.endswith((".tgz", ".tbz", ".tbz2", ".txz", ".tzst")) or (
        ".tar." in name and not name.endswith((".zip", ".7z"))
    )


def find_member(path: Path, limits: ArchiveLimits = DEFAULT) -> FoundFile:
    """A member that has to be looked for in its archive.

    Raises
    ------
    ReadError
    """
    archive = _archive_of(path)
    contents = scan(archive, limits)
    member = contents.members.get(str(path.relative_to(archive)))
    if member is None:
        if contents.damage is not None:
            reason, words = contents.damage
            limit = reason in (Reason.TOO_LARGE, Reason.TOO_MANY_FRAMES)
            raise (LimitExceededError if limit else ReadError)(path, reason, words)
        raise ReadError(path, Reason.MISSING, f"{archive.name} has no such member")
    return shards.member_found(archive, contents.status, member)


def member_status(path: Path) -> FileStatus:
    """The state of a member of an archive.

    Raises
    ------
    ReadError
    """
    member = find_member(path)
    return FileStatus(member.size, member.mtime_ns, member.inode)


def read_member(path: Path, max_bytes: int, limits: ArchiveLimits = DEFAULT) -> tuple[bytes, FileStatus]:
    """The bytes of a member that has to be looked for in its archive.

    Parameters
    ----------
    path : Path
        Archive and name of the member.
    max_bytes : int
        Largest member that is read.
    limits : ArchiveLimits

    Returns
    -------
    data : bytes
    status : FileStatus

    Raises
    ------
    ReadError
    """
    return read_found(path, find_member(path, limits), max_bytes, limits)


def read_found(
    path: Path, member: FoundFile, max_bytes: int, limits: ArchiveLimits = DEFAULT, *, together: Sequence[str] = ()
) -> tuple[bytes, FileStatus]:
    """The bytes of a member whose place in its archive is known.

    Parameters
    ----------
    path : Path
        Archive and name of the member.
    member : FoundFile
        From a scan, or `find_member`.
    max_bytes : int
        Largest member that is read.
    limits : ArchiveLimits
    together : sequence of str
        Names of members that will be asked for next.

    Returns
    -------
    data : bytes
    status : FileStatus

    Raises
    ------
    LimitExceededError
        It is larger than *max_bytes*, or grows too much when it is unpacked.
    ReadError
        The archive is gone, cannot be read, or is another one by now; the member is encrypted or damaged.
    """
    archive = _archive_of(path)
    if archive.suffix.lower() == shards.SHARD and not is_local(archive):
        return shards.read_found(path, member, max_bytes)  # one request for just these bytes
    if member.size > max_bytes:
        raise LimitExceededError(path, Reason.TOO_LARGE, f"{member.size:,} bytes; max_bytes is {max_bytes:,}")
    if not member.size:
        return b"", FileStatus(member.size, member.mtime_ns, member.inode)
    with _guard:
        status = shards.status_of_shard(archive)
        if shards.identity(status, member.offset or 0) != member.inode:
            raise ReadError(path, Reason.CHANGED_WHILE_READ, "the archive has changed since it was looked into")
        try:
            data = _opened(archive, status, limits).read(path, member, together=together)
        except OSError as error:
            raise ReadError(path, Reason.UNREADABLE, error.strerror or str(error)) from error
        if len(data) != member.size:
            raise ReadError(path, Reason.CHANGED_WHILE_READ, f"{len(data):,} bytes read, {member.size:,} expected")
        if shards.status_of_shard(archive) != status:
            raise ReadError(path, Reason.CHANGED_WHILE_READ, "the archive changed while it was read")
    return data, FileStatus(member.size, member.mtime_ns, member.inode)


def read_together(paths: Sequence[Path], limits: ArchiveLimits = DEFAULT) -> None:
    """Read members that will be asked for soon, in one pass through each archive that has to be unpacked for them.

    They are held until others are read together, `HELD_BYTES` of them at most; of a smaller archive all are. What
    cannot be read is left for the one who asks for it.

    Parameters
    ----------
    paths : sequence of Path
        Any places; those in no such archive are passed over.
    limits : ArchiveLimits
    """
    wanted: dict[Path, list[str]] = {}
    for path in dict.fromkeys(paths):
        if shards_above(path):
            with suppress(ReadError):
                archive = _archive_of(path)
                wanted.setdefault(archive, []).append(str(path.relative_to(archive)))
    with _guard:
        for archive, names in wanted.items():
            if len(names) > 1:
                with suppress(ReadError, OSError):
                    _hold(archive, names, limits)


def forget_archives() -> None:
    """Close the archives that are remembered."""
    with _guard:
        while _open:
            _open.popitem()[1].close()


def _hold(archive: Path, names: Sequence[str], limits: ArchiveLimits) -> None:
    status = shards.status_of_shard(archive)
    opened = _opened(archive, status, limits)
    if opened.stream is None and opened.kind != "7z":
        return
    if all(name in opened.held for name in names):
        return
    members = opened.contents().members
    pictures = [name for name in members if has_picture_name(name)]
    if sum(members[name].size for name in pictures) <= HELD_BYTES:
        names = pictures  # the others will be asked for soon: a search for duplicates goes through all of them
    there = sorted((members[name] for name in names if name in members), key=lambda member: member.offset)
    held: dict[str, bytes] = {}
    left = HELD_BYTES
    for member in there:
        left -= member.size
        if left < 0:
            break
        with suppress(ReadError):
            file = shards.member_found(archive, status, member)
            held[member.name] = opened.read(archive / member.name, file, together=names)
    opened.held = held


def _opened(archive: Path, status: FileStatus, limits: ArchiveLimits) -> _Open:
    known = _open.pop(archive, None)
    if known is not None and (known.status != status or known.limits != limits):
        known.close()
        known = None
    if known is None:
        known = _Open(archive, status, limits)
    _open[archive] = known
    while len(_open) > _REMEMBERED:
        _open.pop(next(iter(_open))).close()
    return known


def _archive_of(path: Path) -> Path:
    """The archive of which a place is a member.

    Raises
    ------
    ReadError
        There is none.
    """
    for above in shards_above(path):
        if is_local(above):
            if above.is_file():
                return above
            continue
        try:
            shards.status_of_shard(above)
        except ReadError as error:
            if error.reason is Reason.MISSING:
                continue
            raise
        return above
    raise ReadError(path, Reason.MISSING, "there is no such archive")
