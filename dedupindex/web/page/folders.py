"""The folders of this machine that the page lists and scans: only those at and below allowed ones.

A folder is opened step by step from an allowed one, without following a link at any step, and is listed through what
was opened. So neither ``..`` nor a link leads out, nor does a folder that is replaced by a link meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dedupindex.errors import SettingsError

MOST = 2_000  # folders of one folder that are listed
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder with the folders in it.

    Attributes
    ----------
    path : Path
    above : Path or None
        The folder that it lies in; None where that may not be looked at.
    folders : tuple of str
        Names of the folders in it, without hidden ones and links.
    files : int
        How many other files lie in it.
    more : bool
        There are more folders than are listed.
    """

    path: Path
    above: Path | None
    folders: tuple[str, ...]
    files: int
    more: bool = False


class Folders:
    """Folders at and below some allowed ones.

    Parameters
    ----------
    roots : sequence of Path
        The allowed ones. Links in their own paths are followed once, here; those that are no folders are left out.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        there = dict.fromkeys(Path(os.path.realpath(root)) for root in roots)
        self.roots = tuple(root for root in there if root.is_dir())

    def listing(self, folder: str) -> Listing:
        """List the folders in a folder.

        Raises
        ------
        SettingsError
            It is not an allowed one, or cannot be opened.
        """
        path, root = self._allowed(folder)
        names, files = [], 0
        with self._opened(path, root) as descriptor:
            entries = os.scandir(descriptor) if os.scandir in os.supports_fd else os.scandir(path)
            with entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        names.append(entry.name)
                    elif entry.is_file(follow_symlinks=False):
                        files += 1
        names.sort(key=lambda name: (name.casefold(), name))
        above = None if path == root else path.parent
        return Listing(path, above, tuple(names[:MOST]), files, len(names) > MOST)

    def checked(self, folder: str) -> Path:
        """Return a folder as a path, once it was opened as an allowed one.

        Raises
        ------
        SettingsError
        """
        path, root = self._allowed(folder)
        with self._opened(path, root):
            return path

    def _allowed(self, folder: str) -> tuple[Path, Path]:
        """Return a folder and the allowed one that it lies in, by their names alone."""
        path = Path(folder)
        if "\0" in folder or not path.is_absolute() or ".." in path.parts:
            raise SettingsError(f"{folder}: give the whole path of a folder, without ..")
        within = [root for root in self.roots if path == root or root in path.parents]
        if not within:
            raise SettingsError(f"{folder}: lies in none of the folders that this page may look at (--allow-root)")
        return path, max(within, key=lambda root: len(root.parts))

    @contextmanager
    def _opened(self, path: Path, root: Path) -> Iterator[int]:
        """Open a folder step by step; the descriptor ends with the block."""
        descriptor = -1
        try:
            descriptor = os.open(root, _FOLDER | _NO_LINK)
            for name in path.relative_to(root).parts:
                below = os.open(name, _FOLDER | _NO_LINK, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror or error}") from error
        finally:
            if descriptor >= 0:
                os.close(descriptor)
