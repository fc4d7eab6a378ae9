"""Where the action move moves the files of a plan: each keeps its folders, and takes nobody's place.

A unit keeps its names: a picture that becomes ``x 2.jpg`` has its ``x 2.xmp``.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from dedupindex.records.plans import PlanItem


def with_targets(items: Sequence[PlanItem], folder: Path | None) -> list[PlanItem]:
    """Give every file that moves, and every companion that goes with it, a target of its own.

    Parameters
    ----------
    items : sequence of PlanItem
    folder : Path or None
        Where files are moved to; None: they are not moved.

    Returns
    -------
    list of PlanItem
        In the same order.
    """
    if folder is None or not items:
        return list(items)
    common = Path(os.path.commonpath([item.file.path.parent for item in items]))
    taken: set[Path] = set()
    placed: list[PlanItem] = []
    for item in items:
        path = item.file.path
        names = _free(path, [companion.path.name for companion in item.going], folder / path.relative_to(common), taken)
        targets = dict(zip((companion.path for companion in item.going), names[1:], strict=True))
        taken.update(names)
        companions = tuple(
            companion if companion.file is None else dataclasses.replace(companion, target=targets[companion.path])
            for companion in item.companions
        )
        placed.append(dataclasses.replace(item, target=names[0], companions=companions))
    return placed


def _free(path: Path, others: Sequence[str], target: Path, taken: set[Path]) -> list[Path]:
    """Targets of a picture and its companions with one number for all, so that none is in use."""
    number = 1
    while True:
        ending = "" if number == 1 else f" {number}"
        wanted = [target.with_name(f"{target.stem}{ending}{target.suffix}")]
        for name in others:
            stem = path.stem if name.startswith(path.stem) else Path(name).stem  # of another case, or cut
            wanted.append(target.with_name(f"{stem}{ending}{name[len(stem) :]}"))
        if len(set(wanted)) == len(wanted) and not any(p in taken or os.path.lexists(p) for p in wanted):
            return wanted
        number += 1
