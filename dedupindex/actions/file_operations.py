"""The deeds themselves, each of which can stop after any step: how far it came can be seen, and it can be taken back.

Every step that changes the disk is a `durable.point`. No clean-up happens on the way out of an interrupted deed: what
an interrupt leaves is what a killed process leaves, and `standing` has to make sense of it either way.

Nothing here replaces a file that it does not know: a name is taken by `link`, which fails where something is; and what
`replace` replaces was looked at just before. (Between that look and the call another program could still swap the
file; the system offers no call that would close this gap everywhere.)
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from dedupindex import durable
from dedupindex.actions.journal import Deed
from dedupindex.actions.plans import Action

CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # never waits for a pipe that took a file's place
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


class Surprise(Exception):  # noqa: N818  (what was found, not what went wrong)
    """Something is not as the plan or the journal says."""


class Standing(Enum):
    """How far a deed came."""

    BEFORE = "the file is where it was"
    BETWEEN = "the file is at both places"
    AFTER = "the deed is done"
    UNKNOWN = "neither"


@contextmanager
def opened(path: Path, words: str = "") -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file for reading, never through a link of that name.

    Raises
    ------
    Surprise
        It is gone, or no regular file.
    """
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        what = "is a symbolic link now" if error.errno == errno.ELOOP else (error.strerror or "cannot be opened")
        raise Surprise(f"{words}{path}: {what}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Surprise(f"{words}{path}: is no regular file any more")
        yield descriptor, status
    finally:
        os.close(descriptor)


def digest_of(descriptor: int) -> str:
    """SHA-256 of an open file, from its beginning."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    digest = hashlib.sha256()
    while data := os.read(descriptor, CHUNK):
        digest.update(data)
    return digest.hexdigest()


def identity(status: os.stat_result) -> tuple[int, int]:
    """Return what tells one file from another: device and inode."""
    return status.st_dev, status.st_ino


def state(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes whenever a file's content does."""
    return (*identity(status), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def look(path: Path) -> os.stat_result | None:
    """Stat a name without following it; None: there is nothing."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


# ----------------------------------------------------------------------------------------------------- doing
def perform(deed: Deed, seen: os.stat_result, note: bytes = b"") -> None:
    """Do it.

    Parameters
    ----------
    deed : Deed
        Announced in the journal already.
    seen : stat_result
        Of the file, when its content was compared.
    note : bytes
        For the trash.

    Raises
    ------
    Surprise
        The file or its keeper is another one than a moment ago.
    OSError
    """
    if deed.action is Action.HARDLINK:
        durable.point("link", deed.temporary)
        os.link(deed.keeper, deed.temporary, follow_symlinks=False)
        made = deed.temporary.lstat()
        if identity(made) != deed.keeper_identity:
            raise Surprise(f"{deed.keeper}: became another file")
        _replace(deed, seen)
    elif deed.action is Action.SYMLINK:
        durable.point("symlink", deed.temporary)
        deed.temporary.symlink_to(deed.keeper)
        _replace(deed, seen)
    elif deed.action is Action.DELETE:
        _unlink(deed, seen)
    else:
        _take_away(deed, seen, note)


def _replace(deed: Deed, seen: os.stat_result) -> None:
    _unchanged(deed, seen)
    durable.replace(deed.temporary, deed.file)


def _unlink(deed: Deed, seen: os.stat_result) -> None:
    _unchanged(deed, seen)
    durable.point("unlink", deed.file)
    deed.file.unlink()
    durable.sync_folder(deed.file.parent)


def _unchanged(deed: Deed, seen: os.stat_result) -> None:
    """Look once more: the name still stands for the very file whose bytes were compared, and its keeper is there."""
    now, keeper = look(deed.file), look(deed.keeper)
    linked = now is not None and (identity(now), now.st_size, now.st_mtime_ns) == (
        identity(seen), seen.st_size, seen.st_mtime_ns,
    )  # fmt: skip
    if not linked:
        raise Surprise(f"{deed.file}: changed a moment ago")
    if keeper is None or identity(keeper) != deed.keeper_identity:
        raise Surprise(f"{deed.keeper}: changed a moment ago, and {deed.file} was to go for it")


def _take_away(deed: Deed, seen: os.stat_result, note: bytes) -> None:
    target = _target(deed)
    for folder in deed.made:
        durable.point("mkdir", folder)
        folder.mkdir(exist_ok=True)
    if deed.info is not None:
        durable.point("write", deed.info)
        descriptor = os.open(deed.info, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, note)
            durable.point("fsync", deed.info)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        durable.sync_folder(deed.info.parent)
    _unchanged(deed, seen)
    try:
        _take_name(deed.file, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_as(deed.file, deed, _beside(target, deed))
        _take_name(_beside(target, deed), target)
        remove(_beside(target, deed))
    durable.sync_folder(target.parent)
    if look(deed.file) is not None:  # where there are no hard links it was renamed
        _unlink(deed, seen)
    else:
        durable.sync_folder(deed.file.parent)


def _take_name(source: Path, target: Path) -> None:
    """Give a file a second name that nobody has; where the file system has no hard links, another name.

    Raises
    ------
    FileExistsError
        Somebody has that name.
    OSError
    """
    durable.point("link", target)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "is there already", os.fspath(target)) from error
        durable.point("rename", target)
        source.rename(target)


def copy_as(source: Path, deed: Deed, target: Path) -> None:
    """Copy a file whole and synced, with the mode, times, owner and attributes that the deed's file had.

    Raises
    ------
    Surprise
        Its content is not that of the deed's file.
    OSError
    """
    durable.point("write", target)
    try:
        _copy(source, deed, target)
    except (Surprise, OSError):
        remove(target)
        raise


def _copy(source: Path, deed: Deed, target: Path) -> None:
    digest = hashlib.sha256()
    with opened(source) as (old, _):
        new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while data := os.read(old, CHUNK):
                digest.update(data)
                while data:
                    data = data[os.write(new, data) :]
            if digest.hexdigest() != deed.sha256:
                raise Surprise(f"{source}: its content is not that of {deed.file} any more")
            _dress(new, deed)
            durable.point("fsync", target)
            os.fsync(new)
        finally:
            os.close(new)


def _dress(descriptor: int, deed: Deed) -> None:
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (deed.uid, deed.gid):
        with contextlib.suppress(PermissionError):  # only root may give files away
            os.fchown(descriptor, deed.uid, deed.gid)
    for name, value in deed.xattrs:
        with contextlib.suppress(OSError):  # some are the system's own, some file systems have none
            os.setxattr(descriptor, name, bytes.fromhex(value))
    os.fchmod(descriptor, deed.mode)
    os.utime(descriptor, ns=(deed.atime_ns, deed.mtime_ns))


# -------------------------------------------------------------------------------------------------- how far it came
def standing(deed: Deed) -> Standing:
    """See from the files alone how far a deed came, or how far it was taken back."""
    now = look(deed.file)
    if deed.action is Action.HARDLINK and now is not None and identity(now) == deed.keeper_identity:
        return Standing.AFTER
    if deed.action is Action.SYMLINK and now is not None and stat.S_ISLNK(now.st_mode):
        return Standing.AFTER if deed.file.readlink() == deed.keeper else Standing.UNKNOWN
    original = now is not None and _is_original(deed, deed.file, now)
    if deed.target is None:
        if now is None:
            return Standing.AFTER if deed.action is Action.DELETE else Standing.UNKNOWN
        return Standing.BEFORE if original else Standing.UNKNOWN
    there = look(deed.target)
    moved = there is not None and _is_original(deed, deed.target, there)
    if now is None:
        return Standing.AFTER if moved else Standing.UNKNOWN
    if not original:
        return Standing.UNKNOWN
    return Standing.BETWEEN if moved else Standing.BEFORE


def _is_original(deed: Deed, path: Path, now: os.stat_result) -> bool:
    """Whether a name stands for the deed's file or a perfect copy of it."""
    if not stat.S_ISREG(now.st_mode) or (now.st_size, now.st_mtime_ns) != (deed.size, deed.mtime_ns):
        return False
    try:
        with opened(path) as (descriptor, _):
            return digest_of(descriptor) == deed.sha256
    except Surprise:
        return False


def finish(deed: Deed) -> None:
    """Go on where the file is at both places.

    Raises
    ------
    OSError
    """
    durable.sync_folder(_target(deed).parent)
    remove(deed.file)
    durable.sync_folder(deed.file.parent)
    remove(_beside(_target(deed), deed))


# ------------------------------------------------------------------------------------------------------ taking back
def take_back(deed: Deed) -> None:
    """Bring everything back to where it was before the deed, however far that came; twice is as good as once.

    Raises
    ------
    Surprise
        Something else has taken the file's place, or its content is nowhere any more.
    OSError
    """
    where = standing(deed)
    if where is Standing.UNKNOWN:
        raise Surprise(_unknown(deed))
    if where is Standing.AFTER:
        _restore(deed)
    elif where is Standing.BETWEEN:
        durable.sync_folder(deed.file.parent)
        remove(_target(deed))
    tidy(deed)


def tidy(deed: Deed) -> None:
    """Remove what was made aside, and folders and notes that a deed which did not happen needed.

    Raises
    ------
    OSError
    """
    remove(deed.temporary)
    if deed.target is None:
        return
    remove(_beside(deed.target, deed))
    if deed.info is not None and look(deed.target) is None:
        remove(deed.info)
    remove_folders(deed)


def remove_folders(deed: Deed) -> None:
    """Remove the folders that were made for a deed and that nobody uses."""
    for folder in reversed(deed.made):
        if folder.is_dir() and not folder.is_symlink():
            durable.point("rmdir", folder)
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


def remove(path: Path) -> None:
    """Remove a name of ours if it is there."""
    if look(path) is not None:
        durable.remove(path)


def _restore(deed: Deed) -> None:
    file, temporary = deed.file, deed.temporary
    if not file.parent.is_dir():
        durable.point("mkdir", file.parent)
        file.parent.mkdir(parents=True, exist_ok=True)
    remove(temporary)
    if deed.action in (Action.HARDLINK, Action.SYMLINK):
        copy_as(file if deed.action is Action.HARDLINK else deed.keeper, deed, temporary)
        if standing(deed) is not Standing.AFTER:
            raise Surprise(_unknown(deed))
        durable.replace(temporary, file)
        return
    if deed.action is Action.DELETE:
        copy_as(deed.keeper, deed, temporary)
        _take_name(temporary, file)
        remove(temporary)
        durable.sync_folder(file.parent)
        return
    target = _target(deed)
    try:
        _take_name(target, file)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_as(target, deed, temporary)
        _take_name(temporary, file)
        remove(temporary)
    durable.sync_folder(file.parent)
    remove(target)
    durable.sync_folder(target.parent)


def _unknown(deed: Deed) -> str:
    if look(deed.file) is not None:
        return f"{deed.file}: something else is there now"
    where = "" if deed.target is None else f", and {deed.target} does not hold it"
    return f"{deed.file}: is gone{where}"


def _target(deed: Deed) -> Path:
    if deed.target is None:
        raise Surprise(f"{deed.file}: the journal does not say where it went")
    return deed.target


def _beside(target: Path, deed: Deed) -> Path:
    """Name of a copy in the making, in the target's folder."""
    return target.parent / deed.temporary.name
