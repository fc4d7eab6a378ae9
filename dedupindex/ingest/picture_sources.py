"""Pictures that are no files: arrays, PIL pictures, encoded bytes, rows of Hugging Face data sets, with their ids."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps

from dedupindex.errors import SettingsError
from dedupindex.places import absolute, check_volume, keeps

Picture: TypeAlias = "NDArray[Any] | Pillow.Image | bytes | os.PathLike[str]"
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """A picture with its place.

    Attributes
    ----------
    label : str
        Its id.
    place : Path
        ``SOURCE:/ID``; of a file the file itself.
    pixels : array or None
        What was given as an array.
    encoded : bytes or None
        What was given encoded, or has to be decoded as if it had been; neither of both: the place is a file.
    """

    label: str
    place: Path
    pixels: NDArray[Any] | None = None
    encoded: bytes | None = None


def given_pictures(
    pictures: Any,
    ids: Iterable[object] | None,
    *,
    source: str,
    column: str,
    id_column: str,
) -> Iterator[GivenPicture]:
    """Yield pictures with ids and places.

    Parameters
    ----------
    pictures : mapping, iterable or Hugging Face data set
        A mapping has the ids as keys. Of a data set the column is read undecoded.
    ids : iterable or None
        Of the others, in their order; None = their numbers, from 0.
    source : str
        Name of the place, as volumes have one: two characters or more.
    column, id_column : str
        Of a data set; without an id column the numbers of its rows.

    Yields
    ------
    GivenPicture

    Raises
    ------
    SettingsError
        The source cannot have that name; an id cannot be a name, or comes twice; a column is missing.
    TypeError
        Something is no picture.
    """
    try:
        check_volume(source)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    if is_dataset(pictures):
        if ids is not None:
            raise SettingsError("of a data set name the column of the ids")
        pairs = _rows(pictures, column, id_column)
    elif isinstance(pictures, Mapping):
        pairs = iter(pictures.items())
    else:
        pairs = zip(itertools.count() if ids is None else ids, pictures, strict=ids is not None)
    seen: set[str] = set()
    for name, picture in pairs:
        label = str(name)
        if label in seen:
            raise SettingsError(f"two pictures have the id {label!r}")
        seen.add(label)
        if not keeps(label) or label == "." or "\0" in label:
            raise SettingsError(f"{label!r} cannot be an id: empty, with empty parts, `.` or `..`")
        yield _given(label, Path(f"{source}:/{label}"), picture)


def is_dataset(value: Any) -> bool:
    """Whether a value is a Hugging Face data set, or an iterable one; `datasets` is not imported for that."""
    return type(value).__module__.partition(".")[0] == "datasets" and hasattr(value, "features")


def _rows(dataset: Any, column: str, id_column: str) -> Iterator[tuple[object, Any]]:
    import datasets

    names = list(dataset.features or dataset.column_names or ())
    for wanted in (column, *((id_column,) if id_column else ())):
        if wanted not in names:
            raise SettingsError(f"the data set has no column {wanted!r}; there are: {', '.join(names)}")
    if isinstance(dataset.features[column], datasets.Image):
        dataset = dataset.cast_column(column, datasets.Image(decode=False))
    for number, row in enumerate(dataset):
        yield (row[id_column] if id_column else number), row[column]


def _given(label: str, place: Path, picture: Any) -> GivenPicture:
    if isinstance(picture, Mapping):  # as `datasets` gives what it has not decoded
        if picture.get("bytes") is not None:
            return GivenPicture(label, place, encoded=bytes(picture["bytes"]))
        if not picture.get("path"):
            raise TypeError(f"picture {label}: has neither bytes nor a path")
        return GivenPicture(label, absolute(Path(picture["path"])))
    if isinstance(picture, np.ndarray):
        return GivenPicture(label, place, pixels=picture)
    if isinstance(picture, Pillow.Image):
        return _of_pillow(label, place, picture)
    if isinstance(picture, bytes | bytearray | memoryview):
        return GivenPicture(label, place, encoded=bytes(picture))
    if isinstance(picture, os.PathLike):
        return GivenPicture(label, absolute(Path(picture)))
    raise TypeError(f"picture {label}: is a {type(picture).__name__}, must be an array, a PIL picture, bytes or a Path")


def _of_pillow(label: str, place: Path, picture: Pillow.Image) -> GivenPicture:
    """A PIL picture, upright: as PNG where that loses nothing, else as an array."""
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("F", "I"):
        return GivenPicture(label, place, pixels=np.asarray(upright))
    if upright.mode not in _PNG_MODES:
        upright = upright.convert("RGB")
    file = io.BytesIO()
    upright.save(file, "PNG", compress_level=1, exif=b"")
    return GivenPicture(label, place, encoded=file.getvalue())
