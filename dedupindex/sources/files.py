"""Walk files and folders: every regular file once, in a fixed order, with the reason for everything that is skipped."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from dedupindex.errors import Reason
from dedupindex.places import absolute, split_fragment
from dedupindex.records import Failure, FoundFile, SkippedFile, SkipReason
from dedupindex.sources.scope import IGNORE_FILE, Rules, Scope

Found: TypeAlias = FoundFile | SkippedFile | Failure
Identity: TypeAlias = tuple[int, int]  # (device, inode)
_Folder: TypeAlias = tuple[Path, os.stat_result, Rules]


def walk(
    paths: Sequence[Path],
    *,
    recursive: bool = True,
    hidden: bool = False,
    exclude: Sequence[Path] = (),
    mask_pattern: str = "{stem}.mask.png",
    scope: Scope | None = None,
) -> Iterator[Found]:
    """Find the regular files at and below some paths.

    The order is that of the names' bytes, whatever the order of `paths` and of the directory; a file is given once
    even where the paths overlap. Symbolic links are followed only where they are named themselves. The walk keeps its
    own stack, so depth is limited only by the longest path the system can open (what lies deeper is a `Failure`).

    Parameters
    ----------
    paths : sequence of Path
        Files and folders. Files named here are `explicit`, and hidden ones are taken too.
    recursive : bool
        Go into folders inside folders.
    hidden : bool
        Take names that begin with a dot.
    exclude : sequence of Path
        Files and folders that are never entered: the program's own database and data folders.
    mask_pattern : str
        Name of the mask file beside a picture, with ``{stem}``; empty = none. Such a file is skipped (``mask_file``)
        where a picture of that stem lies beside it.
    scope : Scope, optional
        Its patterns, and whether system folders are entered; by default they are not. Files `IGNORE_FILE` are read in
        every folder that is entered.

    Yields
    ------
    FoundFile, SkippedFile or Failure
        A `SkippedFile` says why: ``hidden``, ``symlink``, ``not_regular``, ``folder``, ``excluded``, ``mask_file``,
        ``system_folder``, ``pattern``. A folder that is left out is given once, for all that is in it.
        A `Failure` is a folder that cannot be read or a named path that does not exist.

    Raises
    ------
    SettingsError
        An `IGNORE_FILE` has a line that is no pattern.
    """
    walker = _Walker(recursive, hidden, exclude, mask_pattern, scope or Scope())
    roots: list[tuple[Path, os.stat_result]] = []
    for path in sorted({absolute(path) for path in paths}, key=os.fsencode):
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            yield _failure(path, error)
            continue
        roots.append((path, status))
        if not stat.S_ISDIR(status.st_mode):
            walker.named.add(_place(path))
    seen: set[tuple[Identity, str]] = set()
    for path, status in roots:
        if stat.S_ISDIR(status.st_mode):
            yield from walker.folder(path, status)
        elif _place(path) not in seen:
            seen.add(_place(path))
            yield walker.file(path, status, explicit=True)


def parse_address(text: str) -> tuple[Path, int | None]:
    """Split ``path#frame=12`` into a path and a frame number; so with ``#page=``, ``#panel=`` and all others.

    A file that really has that name wins: then, and where there is no such part, the number is None.
    """
    path = Path(text)
    before, frame = split_fragment(text)
    if frame is None or os.path.lexists(path):
        return path, None
    return Path(before), frame


class _Walker:
    """The options of one walk and what it has seen."""

    def __init__(self, recursive: bool, hidden: bool, exclude: Sequence[Path], mask_pattern: str, scope: Scope) -> None:
        self.scope = scope
        self.recursive = recursive
        self.hidden = hidden
        self.excluded_paths = {os.fspath(absolute(path)) for path in exclude}
        self.excluded_ids: set[Identity] = set()
        for path in exclude:
            try:
                status = path.stat()
            except (OSError, ValueError):
                continue  # not made yet: known by its path alone
            self.excluded_ids.add((status.st_dev, status.st_ino))
        self.mask_names = mask_name_matcher(mask_pattern)
        self.named: set[tuple[Identity, str]] = set()  # files that the user named: given at their own place
        self.visited: set[Identity] = set()

    def file(self, path: Path, status: os.stat_result, *, explicit: bool = False) -> Found:
        if self.is_excluded(path, status):
            return SkippedFile(path, SkipReason.EXCLUDED)
        if not stat.S_ISREG(status.st_mode):
            return SkippedFile(path, SkipReason.NOT_REGULAR)
        return FoundFile(path, status.st_size, status.st_mtime_ns, status.st_ino, explicit)

    def is_excluded(self, path: Path, status: os.stat_result) -> bool:
        if not self.excluded_paths:
            return False
        return os.fspath(path) in self.excluded_paths or (status.st_dev, status.st_ino) in self.excluded_ids

    def folder(self, root: Path, status: os.stat_result) -> Iterator[Found]:
        if self.is_excluded(root, status) or any(os.fspath(p) in self.excluded_paths for p in root.parents):
            yield SkippedFile(root, SkipReason.EXCLUDED)
            return
        pending: list[Iterator[Found | _Folder]] = [self.entries(root, status, self.scope.at(root))]
        while pending:
            item = next(pending[-1], None)
            if item is None:
                pending.pop()
            elif isinstance(item, tuple):
                pending.append(self.entries(*item))
            else:
                yield item

    def entries(self, folder: Path, status: os.stat_result, rules: Rules) -> Iterator[Found | _Folder]:
        """Yield a folder's entries in order; a folder to enter comes as a tuple."""
        identity = (status.st_dev, status.st_ino)
        if identity in self.visited:
            return
        self.visited.add(identity)
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
        except (OSError, ValueError) as error:
            yield _failure(folder, error)
            return
        if any(entry.name == IGNORE_FILE for entry in entries):
            try:
                rules = rules.with_file((folder / IGNORE_FILE).read_bytes(), folder / IGNORE_FILE)
            except OSError as error:
                yield _failure(folder / IGNORE_FILE, error)
        masks = masks_among([entry.name for entry in entries], self.mask_names)
        for entry in entries:
            if entry.name == IGNORE_FILE or (identity, entry.name) in self.named:
                continue
            path = folder / entry.name
            left_out = None if entry.is_symlink() else rules.why_left_out(entry.name, is_folder=_is_folder(entry))
            if left_out is not None:
                yield SkippedFile(path, left_out)
                continue
            if not self.hidden and entry.name.startswith("."):
                yield SkippedFile(path, SkipReason.HIDDEN)
                continue
            try:
                seen = entry.stat(follow_symlinks=False)
            except OSError as error:
                yield _failure(path, error)
                continue
            if stat.S_ISLNK(seen.st_mode):
                yield SkippedFile(path, SkipReason.SYMLINK)
            elif not stat.S_ISDIR(seen.st_mode):
                yield SkippedFile(path, SkipReason.MASK_FILE) if entry.name in masks else self.file(path, seen)
            elif self.is_excluded(path, seen):
                yield SkippedFile(path, SkipReason.EXCLUDED)
            elif self.recursive:
                yield path, seen, self.scope.at(path, rules.below(entry.name))
            else:
                yield SkippedFile(path, SkipReason.FOLDER)


def masks_among(names: Sequence[str], matcher: re.Pattern[str] | None) -> set[str]:
    """Names that are masks of another file of the same folder; *matcher* is from `mask_name_matcher`."""
    if matcher is None:
        return set()
    owners = {name: match["stem"] for name in names if (match := matcher.fullmatch(name))}
    if not owners:
        return set()
    stems = {name.rpartition(".")[0] or name for name in names if name not in owners}
    return {name for name, stem in owners.items() if stem in stems}


def mask_name_matcher(pattern: str) -> re.Pattern[str] | None:
    """Regular expression for the names that a mask pattern makes, group ``stem``; None where it has no ``{stem}``."""
    before, placeholder, after = pattern.partition("{stem}")
    if not placeholder:
        return None
    return re.compile(re.escape(before) + "(?P<stem>.+)" + re.escape(after), re.DOTALL)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False  # its `stat` fails too, and that is reported


def _place(path: Path) -> tuple[Identity, str]:
    """Where a file lies: identity of its folder, and its name there."""
    status = path.parent.stat()
    return (status.st_dev, status.st_ino), path.name


def _failure(path: Path, error: OSError | ValueError) -> Failure:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    detail = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return Failure(path, Reason.MISSING if missing else Reason.UNREADABLE, detail)
