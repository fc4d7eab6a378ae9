"""The desktop's trash, by the freedesktop.org Trash specification 1.0.

Not the library send2trash: it does not say under which name a file lies in the trash, and `undo` needs that name.
"""

from __future__ import annotations

import contextlib
import os
import stat
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from dedupindex import durable

LONGEST_NAME = 230  # bytes of a name in the trash: ".trashinfo" and a number have to fit behind it


def trash_of(path: Path) -> tuple[Path, Path | None]:
    """Choose the trash for a file: the home trash, or on another file system that of its top folder.

    Returns
    -------
    trash : Path
        Has the folders ``files`` and ``info``; may have to be made.
    top : Path or None
        Paths are noted relative to it; None: absolute.

    Raises
    ------
    OSError
    """
    home = Path(os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()) / "Trash"
    device = path.parent.stat().st_dev
    if home.is_absolute() and _existing(home).stat().st_dev == device:
        return home, None
    top = Path(os.path.realpath(path.parent))
    while top != top.parent and top.parent.stat().st_dev == device:
        top = top.parent
    shared = top / ".Trash"
    with contextlib.suppress(OSError):  # there is none, or it cannot be read: use the user's own
        status = shared.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
            return shared / str(os.getuid()), top
    return top / f".Trash-{os.getuid()}", top


def make_trash(trash: Path) -> None:
    """Make a trash's folders where they are not there, for nobody but their owner.

    Raises
    ------
    OSError
        The file system is read-only, or somebody put something else there.
    """
    for folder in (trash, trash / "files", trash / "info"):
        if not folder.is_dir():
            durable.point("mkdir", folder)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if trash.is_symlink():
        raise NotADirectoryError(20, "the trash is a symbolic link", os.fspath(trash))


def free_name(trash: Path, name: str) -> str:
    """Return a name under which nothing lies in the trash yet, like the file's own."""
    short = os.fsdecode(os.fsencode(name)[:LONGEST_NAME]) if len(os.fsencode(name)) > LONGEST_NAME else name
    stem, suffix = Path(short).stem, Path(short).suffix
    chosen, number = short, 2
    while os.path.lexists(trash / "files" / chosen) or os.path.lexists(trash / "info" / f"{chosen}.trashinfo"):
        chosen = f"{stem} {number}{suffix}"
        number += 1
    return chosen


def info_text(path: Path, top: Path | None, when: datetime) -> bytes:
    """Return the note of where a file came from and when it went.

    Parameters
    ----------
    path : Path
        Absolute.
    top : Path or None
        From `trash_of`.
    when : datetime
        Local time.

    Returns
    -------
    bytes
        An ini file, as the specification of the trash has it.
    """
    place = path if top is None else (Path(os.path.realpath(path.parent)) / path.name).relative_to(top)
    return (
        f"[Trash Info]\nPath={quote(os.fsencode(place))}\nDeletionDate={when.strftime('%Y-%m-%dT%H:%M:%S')}\n"
    ).encode("ascii")


def _existing(path: Path) -> Path:
    """Return the path or the nearest folder above it that is there."""
    while not path.exists():
        path = path.parent
    return path
