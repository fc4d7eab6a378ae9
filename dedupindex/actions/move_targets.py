"""Where the files of a plan are moved to: below one folder, in the folders that they have in common now."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from dedupindex.records.plans import PlanItem


def with_targets(items: Sequence[PlanItem], folder: Path | None) -> list[PlanItem]:
    """Give every file that moves a target of its own, keeping its folders.

    Parameters
    ----------
    items : sequence of PlanItem
    folder : Path or None
        Where files are moved to; None: they are not moved.

    Returns
    -------
    list of PlanItem
        In the order in which they were given.
    """
    if folder is None or not items:
        return list(items)
    common = Path(os.path.commonpath([item.file.path.parent for item in items]))
    taken: set[Path] = set()
    placed: list[PlanItem] = []
    for item in items:
        target = _free(folder / item.file.path.relative_to(common), taken)
        taken.add(target)
        placed.append(dataclasses.replace(item, target=target))
    return placed


def _free(path: Path, taken: set[Path]) -> Path:
    """Return a name like this one that is not in use."""
    number, chosen = 2, path
    while chosen in taken or os.path.lexists(chosen):
        chosen = path.with_name(f"{path.stem} {number}{path.suffix}")
        number += 1
    return chosen
