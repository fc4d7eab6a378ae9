"""Which folders and files below named folders are left out: system folders, patterns, small files, other extensions.

What is named itself is always taken. Patterns are those of ``.gitignore``. They come from outside (for a folder that is
walked) or from a file `IGNORE_FILE` in a folder, and hold for everything at and below that folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path

from pathspec import GitIgnoreSpec

from dedupindex.errors import SettingsError
from dedupindex.records import FoundFile, SkipReason

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
_Level = tuple[GitIgnoreSpec, str]  # patterns, and the way from their folder to the one that is read: "" or "a/b/"


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
        given = (*rules.given, (_spec(patterns, "exclude"), ""))
        return Rules(rules.enter_system_folders, given, rules.files)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is left out in one folder.

    Attributes
    ----------
    enter_system_folders : bool
    given : tuple of (GitIgnoreSpec, str)
        Patterns from outside; they decide before those of files.
    files : tuple of (GitIgnoreSpec, str)
        Patterns of files; the deepest folder's last. Of several that match, the last one decides.
    """

    enter_system_folders: bool = False
    given: tuple[_Level, ...] = ()
    files: tuple[_Level, ...] = ()

    def why_left_out(self, name: str, *, is_folder: bool) -> SkipReason | None:
        """Why an entry of the folder is left out; None where it is not."""
        if is_folder and not self.enter_system_folders and is_system_folder(name):
            return SkipReason.SYSTEM_FOLDER
        for spec, way in (*reversed(self.given), *reversed(self.files)):
            matched = spec.check_file(f"{way}{name}/" if is_folder else f"{way}{name}").include
            if matched is not None:
                return SkipReason.PATTERN if matched else None
        return None

    def below(self, name: str) -> Rules:
        """The same rules in a folder of this folder."""
        if not self.given and not self.files:
            return self
        given = tuple((spec, f"{way}{name}/") for spec, way in self.given)
        return Rules(self.enter_system_folders, given, tuple((spec, f"{way}{name}/") for spec, way in self.files))

    def with_file(self, data: bytes, path: Path) -> Rules:
        """Add the patterns of an `IGNORE_FILE` that lies in the folder.

        Raises
        ------
        SettingsError
            A line of it is no pattern.
        """
        spec = _spec(os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).splitlines(), os.fspath(path), lines=True)
        return Rules(self.enter_system_folders, self.given, (*self.files, (spec, "")))


def _spec(patterns: Sequence[str], source: str, *, lines: bool = False) -> GitIgnoreSpec:
    """Compile patterns; a bad one is named."""
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError:
        for number, pattern in enumerate(patterns, 1):
            try:
                GitIgnoreSpec.from_lines([pattern])
            except ValueError as error:
                where = f"{source}, line {number}" if lines else source
                raise SettingsError(f"{where}: {pattern!r} is no pattern") from error
        raise
