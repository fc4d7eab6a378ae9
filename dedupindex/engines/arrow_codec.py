"""Records to Arrow tables and back, without loss. The columns follow from the annotations of the dataclass.

Text and paths are stored as bytes, because file names need not be text. A value that is the same for all records of a
run (the settings) is left out of the table and put back on reading: it belongs to the stage.
"""

from __future__ import annotations

import dataclasses
import os
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import pyarrow as pa

from dedupindex.records import arrays
from dedupindex.settings import Settings

_Record = TypeVar("_Record")
CONSTANTS = (Settings,)  # types of which one value serves all records


@dataclass(frozen=True, slots=True)
class _Codec:
    """An Arrow type, and the conversions from and to Python; the latter is given the settings."""

    arrow: Any
    pack: Callable[[Any], Any]
    unpack: Callable[[Any, Settings], Any]


def schema_of(kind: type) -> pa.Schema:
    """Columns of a table of such records.

    Raises
    ------
    TypeError
        An annotation has no column type.
    """
    return pa.schema(list(_codec(kind).arrow))


def table_of(kind: type[_Record], records: Iterable[_Record]) -> pa.Table:
    """Records as a table, one row each."""
    pack = _codec(cast(Any, kind)).pack
    return pa.Table.from_pylist([pack(record) for record in records], schema=schema_of(kind))


def records_of(kind: type[_Record], table: pa.Table, settings: Settings) -> list[_Record]:
    """The records of a table.

    Parameters
    ----------
    kind : type
        The dataclass that `table_of` was given.
    table : pyarrow.Table
    settings : Settings
        Put wherever the records hold settings.

    Returns
    -------
    list
        One record a row.
    """
    unpack = _codec(cast(Any, kind)).unpack
    return [unpack(row, settings) for row in table.to_pylist()]


@lru_cache(maxsize=64)
def _codec(hint: Any) -> _Codec:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _Codec(pa.string(), lambda value: value.value, lambda value, _: hint(value))
    if dataclasses.is_dataclass(hint):
        return _record_codec(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType) and len(inner) == 2 and inner[1] is type(None):
        return _optional(_codec(inner[0]))
    if origin is tuple and len(inner) == 2 and inner[1] is ...:
        return _several(_codec(inner[0]))
    if origin is tuple:
        return _fixed([_codec(part) for part in inner])
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_codec(inner[0]), _codec(inner[1]))
    raise TypeError(f"{hint} has no column type")


def _record_codec(kind: Any) -> _Codec:
    hints = get_type_hints(kind, localns=vars(arrays))  # records name types of arrays without loading NumPy
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    constant = [name for name in names if hints[name] in CONSTANTS]
    codecs = {name: _codec(hints[name]) for name in names if name not in constant}

    def pack(record: Any) -> dict[str, Any]:
        return {name: codec.pack(getattr(record, name)) for name, codec in codecs.items()}

    def unpack(row: Mapping[str, Any], settings: Settings) -> Any:
        values = {name: codec.unpack(row[name], settings) for name, codec in codecs.items()}
        return kind(**values, **dict.fromkeys(constant, settings))

    return _Codec(pa.struct([(name, codec.arrow) for name, codec in codecs.items()]), pack, unpack)


def _optional(inner: _Codec) -> _Codec:
    return _Codec(
        inner.arrow,
        lambda value: None if value is None else inner.pack(value),
        lambda value, settings: None if value is None else inner.unpack(value, settings),
    )


def _several(inner: _Codec) -> _Codec:
    return _Codec(
        pa.list_(inner.arrow),
        lambda values: [inner.pack(value) for value in values],
        lambda values, settings: tuple(inner.unpack(value, settings) for value in values),
    )


def _fixed(parts: list[_Codec]) -> _Codec:
    return _Codec(
        pa.struct([(str(place), part.arrow) for place, part in enumerate(parts)]),
        lambda values: {str(place): part.pack(values[place]) for place, part in enumerate(parts)},
        lambda row, settings: tuple(part.unpack(row[str(place)], settings) for place, part in enumerate(parts)),
    )


def _mapping(key: _Codec, value: _Codec) -> _Codec:
    return _Codec(
        pa.map_(key.arrow, value.arrow),
        lambda mapping: [(key.pack(name), value.pack(element)) for name, element in mapping.items()],
        lambda items, settings: {
            key.unpack(name, settings): value.unpack(element, settings) for name, element in items
        },
    )


_PLAIN: dict[Any, _Codec] = {
    bool: _Codec(pa.bool_(), bool, lambda value, _: value),
    int: _Codec(pa.int64(), int, lambda value, _: value),
    float: _Codec(pa.float64(), float, lambda value, _: value),
    bytes: _Codec(pa.large_binary(), bytes, lambda value, _: value),
    str: _Codec(
        pa.binary(),
        lambda text: text.encode("utf-8", "surrogatepass"),
        lambda data, _: data.decode("utf-8", "surrogatepass"),
    ),
    Path: _Codec(pa.binary(), os.fsencode, lambda data, _: Path(os.fsdecode(data))),
}
