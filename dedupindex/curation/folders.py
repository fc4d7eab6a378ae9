"""The parts of a data set as folders of pictures, which is how many training programs want them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from dedupindex.errors import SettingsError
from dedupindex.places import is_local
from dedupindex.records.splits import Split


class Linking(StrEnum):
    """How a picture comes into the folder of its part."""

    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    COPY = "copy"


def write_folders(split: Split, folder: Path, roots: Sequence[Path], how: Linking = Linking.SYMLINK) -> int:
    """Make ``FOLDER/PART/...`` with the pictures of each part, below the folders in which they lie.

    Pictures keep their path below the root in which they were found, so folders of classes stay. Nothing that is there
    is overwritten; what is there already as it should be is left.

    Parameters
    ----------
    split : Split
    folder : Path
        Made where it is not there.
    roots : sequence of Path
        Folders to which the paths are made relative: the innermost one counts; of other files the folder of all of
        them.
    how : Linking

    Returns
    -------
    int
        Pictures that were put there.

    Raises
    ------
    SettingsError
        A picture is not a file of this machine; two would have one name; another file is in the way.
    OSError
    """
    chosen = [file for file in split.files if file.part]
    targets: dict[Path, Path] = {}
    bases = _bases([file.path for file in chosen], roots)
    for file in chosen:
        if not is_local(file.path) or not file.path.is_file():
            raise SettingsError(f"{file.path}: is no file of its own on this machine, so no folder can hold it")
        target = folder / file.part / file.path.relative_to(bases[file.path])
        if target in targets:
            raise SettingsError(f"{targets[target]} and {file.path} would both be {target}")
        targets[target] = file.path
    for target, source in targets.items():
        if os.path.lexists(target) and not (target.exists() and _same(target, source)):
            raise SettingsError(f"{target}: another file is in the way")
    made = 0
    for target, source in targets.items():
        if os.path.lexists(target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        match how:
            case Linking.SYMLINK:
                target.symlink_to(source)
            case Linking.HARDLINK:
                target.hardlink_to(source)
            case Linking.COPY:
                shutil.copy2(source, target)
        made += 1
    return made


def _same(target: Path, source: Path) -> bool:
    """Whether a file is the same one as another, or has its size and time, as a copy has."""
    if target.samefile(source):
        return True
    here, there = target.stat(), source.stat()
    return (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns)


def _bases(paths: Sequence[Path], roots: Sequence[Path]) -> dict[Path, Path]:
    inner = sorted((root for root in roots if root.is_dir()), key=lambda root: -len(os.fspath(root)))
    common = Path(os.path.commonpath([path.parent for path in paths])) if paths else Path("/")
    return {path: next((root for root in inner if path.is_relative_to(root)), common) for path in paths}
