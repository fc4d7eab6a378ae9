"""What a kind of database must offer to hold a catalogue. `sqlite` and `postgres` implement it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import IntEnum
from pathlib import Path
from typing import Protocol, TypeAlias

from sqlalchemy import Connection

from dedupindex.errors import StoreError
from dedupindex.store.claims import Claims

Transaction: TypeAlias = Connection  # of `Database.read` and `Database.write`
CATALOGUE = "catalogue"  # meta key: the random id of a shared catalogue, after which its folders on a host are named


class Purpose(IntEnum):
    """Work that one process at a time does where several hosts share a catalogue. The values number the locks."""

    WRITE = 1
    SEARCH = 2
    SEAL = 3


class Backend(Protocol):
    """A database behind `Database`, which translates its errors. `alone` and `claims` raise our own errors already."""

    @property
    def name(self) -> str:
        """The database's name for people, without a password."""

    @property
    def shared(self) -> bool:
        """Whether several hosts use it: files are claimed, and vector files are handed out through it."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What its driver raises."""

    @property
    def longest_path(self) -> int:
        """Bytes of the longest path that it can store."""

    @property
    def vectors(self) -> Path:
        """The folder of this host's vector files."""

    @property
    def own_files(self) -> list[Path]:
        """Files and folders of this host that belong to it and are no pictures."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state of the database and never waits for a writer."""

    def writing(self) -> AbstractContextManager[Connection]:
        """The only transaction that writes, all or nothing."""

    def alone(self, purpose: Purpose) -> AbstractContextManager[None]:
        """Hold a lock while the block runs, so that no other process does the same."""

    def claims(self) -> AbstractContextManager[Claims]:
        """Claims of files, given back at the end of the block."""

    def beside(self, tail: str) -> Path:
        """A name for a file of this host that belongs to it."""

    def size(self) -> int:
        """Bytes."""

    def backup(self, target: Path) -> None:
        """Copy it into a file."""

    def integrity(self) -> list[str]:
        """Complaints of its own checks; empty when all is well."""

    def translate(self, error: Exception) -> StoreError:
        """Our error for one of `errors`."""

    def close(self) -> None:
        """Close every connection."""
