"""A COCO file in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dedupindex.records.splits import Split
from dedupindex.sources.coco import part_document, read_coco


def coco_parts(split: Split, path: Path, *, images: Path | None = None) -> dict[str, dict[str, Any]]:
    """The documents of a COCO file's parts, by part, each with its pictures and their annotations.

    Parameters
    ----------
    split : Split
    path : Path
        The COCO file that was divided.
    images : Path, optional
        Folder of its pictures.

    Returns
    -------
    dict of str to dict
        Ready for JSON.

    Raises
    ------
    SettingsError
        It cannot be read.
    """
    coco = read_coco(path, images)
    return {part: part_document(coco, {file.path for file in split.of(part)}) for part in split.ratios}
