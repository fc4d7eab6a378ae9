"""Insert or replace, in the dialect of each database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from dedupindex.store.schema import Base


def upsert(
    connection: Connection,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    by: Collection[str],
    keep: Collection[str] = (),
) -> None:
    """Insert rows; where a row with the same key exists, replace its columns.

    Parameters
    ----------
    table : type of Base
    rows : sequence of mapping
        Column to value, the same columns in each. Of two with the same key the later one counts.
    by : collection of str
        Columns of the key.
    keep : collection of str
        Columns of an existing row that stay as they are.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:  # only the dialect that is used is imported
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    unique = {tuple(row[name] for name in by): dict(row) for row in rows}
    statement = insert(table)
    new = {name: statement.excluded[name] for name in rows[0] if name not in (*by, *keep)}
    connection.execute(statement.on_conflict_do_update(index_elements=list(by), set_=new), list(unique.values()))
