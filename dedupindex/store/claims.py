"""Claims: when several processes ingest the same files into one catalogue, each file is read by one of them.

A claim is a row that its holder has locked, in a transaction that ends when the file is in the catalogue. When the
holder ends for any reason, the server releases its lock, and the unlocked row is free for the next process. Files that
another process holds are skipped without waiting.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.exc import SQLAlchemyError

from dedupindex.store.catalog import chunks
from dedupindex.store.schema import Claim

log = logging.getLogger(__name__)

FILES_AT_ONCE = 64  # in a claim: the most work that is lost with a process that dies, and that others wait for
MOST_LEASES = 8  # connections; the last one holds all further files


class Claims(Protocol):
    """Files that this process is reading."""

    at_once: int  # most files in one call of `take`

    def take(self, paths: Sequence[Path]) -> Collection[Path]:
        """Claim files; returns those that this process may read, until they are `done`."""

    def done(self, paths: Iterable[Path]) -> None:
        """Give back the claims of files that are in the catalogue now."""

    def close(self) -> None:
        """Give back what was not done."""


class NoClaims:
    """Claims of a database that one machine uses: every file is ours."""

    at_once = 256

    def take(self, paths: Sequence[Path]) -> Collection[Path]:
        """All of them."""
        return frozenset(paths)

    def done(self, paths: Iterable[Path]) -> None:
        """Nothing to give back."""

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(frozen=True, slots=True, eq=False)
class _Lease:
    """Files claimed in one transaction, which ends with the last of them: a long one hinders the server's clean-up."""

    connection: Connection  # of its own
    names: list[bytes] = field(default_factory=list)
    left: set[Path] = field(default_factory=set)


class RowClaims:
    """Claims as locked rows of a PostgreSQL catalogue.

    Parameters
    ----------
    engine : Engine
        Its transactions are READ COMMITTED.
    holder : str
        Name of this process, for people.
    """

    at_once = FILES_AT_ONCE

    def __init__(self, engine: Engine, holder: str) -> None:
        self._engine, self._holder = engine, holder
        self._open: list[_Lease] = []
        self._leases: dict[Path, _Lease] = {}

    def take(self, paths: Sequence[Path]) -> Collection[Path]:
        """Claim files. Whether one was read meanwhile has to be looked up after this call, not before."""
        from sqlalchemy.dialects.postgresql import insert  # only where there is a server

        if not paths:
            return ()
        names = sorted(os.fsencode(path) for path in paths)  # the same order everywhere prevents deadlocks
        now = datetime.now(UTC).isoformat()
        rows = [{"path": name, "host": self._holder, "claimed": now} for name in names]
        with self._engine.begin() as connection:
            connection.execute(insert(Claim).values(rows).on_conflict_do_nothing())
        if len(self._open) < MOST_LEASES:
            self._open.append(_Lease(self._engine.connect()))
        lease = self._open[-1]
        query = select(Claim.path).where(Claim.path.in_(names)).order_by(Claim.path)
        got = list(lease.connection.execute(query.with_for_update(skip_locked=True)).scalars())
        ours = {Path(os.fsdecode(name)) for name in got} - self._leases.keys()
        lease.names.extend(got)
        lease.left.update(ours)
        self._leases.update(dict.fromkeys(ours, lease))
        self._end_if_done(lease)
        return ours

    def done(self, paths: Iterable[Path]) -> None:
        """Give claims back; called after the commit that made the files known."""
        for path in paths:
            lease = self._leases.pop(path, None)
            if lease is not None:
                lease.left.discard(path)
                self._end_if_done(lease)

    def close(self) -> None:
        """Give back all claims, and delete those that dead processes have left."""
        self._leases.clear()
        while self._open:
            _give_back(self._open.pop())
        with contextlib.suppress(SQLAlchemyError):
            forget_left(self._engine)

    def _end_if_done(self, lease: _Lease) -> None:
        if not lease.left:
            self._open.remove(lease)
            _give_back(lease)


def forget_left(engine: Engine) -> None:
    """Delete claims that nobody has locked: they were left by processes that died."""
    left = select(Claim.path).with_for_update(skip_locked=True)
    with engine.begin() as connection:
        connection.execute(delete(Claim).where(Claim.path.in_(left.scalar_subquery())))


def _give_back(lease: _Lease) -> None:
    try:
        with lease.connection as connection:
            for batch in chunks(lease.names):
                connection.execute(delete(Claim).where(Claim.path.in_(batch)))
            connection.commit()
    except SQLAlchemyError:
        log.warning("the connection of a claim was lost; others may have read the same files")
