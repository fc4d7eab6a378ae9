"""Compressed tars (`.tar.gz`, `.tgz`, `.tar.bz2`, `.tar.xz`, `.tar.zst`): read forwards, within limits.

Such an archive has no directory: whoever wants a member has to unpack all that stands before it. It is unpacked in
pieces and thrown away. In a gzip stream the state of the decompressor is kept every few megabytes, so that going back
costs no more than that; in the others going back means from the beginning. Whoever wants several members should ask in
the order in which they lie (`Member.offset`).
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dedupindex.errors import LimitExceededError, ReadError, Reason, UnsupportedImageError
from dedupindex.sources.archives.limits import FREE_BYTES, MOST_STREAM_BYTES, ArchiveLimits

GZIP, BZIP2, XZ, ZSTD = "gzip", "bzip2", "xz", "zstd"
STREAM_MAGIC = {b"\x1f\x8b": GZIP, b"BZh": BZIP2, b"\xfd7zXZ\0": XZ, b"\x28\xb5\x2f\xfd": ZSTD}
_PIECE = 1 << 18  # bytes unpacked at once
_PACKED = 1 << 16  # bytes read at once
_KEPT = 1 << 12  # bytes before the piece at hand that can be read again: tarfile goes back by one
MARK_EVERY = 1 << 23  # unpacked bytes between two kept states of a gzip stream (40 kB each)
_XZ_MEMORY = 1 << 28  # bytes for the dictionary of xz; the format allows 4 GB
_ZSTD_WINDOW = 1 << 27  # bytes, as `zstd` itself allows by default


@dataclass(frozen=True, slots=True)
class _Mark:
    """State of a gzip stream from which it can be unpacked further."""

    position: int  # unpacked bytes so far
    packed: int  # where the file is read on
    rest: bytes  # read from the file, and not used yet
    state: Any  # copy of the decompressor


class Inflated:
    """A compressed file as one of unpacked bytes, with `read`, `seek` and `tell`.

    Parameters
    ----------
    archive : Path
        For messages.
    file : binary file
        Seekable; at its beginning.
    kind : str
        `GZIP`, `BZIP2`, `XZ` or `ZSTD`.
    limits : ArchiveLimits

    Raises
    ------
    UnsupportedImageError
        A package is missing.
    """

    def __init__(self, archive: Path, file: BinaryIO, kind: str, limits: ArchiveLimits) -> None:
        self._archive, self._file, self._kind, self._limits = archive, file, kind, limits
        self._marks: list[_Mark] = []
        self._piece, self._rest = b"", b""
        self._start = self._position = self._packed = 0
        self._ended = False
        self._begin()

    def tell(self) -> int:
        """Position in the unpacked bytes."""
        return self._position

    def seek(self, position: int) -> int:
        """Go to a position; forwards costs unpacking, backwards also what `MARK_EVERY` says, or all from the start."""
        if position < self._start:
            mark = next((mark for mark in reversed(self._marks) if mark.position <= position), None)
            self._begin(mark)
        self._position = position
        return position

    def read(self, size: int) -> bytes:
        """The next bytes, fewer at the end.

        Raises
        ------
        ReadError
            The stream is damaged, or unpacks to more than the limits allow.
        """
        while self._position >= self._start + len(self._piece):
            if not self._more():
                return b""
        parts: list[bytes] = []
        left = size
        while left > 0:
            at = self._position - self._start
            part = self._piece[at : at + left]
            if not part:
                if not self._more():
                    break
                continue
            parts.append(part)
            left -= len(part)
            self._position += len(part)
        return b"".join(parts)

    def _begin(self, mark: _Mark | None = None) -> None:
        """Start anew, or from a kept state."""
        self._piece = b""
        self._start = self._position = 0 if mark is None else mark.position
        self._rest = b"" if mark is None else mark.rest
        self._packed = 0 if mark is None else mark.packed
        self._file.seek(self._packed)
        self._state = self._new() if mark is None else mark.state.copy()
        self._ended = False

    def _new(self) -> Any:
        if self._kind == GZIP:
            return zlib.decompressobj(31)
        if self._kind == BZIP2:
            return bz2.BZ2Decompressor()
        if self._kind == XZ:
            return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        try:
            import zstandard
        except ImportError:
            detail = "zstd needs more packages: install dedupindex with its extra 'archives'"
            raise UnsupportedImageError(self._archive, Reason.UNSUPPORTED, detail) from None
        maker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        return maker.stream_reader(self._file, read_size=_PACKED, read_across_frames=True, closefd=False)

    def _more(self) -> bool:
        """Unpack the next piece; whether there was one."""
        end = self._start + len(self._piece)
        piece = b""
        while not piece and not self._ended:
            piece = self._step()
        if not piece:
            return False
        kept = self._piece[-_KEPT:]
        self._piece, self._start = kept + piece, end - len(kept)
        end += len(piece)
        if end > max(FREE_BYTES, self._limits.ratio * self._packed):
            detail = f"unpacks {self._packed:,} bytes to {end:,} or more; max_ratio is {self._limits.ratio:g}"
            raise LimitExceededError(self._archive, Reason.TOO_LARGE, detail)
        if end > MOST_STREAM_BYTES:
            detail = f"a compressed tar that unpacks to more than {MOST_STREAM_BYTES:,} bytes; use zip or a plain tar"
            raise LimitExceededError(self._archive, Reason.TOO_LARGE, detail)
        return True

    def _step(self) -> bytes:
        """Unpack a little; often nothing."""
        try:
            return self._zstd_step() if self._kind == ZSTD else self._plain_step()
        except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError) as error:
            raise self._damage() from error
        except ReadError:
            raise
        except Exception as error:
            if type(error).__module__.startswith("zstandard"):
                raise self._damage() from error
            raise

    def _zstd_step(self) -> bytes:
        piece: bytes = self._state.read(_PIECE)
        self._packed = self._file.tell()
        self._ended = not piece
        return piece

    def _plain_step(self) -> bytes:
        state = self._state
        hungry = not self._rest if self._kind == GZIP else state.eof or state.needs_input
        if hungry and not self._rest:
            self._rest = self._file.read(_PACKED)
            self._packed += len(self._rest)
            at_end = not self._rest
        else:
            at_end = False
        if state.eof:  # another stream may follow, as `cat a.gz b.gz` makes; or zeros, as padding
            self._rest = self._rest.lstrip(b"\0")
            self._ended = at_end
            if self._rest:
                self._state = self._new()
            return b""
        if self._kind == GZIP:
            self._mark()
        piece: bytes = state.decompress(self._rest, _PIECE)
        if self._kind == GZIP and not state.eof:
            self._rest = state.unconsumed_tail
        else:
            self._rest = state.unused_data if state.eof else b""
        if at_end and not piece and not state.eof:
            raise ReadError(self._archive, Reason.TRUNCATED, "the archive ends in the middle of its stream")
        return piece

    def _mark(self) -> None:
        end = self._start + len(self._piece)
        last = self._marks[-1].position if self._marks else 0
        if end >= last + MARK_EVERY:
            self._marks.append(_Mark(end, self._packed, self._rest, self._state.copy()))

    def _damage(self) -> ReadError:
        return ReadError(self._archive, Reason.DAMAGED, f"its {self._kind} stream is damaged")
