"""Files written so that a crash leaves the old one or the new one, and the seam through which tests break writing.

Every step that changes what is on disk announces itself to `point` first: a write, an fsync, a rename, a removal, a
commit. Normally nobody listens. With ``DEDUPINDEX_FAULT`` in the environment, or after `listen`, the chosen step fails
instead: ``kill:7`` ends the process at the seventh, ``ENOSPC:7`` makes it fail with that error, ``ENOSPC:7+`` this one
and all later ones (a disk stays full), ``trace:FILE`` only writes down the names of the steps.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

from dedupindex.places import at_home

Listener: TypeAlias = Callable[[str, str], None]  # takes the step and the file's name
VARIABLE = "DEDUPINDEX_FAULT"
_CHUNK = 1 << 22  # bytes copied at once


def point(step: str, path: Path) -> None:
    """Announce a step that changes what is on disk."""
    if _listener is not None:
        _listener(step, path.name)


def listen(listener: Listener | None) -> None:
    """Let *listener* hear of every step from now on, and raise in place of it; None = nobody."""
    global _listener
    _listener = listener


def write_whole(path: Path, data: bytes, *, aside: Path | None = None) -> None:
    """Write a file so that there is nothing, the old one or all of it, whenever the process or the machine stops.

    A link stays a link: the file that it points to is replaced, with its rights. Pipes and devices (``/dev/stdout``)
    are written into as they are.

    Parameters
    ----------
    path : Path
        A leading ``~`` is not expanded: `output_path`.
    data : bytes
    aside : Path, optional
        Where the bytes go first, in the same folder.

    Raises
    ------
    OSError
        The disk is full, the folder is not writable; what was there before is untouched.
    """
    if path.exists() and not path.is_file():
        point("write", path)
        with path.open("wb", buffering=0) as stream:
            rest = memoryview(data)
            while rest:
                rest = rest[stream.write(rest) :]
        return
    with _replacing(Path(os.path.realpath(path)) if path.is_symlink() else path, aside) as file:
        file.write(data)


def make_private_file(path: Path) -> None:
    """Make an empty file that nobody but its owner can read; one that exists stays as it is.

    A database holds paths and small pictures, which are nobody else's business. Who wants to share it widens the rights
    of the file, and SQLite gives its side files the same ones.

    Raises
    ------
    OSError
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def make_private_folder(path: Path) -> None:
    """Make a folder that nobody but its owner can read, and those above it; one that exists stays as it is.

    Raises
    ------
    OSError
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


def output_path(path: Path) -> Path:
    """Where a user wants a file: with ``~`` as their home folder, unless there is a file of that very name."""
    return at_home(path)


@contextmanager
def _replacing(path: Path, aside: Path | None = None) -> Iterator[BinaryIO]:
    """A new file in place of *path*, once the block has ended; nothing changes if it fails."""
    temporary = aside or path.with_name(f".tmp-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        point("write", temporary)
        with temporary.open("xb") as file:
            if path.exists():
                temporary.chmod(path.stat().st_mode & 0o777)
            yield file
            file.flush()
            point("fsync", temporary)
            os.fsync(file.fileno())
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file, 4 MiB at a time."""
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            yield data


def copy_whole(source: Path, target: Path, sha256: str) -> None:
    """Copy a file as `write_whole` does, if its content has that digest.

    Parameters
    ----------
    source, target : Path
    sha256 : str
        Hexadecimal.

    Raises
    ------
    ValueError
        The content has another digest; nothing was put in place.
    OSError
        A file cannot be read or written.
    """
    put_together(pieces(source), target, sha256, source=str(source))


def put_together(data: Iterable[bytes], target: Path, sha256: str, *, source: str) -> None:
    """Write a file as `write_whole` does, from pieces, if they have that digest.

    Parameters
    ----------
    data : iterable of bytes
    target : Path
        The file that is replaced.
    sha256 : str
        Hexadecimal digest of all pieces together.
    source : str
        Where the pieces come from, for people.

    Raises
    ------
    ValueError
        They have another digest; nothing was put in place.
    OSError
    """
    digest = hashlib.sha256()
    with _replacing(target) as new:
        for piece in data:
            digest.update(piece)
            new.write(piece)
        if digest.hexdigest() != sha256:
            raise ValueError(f"{source}: its digest is not the one in the database")


def replace(temporary: Path, path: Path) -> None:
    """Put a synced file in place, durably."""
    point("rename", path)
    temporary.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Let what was written to a file reach the disk."""
    point("fsync", path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Let names that were made or changed in a folder reach the disk."""
    if os.name == "nt":  # Windows cannot open folders; its rename is durable enough
        return
    point("fsync", folder)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file that may be gone already."""
    point("unlink", path)
    path.unlink(missing_ok=True)


class _Fault:
    """The listener that ``DEDUPINDEX_FAULT`` describes."""

    def __init__(self, words: str) -> None:
        kind, _, rest = words.partition(":")
        self.kind, self.seen = kind, 0
        self.trace = rest if kind == "trace" else ""
        self.lasting = rest.endswith("+")
        self.number = 0 if self.trace else int(rest.rstrip("+"))

    def __call__(self, step: str, name: str) -> None:
        self.seen += 1
        if self.trace:
            with Path(self.trace).open("a", encoding="utf-8") as file:
                file.write(f"{step} {name}\n")
        elif self.seen == self.number or (self.lasting and self.seen > self.number):
            if self.kind == "kill":
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
            code = int(getattr(errno, self.kind))
            raise OSError(code, os.strerror(code), name)


_listener: Listener | None = _Fault(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None
