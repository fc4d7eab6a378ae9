"""Claims: of several processes that ingest the same files into one catalogue, each file is read by one.

A claim is a row that its holder has locked, in a transaction that ends when the file stands in the catalogue. When the
holder ends in whatever way, the server takes its lock away, and the row without a lock is free for the next one. What
somebody else holds is passed over without waiting.
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
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from dedupindex.store.catalog import chunks
from dedupindex.store.schema import Claim

log = logging.getLogger(__name__)

FILES_AT_ONCE = 64  # of a claim: what a process that dies has described for nothing at most, and others wait for
MOST_LEASES = 8  # connections; of more files, the last one holds the rest


class Claims(Protocol):
    """Files that this process is reading."""

    at_once: int  # files to ask for

    def take(self, paths: Sequence[Path]) -> Collection[Path]:
        """Claim files; those that are ours now, until they are `done`."""

    def done(self, paths: Iterable[Path]) -> None:
        """These stand in the catalogue."""

    def close(self) -> None:
        """Give back what was not done."""


class NoClaims:
    """Every file is ours."""

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
    """Files claimed in one transaction, which ends with the last of them: long ones keep a server from cleaning up."""

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
        Who claims, for people.
    """

    at_once = FILES_AT_ONCE

    def __init__(self, engine: Engine, holder: str) -> None:
        self._engine, self._holder = engine, holder
        self._open: list[_Lease] = []
        self._leases: dict[Path, _Lease] = {}

    def take(self, paths: Sequence[Path]) -> Collection[Path]:
        """Claim files. Whether one was done meanwhile has to be looked up after this, not before."""
        if not paths:
            return ()
        names = sorted(os.fsencode(path) for path in paths)  # in one order everywhere: no two wait for each other
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
        """Give back everything, and what processes that died have left."""
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
    """Remove claims that nobody has locked: of processes that died, on files that are known or that nobody wants."""
    left = select(Claim.path).with_for_update(skip_locked=True)
    with engine.begin() as connection:
        connection.execute(delete(Claim).where(Claim.path.in_(left.scalar_subquery())))


def _give_back(lease: _Lease) -> None:
    try:
        with lease.connection as connection:
            for some in chunks(lease.names):
                connection.execute(delete(Claim).where(Claim.path.in_(some)))
            connection.commit()
    except SQLAlchemyError as error:
        log.warning("the connection of a claim was lost, others may have read the same files: %s", type(error).__name__)
