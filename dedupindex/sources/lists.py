"""Lists of pictures: one row a picture, a path or a URL, and optionally an id."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dedupindex.errors import Reason, SettingsError, said
from dedupindex.places import absolute, at_home, is_local, name_of, place_of, text_of
from dedupindex.records import Failure
from dedupindex.sources.coco import coco_rows

STDIN = "-"
COLUMNS = ("url", "path", "uri", "file", "filename", "image", "image_url", "image_path")  # taken unless one is named
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")
_COCO = ".json"
_ROWS = 4096  # rows of a Parquet file at once
_LONGEST = 32_768  # characters of a path or URL


@dataclass(frozen=True, slots=True)
class SourceList:
    """A list of pictures.

    Attributes
    ----------
    path : Path
        ``.csv`` or ``.tsv`` with a header, ``.parquet``, COCO ``.json``, else plain text with a path or URL a line;
        ``-`` = such text from standard input.
    column : str
        Where the path or URL stands; empty = the first of `COLUMNS` that there is.
    id_column : str
        Where the id stands, which is kept as the location's label; empty = none. Of a COCO file always its id.
    images : Path or None
        Folder of the pictures that a COCO file names; None = looked for beside it (`dedupindex.sources.coco`).
    """

    path: Path
    column: str = ""
    id_column: str = ""
    images: Path | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A picture of a list."""

    number: int  # from 1, the header not counted
    place: Path
    label: str | None


def read_list(source: SourceList) -> Iterator[Row | Failure]:
    """Rows of a list; relative paths are relative to its folder. A row without a usable value is a `Failure`.

    Raises
    ------
    SettingsError
        The list cannot be read, has no such column, or needs pyarrow.
    """
    named = source.path == Path(STDIN)
    path = source.path if named else absolute(source.path)
    if not is_local(path) and not named:
        raise SettingsError(f"{text_of(path)}: a list must be a file of this machine")
    base = Path.cwd() if named else path.parent
    suffix = path.suffix.lower()
    tabular = suffix in _SEPARATORS or suffix in _PARQUET
    if not tabular and (source.column or source.id_column):
        raise SettingsError(f"{source.path}: columns are for .csv, .tsv and .parquet lists; this one is taken for text")
    with _readable(path):
        values: Iterable[tuple[int, Any, Any]]
        if suffix == _COCO and not named:
            values = coco_rows(path, source.images)
        elif suffix in _PARQUET:
            values = _parquet_rows(path, source)
        elif tabular:
            values = _table_rows(path, source, _SEPARATORS[suffix])
        else:
            values = _text_rows(path, named)
        for number, value, label in values:
            yield _row(path, base, number, value, label)


def _row(path: Path, base: Path, number: int, value: object, label: object) -> Row | Failure:
    where = Path(f"{path}#row={number}")
    if not isinstance(value, str) or not value.strip():
        return Failure(where, Reason.MISSING, "no path or URL in this row")
    if len(value) > _LONGEST or "\0" in value:
        return Failure(where, Reason.MISSING, "no path or URL, but something else")
    try:
        if "://" not in value and not name_of(Path(value)):
            value = str(base / at_home(Path(value)))
        place = place_of(value)
        os.fsencode(place)
    except UnicodeError:
        return Failure(where, Reason.MISSING, "no path or URL: characters that no name can have")
    except ValueError as error:
        return Failure(where, Reason.MISSING, str(error))
    except OSError as error:
        return Failure(where, Reason.MISSING, said(error))
    return Row(number, place, None if label is None or label == "" else str(label))


def _text_rows(path: Path, named: bool) -> Iterator[tuple[int, str, None]]:
    if named:
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # names that are no text
        yield from _lines(sys.stdin)
        return
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        yield from _lines(file)


def _lines(file: Iterable[str]) -> Iterator[tuple[int, str, None]]:
    for number, line in enumerate(file, 1):
        value = line.removesuffix("\n").removesuffix("\r")
        if value:  # an empty line, as at the end, is no row
            yield number, value, None


def _table_rows(path: Path, source: SourceList, separator: str) -> Iterator[tuple[int, str | None, str | None]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        names = next(reader, [])
        at, id_at = _columns(source, names)
        for number, row in enumerate(_whole_rows(reader), 1):
            label = row[id_at] if id_at is not None and id_at < len(row) else None
            yield number, row[at] if at < len(row) else None, label


def _whole_rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Rows that are not empty; one that is no row (a cell longer than 131,072 characters) is one without a value."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield []
            continue
        if row:
            yield row


def _texts(column: Any) -> list[Any]:
    """Values of a column; texts that are no UTF-8 as the system's names, their odd bytes as surrogates."""
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        raw = column.cast("binary").to_pylist()
        values = [None if value is None else value.decode("utf-8", "surrogateescape") for value in raw]
    return values


def _parquet_rows(path: Path, source: SourceList) -> Iterator[tuple[int, Any, Any]]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise SettingsError("Parquet needs pyarrow: install dedupindex with its extra 'parquet'") from error
    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        at, id_at = _columns(source, names)
        wanted = [names[at]] if id_at is None else list(dict.fromkeys((names[at], names[id_at])))
        number = 0
        for batch in file.iter_batches(batch_size=_ROWS, columns=wanted):
            values = _texts(batch.column(names[at]))
            labels = [None] * len(values) if id_at is None else _texts(batch.column(names[id_at]))
            for value, label in zip(values, labels, strict=True):
                number += 1
                yield number, value, label


def _columns(source: SourceList, names: Sequence[str]) -> tuple[int, int | None]:
    """Where the place and the id stand.

    Raises
    ------
    SettingsError
    """
    there = ", ".join(names) or "none"
    wanted = source.column or next((name for name in COLUMNS if name in names), "")
    if wanted not in names:
        missing = f"no column {wanted!r}" if wanted else f"none of the columns {', '.join(COLUMNS)}; name one"
        raise SettingsError(f"{source.path}: {missing}; there are: {there}")
    if source.id_column and source.id_column not in names:
        raise SettingsError(f"{source.path}: no column {source.id_column!r}; there are: {there}")
    return names.index(wanted), names.index(source.id_column) if source.id_column else None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (SettingsError, GeneratorExit):
        raise
    except (OSError, ValueError, csv.Error) as error:  # pyarrow's derive from them
        words = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise SettingsError(f"{path}: the list cannot be read: {words}") from error
