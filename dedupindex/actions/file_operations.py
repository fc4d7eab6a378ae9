"""File operations of a plan. Each can be interrupted after any step and resumed or undone.

Every step that changes the disk is a `durable.point`. An interrupted operation cleans nothing up: an interrupt leaves
the same state as a killed process, and `state_of` tells from the files how far the operation came.

Nothing here replaces a file that it does not know: a name is taken by `link`, which fails where something is; and what
`replace` replaces was looked at just before. (Between that look and the call another program could still swap the
file; the system offers no call that would close this gap everywhere.)
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from enum import Enum
from pathlib import Path

from dedupindex import durable
from dedupindex.actions.file_access import Surprise, digest_of, identity, look, opened, remove
from dedupindex.actions.file_copies import NEW, clone, copy_as, write_as
from dedupindex.actions.journal import FileOperation, SidecarAction
from dedupindex.records.plans import Action

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


class OperationState(Enum):
    """How far an operation came."""

    BEFORE = "the file is where it was"
    BETWEEN = "the file is at both places"
    AFTER = "the operation is done"
    UNKNOWN = "neither"


# ----------------------------------------------------------------------------------------------------- doing
def perform(operation: FileOperation, seen: os.stat_result | None, note: bytes = b"") -> None:
    """Carry out an operation.

    Parameters
    ----------
    operation : FileOperation
        Announced in the journal already.
    seen : stat_result or None
        Of the file, when its content was compared; None: a sidecar that is not there yet.
    note : bytes
        For the trash; of a sidecar its new content.

    Raises
    ------
    Surprise
        The file or its keeper is another one than a moment ago.
    OSError
    """
    if operation.action is SidecarAction.WRITE:
        _write_sidecar(operation, note)
    elif seen is None:
        raise Surprise(f"{operation.file}: was not looked at")
    elif operation.action is Action.HARDLINK:
        durable.point("link", operation.temporary)
        os.link(operation.keeper, operation.temporary, follow_symlinks=False)
        made = operation.temporary.lstat()
        if identity(made) != operation.keeper_identity:
            raise Surprise(f"{operation.keeper}: became another file")
        _replace(operation, seen)
    elif operation.action is Action.SYMLINK:
        durable.point("symlink", operation.temporary)
        operation.temporary.symlink_to(operation.keeper)
        _replace(operation, seen)
    elif operation.action is Action.REFLINK:
        clone(operation)
        _replace(operation, seen)
    elif operation.action is Action.DELETE:
        _unlink(operation, seen)
    else:
        _take_away(operation, seen, note)


def _replace(operation: FileOperation, seen: os.stat_result) -> None:
    _unchanged(operation, seen)
    durable.replace(operation.temporary, operation.file)


def _write_sidecar(operation: FileOperation, content: bytes) -> None:
    """Write a sidecar beside a keeper, or in place of the one that was looked at."""
    write_as(content, operation, operation.temporary, old=False)
    _require_keeper(operation)
    now = look(operation.file)
    if operation.before is None:
        _take_name(operation.temporary, operation.file)
        durable.sync_folder(operation.file.parent)
        remove(operation.temporary)
        return
    seen = None if now is None else (identity(now), now.st_size, now.st_mtime_ns)
    if seen != (operation.identity, operation.size, operation.mtime_ns):
        raise Surprise(f"{operation.file}: changed a moment ago")
    durable.replace(operation.temporary, operation.file)


def _unlink(operation: FileOperation, seen: os.stat_result) -> None:
    _unchanged(operation, seen)
    durable.point("unlink", operation.file)
    operation.file.unlink()
    durable.sync_folder(operation.file.parent)


def _unchanged(operation: FileOperation, seen: os.stat_result) -> None:
    """Look once more: the name still stands for the very file whose bytes were compared, and its keeper is there."""
    now = look(operation.file)
    linked = now is not None and (identity(now), now.st_size, now.st_mtime_ns) == (
        identity(seen), seen.st_size, seen.st_mtime_ns,
    )  # fmt: skip
    if not linked:
        raise Surprise(f"{operation.file}: changed a moment ago")
    _require_keeper(operation)


def _require_keeper(operation: FileOperation) -> None:
    keeper = look(operation.keeper)
    if keeper is None or identity(keeper) != operation.keeper_identity:
        raise Surprise(f"{operation.keeper}: changed a moment ago, and {operation.file} was to go for it")


def _take_away(operation: FileOperation, seen: os.stat_result, note: bytes) -> None:
    target = _target(operation)
    for folder in operation.made:
        durable.point("mkdir", folder)
        folder.mkdir(exist_ok=True)
    if operation.info is not None:
        durable.point("write", operation.info)
        descriptor = os.open(operation.info, NEW, 0o600)
        try:
            os.write(descriptor, note)
            durable.point("fsync", operation.info)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        durable.sync_folder(operation.info.parent)
    _unchanged(operation, seen)
    try:
        _take_name(operation.file, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_as(operation.file, operation, _beside(target, operation))
        _take_name(_beside(target, operation), target)
        remove(_beside(target, operation))
    durable.sync_folder(target.parent)
    if look(operation.file) is not None:  # where there are no hard links it was renamed
        _unlink(operation, seen)
    else:
        durable.sync_folder(operation.file.parent)


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


# -------------------------------------------------------------------------------------------------- how far it came
def state_of(operation: FileOperation) -> OperationState:
    """See from the files alone how far an operation came, or how far it was undone."""
    now = look(operation.file)
    if operation.action is SidecarAction.WRITE:
        return _state_of_sidecar(operation, now)
    if operation.action is Action.HARDLINK and now is not None and identity(now) == operation.keeper_identity:
        return OperationState.AFTER
    if operation.action is Action.SYMLINK and now is not None and stat.S_ISLNK(now.st_mode):
        return OperationState.AFTER if operation.file.readlink() == operation.keeper else OperationState.UNKNOWN
    original = now is not None and _is_original(operation, operation.file, now)
    if operation.action is Action.REFLINK and now is not None and original:  # another file with the same content
        return OperationState.BEFORE if identity(now) == operation.identity else OperationState.AFTER
    if operation.target is None:
        if now is None:
            return OperationState.AFTER if operation.action is Action.DELETE else OperationState.UNKNOWN
        return OperationState.BEFORE if original else OperationState.UNKNOWN
    there = look(operation.target)
    moved = there is not None and _is_original(operation, operation.target, there)
    if now is None:
        return OperationState.AFTER if moved else OperationState.UNKNOWN
    if not original:
        return OperationState.UNKNOWN
    return OperationState.BETWEEN if moved else OperationState.BEFORE


def _state_of_sidecar(operation: FileOperation, now: os.stat_result | None) -> OperationState:
    if now is None:
        return OperationState.BEFORE if operation.before is None else OperationState.UNKNOWN
    try:
        with opened(operation.file) as (descriptor, _):
            digest = digest_of(descriptor)
    except Surprise:
        return OperationState.UNKNOWN
    if digest == operation.after:
        return OperationState.AFTER
    return OperationState.BEFORE if digest == operation.sha256 else OperationState.UNKNOWN


def _is_original(operation: FileOperation, path: Path, now: os.stat_result) -> bool:
    """Whether a name stands for the operation's file or a perfect copy of it."""
    if not stat.S_ISREG(now.st_mode) or (now.st_size, now.st_mtime_ns) != (operation.size, operation.mtime_ns):
        return False
    try:
        with opened(path) as (descriptor, _):
            return digest_of(descriptor) == operation.sha256
    except Surprise:
        return False


