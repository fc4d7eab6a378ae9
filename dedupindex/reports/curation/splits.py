"""Splits: as text, as CSV, as Parquet, as JSON."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dedupindex.places import is_local, text_of
from dedupindex.records.splits import Split, SplitFile
from dedupindex.reports.amounts import count
from dedupindex.reports.names import shown

COLUMNS = ("path", "part", "unit", "label")


def split_text(split: Split) -> str:
    """Return a split for people: files and share of each part, and what could not be kept apart."""
    total = sum(1 for file in split.files if file.part)
    lines = [f"{count(len(split.files), 'file')} in {count(split.units, 'unit')}; files of one unit stay together"]
    for part, ratio in split.ratios.items():
        files = split.of(part)
        share = len(files) / total if total else 0.0
        kept = sum(file.kept for file in files)
        known = f", {kept:,} of them were in it" if kept else ""
        lines.append(f"    {shown(part)}: {len(files):,} files, {share:.1%} (wanted {ratio:.1%}){known}")
    left_out = len(split.of(""))
    if left_out:
        lines.append(f"    left out: {count(left_out, 'file')} that show what is in a later part")
    if split.torn:
        what = "left out of the earlier parts" if left_out else "leaks; --drop leaves them out of the earlier parts"
        lines.append(f"{count(len(split.torn), 'unit')} lay in several parts already: {what}")
    return "\n".join(lines)


def split_json(split: Split) -> dict[str, Any]:
    """Return a split as plain values."""
    return {
        "ratios": dict(split.ratios),
        "seed": split.seed,
        "units": split.units,
        "torn": list(split.torn),
        "parts": {part: len(split.of(part)) for part in split.ratios},
        "left_out": len(split.of("")),
        "files": [
            {"path": shown(file.path), "part": file.part, "unit": file.unit, "label": file.label, "kept": file.kept}
            for file in split.files
        ],
    }


def split_csv(split: Split, folder: Path) -> bytes:
    """Return a split as CSV: path, part, unit, label; names exact.

    Parameters
    ----------
    split : Split
    folder : Path
        Where the file will lie, absolute: paths below it are relative to it, so that the data set can be moved.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(tuple(row.values()) for row in map(_row_from(folder), split.files))
    return text.getvalue().encode("utf-8", "surrogateescape")


def split_parquet(split: Split, folder: Path) -> bytes:
    """Return a split as Parquet, with the columns of the CSV; needs pyarrow."""
    import pyarrow
    from pyarrow import parquet

    rows = [_row_from(folder)(file) for file in split.files]
    columns = {
        name: pyarrow.array([None if row[name] is None else shown(row[name]) for row in rows], pyarrow.string())
        for name in COLUMNS
    }
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(columns), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _row_from(folder: Path) -> Any:
    def row(file: SplitFile) -> Mapping[str, str | None]:
        inside = is_local(file.path) and file.path.is_relative_to(folder)
        path = os.fspath(file.path.relative_to(folder)) if inside else text_of(file.path)
        return {"path": path, "part": file.part, "unit": file.unit, "label": file.label}

    return row
