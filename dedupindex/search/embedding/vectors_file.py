"""Vectors by key in a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dedupindex.errors import SettingsError
from dedupindex.records import CodeArray, ImageRecord
from dedupindex.search.embedding.model import codes

KEYS = ("key", "path", "id", "label", "file", "filename", "image")
VECTORS = ("vector", "embedding", "vectors", "embeddings", "features")
_ROWS = 4096  # at once


def read_vectors(path: Path) -> dict[str, CodeArray]:
    """Vectors of a Parquet file by their keys, as int8.

    Parameters
    ----------
    path : Path
        With a column of keys (the first of `KEYS` that there is) and one of vectors (of `VECTORS`), lists of numbers
        of one length. Rows without a vector are left out.

    Returns
    -------
    dict of str to (D,) int8

    Raises
    ------
    SettingsError
        It cannot be read, lacks a column, or has vectors of several lengths.
    """
    from pyarrow import parquet

    vectors: dict[str, CodeArray] = {}
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            key, vector = (_column(path, names, choices) for choices in (KEYS, VECTORS))
            for batch in file.iter_batches(batch_size=_ROWS, columns=[key, vector]):
                for name, value in zip(batch.column(key).to_pylist(), batch.column(vector).to_pylist(), strict=True):
                    packed = None if value is None else codes(np.asarray(value, np.float64).reshape(-1))
                    if name is not None and packed is not None:
                        vectors[str(name)] = packed
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"{path}: the vectors cannot be read: {' '.join(str(error).split())[:200]}") from error
    lengths = {len(value) for value in vectors.values()}
    if len(lengths) > 1:
        raise SettingsError(f"{path}: vectors of {len(lengths)} different lengths, e.g. {sorted(lengths)[:3]}")
    return vectors


def names_of(image: ImageRecord, base: Path) -> Iterator[str]:
    """What an image may be called in such a file: its content key, its ids, its addresses, paths below *base*."""
    yield image.key
    for place in image.locations:
        if place.label is not None:
            yield place.label
        yield place.address
        yield os.fspath(place.path)
        if place.path.is_relative_to(base):
            yield os.fspath(place.path.relative_to(base))


def _column(path: Path, names: Sequence[str], choices: Sequence[str]) -> str:
    chosen = next((name for name in choices if name in names), None)
    if chosen is None:
        raise SettingsError(f"{path}: none of the columns {', '.join(choices)}; there are: {', '.join(names)}")
    return chosen