def finish(operation: FileOperation) -> None:
    """Finish an operation whose file is at both places.

    Raises
    ------
    OSError
    """
    durable.sync_folder(_target(operation).parent)
    remove(operation.file)
    durable.sync_folder(operation.file.parent)
    remove(_beside(_target(operation), operation))


# ------------------------------------------------------------------------------------------------------ taking back
def require_known(operation: FileOperation) -> None:
    """Refuse an operation that cannot be undone.

    Raises
    ------
    Surprise
        Another file has the name, or the content does not exist any more.
    """
    if state_of(operation) is OperationState.UNKNOWN:
        raise Surprise(_unknown(operation))


def take_back(operation: FileOperation) -> None:
    """Undo an operation, however far it came; doing it twice does no harm.

    Raises
    ------
    Surprise
        Another file has the name, or the content does not exist any more.
    OSError
    """
    where = state_of(operation)
    if where is OperationState.UNKNOWN:
        raise Surprise(_unknown(operation))
    if where is OperationState.AFTER:
        _restore(operation)
    elif where is OperationState.BETWEEN:
        durable.sync_folder(operation.file.parent)
        remove(_target(operation))
    tidy(operation)


def tidy(operation: FileOperation) -> None:
    """Remove temporary files, folders and notes of an operation that did not happen.

    Raises
    ------
    OSError
    """
    remove(operation.temporary)
    if operation.target is None:
        return
    remove(_beside(operation.target, operation))
    if operation.info is not None and look(operation.target) is None:
        remove(operation.info)
    remove_folders(operation)


def remove_folders(operation: FileOperation) -> None:
    """Remove the folders that were made for an operation and that nobody uses."""
    for folder in reversed(operation.made):
        if folder.is_dir() and not folder.is_symlink():
            durable.point("rmdir", folder)
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


def _restore(operation: FileOperation) -> None:
    file, temporary = operation.file, operation.temporary
    if not file.parent.is_dir():
        durable.point("mkdir", file.parent)
        file.parent.mkdir(parents=True, exist_ok=True)
    remove(temporary)
    if operation.action is SidecarAction.WRITE:
        if operation.before is None:
            durable.remove(file)
            durable.sync_folder(file.parent)
            return
        write_as(bytes.fromhex(operation.before), operation, temporary, old=True)
        durable.replace(temporary, file)
        return
    if operation.action in (Action.HARDLINK, Action.SYMLINK, Action.REFLINK):
        copy_as(operation.keeper if operation.action is Action.SYMLINK else file, operation, temporary)
        if state_of(operation) is not OperationState.AFTER:
            raise Surprise(_unknown(operation))
        durable.replace(temporary, file)
        return
    if operation.action is Action.DELETE:
        copy_as(operation.keeper, operation, temporary)
        _take_name(temporary, file)
        remove(temporary)
        durable.sync_folder(file.parent)
        return
    target = _target(operation)
    try:
        _take_name(target, file)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_as(target, operation, temporary)
        _take_name(temporary, file)
        remove(temporary)
    durable.sync_folder(file.parent)
    remove(target)
    durable.sync_folder(target.parent)


def _unknown(operation: FileOperation) -> str:
    if look(operation.file) is not None:
        return f"{operation.file}: something else is there now"
    where = "" if operation.target is None else f", and {operation.target} does not hold it"
    return f"{operation.file}: is gone{where}"


def _target(operation: FileOperation) -> Path:
    if operation.target is None:
        raise Surprise(f"{operation.file}: the journal does not say where it went")
    return operation.target


def _beside(target: Path, operation: FileOperation) -> Path:
    """Name of a copy in the making, in the target's folder."""
    return target.parent / operation.temporary.name
