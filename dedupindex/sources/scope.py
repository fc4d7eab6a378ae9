"""Which folders and files below named folders are left out: system folders, patterns, small files, other extensions.

What is named itself is always taken. Patterns are those of ``.gitignore``. They come from outside (for a folder that is
walked) or from a file `IGNORE_FILE` in a folder, and hold for everything at and below that folder.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING

from dedupindex.errors import SettingsError
from dedupindex.records import FoundFile, SkipReason

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".dedupindexignore"
# Folders that systems and programs keep for themselves: what was thrown away, snapshots, small copies of pictures.
SYSTEM_FOLDERS = (
    "$RECYCLE.BIN", "RECYCLER", "System Volume Information",  # Windows
    ".Trash*", ".thumbnails", "lost+found",  # macOS and Linux
    "#recycle", "#snapshot", "@eaDir",  # Synology
    "@Recycle", "@Recently-Snapshot", ".@__thumb",  # QNAP
    "*.lrdata",  # previews of Lightroom
)  # fmt: skip
LEFT_OUT = (SkipReason.SYSTEM_FOLDER, SkipReason.PATTERN, SkipReason.TOO_SMALL, SkipReason.OTHER_EXTENSION)

_IS_SYSTEM_FOLDER = re.compile("|".join(translate(name) for name in SYSTEM_FOLDERS), re.IGNORECASE).match


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A line of patterns. It is asked about an entry itself: what lies in a folder that is left out is never walked.

    Attributes
    ----------
    whole : GitIgnoreSpec
        The line, without the ``!``. It also matches whatever lies in a folder that it names.
    last : GitIgnoreSpec or None
        Its last part, for the entry's name; None = everything in a folder (``a/**``).
    depths : range
        How many parts the way to the entry may have, itself included.
    leaves_out : bool
        False for a line with ``!``, which takes in again.
    """

    whole: GitIgnoreSpec
    last: GitIgnoreSpec | None
    depths: range
    leaves_out: bool

    def matches(self, way: str, leaf: str) -> bool:
        """Whether it means the entry *leaf*, with ``/`` behind a folder, that *way* leads to."""
        if way.count("/") + 1 not in self.depths:
            return False
        return (self.last is None or self.last.match_file(leaf)) and self.whole.match_file(way + leaf)


_Patterns = tuple[_Pattern, ...]
_Level = tuple[_Patterns, str]  # patterns, and the way from their folder to the one that is read: "" or "a/b/"


def is_system_folder(name: str) -> bool:
    """Whether a folder of this name is one of `SYSTEM_FOLDERS`; upper and lower case are the same."""
    return _IS_SYSTEM_FOLDER(name) is not None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which files below named folders are taken.

    Attributes
    ----------
    system_folders : bool
        Go into `SYSTEM_FOLDERS` too.
    patterns : mapping of Path to sequence of str
        Folder to the patterns that hold at and below it.
    min_size : int
        Smallest file, bytes; 0 = any.
    extensions : tuple of str
        Last parts of names, without the dot, in lower case; empty = any.
    """

    system_folders: bool = False
    patterns: Mapping[Path, Sequence[str]] = field(default_factory=dict)
    min_size: int = 0
    extensions: tuple[str, ...] = ()

    def too_small_or_other(self, file: FoundFile) -> SkipReason | None:
        """Why a file is left out for its size or its name; None where it is not."""
        if 0 <= file.size < self.min_size:  # below 0: an object store that does not tell
            return SkipReason.TOO_SMALL
        name = file.path.name.lower()
        if self.extensions and not any(name.endswith(f".{extension}") for extension in self.extensions):
            return SkipReason.OTHER_EXTENSION
        return None

    def at(self, folder: Path, above: Rules | None = None) -> Rules:
        """The rules in a folder, before its own `IGNORE_FILE` is read; *above*: as they reach it from above."""
        rules = above or Rules(enter_system_folders=self.system_folders)
        patterns = self.patterns.get(folder)
        if not patterns:
            return rules
        given = (*rules.given, (_patterns(patterns, "exclude"), ""))
        return Rules(rules.enter_system_folders, given, rules.files)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is left out in one folder.

    Attributes
    ----------
    enter_system_folders : bool
    given : tuple of (patterns, str)
        Patterns from outside; they decide before those of files.
    files : tuple of (patterns, str)
        Patterns of files; the deepest folder's last. Of several that match, the last one decides.
    """

    enter_system_folders: bool = False
    given: tuple[_Level, ...] = ()
    files: tuple[_Level, ...] = ()

    def why_left_out(self, name: str, *, is_folder: bool) -> SkipReason | None:
        """Why an entry of the folder is left out; None where it is not."""
        if is_folder and not self.enter_system_folders and is_system_folder(name):
            return SkipReason.SYSTEM_FOLDER
        leaf = f"{name}/" if is_folder else name
        for patterns, way in (*reversed(self.given), *reversed(self.files)):
            for pattern in reversed(patterns):
                if pattern.matches(way, leaf):
                    return SkipReason.PATTERN if pattern.leaves_out else None
        return None

    def below(self, name: str) -> Rules:
        """The same rules in a folder of this folder."""
        if not self.given and not self.files:
            return self
        given = tuple((patterns, f"{way}{name}/") for patterns, way in self.given)
        return Rules(
            self.enter_system_folders, given, tuple((patterns, f"{way}{name}/") for patterns, way in self.files)
        )

    def with_file(self, data: bytes, path: Path) -> Rules:
        """Add the patterns of an `IGNORE_FILE` that lies in the folder.

        Raises
        ------
        SettingsError
            A line of it is no pattern.
        """
        patterns = _patterns(
            os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).splitlines(), os.fspath(path), numbered=True
        )
        return Rules(self.enter_system_folders, self.given, (*self.files, (patterns, "")))


def _patterns(lines: Sequence[str], source: str, *, numbered: bool = False) -> _Patterns:
    """Compile patterns; a bad one is named, with its line where they are *numbered*."""
    patterns = []
    for number, line in enumerate(lines, 1):
        try:
            pattern = _pattern(line)
        except ValueError as error:
            where = f"{source}, line {number}" if numbered else source
            raise SettingsError(f"{where}: {line!r} is no pattern") from error
        if pattern is not None:
            patterns.append(pattern)
    return tuple(patterns)


def _pattern(line: str) -> _Pattern | None:
    """Compile a line; None for an empty one and for a comment.

    Raises
    ------
    ValueError
        It is no pattern.
    """
    from pathspec import GitIgnoreSpec  # only where there is a pattern

    body = line.removeprefix("!")
    if line.strip() == "!":
        raise ValueError("nothing to take in")
    whole = GitIgnoreSpec.from_lines([body])
    if not body.strip() or line.startswith("#"):
        return None
    core = body.rstrip() if not body.rstrip().endswith("\\") else body
    only_folders = core.endswith("/")
    parts = core.strip("/").split("/")
    anchored = "/" in core.rstrip("/")
    last = None
    if parts[-1] != "**":
        last = GitIgnoreSpec.from_lines([parts[-1] + "/" * only_folders])
    least = 1 + sum(part != "**" for part in parts[:-1])
    depths = range(least, least + 1) if anchored and "**" not in parts else range(least, sys.maxsize)
    return _Pattern(whole, last, depths, leaves_out=body == line)
