"""The work folder: Parquet files by name on a file system of fsspec, each whole or absent.

A file is written aside and renamed (an object store puts it in one step), and its pages carry checksums: a file that a
crash of the machine left half-written is noticed before it is used, and made again.
"""

from __future__ import annotations

import json
import os
import posixpath
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
from pyarrow import parquet

from dedupindex.errors import DedupIndexError, said

SUFFIX = ".parquet"
COUNTS = b"dedupindex.groups"  # rows of each group, in the metadata of a file that is divided into buckets
_TEMPORARY = ".tmp-"


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The files of one run.

    Attributes
    ----------
    url : str
        A folder as fsspec names it: a path, ``s3://bucket/folder``, ``memory://folder``.
    """

    url: str

    def has(self, name: str) -> bool:
        """Whether there is such a file and every page agrees with its checksum."""
        system, place = self._at(name)
        if not system.exists(place):
            return False
        try:
            self.read(name)
        except DedupIndexError:
            return False
        return True

    def write(self, name: str, groups: Sequence[pa.Table]) -> None:
        """Write tables of one schema, each a row group of its own; an older file of the name is replaced.

        Raises
        ------
        DedupIndexError
            The folder cannot be written.
        """
        sink = pa.BufferOutputStream()
        with parquet.ParquetWriter(
            sink, groups[0].schema, compression="lz4", use_dictionary=False, write_statistics=False,
            write_page_checksum=True,
        ) as writer:  # fmt: skip
            for table in groups:
                writer.write_table(table, row_group_size=max(1, table.num_rows))
        data = sink.getvalue()
        system, place = self._at(name)
        try:
            system.makedirs(posixpath.dirname(place), exist_ok=True)
            if not _is_local(system):
                system.pipe_file(place, data.to_pybytes())
                return
            aside = Path(f"{place}{_TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
            try:
                with aside.open("wb") as file:
                    file.write(data)
                aside.replace(place)
            finally:
                aside.unlink(missing_ok=True)
        except OSError as error:
            raise DedupIndexError(f"cannot write {self.url}/{name}: {said(error)}") from error

    def read(self, name: str, groups: Sequence[int] | None = None) -> pa.Table:
        """A file, or some of its row groups.

        Raises
        ------
        DedupIndexError
            It is missing or damaged.
        """
        with self._opened(name) as file:
            return file.read() if groups is None else file.read_row_groups(list(groups))

    def rows(self, name: str) -> int:
        """How many rows a file has."""
        with self._opened(name) as file:
            return int(file.metadata.num_rows)

    def counts(self, name: str) -> dict[int, int]:
        """Rows of each group of a file that is divided into buckets."""
        with self._opened(name) as file:
            stored = json.loads((file.schema_arrow.metadata or {})[COUNTS])
        return {int(key): rows for key, rows in stored.items()}

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens when there is none."""
        system, place = self._at(name)
        if system.exists(place):
            system.rm_file(place)

    def names(self) -> list[str]:
        """Names of all files, leftovers of killed processes included."""
        system, place = self._at("")
        system.invalidate_cache()
        return (
            sorted(posixpath.basename(entry) for entry in system.ls(place, detail=False))
            if system.exists(place)
            else []
        )

    def clear(self) -> None:
        """Remove all our files, and the folder when it is empty then."""
        for name in self.names():
            if SUFFIX in name:
                self.remove(name)
        system, place = self._at("")
        if _is_local(system) and Path(place).is_dir() and not any(Path(place).iterdir()):
            Path(place).rmdir()

    def _at(self, name: str) -> tuple[Any, str]:
        try:
            system, root = fsspec.core.url_to_fs(self.url)
        except (ValueError, ImportError) as error:
            raise DedupIndexError(f"work folder {self.url}: {said(error)}") from error
        return system, posixpath.join(root, name) if name else root

    def _opened(self, name: str) -> _Reading:
        return _Reading(*self._at(name), f"{self.url}/{name}")


class _Reading:
    """An open Parquet file; its errors become ours."""

    def __init__(self, system: Any, place: str, shown: str) -> None:
        self._system, self._place, self._shown = system, place, shown

    def __enter__(self) -> Any:
        try:
            self._file = self._system.open(self._place, "rb")
            return parquet.ParquetFile(self._file, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            raise DedupIndexError(f"{self._shown}: {said(error)}") from error

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._file.close()
        if isinstance(error, OSError | pa.ArrowException):
            raise DedupIndexError(f"{self._shown}: {said(error)}") from error


def _is_local(system: Any) -> bool:
    protocol = system.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)
