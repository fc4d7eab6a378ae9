"""What rooms below add to records: pictures of them in notebooks, and tables.

Records know nothing of files and table libraries. The facade registers what draws them (`show_with`, `tabulate_with`)
when it is first imported; until then notebooks show the plain `repr`, and tables say that `Index` is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_SHOWN_BY: list[Callable[[Any], str]] = []
_TABULATED_BY: list[Callable[[Any], Any]] = []


def show_with(function: Callable[[Any], str]) -> None:
    """Register what makes HTML of a record."""
    _SHOWN_BY[:] = [function]


def tabulate_with(function: Callable[[Any], Any]) -> None:
    """Register what makes a `pyarrow.Table` of a report."""
    _TABULATED_BY[:] = [function]


class Face:
    """A record that notebooks show as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        return _SHOWN_BY[0](self) if _SHOWN_BY else None


class Tabular:
    """A record that becomes a table, one row a pair."""

    __slots__ = ()

    def to_arrow(self) -> Any:
        """Return the pairs as a `pyarrow.Table`, with the columns of the Parquet file.

        Raises
        ------
        SettingsError
            pyarrow is not installed.
        """
        if not _TABULATED_BY:
            raise RuntimeError("import dedupindex.Index first")
        return _TABULATED_BY[0](self)

    def to_pandas(self) -> Any:
        """Return the pairs as a `pandas.DataFrame`; see `to_arrow`.

        Raises
        ------
        SettingsError
            pyarrow is not installed.
        ModuleNotFoundError
            pandas is not installed.
        """
        import pandas  # noqa: F401  (says that it is missing before the work begins)

        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """Return the pairs as a `polars.DataFrame`; see `to_arrow`.

        Raises
        ------
        SettingsError
            pyarrow is not installed.
        ModuleNotFoundError
            polars is not installed.
        """
        import polars

        return polars.from_arrow(self.to_arrow())
