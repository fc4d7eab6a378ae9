"""Groups as bare lists of paths for scripts, in the manner of fdupes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dedupindex.places import text_of
from dedupindex.records.reports import Report


@dataclass(frozen=True, slots=True)
class PathLists:
    """Lists of paths, and what could not be in them."""

    data: bytes
    frames: int  # places left out because they are but one frame of a file
    names: int  # places left out because their name holds a line break


def path_lists(report: Report, *, null: bool = False) -> PathLists:
    r"""Return the files of each group, a path a line, the best first, with an empty line after each group.

    What a script does to a path it does to the whole file. Frames of files with several are therefore left out, and,
    unless paths end in null bytes, names with a line break. Files that are not there are left out as well; a group of
    which fewer than two are left is left out too.

    Parameters
    ----------
    null : bool
        End paths, and groups, with ``\0`` in place of a line break.
    """
    end = b"\0" if null else b"\n"
    groups: list[bytes] = []
    frames = names = 0
    for group in report.groups:
        paths: dict[bytes, None] = {}
        for member in group.members:
            for place in member.image.locations:
                if place.missing:
                    continue
                name = os.fsencode(text_of(place.path))
                if member.image.is_in_stack or place.frame:
                    frames += 1
                elif not null and (b"\n" in name or b"\r" in name):
                    names += 1
                else:
                    paths[name] = None
        if len(paths) > 1:
            groups.append(b"".join(path + end for path in paths) + end)
    return PathLists(b"".join(groups), frames, names)
