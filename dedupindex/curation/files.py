"""Files about parts: a split as a table, read back; the baseline of accepted leaks."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dedupindex.errors import SettingsError
from dedupindex.places import place_of
from dedupindex.records.splits import Part

PARQUET = (".parquet", ".pq")
COLUMNS = ("path", "part", "unit", "label")
BASELINE_KIND = "leaks"


def read_split(path: Path) -> tuple[Part, ...]:
    """The parts that a split file names, in the order in which they come first; files without a part are left out.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.parquet`` with the columns ``path`` and ``part``. Relative paths are relative to its folder.

    Returns
    -------
    tuple of Part

    Raises
    ------
    SettingsError
        It cannot be read, or lacks a column.
    """
    members: dict[str, list[Path]] = {}
    try:
        rows = list(_parquet_rows(path) if path.suffix.lower() in PARQUET else _csv_rows(path))
        for name, part in rows:
            if part and name:
                local = name if "://" in name else str(path.absolute().parent / name)
                members.setdefault(part, []).append(place_of(local))
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not members:
        raise SettingsError(f"{path}: no file in it has a part")
    return tuple(Part(name, (), tuple(files)) for name, files in members.items())


def _csv_rows(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file)
        _require(path, reader.fieldnames or ())
        for row in reader:
            yield row["path"] or "", row["part"] or ""


def _parquet_rows(path: Path) -> Iterator[tuple[str, str]]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise SettingsError("Parquet needs pyarrow: install dedupindex with its extra 'parquet'") from error
    with parquet.ParquetFile(path) as file:
        _require(path, file.schema_arrow.names)
        table: Any = file.read(columns=["path", "part"])
    for name, part in zip(table["path"].to_pylist(), table["part"].to_pylist(), strict=True):
        yield str(name or ""), str(part or "")


def _require(path: Path, columns: Iterable[str]) -> None:
    missing = {"path", "part"} - set(columns)
    if missing:
        raise SettingsError(f"{path}: no column {', '.join(sorted(missing))}; a split has path and part")


def read_baseline(path: Path) -> frozenset[str]:
    """Fingerprints of the leaks that a baseline file accepts.

    Raises
    ------
    SettingsError
        It cannot be read, or is no baseline.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {getattr(error, 'strerror', None) or 'is no JSON'}") from error
    accepted = value.get("accepted") if isinstance(value, dict) and value.get("kind") == BASELINE_KIND else None
    if not isinstance(accepted, list) or not all(isinstance(one, dict) for one in accepted):
        raise SettingsError(f"{path}: is no baseline of leaks; --update-baseline writes one")
    return frozenset(str(one["fingerprint"]) for one in accepted if "fingerprint" in one)
