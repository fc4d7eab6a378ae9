"""Pairs as a Parquet table."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from dedupindex.errors import SettingsError
from dedupindex.records import LocationRecord
from dedupindex.records.reports import Report
from dedupindex.reports.exchange.csvfile import PairLine, pair_lines, piece_lines
from dedupindex.reports.names import is_text, shown

SCHEMA_VERSION = "2"
NUMBERS = ("score", "dy", "dx", "scale", "rotation", "overlap")


def require_pyarrow() -> None:
    """Raise before the work begins where pyarrow is missing.

    Raises
    ------
    SettingsError
    """
    if find_spec("pyarrow") is None:
        raise SettingsError("Parquet needs pyarrow: install dedupindex with its extra 'parquet'")


def pairs_parquet(report: Report) -> bytes:
    """Return the pairs of a report as a Parquet file, with the columns of `pairs_table`.

    Raises
    ------
    SettingsError
        pyarrow is not installed.
    """
    table = pairs_table(report)
    import pyarrow
    from pyarrow import parquet

    sink = pyarrow.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def pairs_table(report: Report) -> Any:
    """Return the pairs of a report, the columns of the CSV and some more, as a `pyarrow.Table`.

    A path that is no UTF-8 text is shown with escapes; its bytes stand in ``a_bytes``, ``b_bytes``. The ids that
    lists gave stand in ``a_label``, ``b_label``.

    Raises
    ------
    SettingsError
        pyarrow is not installed.
    """
    require_pyarrow()
    import pyarrow

    lines = [*pair_lines(report), *piece_lines(report)]
    group_of = {
        (place.path, place.frame): group.id
        for group in report.groups
        for member in group.members
        for place in member.image.locations
    }
    columns: dict[str, Any] = {}
    for name in ("a", "b"):
        places = [_place(line, name) for line in lines]
        columns[name] = pyarrow.array([shown_address(place) for place in places], pyarrow.string())
        columns[f"{name}_bytes"] = pyarrow.array([bytes(place.path) for place in places], pyarrow.binary())
        columns[f"{name}_label"] = pyarrow.array([place.label for place in places], pyarrow.string())
        columns[f"{name}_gone"] = pyarrow.array([place.missing for place in places], pyarrow.bool_())
        columns[f"{name}_frame"] = pyarrow.array([place.frame for place in places], pyarrow.int64())
        companions = [[shown(companion.path.name) for companion in place.companions] for place in places]
        columns[f"companions_{name}"] = pyarrow.array(companions, pyarrow.list_(pyarrow.string()))
    for number in NUMBERS:
        columns[number] = pyarrow.array([getattr(line, number) for line in lines], pyarrow.float64())
    columns["mirrored"] = pyarrow.array([line.mirrored for line in lines], pyarrow.bool_())
    columns["relation"] = pyarrow.array([line.relation for line in lines], pyarrow.string())
    columns["proof"] = pyarrow.array([line.proof for line in lines], pyarrow.string())
    columns["changed"] = pyarrow.array([line.changed for line in lines], pyarrow.float64())
    for name in ("leads", "rule", "because"):
        columns[name] = pyarrow.array([getattr(line, name) for line in lines], pyarrow.string())
    columns["judgement"] = pyarrow.array([line.judgement for line in lines], pyarrow.bool_())
    groups = [group_of.get((line.a.path, line.a.frame)) for line in lines]  # None: an alternate that is in no group
    columns["group"] = pyarrow.array(groups, pyarrow.string())
    return pyarrow.table(columns).replace_schema_metadata({"dedupindex.schema": SCHEMA_VERSION})


def shown_address(place: LocationRecord) -> str:
    """Return an address that is always text."""
    return place.address if is_text(place.path) else shown(place.address)


def _place(line: PairLine, name: str) -> LocationRecord:
    return line.a if name == "a" else line.b
