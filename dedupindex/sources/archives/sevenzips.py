"""7z archives (`.7z`, `.cb7`) through py7zr: members come out of memory, some at a time.

Members of a 7z archive share compressed blocks, so one pass takes the member that is asked for and those after it, as
many as `AHEAD_BYTES` hold. Whoever wants several should ask in the order in which they lie (`Member.offset`, which is
their number here).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from dedupindex.errors import ReadError, Reason, UnsupportedImageError
from dedupindex.sources.archives.limits import ArchiveLimits, check_expansion, check_members
from dedupindex.sources.shards import Contents, Member, safe_name
from dedupindex.sources.sniff import has_picture_name

MAGIC = b"7z\xbc\xaf\x27\x1c"
AHEAD_BYTES = 1 << 26  # of members, unpacked in one pass
_START_BYTES = 32
_BYTES_A_MEMBER = 1 << 10  # of the header for each allowed member
_ENCRYPTED = "is encrypted; take it out of its archive first"


class SevenZipMembers:
    """The members of a 7z archive, for reading."""

    def __init__(self, archive: Path, file: BinaryIO, contents: Contents, limits: ArchiveLimits) -> None:
        """Read the header.

        Raises
        ------
        ReadError
            py7zr is not installed, the header is encrypted or damaged, or it announces more than the limits allow.
        """
        self._archive = archive
        self.contents = contents
        self._held: dict[int, bytes] = {}  # by number: what the last pass gave
        size = contents.status.size
        file.seek(0)
        start = file.read(_START_BYTES)
        length = int.from_bytes(start[20:28], "little")
        if int.from_bytes(start[12:20], "little") + length + _START_BYTES > size:
            raise ReadError(archive, Reason.TRUNCATED, "the archive ends before its header")
        check_members(archive, length // _BYTES_A_MEMBER, limits)
        with _opened(archive, file) as opened:
            files = list(opened.files)
            check_members(archive, len(files), limits)
            self._names: list[str] = [one.filename for one in files]
            self._sizes: list[int] = [0 if one.emptystream else int(one.uncompressed) for one in files]
            self._twice = {name for name, times in Counter(self._names).items() if times > 1}
            self._encrypted = bool(opened.needs_password())
            for number, one in enumerate(files):
                self._take(number, one)
        pictures = (member.size for name, member in contents.members.items() if has_picture_name(name))
        check_expansion(archive, sum(pictures), size, limits)
        check_expansion(archive, sum(self._sizes) // 16, size, limits)  # other members are passed through as well

    def read(self, file: BinaryIO, name: str, *, first: Mapping[str, Member] | None = None) -> bytes:
        """The bytes of a member.

        Parameters
        ----------
        file : binary file
        name : str
        first : mapping of str to Member, optional
            Members that are wanted next, instead of those that lie behind it.

        Raises
        ------
        ReadError
        """
        place, member = self._archive / name, self.contents.members[name]
        number = member.offset
        if self._encrypted:
            raise UnsupportedImageError(place, Reason.UNSUPPORTED, _ENCRYPTED)
        if not self._sizes[number]:
            return b""
        if self._names[number] in self._twice:
            raise UnsupportedImageError(place, Reason.UNSUPPORTED, "the archive has two members of this name")
        if number not in self._held:
            self._held = {}
            self._read_some(file, place, self._ahead(number, first))
            if number not in self._held:  # something behind it is damaged, or it is itself
                self._read_some(file, place, [number])
        if number not in self._held:
            raise ReadError(place, Reason.DAMAGED, "what is compressed in the archive is damaged")
        return self._held[number]

    def _take(self, number: int, one: Any) -> None:
        if one.is_directory or one.is_symlink or one.is_junction or one.is_socket:
            self.contents.others += 1
            return
        name = safe_name(one.filename)
        if name:
            self.contents.members[name] = Member(name, number, self._sizes[number], b"")

    def _ahead(self, number: int, first: Mapping[str, Member] | None) -> list[int]:
        """Numbers of a member and of those that are taken along."""
        members = (self.contents.members if first is None else first).values()
        following = sorted(member.offset for member in members if member.offset > number and _is_plain(member.name))
        numbers, total = [number], self._sizes[number]
        for other in following:
            if not self._sizes[other] or self._names[other] in self._twice:
                continue
            total += self._sizes[other]
            if total > AHEAD_BYTES:
                break
            numbers.append(other)
        return numbers

    def _read_some(self, file: BinaryIO, place: Path, numbers: list[int]) -> None:
        """Unpack members in one pass into `_held`; what comes before damage stays."""
        wanted = {self._names[number] for number in numbers}
        factory = _factory({number: self._sizes[number] for number in numbers})
        file.seek(0)
        try:
            with _opened(self._archive, file) as opened:
                opened.extract(targets=sorted(wanted), factory=factory)
        except ReadError:
            raise
        except MemoryError:
            raise
        except Exception as error:  # py7zr raises what its decompressors raise
            if type(error).__name__ == "UnsupportedCompressionMethodError":
                detail = "compressed in the archive by a method that is not read"
                raise UnsupportedImageError(place, Reason.UNSUPPORTED, detail) from error
        self._held = factory.done


def _is_plain(name: str) -> bool:
    return has_picture_name(name) and "%2e%2e" not in name


def _opened(archive: Path, file: BinaryIO) -> Any:
    """The archive, opened by py7zr.

    Raises
    ------
    ReadError
    """
    try:
        import py7zr
        from py7zr.exceptions import PasswordRequired, UnsupportedCompressionMethodError
    except ImportError:
        detail = "7z archives need more packages: install dedupindex with its extra 'archives'"
        raise UnsupportedImageError(archive, Reason.UNSUPPORTED, detail) from None
    file.seek(0)
    try:
        return py7zr.SevenZipFile(file, "r")
    except PasswordRequired as error:
        raise UnsupportedImageError(archive, Reason.UNSUPPORTED, _ENCRYPTED) from error
    except UnsupportedCompressionMethodError as error:
        detail = "compressed by a method that is not read"
        raise UnsupportedImageError(archive, Reason.UNSUPPORTED, detail) from error
    except MemoryError:
        raise
    except Exception as error:  # its parser raises whatever a damaged header leads it to
        raise ReadError(archive, Reason.DAMAGED, "its header is damaged") from error


def _factory(sizes: dict[int, int]) -> Any:
    """A writer factory of py7zr that keeps members in memory, by number, none larger than announced.

    py7zr asks for the writers in the order of the members. `done` has those that came out whole.
    """
    from py7zr.io import Py7zIO, WriterFactory

    class Whole(Py7zIO):
        def __init__(self, number: int) -> None:
            self.number = number
            self.parts: list[bytes] = []
            self.length = 0

        def write(self, s: bytes | bytearray) -> int:
            self.length += len(s)
            if self.length > sizes[self.number]:
                raise ValueError("a member is longer than announced")
            self.parts.append(bytes(s))
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return b"".join(self.parts)

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            pass

        def size(self) -> int:
            return self.length

        def close(self) -> None:
            if self.length == sizes[self.number]:
                made.done[self.number] = b"".join(self.parts)
            self.parts = []

    class Factory(WriterFactory):
        def __init__(self) -> None:
            self.done: dict[int, bytes] = {}
            self._numbers = iter(sorted(sizes))

        def create(self, filename: str) -> Py7zIO:
            return Whole(next(self._numbers))

    made = Factory()
    return made
